"""SARIF 2.1.0 (OASIS, errata 01), for systems that collect findings. There are no source files here: a result's place is a logical one."""

from __future__ import annotations

import datetime
import hashlib
import json
import uuid
from collections import Counter
from typing import Any

from securepacs_harness.evidence.by_control import cited
from securepacs_harness.record import in_words
from securepacs_harness.results import Case, CheckResult, Run, Status
from securepacs_policies.controls import CONTROLS

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://securepacs.example/ns/sarif")

#: Status -> (kind, level), sections 3.27.9 and 3.27.10. "open" is what was tried without enough to decide by, "notApplicable" what
#: was not tried; the reason is in the message. Any kind but "fail" has the level "none".
_KINDS = {
    Status.FOUND: ("fail", "error"),
    Status.WAIVED: ("fail", "error"),
    Status.INCONCLUSIVE: ("open", "none"),
    Status.NOT_TESTED: ("notApplicable", "none"),
    Status.PASSED: ("pass", "none"),
}
#: What a check's cases say one by one; what they have in common is said once for the check.
_ONE_BY_ONE = frozenset({Status.FOUND, Status.WAIVED, Status.INCONCLUSIVE})


def _moment(when: datetime.datetime) -> str:
    """Write a moment as section 3.9 asks: in UTC, with a Z."""
    return when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _control(id: str) -> dict[str, Any]:
    """Refer to a control in the taxonomy (section 3.54)."""
    return {"id": id, "index": list(CONTROLS).index(id), "toolComponent": {"name": "controls", "index": 0}}


def _rule(result: CheckResult) -> dict[str, Any]:
    remedy = result.remedy or "No remedy is told."
    controls = "".join(f"\n- {CONTROLS[id].title}: {', '.join(map(cited, CONTROLS[id].clauses))}" for id in result.controls)
    return {
        "id": result.id,
        "name": "".join(part.capitalize() for part in result.id.replace(".", "-").split("-")),
        "shortDescription": {"text": result.title},
        "fullDescription": {"text": f"{result.title}. Tier {result.tier}."},
        "help": {"text": remedy, "markdown": f"{remedy}\n\nControls:{controls or ' none'}"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": list(dict.fromkeys((result.group, result.tier, *result.controls)))},  # a group may be called as a control is
        "relationships": [{"target": _control(id), "kinds": ["relevant"]} for id in result.controls],
    }


def _waived_by(case: Case, result: CheckResult, run: Run) -> dict[str, Any]:
    """Write a waiver as a suppression (section 3.35): somebody's, outside of this tool, with its last day."""
    told: dict[str, Any] = {"kind": "external", "status": "accepted", "justification": case.told or result.reason}
    waiver = next((waiver for waiver in run.waivers if waiver.used and waiver.check == result.id and str(waiver.until) in case.told), None)
    if waiver:
        days = {"owner": waiver.owner, "until": waiver.until.isoformat(), "daysLeft": waiver.days_left}
        told |= {"justification": f"{waiver.reason} ({waiver.owner}, until {waiver.until})", "properties": days}
    return told


def _result(index: int, result: CheckResult, case: Case | None, run: Run, nth: int) -> dict[str, Any]:
    status = case.status if case else result.status
    kind, level = _KINDS[status]
    text = f"{result.title}: {in_words(case) if case else result.reason or result.status}"
    path = [run.target.name, result.group, result.id]
    place = {"name": result.id, "fullyQualifiedName": "/".join(path), "kind": "resource"}
    same = "|".join((run.target.name, result.id, case.what if case else "", str(nth)))
    told: dict[str, Any] = {
        "ruleId": result.id,
        "ruleIndex": index,
        "kind": kind,
        "level": level,
        "message": {"text": text},
        "locations": [{"logicalLocations": [place]}],
        "taxa": [_control(id) for id in result.controls],
        # The same finding on the same target has the same print in every run.
        "partialFingerprints": {"case/v1": hashlib.sha256(same.encode()).hexdigest()},
    }
    if case and case.seen:
        told["properties"] = {"expected": case.expected, "layer": case.seen.layer, "outcome": case.seen.outcome, "code": case.seen.code}
    if status is Status.WAIVED and case:
        told["suppressions"] = [_waived_by(case, result, run)]
    return told


def _results(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index, result in enumerate(run.checks):
        times: Counter[str] = Counter()
        notable = [case for case in result.cases if case.status in _ONE_BY_ONE]
        for case in notable:
            found.append(_result(index, result, case, run, times[case.what]))
            times[case.what] += 1
        if not notable:
            found.append(_result(index, result, None, run, 0))
    return found


def _taxonomy() -> dict[str, Any]:
    return {
        "name": "controls",
        "guid": str(uuid.uuid5(_NAMESPACE, "controls")),
        "organization": "securepacs",
        "shortDescription": {"text": "The catalogue of controls of securepacs, with the clauses that each answers in part"},
        "isComprehensive": True,
        "taxa": [
            {
                "id": control.id,
                "name": control.title,
                "shortDescription": {"text": control.statement},
                "properties": {"clauses": [cited(clause) for clause in control.clauses]},
            }
            for control in CONTROLS.values()
        ],
    }


def _invocation(run: Run) -> dict[str, Any]:
    """Tell of the run itself (section 3.20), and of each check that showed nothing."""
    unsure = [(index, check) for index, check in enumerate(run.checks) if check.status is Status.INCONCLUSIVE]
    return {
        # Whatever it found: only a run that was ended before its end did not do what it was to do.
        "executionSuccessful": not run.unfinished,
        "exitCode": run.exit_code,
        "startTimeUtc": _moment(run.began),
        "endTimeUtc": _moment(run.ended),
        "toolExecutionNotifications": [
            {
                "level": "warning",
                "message": {"text": f"{check.title}: nothing was shown, which is no pass: {check.reason}"},
                "associatedRule": {"id": check.id, "index": index},
            }
            for index, check in unsure
        ],
    }


def write(run: Run) -> str:
    """Write the run as SARIF: each finding a result of its own, each check without one a result that says how it ended."""
    document = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": run.tool,
                        "version": run.version,
                        "rules": [_rule(result) for result in run.checks],
                        "supportedTaxonomies": [{"name": "controls", "index": 0}],
                    }
                },
                "taxonomies": [_taxonomy()],
                "automationDetails": {
                    "id": f"{run.tool}/{run.target.name}/{_moment(run.began)}",
                    "guid": str(uuid.uuid5(_NAMESPACE, f"{run.target.declaration}/{_moment(run.began)}")),
                },
                "invocations": [_invocation(run)],
                "columnKind": "unicodeCodePoints",
                "properties": {
                    "target": run.target.model_dump(mode="json"),
                    "vantage": run.vantage,
                    "authorisation": run.authorisation,
                    "tiers": list(run.tiers),
                    "connections": run.connections,
                    "budget": run.budget,
                },
                "results": _results(run),
            }
        ],
    }
    return json.dumps(document, indent=1) + "\n"
