"""What one check tried and saw. Every claim goes through it, so that every claim stands in the evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from securepacs_harness.bracket import Bracket, Expected, NotAcceptedError, Refusal, Verdict, accepts, at, bracket
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.results import WORST_FIRST, Case, Seen, Status
from securepacs_harness.target import Expectation


def seen_of(observation: Observation) -> Seen:
    """Write an observation as evidence: what came back with it (its payload) stays behind."""
    return Seen(
        layer=observation.layer,
        outcome=observation.outcome,
        code=observation.code,
        detail=observation.detail,
        seconds=round(observation.seconds, 3),
    )


#: Verdict -> status of a case that is not as declared. A time-out is no refusal, and no finding either.
_OTHERWISE = {Verdict.UNANSWERED: Status.INCONCLUSIVE, Verdict.INCONCLUSIVE: Status.INCONCLUSIVE}


def case_of(refusal: Refusal) -> Case:
    """Write a bracketed attempt as evidence. A refusal by another layer than declared is a finding: something else was at work."""
    status = Status.PASSED if refusal.as_declared else _OTHERWISE.get(refusal.verdict, Status.FOUND)
    elsewhere = refusal.verdict is Verdict.REFUSED and not refusal.as_declared
    return Case(
        what=refusal.what,
        claim="refused",
        expected=f"refused at {refusal.expected}",
        status=status,
        seen=seen_of(refusal.seen),
        before=seen_of(refusal.before),
        after=seen_of(refusal.after),
        told="it was refused, but not where it is declared to be" if elsewhere else "",
    )


#: What is expected of something that is only looked at.
LOOKED = "any answer"


def _reached(seen: Observation) -> bool:
    """Tell whether the target itself answered, so that its answer can be held against it."""
    # 429 and 503 say "not now": whoever was throttled by an earlier run has learnt nothing (RFC 6585 section 4, RFC 9110).
    later = seen.layer is Layer.HTTP and seen.code in {"429", "503"}
    return seen.outcome in {Outcome.ACCEPTED, Outcome.REFUSED} and seen.layer is not Layer.TCP and not later


class Record:
    """The cases of one check, in the order in which they were tried."""

    def __init__(self, check: str = "", expects: Mapping[str, Expectation] | None = None) -> None:
        self._check = check
        self._expects = expects or {}
        self.cases: list[Case] = []

    def branch(self) -> Record:
        """Give a record of the same check for what goes on beside; its cases are added at the end."""
        return Record(self._check, self._expects)

    def keep(self, made: Sequence[Refusal]) -> None:
        """Take note of bracketed attempts."""
        self.cases += map(case_of, made)

    def bracket(self, control: Attempt) -> Bracket:
        """Begin a claim of refusal with the control that must succeed before and after."""
        return bracket(control, self)

    def expected(self, usual: Expected, kind: str = "") -> Expected:
        """Give how a refusal is to look: as the target file declares it for this check (or CHECK/KIND), else as usual."""
        declared = self._expects.get(f"{self._check}/{kind}") or self._expects.get(self._check)
        return at(frozenset(Layer(layer) for layer in declared.layers), declared.codes) if declared else usual

    def accepts(self, attempt: Attempt, *, code: str | None = None) -> Observation:
        """Try what is declared to work, and give the answer. A refusal is a finding; no answer at all shows nothing."""
        try:
            seen = accepts(attempt, code=code)
            status = Status.PASSED
        except NotAcceptedError as other:
            seen = other.seen
            status = Status.FOUND if _reached(seen) else Status.INCONCLUSIVE
        self.cases.append(
            Case(
                what=attempt.what,
                claim="accepted",
                expected=f"accepted{f' with {code}' if code else ''}",
                status=status,
                seen=seen_of(seen),
            )
        )
        return seen

    def answers(self, attempt: Attempt, *, refusals: Collection[str]) -> None:
        """Try what is declared to get past the gate; an answer in `refusals` says that it did not, and so does none at all."""
        try:
            seen = accepts(attempt)
        except NotAcceptedError as other:
            seen = other.seen
        # A connection that ends without an answer has no status: its code is a word.
        answered = _reached(seen) and seen.code.isdigit()
        passed = seen.outcome is Outcome.ACCEPTED or (answered and seen.code not in refusals)
        status = Status.PASSED if passed else Status.FOUND if _reached(seen) else Status.INCONCLUSIVE
        expected = f"any answer but {', '.join(sorted(refusals))}"
        self.cases.append(Case(what=attempt.what, claim="accepted", expected=expected, status=status, seen=seen_of(seen)))

    def look(self, attempt: Attempt) -> Observation:
        """Try something whose answer claims nothing by itself, and note what it was: the check looks at what became of it."""
        try:
            seen = accepts(attempt)
        except NotAcceptedError as other:
            seen = other.seen
        self.cases.append(Case(what=attempt.what, claim="fact", expected=LOOKED, status=Status.PASSED, seen=seen_of(seen)))
        return seen

    def fact(self, what: str, *, expected: str, told: str, holds: bool) -> None:
        """Note something that was looked at, and whether it is as it should be. A refusal is no such fact: it needs a bracket."""
        self.cases.append(Case(what=what, claim="fact", expected=expected, status=Status.PASSED if holds else Status.FOUND, told=told))

    def unknown(self, what: str, why: str, *, expected: str = "to be seen") -> None:
        """Note something that should have been seen and was not: it is inconclusive, not a pass."""
        self.cases.append(Case(what=what, claim="fact", expected=expected, status=Status.INCONCLUSIVE, told=why))

    def not_tested(self, what: str, why: str) -> None:
        """Note what the check leaves out, and why."""
        self.cases.append(Case(what=what, claim="fact", expected="not tested", status=Status.NOT_TESTED, told=why))

    @property
    def _claims(self) -> list[Case]:
        """The cases that say something of the target by themselves."""
        return [case for case in self.cases if case.expected != LOOKED]

    @property
    def status(self) -> Status:
        """Give the worst of the cases. Without any the check has shown nothing, nor has it by answers that claim nothing."""
        statuses = {case.status for case in self._claims}
        return next((status for status in WORST_FIRST if status in statuses), Status.INCONCLUSIVE)

    @property
    def reason(self) -> str:
        """Give the words of the first case that made the status; nothing for a pass."""
        if not self._claims:
            return "the check tried nothing"
        if self.status is Status.PASSED:
            return ""
        worst = [case for case in self._claims if case.status is self.status]
        more = f" (and {len(worst) - 1} more)" if len(worst) > 1 else ""
        return f"{in_words(worst[0])}{more}"


def in_words(case: Case) -> str:
    """Tell a case in one line: what, expected, seen."""
    seen = f", got {case.seen.outcome} at {case.seen.layer}: {case.seen.code}" if case.seen else ""
    controls = ""
    if case.status is Status.INCONCLUSIVE and case.before and case.after:
        controls = f" [control before: {case.before.outcome} ({case.before.code}), after: {case.after.outcome} ({case.after.code})]"
    return f"{case.what}: expected {case.expected}{seen}{f'; {case.told}' if case.told else ''}{controls}"
