"""OSCAL assessment results (NIST, 1.1.3), for systems that keep a compliance record."""

from __future__ import annotations

import json
import uuid
from typing import Any

from securepacs_harness.results import CheckResult, Run, Status
from securepacs_policies.controls import CONTROLS, FRAMEWORKS

_VERSION = "1.1.3"
#: Namespace of our own properties and identifiers.
_NAMESPACE = "https://securepacs.example/ns/oscal"


def _id(run: Run, *steps: str) -> str:
    """Give an identifier that is the same for the same thing of the same run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((_NAMESPACE, run.target.name, run.began.isoformat(), *steps))))


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": _NAMESPACE, "value": value}


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


def _observation(run: Run, check: CheckResult) -> dict[str, Any]:
    return {
        "uuid": _id(run, "observation", check.id),
        "title": check.title,
        "description": check.reason or f"{len(check.cases)} cases, each as declared.",
        "props": [_property("check", check.id), _property("status", check.status.replace(" ", "-")), _property("tier", check.tier)],
        "methods": ["TEST"],
        "types": ["finding" if check.status is Status.FOUND else "control-objective"],
        "collected": run.ended.isoformat(),
    }


def _finding(run: Run, control: str, checks: list[CheckResult]) -> dict[str, Any]:
    status = state_of(checks)
    clauses = [f"{clause.framework} {clause.number} ({FRAMEWORKS[clause.framework].edition})" for clause in CONTROLS[control].clauses]
    risks = [{"risk-uuid": _id(run, "risk", check.id)} for check in checks if check.status in {Status.FOUND, Status.WAIVED}]
    return {
        "uuid": _id(run, "finding", control),
        "title": CONTROLS[control].title,
        "description": CONTROLS[control].statement,
        "props": [_property("clause", clause) for clause in clauses],
        "target": {
            "type": "objective-id",
            "target-id": control,
            "status": {
                "state": "satisfied" if status is Status.PASSED else "not-satisfied",
                "reason": {Status.PASSED: "pass", Status.FOUND: "fail"}.get(status, "other"),
                "remarks": f"{status}",
            },
        },
        "related-observations": [{"observation-uuid": _id(run, "observation", check.id)} for check in checks],
        **({"related-risks": risks} if risks else {}),
    }


def _risk(run: Run, check: CheckResult) -> dict[str, Any]:
    waiver = next((waiver for waiver in run.waivers if waiver.check == check.id and waiver.used), None)
    deadline = {"deadline": f"{waiver.until.isoformat()}T23:59:59Z"} if waiver and check.status is Status.WAIVED else {}
    return {
        "uuid": _id(run, "risk", check.id),
        "title": check.title,
        "description": check.reason,
        "statement": check.remedy or check.title,
        "status": "deviation-approved" if check.status is Status.WAIVED else "open",
        **deadline,
        "related-observations": [{"observation-uuid": _id(run, "observation", check.id)}],
    }


def write(run: Run) -> str:
    """Write the run as OSCAL assessment results: an observation a check, a finding a control, a risk a finding."""
    controls = controls_of(run)
    tested = {id: checks for id, checks in controls.items() if state_of(checks) is not Status.NOT_TESTED}
    risks = [_risk(run, check) for check in run.checks if check.status in {Status.FOUND, Status.WAIVED}]
    plan = _id(run, "plan")
    result: dict[str, Any] = {
        "uuid": _id(run, "result"),
        "title": f"{run.tool} {run.version} on {run.target.name}",
        "description": f"Tiers {', '.join(run.tiers)}, seen from: {run.vantage}. {run.authorisation}.",
        "start": run.began.isoformat(),
        "end": run.ended.isoformat(),
        "reviewed-controls": {"control-selections": [{"include-controls": [{"control-id": id} for id in (tested or controls)]}]},
        "observations": [_observation(run, check) for check in run.checks],
        "findings": [_finding(run, id, checks) for id, checks in tested.items()],
        **({"risks": risks} if risks else {}),
    }
    document = {
        "assessment-results": {
            "uuid": _id(run),
            "metadata": {
                "title": f"What {run.target.name} refuses",
                "last-modified": run.ended.isoformat(),
                "version": run.began.isoformat(),
                "oscal-version": _VERSION,
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [result],
            "back-matter": {
                "resources": [
                    {"uuid": plan, "title": "Target file", "description": f"SHA-256 of its canonical JSON: {run.target.declaration}"}
                ]
            },
        }
    }
    return json.dumps(_without_empty(document), indent=1) + "\n"


def _without_empty(value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    """Leave out empty lists: OSCAL has none."""
    if isinstance(value, dict):
        return {name: _without_empty(held) for name, held in value.items() if held != []}
    return [_without_empty(held) for held in value] if isinstance(value, list) else value
