"""Runs that never were, for tests of what is written about runs."""

from __future__ import annotations

import datetime
import itertools
from typing import Any

from securepacs_harness.check import packaged
from securepacs_harness.results import Case, CheckResult, Run, Seen, Status, TargetFacts, Tier, WaiverState

NOW = datetime.datetime(2026, 11, 25, 6, 0, tzinfo=datetime.UTC)
SEEN = Seen(layer="association", outcome="refused", code="1/1/3", seconds=0.01)
REMEDY = "Bind the calling AE title to the certificate."


def case(status: Status, what: str = "CT01's certificate as WS01") -> Case:
    """Give one case that ended so."""
    told = "waived until 2026-11-25 by Dr. B: old" if status is Status.WAIVED else "words"
    return Case(what=what, claim="refused", expected="refused at association", status=status, seen=SEEN, before=SEEN, after=SEEN, told=told)


def result(id: str, status: Status, controls: tuple[str, ...] = ("peer-identity",)) -> CheckResult:
    """Give a check that ended so."""
    return CheckResult(
        id=id,
        title="A title",
        group=id.partition(".")[0],
        tier=Tier.SAFE,
        controls=controls,
        remedy=REMEDY,
        status=status,
        reason="" if status is Status.PASSED else "a reason",
        cases=(case(status),),
        seconds=0.5,
    )


def run_of(*statuses: Status, **more: Any) -> Run:  # noqa: ANN401 - any field of Run
    """Give a run with a check of each status."""
    fields: dict[str, Any] = {
        "version": "0.1.0",
        "began": NOW,
        "ended": NOW + datetime.timedelta(seconds=30),
        "target": TargetFacts(name="clinic-a", dicom="127.0.0.1:2762 CLINICA", declaration="ab" * 32, certificates={"dicom": "cd" * 32}),
        "vantage": "the clinic's own network",
        "authorisation": "it stands on the machine that tests it",
        "tiers": (Tier.PASSIVE, Tier.SAFE),
        "connections": 12,
        "budget": 500,
        "waivers": (
            WaiverState(what="old X-ray", check="tls.check-3", reason="old", owner="Dr. B", until=NOW.date(), days_left=5, used=True),
        ),
        "checks": tuple(result(f"tls.check-{index}", status) for index, status in enumerate(statuses)),
    }
    return Run(**{**fields, **more})


def packaged_run() -> Run:
    """Give a run of every packaged check, each with another status than the one before."""
    statuses = itertools.cycle(Status)
    named = [(check, result(check.id, next(statuses), check.controls)) for check in packaged().values()]
    more = [made.model_copy(update={"title": check.title, "tier": check.tier, "remedy": check.remedy}) for check, made in named]
    return run_of(checks=tuple(more))


EVERY = run_of(*Status)
#: What a target file or a server may say, and forms with types of their own would not take.
AWKWARD = EVERY.target.model_copy(update={"dicom": "", "versions": {"a product": " two\nlines "}})
RUNS = [
    EVERY,
    packaged_run(),
    run_of(Status.FOUND, target=AWKWARD),
    run_of(Status.PASSED, waivers=()),
    run_of(Status.NOT_TESTED),
    run_of(Status.FOUND, Status.FOUND),
]
