"""One page that a person reads: no script, nothing from elsewhere, good on paper and on a phone."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from securepacs_harness.evidence.oscal import controls_of, state_of
from securepacs_harness.record import in_words
from securepacs_harness.results import CheckResult, Run, Status
from securepacs_policies.controls import CONTROLS, FRAMEWORKS

_PAGES = Environment(
    loader=PackageLoader("securepacs_harness", "evidence"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

#: How a status is shown: its letter in the picture, and its class.
SHOWN = {
    Status.FOUND: ("F", "found"),
    Status.INCONCLUSIVE: ("?", "inconclusive"),
    Status.WAIVED: ("W", "waived"),
    Status.PASSED: ("✓", "passed"),
    Status.NOT_TESTED: ("·", "nottested"),
}

#: What a title is, that does not hold.
SAID = {Status.FOUND: "Not so", Status.INCONCLUSIVE: "Not shown", Status.WAIVED: "Waived"}

_VERDICTS = {
    0: ("passed", "Everything that was tested is as declared."),
    1: ("found", "The system does otherwise than declared."),
    2: ("inconclusive", "Not everything could be shown: what is inconclusive is no pass."),
    3: ("inconclusive", "The run was ended before its end: what was not tried is not shown."),
}


def verdict(run: Run) -> tuple[str, str]:
    """Give the run's verdict: a class and one sentence."""
    return _VERDICTS[run.exit_code]


def _layers(run: Run) -> list[tuple[str, int]]:
    """Count at which layer attempts were refused as declared."""
    seen = [
        case.seen.layer
        for check in run.checks
        for case in check.cases
        if case.claim == "refused" and case.status is Status.PASSED and case.seen and case.seen.outcome == "refused"
    ]
    return Counter(seen).most_common()


def _picture(run: Run) -> list[tuple[str, list[CheckResult]]]:
    in_order = sorted(run.checks, key=lambda check: check.group)
    return [(group, list(checks)) for group, checks in groupby(in_order, key=lambda check: check.group)]


def _controls(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "control": CONTROLS[id],
            "status": state_of(checks),
            "checks": checks,
            "clauses": [(FRAMEWORKS[clause.framework], clause.number) for clause in CONTROLS[id].clauses],
        }
        for id, checks in controls_of(run).items()
    ]


def write(run: Run) -> str:
    """Write the run as a page of HTML."""
    of = {status: [check for check in run.checks if check.status is status] for status in Status}
    left_out = [
        (check, case.what, case.told) for check in run.checks for case in check.cases if case.status is Status.NOT_TESTED and case.told
    ]
    return _PAGES.get_template("report.html.j2").render(
        run=run,
        verdict=verdict(run),
        shown=SHOWN,
        said=SAID,
        statuses=Status,
        of=of,
        left_out=left_out,
        layers=_layers(run),
        picture=_picture(run),
        controls=_controls(run),
        frameworks=FRAMEWORKS.values(),
        in_words=in_words,
        cases=sum(len(check.cases) for check in run.checks),
        claims=sum(case.claim == "refused" for check in run.checks for case in check.cases),
    )
