"""What a run of the harness found: frozen facts that the writers of evidence read. They hold no key, no password and no patient data."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Tier(StrEnum):
    """How much a check does to its target, the least first."""

    PASSIVE = "passive"
    """Looks: handshakes, certificates, settings from inside."""
    SAFE = "safe"
    """Asks for what is to be refused, and for what leaves nothing behind."""
    WRITE = "write"
    """Stores a synthetic study and removes it."""
    LOAD = "load"
    """Makes others wait, within bounds."""


class Status(StrEnum):
    """How a check, or one case of it, ended."""

    PASSED = "passed"
    FOUND = "found"
    """A finding: the target does otherwise than declared."""
    INCONCLUSIVE = "inconclusive"
    """Nothing was shown, for example because the control did not succeed. It is no pass."""
    WAIVED = "waived"
    """A finding that somebody answers for until a day that has not come."""
    NOT_TESTED = "not tested"
    """Not declared, not reachable from here, or of a tier that was not asked for; the reason stands beside it."""


#: Which status a check has from its cases: the first of these that a case has.
WORST_FIRST = (Status.FOUND, Status.INCONCLUSIVE, Status.WAIVED, Status.PASSED, Status.NOT_TESTED)


class _Fact(BaseModel):
    # Everything is written, also what has a default: so the schema says that it is there.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, json_schema_serialization_defaults_required=True)


class Seen(_Fact):
    """One answer of the target, as an Observation tells it."""

    layer: str
    outcome: str
    code: str
    detail: str = ""
    seconds: float = 0.0


class Case(_Fact):
    """One thing that was tried or looked at."""

    what: str
    claim: Literal["refused", "accepted", "fact"]
    expected: str
    status: Status
    seen: Seen | None = None
    before: Seen | None = None
    """The authorised control before a claim of refusal."""
    after: Seen | None = None
    told: str = ""
    """What was found, in words, where no answer says it."""


class CheckResult(_Fact):
    """One check, as it ended."""

    id: str
    title: str
    group: str
    tier: Tier
    controls: tuple[str, ...] = ()
    """Ids in the catalogue of controls."""
    remedy: str = ""
    status: Status
    reason: str = ""
    """Why it is inconclusive or was not tested; the first finding's words."""
    cases: tuple[Case, ...] = ()
    seconds: float = 0.0


class WaiverState(_Fact):
    """A waiver of the target file, and how long it lasts."""

    what: str
    check: str = ""
    reason: str
    owner: str
    until: datetime.date
    days_left: int
    used: bool = False
    """Whether a finding of this run was waived by it."""


class TargetFacts(_Fact):
    """Which system it was."""

    name: str
    dicom: str
    """HOST:PORT AE_TITLE."""
    https: str = ""
    declaration: str
    """SHA-256 of the target file's canonical JSON."""
    certificates: dict[str, str] = {}
    """SHA-256 of the server's certificate as seen at the listeners `dicom` and `https`."""
    versions: dict[str, str] = {}
    """Product -> version, where it could be seen."""


class Run(_Fact):
    """One run, whole."""

    form: Literal[1] = 1
    """Version of this form, as it stands in results.json."""
    tool: str = "securepacs-harness"
    version: str
    began: datetime.datetime
    ended: datetime.datetime
    target: TargetFacts
    vantage: str
    """From where it looked, in words."""
    authorisation: str = ""
    tiers: tuple[Tier, ...]
    connections: int
    """How many were made, of the budget."""
    budget: int
    waivers: tuple[WaiverState, ...] = ()
    checks: tuple[CheckResult, ...]
    unfinished: bool = False
    """Whether it was ended before its end, so that it shows less than it says."""

    def count(self, status: Status) -> int:
        """Count the checks that ended so."""
        return sum(check.status is status for check in self.checks)

    @property
    def exit_code(self) -> int:
        """Give the run's exit status: 0 clean, 1 findings, 2 inconclusive, 3 not run to its end."""
        if self.unfinished:
            return 3
        if self.count(Status.FOUND):
            return 1
        return 2 if self.count(Status.INCONCLUSIVE) or not self.count(Status.PASSED) else 0


def results_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of results.json: what reads it can rely on this for all of `form` 1."""
    schema = Run.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Results of securepacs-harness, form 1"}
