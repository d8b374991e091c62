from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema
from junitparser import JUnitXml

from securepacs_harness.evidence import WRITERS, oscal, page, sarif
from securepacs_harness.results import Run, Status
from securepacs_policies.controls import CONTROLS, FRAMEWORKS
from unit.harness.runs import EVERY, NOW, REMEDY, RUNS, case, result, run_of

SCHEMAS = Path(__file__).parent / "schemas"


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((Status.PASSED,), 0),
        ((Status.PASSED, Status.NOT_TESTED, Status.WAIVED), 0),
        ((Status.PASSED, Status.FOUND, Status.INCONCLUSIVE), 1),
        ((Status.PASSED, Status.INCONCLUSIVE), 2),
        ((Status.NOT_TESTED,), 2),
        ((), 2),
    ],
)
def test_the_exit_code_tells_the_verdict(statuses: tuple[Status, ...], code: int) -> None:
    """Findings are 1; what is inconclusive, or has shown nothing at all, is 2; waived and left out beside a pass is 0."""
    assert run_of(*statuses).exit_code == code


def the_only(document: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    """Give the one run of a SARIF document, or the one result of OSCAL's."""
    ((found,),) = [document["runs"]] if "runs" in document else [document["assessment-results"]["results"]]
    return found


@pytest.mark.parametrize("run", RUNS)
def test_sarif_is_valid(run: Run) -> None:
    """What is written as SARIF is valid by the standard's own schema, and every reference in it leads to what it names."""
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    written = json.loads(WRITERS["results.sarif"](run))
    jsonschema.Draft4Validator(schema).validate(written)
    told = the_only(written)
    rules, taxa = told["tool"]["driver"]["rules"], told["taxonomies"][0]["taxa"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in told["results"])
    referred = [taxon for result in told["results"] for taxon in result["taxa"]]
    referred += [relation["target"] for rule in rules for relation in rule["relationships"]]
    assert all(taxa[taxon["index"]]["id"] == taxon["id"] for taxon in referred)


def test_sarif_tells_each_status_by_its_kind() -> None:
    """A finding fails, a waived one is suppressed until its last day, what showed nothing is open, what was left out does not apply."""
    told = the_only(json.loads(WRITERS["results.sarif"](EVERY)))
    by_check = {result["ruleId"]: result for result in told["results"]}
    kinds = {check.status: by_check[check.id]["kind"] for check in EVERY.checks}
    assert kinds == {
        Status.FOUND: "fail",
        Status.WAIVED: "fail",
        Status.INCONCLUSIVE: "open",
        Status.NOT_TESTED: "notApplicable",
        Status.PASSED: "pass",
    }
    assert {result["level"] for result in told["results"] if result["kind"] != "fail"} == {"none"}
    suppressed = [result for result in told["results"] if "suppressions" in result]
    (waived,) = [check.id for check in EVERY.checks if check.status is Status.WAIVED]
    assert [result["ruleId"] for result in suppressed] == [waived]
    assert suppressed[0]["suppressions"][0]["properties"] == {"owner": "Dr. B", "until": "2026-11-25", "daysLeft": 5}
    (noted,) = told["invocations"][0]["toolExecutionNotifications"]
    assert noted["associatedRule"]["id"] == next(check.id for check in EVERY.checks if check.status is Status.INCONCLUSIVE)


def test_an_unfinished_run_is_never_clean() -> None:
    """Every form of a run that was ended before its end says so, though all that it tried passed."""
    run = run_of(Status.PASSED, waivers=(), unfinished=True)
    assert run.exit_code == 3
    (invocation,) = (one["invocations"][0] for one in json.loads(sarif.write(run))["runs"])
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    assert "The run was ended before its end" in page.write(run)
    assert '"value": "3"' in WRITERS["oscal-assessment-results.json"](run)


def test_a_finding_has_the_same_print_in_every_run() -> None:
    """The prints of a later run of the same target are the same, and no two findings of one run share one."""
    twice = result("tls.twice", Status.FOUND).model_copy(update={"cases": (case(Status.FOUND), case(Status.FOUND))})
    checks = (*EVERY.checks, twice)
    runs = [run_of(checks=checks), run_of(checks=tuple(reversed(checks)), began=NOW - datetime.timedelta(days=1), connections=99)]
    prints = [sorted(one["partialFingerprints"]["case/v1"] for one in the_only(json.loads(sarif.write(run)))["results"]) for run in runs]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == len(prints[0]) == len(checks) + 1


@pytest.mark.parametrize("run", RUNS)
def test_oscal_is_valid(run: Run) -> None:
    """What is written as OSCAL assessment results is valid by NIST's own schema, and every identifier that it refers to is there."""
    text = (SCHEMAS / "oscal-assessment-results-1.1.3.json").read_text(encoding="utf-8")
    # Python's regular expressions have no Unicode classes; our tokens are ASCII.
    schema = json.loads(text.replace(r"\\p{L}", "[A-Za-z]").replace(r"\\p{N}", "[0-9]"))
    written = WRITERS["oscal-assessment-results.json"](run)
    if run.count(Status.NOT_TESTED) == len(run.checks):
        assert "findings" not in the_only(json.loads(written))
    jsonschema.Draft7Validator(schema).validate(json.loads(written))
    declared = re.findall(r'"uuid": "([^"]+)"', written)
    assert len(declared) == len(set(declared))
    assert set(re.findall(r'-uuid": "([^"]+)"', written)) <= set(declared)
    assert written == WRITERS["oscal-assessment-results.json"](run)


def test_oscal_tells_findings_as_risks() -> None:
    """What was found is an open risk with its remedy, what is waived an approved deviation with a deadline; nothing else is a risk."""
    risks = {risk["description"]: risk for risk in the_only(json.loads(oscal.write(run_of(Status.FOUND, Status.PASSED))))["risks"]}
    assert [(risk["status"], risk["remediations"][0]["description"]) for risk in risks.values()] == [("open", REMEDY)]
    waived = run_of(Status.PASSED, Status.PASSED, Status.PASSED, Status.WAIVED, Status.INCONCLUSIVE)
    (risk,) = the_only(json.loads(oscal.write(waived)))["risks"]
    assert (risk["status"], risk["deadline"]) == ("deviation-approved", "2026-11-25T23:59:59Z")
    assert risk["mitigating-factors"][0]["description"] == "Waived by Dr. B: old"


@pytest.fixture(scope="module")
def junit_schema() -> xmlschema.XMLSchema:
    """Give the schema of JUnit XML that Jenkins reads by."""
    return xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))


@pytest.mark.parametrize("run", RUNS)
def test_junit_tells_each_status(run: Run, tmp_path: Path, junit_schema: xmlschema.XMLSchema) -> None:
    """What is written as JUnit XML is valid, and is read back with as many failures, errors and skipped as there were."""
    written = tmp_path / "junit.xml"
    written.write_text(WRITERS["junit.xml"](run), encoding="utf-8")
    junit_schema.validate(str(written))
    read = JUnitXml.fromfile(str(written))
    skipped = run.count(Status.NOT_TESTED) + run.count(Status.WAIVED)
    counts = (run.count(Status.FOUND), run.count(Status.INCONCLUSIVE), sum(suite.skipped for suite in read), len(run.checks))
    assert (read.failures, read.errors, skipped, read.tests) == counts


def test_controls_stand_in_the_ids_and_text_of_every_form() -> None:
    """A control's id is told by JUnit, SARIF, OSCAL and JSON, and each of its clauses with the edition by SARIF and OSCAL."""
    run = run_of(Status.FOUND)
    for write in WRITERS.values():
        assert "peer-identity" in write(run)
    for clause in CONTROLS["peer-identity"].clauses:
        edition = FRAMEWORKS[clause.framework].edition
        assert f"{clause} ({edition})" in sarif.write(run)
        assert f"{clause} ({edition})" in oscal.write(run)
