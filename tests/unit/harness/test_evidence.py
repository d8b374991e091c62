from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from junitparser import JUnitXml

from securepacs_harness.evidence import WRITERS, page
from securepacs_harness.results import Run, Status
from unit.harness.runs import RUNS, case, result, run_of

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


@pytest.mark.parametrize("run", RUNS)
def test_sarif_is_valid(run: Run) -> None:
    """What is written as SARIF is valid by the standard's own schema."""
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(json.loads(WRITERS["results.sarif"](run)))


@pytest.mark.parametrize("run", RUNS)
def test_oscal_is_valid(run: Run) -> None:
    """What is written as OSCAL assessment results is valid by NIST's own schema."""
    text = (SCHEMAS / "oscal-assessment-results-1.1.3.json").read_text(encoding="utf-8")
    # Python's regular expressions have no Unicode classes; our tokens are ASCII.
    schema = json.loads(text.replace(r"\\p{L}", "[A-Za-z]").replace(r"\\p{N}", "[0-9]"))
    written = json.loads(WRITERS["oscal-assessment-results.json"](run))
    if run.count(Status.NOT_TESTED) == len(run.checks):
        assert "findings" not in written["assessment-results"]["results"][0]
    jsonschema.Draft7Validator(schema).validate(written)


@pytest.mark.parametrize("run", RUNS)
def test_junit_tells_each_status(run: Run, tmp_path: Path) -> None:
    """What is written as JUnit XML is read back with as many failures, errors and skipped as there were."""
    (tmp_path / "junit.xml").write_text(WRITERS["junit.xml"](run), encoding="utf-8")
    read = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    skipped = run.count(Status.NOT_TESTED) + run.count(Status.WAIVED)
    counts = (run.count(Status.FOUND), run.count(Status.INCONCLUSIVE), skipped, len(run.checks))
    assert (read.failures, read.errors, read.skipped, read.tests) == counts


@pytest.mark.parametrize("run", RUNS)
def test_the_page_needs_nothing_else(run: Run) -> None:
    """The page has no script, loads nothing, and tells verdict, target, vantage point and every check."""
    text = WRITERS["report.html"](run)
    assert not re.search(r"<script|src=|href=|url\(|@import", text)
    assert text.count("<title>") >= 1
    for word in (page.verdict(run)[1], "clinic-a", "the clinic&#39;s own network", "ab" * 32, *(check.id for check in run.checks)):
        assert word in text
    assert len(re.findall(r"<rect ", text)) == len(run.checks)


def test_the_page_shows_words_of_a_target_as_words() -> None:
    """What a target said is no markup of the page."""
    nasty = result("tls.nasty", Status.FOUND).model_copy(update={"cases": (case(Status.FOUND, "<script>alert(1)</script>"),)})
    text = WRITERS["report.html"](run_of(checks=(nasty,)))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
