"""A run seen from the controls that its checks give evidence for: what the report, SARIF and OSCAL say of a control."""

from __future__ import annotations

from securepacs_harness.results import CheckResult, Run, Status
from securepacs_policies.controls import CONTROLS, FRAMEWORKS, Clause


def controls_of(run: Run) -> dict[str, list[CheckResult]]:
    """Give the checks of each control that any check gives evidence for, in the catalogue's order."""
    found = {id: [check for check in run.checks if id in check.controls] for id in CONTROLS}
    return {id: checks for id, checks in found.items() if checks}


def state_of(checks: list[CheckResult]) -> Status:
    """Give a control's status: the worst of its checks; where some were not tested, of those that were."""
    for status in (Status.FOUND, Status.INCONCLUSIVE, Status.WAIVED, Status.PASSED):
        if any(check.status is status for check in checks):
            return status
    return Status.NOT_TESTED


def cited(clause: Clause) -> str:
    """Write a clause as it is cited: framework, number, edition."""
    return f"{clause} ({FRAMEWORKS[clause.framework].edition})"
