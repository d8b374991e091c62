"""Whether there is a recent copy, and whether it can be restored (HIPAA 164.308(a)(7))."""

from __future__ import annotations

import datetime

from securepacs_harness.check import check
from securepacs_harness.record import Record
from securepacs_harness.session import Verification


@check(
    "recovery.backup",
    "The newest backup is recent",
    tier="passive",
    controls=("recovery-backup",),
    remedy="Make a backup, and find out why none was made in time.",
)
def test_the_newest_backup_is_recent(verification: Verification, record: Record) -> None:
    """What the declared command tells of the newest backup is no older than declared."""
    recovery = verification.target.recovery
    if recovery is None:
        record.not_tested("backups", "the target does not say how its newest backup is seen (recovery)")
        return
    status, out = verification.inside(recovery.part).run(recovery.newest)
    try:
        made = datetime.datetime.fromisoformat(out.strip().splitlines()[-1].strip())
    except (ValueError, IndexError):
        record.unknown("newest backup", f"the command ended with {status} and told no time (ISO 8601)")
        return
    if made.tzinfo is None:
        made = made.replace(tzinfo=datetime.UTC)
    hours = (datetime.datetime.now(datetime.UTC) - made).total_seconds() / 3600
    holds = 0 <= hours <= recovery.max_age_hours
    record.fact("newest backup", expected=f"at most {recovery.max_age_hours} hours old", told=f"{hours:.1f} hours old", holds=holds)
