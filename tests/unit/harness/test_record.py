from __future__ import annotations

import pytest

from securepacs_harness.bracket import NotRefusedError, at
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.record import Record, in_words
from securepacs_harness.results import Status
from securepacs_harness.target import Expectation

ACCEPTED = Observation(Layer.DIMSE, Outcome.ACCEPTED, "0x0000", payload=(b"DOE^JANE",))
REJECTED = Observation(Layer.ASSOCIATION, Outcome.REFUSED, "1/1/3")
SILENT = Observation(Layer.ASSOCIATION, Outcome.TIMEOUT, "time-out")
THROTTLED = Observation(Layer.HTTP, Outcome.REFUSED, "429")
DOWN = Observation(Layer.TCP, Outcome.REFUSED, "refused")
UNKNOWN = Observation(Layer.TLS, Outcome.INCONCLUSIVE, "could-not-offer")


def attempt(seen: Observation, what: str = "an attempt") -> Attempt:
    """Give an attempt that always ends so."""
    return Attempt(what, lambda: seen)


@pytest.mark.parametrize(
    ("control", "seen", "layer", "status"),
    [
        (ACCEPTED, REJECTED, Layer.ASSOCIATION, Status.PASSED),
        (ACCEPTED, REJECTED, Layer.TLS, Status.FOUND),
        (ACCEPTED, ACCEPTED, Layer.ASSOCIATION, Status.FOUND),
        (DOWN, ACCEPTED, Layer.ASSOCIATION, Status.FOUND),
        (DOWN, DOWN, Layer.ASSOCIATION, Status.INCONCLUSIVE),
        (DOWN, REJECTED, Layer.ASSOCIATION, Status.INCONCLUSIVE),
        (ACCEPTED, SILENT, Layer.ASSOCIATION, Status.INCONCLUSIVE),
    ],
)
def test_a_bracketed_attempt_becomes_a_case(control: Observation, seen: Observation, layer: Layer, status: Status) -> None:
    """A claim of refusal passes only as declared and between two successes; whatever it was, its controls stand in the evidence."""
    record = Record()
    record.bracket(attempt(control)).tries([(attempt(seen), at(layer))])
    (case,) = record.cases
    assert (case.status, record.status) == (status, status)
    assert case.before is not None
    assert case.before.code == control.code


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (ACCEPTED, Status.PASSED),
        (REJECTED, Status.FOUND),
        (DOWN, Status.INCONCLUSIVE),
        (SILENT, Status.INCONCLUSIVE),
        (THROTTLED, Status.INCONCLUSIVE),
    ],
)
def test_what_is_declared_to_work_is_held_against_the_target_only_if_it_answered(seen: Observation, status: Status) -> None:
    """A refusal of what is declared to work is a finding; a target that cannot be reached shows nothing."""
    record = Record()
    assert record.accepts(attempt(seen)) is not None
    assert record.status is status


def test_another_code_than_the_declared_one_is_a_finding() -> None:
    """An acceptance with another code than asked for does not pass."""
    record = Record()
    record.accepts(attempt(ACCEPTED), code="0xB000")
    assert record.status is Status.FOUND


def test_the_worst_case_makes_the_status() -> None:
    """A finding outweighs what is inconclusive, that outweighs a pass; what was not tested alone is no pass."""
    record = Record()
    seen = [record.status]
    record.not_tested("IPv6", "the target declares no such address")
    seen.append(record.status)
    record.fact("port 1", expected="closed", told="closed", holds=True)
    seen.append(record.status)
    record.unknown("version", "nobody told it")
    seen.append(record.status)
    record.fact("port 2", expected="closed", told="open", holds=False)
    record.fact("port 3", expected="closed", told="open", holds=False)
    assert [*seen, record.status] == [Status.INCONCLUSIVE, Status.NOT_TESTED, Status.PASSED, Status.INCONCLUSIVE, Status.FOUND]
    assert record.reason == "port 2: expected closed; open (and 1 more)"


def test_a_check_that_tried_nothing_is_no_pass() -> None:
    """An empty record is inconclusive and says so."""
    assert (Record().status, Record().reason) == (Status.INCONCLUSIVE, "the check tried nothing")


def test_the_target_file_narrows_what_a_refusal_looks_like() -> None:
    """What the file expects of a check, or of one kind of its cases, takes the place of the check's own expectation."""
    narrow = {
        "association.calling-ae": Expectation(layers=["association"], codes=["1/1/3"]),
        "association.calling-ae/unknown": Expectation(layers=["tls"]),
    }
    record = Record("association.calling-ae", narrow)
    usual = at({Layer.TLS, Layer.ASSOCIATION})
    assert record.expected(usual) == at(Layer.ASSOCIATION, "1/1/3")
    assert record.expected(usual, "unknown") == at(Layer.TLS)
    assert Record("tls.versions", narrow).expected(usual) == usual


def test_what_came_back_stands_in_no_evidence() -> None:
    """The payload of an answer is in no case, and a raised claim is recorded all the same."""
    record = Record()
    with pytest.raises(NotRefusedError):
        record.bracket(attempt(ACCEPTED)).refuses_all([(attempt(ACCEPTED, "C-FIND as a stranger"), at(Layer.TLS))])
    (case,) = record.cases
    assert "DOE" not in case.model_dump_json()
    assert in_words(case) == "C-FIND as a stranger: expected refused at tls, got accepted at dimse: 0x0000"


def test_an_inconclusive_case_tells_its_controls() -> None:
    """The words of an inconclusive claim say how its controls ended."""
    record = Record()
    record.bracket(attempt(DOWN)).tries([(attempt(UNKNOWN, "TLS 1.0"), at(Layer.TLS))])
    assert record.reason.endswith("[control before: refused (refused), after: refused (refused)]")


def test_what_was_only_looked_at_is_no_pass() -> None:
    """Beside answers that claim nothing a check that leaves out the rest is not tested, and alone they show nothing."""
    record = Record()
    record.look(attempt(REJECTED))
    told = [(record.status, record.reason)]
    record.not_tested("the rest", "there is nobody")
    told.append((record.status, record.reason))
    record.fact("something", expected="so", told="so", holds=True)
    told.append((record.status, record.reason))
    reason = "the rest: expected not tested; there is nobody"
    assert told == [(Status.INCONCLUSIVE, "the check tried nothing"), (Status.NOT_TESTED, reason), (Status.PASSED, "")]
