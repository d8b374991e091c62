"""OSCAL assessment results (NIST, 1.1.3), for systems that keep a compliance record.

A check is an observation, a control with its checks a finding, a finding of a check a risk. Our controls are no catalogue of
NIST's: each is told as an objective of its own, and the clauses that it answers in part stand as properties of the finding.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from securepacs_harness.evidence.by_control import cited, controls_of, state_of
from securepacs_harness.record import in_words
from securepacs_harness.results import CheckResult, Run, Status
from securepacs_policies.controls import CONTROLS

_VERSION = "1.1.3"
#: Namespace of our own properties and identifiers.
_NAMESPACE = "https://securepacs.example/ns/oscal"
#: How many cases an observation tells; results.json has them all.
_MOST = 20

#: Status -> (state, reason) of a finding's target. What is waived is not satisfied: somebody answers for it.
_STATES = {
    Status.PASSED: ("satisfied", "pass"),
    Status.FOUND: ("not-satisfied", "fail"),
    Status.WAIVED: ("not-satisfied", "other"),
    Status.INCONCLUSIVE: ("not-satisfied", "other"),
}
_RISKS = {Status.FOUND: "open", Status.WAIVED: "deviation-approved"}


def _id(run: Run, *steps: str) -> str:
    """Give an identifier that is the same for the same thing of the same run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((_NAMESPACE, run.target.name, run.began.isoformat(), *steps))))


def _property(name: str, value: str) -> dict[str, str]:
    """Write a property; its value is one line and not empty, as OSCAL's type string asks."""
    return {"name": name, "ns": _NAMESPACE, "value": " ".join(value.split()) or "not told"}


def _reference(run: Run, kind: str, check: CheckResult) -> dict[str, str]:
    return {f"{kind}-uuid": _id(run, kind, check.id)}


def _observation(run: Run, check: CheckResult) -> dict[str, Any]:
    notable = [in_words(case) for case in check.cases if case.status not in {Status.PASSED, Status.NOT_TESTED}]
    more = [f"and {len(notable) - _MOST} more"] if len(notable) > _MOST else []
    return {
        "uuid": _id(run, "observation", check.id),
        "title": check.title,
        "description": check.reason or f"{len(check.cases)} cases, each as declared.",
        "props": [
            _property("check", check.id),
            _property("status", check.status.replace(" ", "-")),
            _property("tier", check.tier),
            _property("cases", str(len(check.cases))),
        ],
        "methods": ["TEST"],
        "types": ["finding" if check.status in _RISKS else "control-objective"],
        "origins": [{"actors": [{"type": "tool", "actor-uuid": _id(run, "tool")}]}],
        "subjects": [{"subject-uuid": _id(run, "target"), "type": "component"}],
        "relevant-evidence": [{"href": "results.json", "description": f"Every case of {check.id}."}],
        "collected": run.ended.isoformat(),
        **({"remarks": "\n\n".join([*notable[:_MOST], *more])} if notable else {}),
    }


def _finding(run: Run, control: str, checks: list[CheckResult]) -> dict[str, Any]:
    status = state_of(checks)
    state, reason = _STATES[status]
    left_out = [check.id for check in checks if check.status is Status.NOT_TESTED]
    remarks = f"{status}; not tested: {', '.join(left_out)}" if left_out else f"{status}"
    return {
        "uuid": _id(run, "finding", control),
        "title": CONTROLS[control].title,
        "description": CONTROLS[control].statement,
        "props": [_property("clause", cited(clause)) for clause in CONTROLS[control].clauses],
        "origins": [{"actors": [{"type": "tool", "actor-uuid": _id(run, "tool")}]}],
        "target": {
            "type": "objective-id",
            "target-id": control,
            "status": {"state": state, "reason": reason, "remarks": remarks},
        },
        "related-observations": [_reference(run, "observation", check) for check in checks],
        "related-risks": [_reference(run, "risk", check) for check in checks if check.status in _RISKS],
        **({"remarks": f"Left to the clinic: {CONTROLS[control].left_to_clinic}"} if CONTROLS[control].left_to_clinic else {}),
    }


def _risk(run: Run, check: CheckResult) -> dict[str, Any]:
    waivers = [waiver for waiver in run.waivers if waiver.check == check.id and waiver.used and check.status is Status.WAIVED]
    deadline = {"deadline": f"{min(waiver.until for waiver in waivers).isoformat()}T23:59:59Z"} if waivers else {}
    remedy = {"lifecycle": "recommendation", "title": "To mend it", "description": check.remedy}
    return {
        "uuid": _id(run, "risk", check.id),
        "title": f"Not so: {check.title}",
        "description": check.reason,
        "statement": f"It does not hold that: {check.title}.",
        "status": _RISKS[check.status],
        "origins": [{"actors": [{"type": "tool", "actor-uuid": _id(run, "tool")}]}],
        "mitigating-factors": [
            {"uuid": _id(run, "waiver", check.id, waiver.what), "description": f"Waived by {waiver.owner}: {waiver.reason}"}
            for waiver in waivers
        ],
        **deadline,
        "remediations": [{"uuid": _id(run, "remediation", check.id), **remedy}] if check.remedy else [],
        "related-observations": [_reference(run, "observation", check)],
    }


def _component(run: Run, name: str, kind: str, title: str, description: str, told: dict[str, str]) -> dict[str, Any]:
    return {
        "uuid": _id(run, name),
        "type": kind,
        "title": title,
        "description": description,
        "props": [_property(name, value) for name, value in told.items()],
        "status": {"state": "operational"},
    }


def _target(run: Run) -> dict[str, Any]:
    """Write the system that was tested, by what distinguishes it."""
    told = {
        "dicom": run.target.dicom,
        "https": run.target.https or "not declared",
        "declaration-sha256": run.target.declaration,
        **{f"certificate-sha256-{listener}": digest for listener, digest in run.target.certificates.items()},
    }
    versions = ", ".join(f"{product} {version}" for product, version in run.target.versions.items())
    return _component(run, "target", "system", run.target.name, "The PACS that was tested.", {**told, "versions": versions or "not seen"})


def _tool(run: Run) -> dict[str, Any]:
    return _component(run, "tool", "software", run.tool, "The harness that tested it.", {"version": run.version})


def _objective(control: str) -> dict[str, Any]:
    return {"control-id": control, "parts": [{"name": "objective", "title": CONTROLS[control].title, "prose": CONTROLS[control].statement}]}


def write(run: Run) -> str:
    """Write the run as OSCAL assessment results: an observation a check, a finding a control, a risk a finding."""
    controls = controls_of(run)
    tested = {id: checks for id, checks in controls.items() if state_of(checks) is not Status.NOT_TESTED}
    plan = _id(run, "plan")
    result: dict[str, Any] = {
        "uuid": _id(run, "result"),
        "title": f"{run.tool} {run.version} on {run.target.name}",
        "description": f"Tiers {', '.join(run.tiers)}, seen from: {run.vantage}. Allowed because: {run.authorisation or 'not told'}.",
        "start": run.began.isoformat(),
        "end": run.ended.isoformat(),
        "props": [_property("connections", f"{run.connections} of {run.budget}"), _property("exit-code", str(run.exit_code))],
        "local-definitions": {
            "components": [_target(run)],
            "assessment-assets": {
                "components": [_tool(run)],
                "assessment-platforms": [
                    {"uuid": _id(run, "platform"), "title": run.vantage, "uses-components": [{"component-uuid": _id(run, "tool")}]}
                ],
            },
        },
        "reviewed-controls": {"control-selections": [{"include-controls": [{"control-id": id} for id in (tested or controls)]}]},
        "observations": [_observation(run, check) for check in run.checks],
        "risks": [_risk(run, check) for check in run.checks if check.status in _RISKS],
        "findings": [_finding(run, id, checks) for id, checks in tested.items()],
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
            "local-definitions": {"objectives-and-methods": [_objective(id) for id in controls]},
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
    """Leave out empty lists and what then holds nothing: OSCAL has neither."""
    if isinstance(value, dict):
        kept = {name: _without_empty(held) for name, held in value.items()}
        return {name: held for name, held in kept.items() if held not in ([], {})}
    return [_without_empty(held) for held in value] if isinstance(value, list) else value
