"""The declaration itself: what was waived and until when, what it leaves out; and that nothing of the run stays in the target."""

from __future__ import annotations

import datetime

from securepacs_harness.check import check, packaged
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.target import Target


@check(
    "target.waivers",
    "No waiver has expired",
    tier="passive",
    controls=("waiver-governance",),
    remedy="Mend what was waived, or have its owner decide again until when.",
)
def test_waivers_are_current(target: Target, record: Record) -> None:
    """Each waiver has days left; one of a packaged check names a check that exists."""
    today = datetime.datetime.now(datetime.UTC).date()
    if not target.waivers:
        record.fact("waivers", expected="none expired", told="the target declares none", holds=True)
    for waiver in target.waivers:
        left = (waiver.until - today).days
        told = f"{left} days left" if left >= 0 else f"expired {-left} days ago"
        record.fact(f"waiver by {waiver.owner}: {waiver.what}", expected="days left", told=told, holds=left >= 0)
        if waiver.check and waiver.check not in packaged() and not waiver.check.startswith("own."):
            record.fact(f"check of the waiver: {waiver.what}", expected="a check", told=f"there is no '{waiver.check}'", holds=False)


@check(
    "target.residue",
    "The run leaves no study behind",
    tier="write",
    controls=("deployment-verification",),
    remedy="Remove the studies of patient ID CANARY by hand, and give the target a cleanup that works.",
)
def test_nothing_is_left(record: Record, canaries: Canaries) -> None:
    """Every synthetic study is removed, also one that a defect let in, and is gone afterwards."""
    canaries.remove(record)
    if not record.cases:
        record.not_tested("synthetic studies", "none was made")
