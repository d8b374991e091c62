"""What one probe saw: the layer that answered, and how. It says nothing about whether that is right."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from enum import StrEnum

from securepacs_harness.errors import BudgetError


class Layer(StrEnum):
    """The layer that gave the answer, from the outside inwards."""

    TCP = "tcp"
    TLS = "tls"
    ASSOCIATION = "association"
    """A-ASSOCIATE (PS3.8 section 9.3)."""
    CONTEXT = "context"
    """Presentation context result (PS3.8 table 9-18)."""
    DIMSE = "dimse"
    """Status of a DIMSE response (PS3.7 annex C)."""
    HTTP = "http"


class Outcome(StrEnum):
    """How an attempt ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    """No answer in the time given: nothing is proved by it."""
    INCONCLUSIVE = "inconclusive"
    """The attempt could not be made, or its end can mean anything."""


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """One answer.

    `code` is the layer's own: a TLS alert's name ("unknown_ca"), an A-ASSOCIATE-RJ as "result/source/reason" ("1/1/3"),
    "abort/source/reason", a context result ("3"), a DIMSE status ("0xA801"), an HTTP status ("403"), or "closed" and "reset"
    for a connection that ended without a word. `seconds` is the attempt's duration. `payload` holds what came back (data
    sets, bodies); it never stands in a report.
    """

    layer: Layer
    outcome: Outcome
    code: str
    detail: str = ""
    seconds: float = 0.0
    payload: tuple[bytes, ...] = dataclasses.field(default=(), repr=False, compare=False)

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.outcome} at {self.layer}: {self.code}{detail} after {self.seconds:.2f} s"


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """Something to try, not tried yet. Only `bracket` and `accepts` try it: so no refusal is claimed without its controls."""

    what: str
    _observe: Callable[[], Observation]

    def named(self, what: str) -> Attempt:
        """Give the same attempt under another name."""
        return dataclasses.replace(self, what=what)

    def _run(self) -> Observation:
        """Try it once and note how long it took."""
        began = time.monotonic()
        try:
            seen = self._observe()
        except BudgetError as spent:
            seen = Observation(Layer.TCP, Outcome.INCONCLUSIVE, "budget-spent", str(spent))
        return dataclasses.replace(seen, seconds=time.monotonic() - began)


class EndedError(Exception):
    """Carries the observation with which a probe ended early. It never leaves the probe."""

    def __init__(self, seen: Observation) -> None:
        super().__init__(str(seen))
        self.seen = seen
