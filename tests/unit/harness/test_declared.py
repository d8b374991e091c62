"""What the harness makes of the target file itself."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from securepacs_harness.checks import test_target as checks
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import Target, parse_target

TODAY = datetime.datetime.now(datetime.UTC).date()
DAY = datetime.timedelta(days=1)
BARE = {"version": 1, "name": "x", "dicom": {"host": "127.0.0.1", "port": 1, "ae_title": "A", "tls": False}}


def judged(**declared: Any) -> Record:  # noqa: ANN401 - sections of a target file
    """Hold a target file against itself."""
    record = Record()
    checks.test_the_declaration_refers_to_what_there_is(parse_target({**BARE, **declared}), record)
    return record


def test_what_is_left_out_is_told_with_its_cost() -> None:
    """A bare file declares nothing that could be wrong: each section is told as not tested, and nothing passes."""
    record = judged()
    assert record.status is Status.NOT_TESTED
    assert [case.what for case in record.cases] == list(checks.LEFT_OUT)
    assert set(checks.LEFT_OUT) <= set(Target.model_fields)
    assert "floor" not in [case.what for case in judged(floor={"orthanc": "1.12.11"}).cases]


@pytest.mark.parametrize(
    ("declared", "status"),
    [
        ({"expects": {"mtls.forged": {"layers": ["tls"]}, "dimse.echo/stranger": {"layers": ["tls"]}}}, Status.PASSED),
        ({"expects": {"own.mine": {"layers": ["tls"]}}}, Status.PASSED),
        ({"expects": {"mtls.forgd": {"layers": ["tls"]}}}, Status.FOUND),
        ({"inside": {"archive": "docker://a"}, "listeners": {"archive": [4242]}}, Status.PASSED),
        ({"inside": {"archive": "docker://a"}, "listeners": {"archiv": [4242]}}, Status.FOUND),
        ({"cleanup": {"by": "orthanc", "user": "anna"}}, Status.FOUND),
        ({"authorisation": {"by": "somebody", "until": TODAY.isoformat()}}, Status.PASSED),
        ({"authorisation": {"by": "somebody", "until": (TODAY - DAY).isoformat()}}, Status.FOUND),
    ],
)
def test_a_name_that_nothing_has_is_found(declared: dict[str, Any], status: Status) -> None:
    """A misspelt check, part or person declares nothing at all, and an authorisation that ended allows nothing."""
    record = judged(**declared)
    assert record.status is status, record.reason


def test_the_days_of_waivers_are_told() -> None:
    """A waiver counts up to its last day; after it, and where it names no check, it is a finding."""

    def waived(until: datetime.date, check: str = "") -> Record:
        waiver = {"what": "no TLS", "reason": "an old device", "owner": "radiology", "until": until.isoformat(), "check": check}
        record = Record()
        checks.test_waivers_are_current(parse_target({**BARE, "waivers": [waiver]}), record)
        return record

    assert waived(TODAY).status is waived(TODAY, "tls.required").status is Status.PASSED
    assert waived(TODAY - DAY).status is waived(TODAY, "tls.requird").status is Status.FOUND
    assert [case.told for case in waived(TODAY + 9 * DAY).cases] == ["9 days left"]
