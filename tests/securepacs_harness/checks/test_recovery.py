"""Whether there is a recent copy, and whether it can be restored (HIPAA 164.308(a)(7))."""

from __future__ import annotations

import datetime

from securepacs_harness.check import check
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

_HOUR = 3600
#: A clock may be off by so much before what it says lies in the future.
_AHEAD = 120


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
    words = last_words(*verification.inside(recovery.part).run(recovery.newest))
    age = age_of(words[0]) if words else None
    if age is None:
        record.unknown("newest backup", "the command failed, or told no time (ISO 8601)")
        return
    holds = -_AHEAD <= age <= recovery.max_age_hours * _HOUR
    told = f"{age / _HOUR:.1f} hours old"
    record.fact("newest backup", expected=f"at most {recovery.max_age_hours} hours old", told=told, holds=holds)


@check(
    "recovery.restored",
    "A backup was restored lately, and was whole",
    tier="passive",
    controls=("recovery-restore",),
    remedy="Restore the newest backup beside the archive, compare what both hold, and keep the result where the command finds it.",
)
def test_a_backup_was_restored_lately(verification: Verification, record: Record) -> None:
    """What the declared command tells of the latest trial is no older than declared, and the restored archive held what was backed up."""
    # The trial is the owner's: a harness that restored an archive would need its backups, and a place for all its patients' data.
    recovery = verification.target.recovery
    if recovery is None or not recovery.restored:
        record.not_tested("restoring", "the target does not say what the latest trial of it showed (recovery.restored)")
        return
    match last_words(*verification.inside(recovery.part).run(recovery.restored)):
        case [when, backed_up, restored] if (age := age_of(when)) is not None:
            days = age / _HOUR / 24
            recent, expected = -_AHEAD <= age <= recovery.max_trial_days * 24 * _HOUR, f"at most {recovery.max_trial_days} days ago"
            record.fact("latest trial", expected=expected, told=f"{days:.0f} days ago", holds=recent)
            whole = backed_up == restored
            told = "the same" if whole else "something else"
            record.fact("what was restored", expected="what was backed up", told=told, holds=whole)
        case _:
            record.unknown("latest trial", "the command failed, or did not print WHEN BACKED-UP RESTORED")


def last_words(status: int, out: str) -> list[str]:
    """Give the words of the last line that a command printed; none where it failed."""
    lines = [line for line in out.splitlines() if line.strip()]
    return lines[-1].split() if lines and status == 0 else []


def age_of(when: str) -> float | None:
    """Give how many seconds ago a time was (ISO 8601, UTC where it names no zone); None where it is no time."""
    try:
        then = datetime.datetime.fromisoformat(when)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=datetime.UTC)
    return (datetime.datetime.now(datetime.UTC) - then).total_seconds()
