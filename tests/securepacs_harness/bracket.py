"""The only way to claim a refusal: the authorised control succeeds, the attempt is refused, the control succeeds again."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Final, Protocol

from securepacs_harness.observation import Attempt, Layer, Observation, Outcome


class Verdict(StrEnum):
    """What a bracketed attempt showed."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNANSWERED = "unanswered"
    """There was no answer between two successes: no refusal, but what a claim of silence asks for."""
    INCONCLUSIVE = "inconclusive"
    """Nothing was shown; it counts as a failure."""


class NotRefusedError(AssertionError):
    """A refusal was required and was not shown."""


class NotAcceptedError(AssertionError):
    """A success was required and did not come; `seen` came instead."""

    def __init__(self, message: str, seen: Observation) -> None:
        super().__init__(message)
        self.seen = seen


@dataclasses.dataclass(frozen=True, slots=True)
class Expected:
    """How the refusal is declared to look: at one of `layers`, with one of `codes` (empty: any).

    With `silence` no answer at all is as good: the claim is then that nothing is given, not that it is refused.
    """

    layers: frozenset[Layer]
    codes: frozenset[str] = frozenset()
    silence: bool = False

    def met_by(self, seen: Observation) -> bool:
        """Tell whether the answer came from the layer and with the code that is declared."""
        return seen.layer in self.layers and (not self.codes or seen.code in self.codes)

    def __str__(self) -> str:
        codes = f" with {' or '.join(sorted(self.codes))}" if self.codes else ""
        return f"{' or '.join(sorted(self.layers))}{codes}{', or unanswered' if self.silence else ''}"


def at(layer: Layer | Collection[Layer], code: str | Collection[str] | None = None, *, silence: bool = False) -> Expected:
    """Say how a refusal is to look: layer or layers, and code or codes (None: any); and whether silence is as good."""
    layers = frozenset({layer}) if isinstance(layer, Layer) else frozenset(layer)
    codes = frozenset({code}) if isinstance(code, str) else frozenset(code or ())
    return Expected(layers, codes, silence)


_MAKER: Final = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """The result of one bracketed attempt. Only a bracket makes it."""

    what: str
    expected: Expected
    before: Observation
    seen: Observation
    after: Observation
    maker: dataclasses.InitVar[object] = None

    def __post_init__(self, maker: object) -> None:
        if maker is not _MAKER:
            raise TypeError("only bracket(control).refuses(attempt, layer=...) makes a Refusal: without its controls it proves nothing")

    @property
    def verdict(self) -> Verdict:
        """REFUSED, ACCEPTED, UNANSWERED or INCONCLUSIVE."""
        return judge(self.before, self.seen, self.after)

    @property
    def as_declared(self) -> bool:
        """Whether it was refused, and by the layer and with the code that is declared; or unanswered, where that is declared."""
        if self.verdict is Verdict.UNANSWERED:
            return self.expected.silence
        return self.verdict is Verdict.REFUSED and self.expected.met_by(self.seen)

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.verdict}; expected a refusal at {self.expected}, got {self.seen}"
            f" [control before: {self.before}; after: {self.after}]"
        )

    def require(self) -> Refusal:
        """Give itself when it is a refusal as declared, else raise NotRefusedError."""
        if not self.as_declared:
            raise NotRefusedError(str(self))
        return self


def judge(before: Observation, seen: Observation, after: Observation) -> Verdict:
    """Decide from three observations. An acceptance is one whatever the controls say; a time-out is never a refusal."""
    if seen.outcome is Outcome.ACCEPTED:
        return Verdict.ACCEPTED
    if before.outcome is not Outcome.ACCEPTED or after.outcome is not Outcome.ACCEPTED:
        return Verdict.INCONCLUSIVE
    return {Outcome.REFUSED: Verdict.REFUSED, Outcome.TIMEOUT: Verdict.UNANSWERED}.get(seen.outcome, Verdict.INCONCLUSIVE)


class Keeper(Protocol):
    """Whoever keeps what was tried."""

    def keep(self, made: Sequence[Refusal]) -> None:
        """Take note of these."""


class Ledger:
    """Counts what was tried in a session."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []

    def keep(self, made: Sequence[Refusal]) -> None:
        """Add these."""
        self.refusals.extend(made)

    def summary(self) -> str:
        """Tell it in one line."""
        shown = sum(refusal.as_declared for refusal in self.refusals)
        return f"{len(self.refusals)} refusals tried, all bracketed; {shown} as declared, {len(self.refusals) - shown} not"


class Bracket:
    """Two runs of one control around whatever is tried."""

    def __init__(self, control: Attempt, keeper: Keeper | None = None) -> None:
        self._control = control
        self._keeper = keeper

    def refuses(self, attempt: Attempt, *, layer: Layer | Collection[Layer], code: str | Collection[str] | None = None) -> Refusal:
        """Try one attempt between two controls."""
        return self.tries([(attempt, at(layer, code))])[0]

    def tries(self, cases: Iterable[tuple[Attempt, Expected]], *, workers: int = 1) -> list[Refusal]:
        """Try several, in order or `workers` at a time, between the same two controls; each gets a result of its own."""
        wanted = list(cases)
        before = self._control._run()
        with ThreadPoolExecutor(max_workers=workers) as pool:
            seen = list(pool.map(lambda case: case[0]._run(), wanted))
        after = self._control._run()
        made = [
            Refusal(attempt.what, expected, before, answer, after, maker=_MAKER)
            for (attempt, expected), answer in zip(wanted, seen, strict=True)
        ]
        if self._keeper is not None:
            self._keeper.keep(made)
        return made

    def refuses_all(self, cases: Iterable[tuple[Attempt, Expected]], *, workers: int = 1) -> list[Refusal]:
        """Try several as `tries` does and raise NotRefusedError that names every one that was not refused as declared."""
        made = self.tries(cases, workers=workers)
        wrong = [str(refusal) for refusal in made if not refusal.as_declared]
        if wrong or not made:
            raise NotRefusedError("\n".join(wrong) or "nothing was tried")
        return made


def bracket(control: Attempt, keeper: Keeper | None = None) -> Bracket:
    """Begin a claim of refusal with the control that must succeed before and after."""
    return Bracket(control, keeper)


def accepts(attempt: Attempt, *, code: str | None = None) -> Observation:
    """Try what is declared to work; raise NotAcceptedError unless it is accepted (with `code`, where one is given)."""
    seen = attempt._run()
    if seen.outcome is not Outcome.ACCEPTED or code not in {None, seen.code}:
        wanted = f" with {code}" if code else ""
        raise NotAcceptedError(f"{attempt.what}: expected acceptance{wanted}, got {seen}", seen)
    return seen
