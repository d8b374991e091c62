"""JUnit XML, for CI systems that show test results: a suite for each group, a case for each check."""

from __future__ import annotations

from itertools import groupby

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from securepacs_harness.record import in_words
from securepacs_harness.results import CheckResult, Run, Status

#: How the status of a check is told; a pass is told by nothing.
_RESULTS = {Status.FOUND: Failure, Status.INCONCLUSIVE: Error, Status.NOT_TESTED: Skipped, Status.WAIVED: Skipped}


def _case(result: CheckResult) -> TestCase:
    case = TestCase(result.title, classname=result.id, time=result.seconds)
    kind = _RESULTS.get(result.status)
    if kind is not None:
        told = kind(f"{result.status}: {result.reason}")
        told.text = "\n".join([*(in_words(one) for one in result.cases if one.status is result.status), result.remedy])
        case.result = [told]
    return case


def _suite(group: str, results: list[CheckResult]) -> TestSuite:
    suite = TestSuite(group)
    properties = Properties()
    for result in results:
        properties.add_property(Property(f"controls of {result.id}", " ".join(result.controls)))
    suite.append(properties)
    for result in results:
        suite.add_testcase(_case(result))
    suite.update_statistics()
    return suite


def write(run: Run) -> str:
    """Write the run as JUnit XML: found is a failure, inconclusive an error, waived and not tested are skipped with their reasons."""
    whole = JUnitXml(f"{run.tool} on {run.target.name}")
    in_order = sorted(run.checks, key=lambda result: result.group)
    for group, results in groupby(in_order, key=lambda result: result.group):
        whole.add_testsuite(_suite(group, list(results)))
    whole.update_statistics()
    text: bytes = whole.tostring()
    return text.decode("utf-8") + "\n"
