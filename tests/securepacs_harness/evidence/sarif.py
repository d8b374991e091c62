"""SARIF 2.1.0 (OASIS), for systems that collect findings. There are no source files here: a result's place is a logical one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from securepacs_harness.record import in_words
from securepacs_harness.results import Case, CheckResult, Run, Status
from securepacs_policies.controls import CONTROLS, FRAMEWORKS

#: Status -> (kind, level): section 3.27.9 and 3.27.10; what is no failure has the level none.
_KINDS = {
    Status.FOUND: ("fail", "error"),
    Status.WAIVED: ("fail", "error"),
    Status.INCONCLUSIVE: ("review", "none"),
    Status.NOT_TESTED: ("notApplicable", "none"),
    Status.PASSED: ("pass", "none"),
}


def _rule(result: CheckResult) -> dict[str, Any]:
    clauses = [str(clause) for control in result.controls for clause in CONTROLS[control].clauses]
    return {
        "id": result.id,
        "name": "".join(part.capitalize() for part in result.id.replace(".", "-").split("-")),
        "shortDescription": {"text": result.title},
        "fullDescription": {"text": result.title},
        "help": {"text": result.remedy or "No remedy is told."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": [result.group, result.tier, *result.controls], "clauses": clauses},
        "relationships": [{"target": {"id": control, "toolComponent": {"name": "controls"}}} for control in result.controls],
    }


def _result(index: int, result: CheckResult, case: Case | None, run: Run) -> dict[str, Any]:
    status = case.status if case else result.status
    kind, level = _KINDS[status]
    text = in_words(case) if case else f"{result.title}: {result.reason or result.status}"
    place = {"name": run.target.name, "fullyQualifiedName": f"{run.target.name}/{result.group}", "kind": "resource"}
    same = f"{run.target.name}|{result.id}|{case.what if case else ''}"
    told: dict[str, Any] = {
        "ruleId": result.id,
        "ruleIndex": index,
        "kind": kind,
        "level": level,
        "message": {"text": text},
        "locations": [{"logicalLocations": [place]}],
        # The same finding on the same target has the same print in every run.
        "partialFingerprints": {"case/v1": hashlib.sha256(same.encode()).hexdigest()},
    }
    if status is Status.WAIVED and case:
        told["suppressions"] = [{"kind": "external", "status": "accepted", "justification": case.told}]
    return told


def _results(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index, result in enumerate(run.checks):
        notable = [case for case in result.cases if case.status in {Status.FOUND, Status.WAIVED, Status.INCONCLUSIVE}]
        found += [_result(index, result, case, run) for case in notable] or [_result(index, result, None, run)]
    return found


def _taxonomy() -> dict[str, Any]:
    return {
        "name": "controls",
        "shortDescription": {"text": "The catalogue of controls of securepacs"},
        "taxa": [
            {
                "id": control.id,
                "name": control.title,
                "shortDescription": {"text": control.statement},
                "properties": {"clauses": [f"{clause} ({FRAMEWORKS[clause.framework].edition})" for clause in control.clauses]},
            }
            for control in CONTROLS.values()
        ],
    }


def write(run: Run) -> str:
    """Write the run as SARIF: each finding a result of its own, each check without one a result that says how it ended."""
    document = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": run.tool,
                        "version": run.version,
                        "rules": [_rule(result) for result in run.checks],
                        "supportedTaxonomies": [{"name": "controls"}],
                    }
                },
                "taxonomies": [_taxonomy()],
                "automationDetails": {"id": f"{run.tool}/{run.target.name}/{run.began.isoformat()}"},
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "startTimeUtc": run.began.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "endTimeUtc": run.ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "exitCode": run.exit_code,
                    }
                ],
                "properties": {"vantage": run.vantage, "declaration": run.target.declaration, "connections": run.connections},
                "results": _results(run),
            }
        ],
    }
    return json.dumps(document, indent=1) + "\n"
