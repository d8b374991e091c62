"""JUnit XML, for CI systems that show test results: a suite for each group, a case for each check.

The elements and attributes are those of Jenkins' xunit plugin (its schema junit-10), which is what others read too.
"""

from __future__ import annotations

from itertools import groupby

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from securepacs_harness.record import in_words
from securepacs_harness.results import CheckResult, Run, Status

#: How the status of a check is told; a pass is told by nothing.
_RESULTS = {Status.FOUND: Failure, Status.INCONCLUSIVE: Error, Status.NOT_TESTED: Skipped, Status.WAIVED: Skipped}


def _case(result: CheckResult) -> TestCase:
    case = TestCase(result.title, classname=result.id, time=round(result.seconds, 3))
    kind = _RESULTS.get(result.status)
    if kind is not None:
        told = kind(f"{result.status}: {result.reason}", result.status.replace(" ", "-"))
        told.text = "\n".join([*(in_words(one) for one in result.cases if one.status is result.status), result.remedy])
        case.result = [told]
    return case


def _properties(results: list[CheckResult], run: Run) -> Properties:
    ids = {result.id for result in results}
    waivers = [waiver for waiver in run.waivers if waiver.check in ids]
    told = {
        "target": run.target.name,
        "declaration (sha256)": run.target.declaration,
        "vantage": run.vantage,
        **{f"controls of {result.id}": " ".join(result.controls) for result in results},
        **{f"waiver of {waiver.check}": f"{waiver.reason} ({waiver.owner}, until {waiver.until})" for waiver in waivers},
    }
    properties = Properties()
    for name, value in told.items():
        properties.add_property(Property(name, value))
    return properties


def _suite(group: str, results: list[CheckResult], run: Run) -> TestSuite:
    suite = TestSuite(group)
    suite.timestamp = run.began.isoformat(timespec="seconds")
    suite.append(_properties(results, run))
    for result in results:
        suite.add_testcase(_case(result))
    suite.update_statistics()
    return suite


def write(run: Run) -> str:
    """Write the run as JUnit XML: found is a failure, inconclusive an error, waived and not tested are skipped with their reasons."""
    whole = JUnitXml(f"{run.tool} on {run.target.name}")
    in_order = sorted(run.checks, key=lambda result: result.group)
    suites = [_suite(group, list(results), run) for group, results in groupby(in_order, key=lambda result: result.group)]
    for suite in suites:
        whole.add_testsuite(suite)
    # Not update_statistics(): it also counts what was skipped, for which this element has no attribute.
    whole.tests, whole.failures, whole.errors = (sum(getattr(suite, name) for suite in suites) for name in ("tests", "failures", "errors"))
    whole.time = round(sum(suite.time for suite in suites), 3)
    text: bytes = whole.tostring()
    return text.decode("utf-8") + "\n"
