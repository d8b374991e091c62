from __future__ import annotations

from collections.abc import Iterator

import pytest

from securepacs_harness.bracket import Expected, Ledger, NotAcceptedError, NotRefusedError, Refusal, Verdict, accepts, at, bracket
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome

ACCEPTED = Observation(Layer.DIMSE, Outcome.ACCEPTED, "0x0000")
REJECTED = Observation(Layer.ASSOCIATION, Outcome.REFUSED, "1/1/3")
SILENT = Observation(Layer.ASSOCIATION, Outcome.TIMEOUT, "time-out")
UNKNOWN = Observation(Layer.TLS, Outcome.INCONCLUSIVE, "could-not-offer")


def sequence(*answers: Observation) -> Attempt:
    """Give an attempt that answers thus, one after the other."""
    left: Iterator[Observation] = iter(answers)
    return Attempt("a control", lambda: next(left))


@pytest.mark.parametrize(
    ("before", "seen", "after", "verdict"),
    [
        (ACCEPTED, REJECTED, ACCEPTED, Verdict.REFUSED),
        (ACCEPTED, ACCEPTED, ACCEPTED, Verdict.ACCEPTED),
        (ACCEPTED, SILENT, ACCEPTED, Verdict.UNANSWERED),
        (ACCEPTED, UNKNOWN, ACCEPTED, Verdict.INCONCLUSIVE),
        (REJECTED, REJECTED, ACCEPTED, Verdict.INCONCLUSIVE),
        (ACCEPTED, REJECTED, REJECTED, Verdict.INCONCLUSIVE),
        (REJECTED, REJECTED, REJECTED, Verdict.INCONCLUSIVE),
        (SILENT, SILENT, SILENT, Verdict.INCONCLUSIVE),
        (REJECTED, ACCEPTED, REJECTED, Verdict.ACCEPTED),
    ],
)
def test_a_refusal_needs_both_controls(before: Observation, seen: Observation, after: Observation, verdict: Verdict) -> None:
    """Refused counts only between two successes; a time-out never does; an acceptance is one whatever the controls say."""
    refusal = bracket(sequence(before, after)).refuses(Attempt("an attack", lambda: seen), layer=Layer.ASSOCIATION)
    assert refusal.verdict is verdict
    if verdict is Verdict.REFUSED:
        assert refusal.require() is refusal
    else:
        with pytest.raises(NotRefusedError, match="an attack"):
            refusal.require()


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        (at(Layer.ASSOCIATION, "1/1/3"), True),
        (at(Layer.ASSOCIATION), True),
        (at({Layer.TLS, Layer.ASSOCIATION}, {"1/1/3", "unknown_ca"}), True),
        (at(Layer.ASSOCIATION, "1/1/7"), False),
        (at(Layer.TLS), False),
    ],
)
def test_a_refusal_at_another_layer_is_not_the_declared_one(expected: Expected, met: bool) -> None:  # noqa: FBT001 - the table's value
    """The layer and the code are compared with what is declared."""
    refusal = bracket(sequence(ACCEPTED, ACCEPTED)).tries([(Attempt("an attack", lambda: REJECTED), expected)])[0]
    assert refusal.verdict is Verdict.REFUSED
    assert refusal.as_declared is met


def test_a_refusal_without_controls_cannot_be_made() -> None:
    """The class Refusal refuses to be made by anybody but a bracket."""
    with pytest.raises(TypeError, match="only bracket"):
        Refusal("an attack", at(Layer.TLS), ACCEPTED, REJECTED, ACCEPTED)


def test_several_are_tried_between_one_pair_of_controls() -> None:
    """The control runs once before and once after, and each attempt keeps its own result in order."""
    order: list[str] = []

    def noted(name: str, answer: Observation) -> Attempt:
        def observe() -> Observation:
            order.append(name)
            return answer

        return Attempt(name, observe)

    def one(name: str, seen: Observation) -> tuple[Attempt, Expected]:
        return Attempt(name, lambda: seen), at(Layer.ASSOCIATION)

    cases = [one("good", REJECTED), one("bad", ACCEPTED), one("worse", SILENT)]
    with pytest.raises(NotRefusedError) as error:
        bracket(Attempt("control", lambda: ACCEPTED)).refuses_all(cases)
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == ["bad", "worse"]
    with pytest.raises(NotRefusedError, match="nothing was tried"):
        bracket(Attempt("control", lambda: ACCEPTED)).refuses_all([])


def test_the_ledger_counts_what_was_tried() -> None:
    """Each bracketed attempt stands in the ledger once."""
    ledger = Ledger()
    control = Attempt("control", lambda: ACCEPTED)
    bracket(control, ledger).tries([(Attempt("x", lambda: REJECTED), at(Layer.ASSOCIATION))] * 2)
    bracket(control, ledger).refuses(Attempt("y", lambda: SILENT), layer=Layer.TCP)
    assert ledger.summary() == "3 refusals tried, all bracketed; 2 as declared, 1 not"


def test_acceptance_is_required_with_its_code() -> None:
    """accepts gives the observation, and fails on a refusal, a time-out or another code."""
    assert accepts(Attempt("echo", lambda: ACCEPTED), code="0x0000").code == "0x0000"
    for seen in (REJECTED, SILENT, UNKNOWN):
        with pytest.raises(NotAcceptedError):
            accepts(sequence(seen))
    with pytest.raises(NotAcceptedError, match="0xB000"):
        accepts(Attempt("echo", lambda: ACCEPTED), code="0xB000")


def test_silence_counts_only_where_silence_is_claimed() -> None:
    """No answer is as declared for a claim of silence between two successes, and for no other."""
    silent = Attempt("a dropped port", lambda: SILENT)
    made = bracket(sequence(ACCEPTED, ACCEPTED)).tries([(silent, at(Layer.TCP)), (silent, at(Layer.TCP, silence=True))])
    assert [refusal.as_declared for refusal in made] == [False, True]
    assert not bracket(sequence(ACCEPTED, REJECTED)).tries([(silent, at(Layer.TCP, silence=True))])[0].as_declared
