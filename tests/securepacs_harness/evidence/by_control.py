"""A run seen from the controls that its checks give evidence for: what the report, SARIF and OSCAL say of a control."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from securepacs_harness.results import CheckResult, Run, Status
from securepacs_policies.controls import CLAUSES, CONTROLS, FRAMEWORKS, Clause, Control, Framework

#: What a control or a clause is called by, where its checks ended differently: the first of these.
_TELLING = (Status.FOUND, Status.INCONCLUSIVE, Status.WAIVED, Status.PASSED)


def controls_of(run: Run) -> dict[str, list[CheckResult]]:
    """Give the checks of each control that any check gives evidence for, in the catalogue's order."""
    found = {id: [check for check in run.checks if id in check.controls] for id in CONTROLS}
    return {id: checks for id, checks in found.items() if checks}


def state_of(checks: Iterable[CheckResult]) -> Status:
    """Give a control's status: the worst of its checks; where some were not tested, of those that were."""
    return _worst(check.status for check in checks)


def _worst(statuses: Iterable[Status]) -> Status:
    found = set(statuses)
    return next((status for status in _TELLING if status in found), Status.NOT_TESTED)


def cited(clause: Clause) -> str:
    """Write a clause as it is cited: framework, number, edition."""
    return f"{clause} ({FRAMEWORKS[clause.framework].edition})"


@dataclasses.dataclass(frozen=True, slots=True)
class ClauseState:
    """A clause with the controls that answer it in part, and the worst of their states."""

    clause: Clause
    status: Status
    controls: tuple[Control, ...]


def clauses_of(run: Run) -> list[tuple[Framework, list[ClauseState]]]:
    """Give each framework with those of its clauses that any check gives evidence for."""
    states = {id: state_of(checks) for id, checks in controls_of(run).items()}
    found: dict[str, list[ClauseState]] = {}
    for clause in CLAUSES.values():
        answering = tuple(CONTROLS[id] for id in states if clause in CONTROLS[id].clauses)
        if answering:
            state = ClauseState(clause, _worst(states[control.id] for control in answering), answering)
            found.setdefault(clause.framework, []).append(state)
    return [(framework, found[id]) for id, framework in FRAMEWORKS.items() if id in found]
