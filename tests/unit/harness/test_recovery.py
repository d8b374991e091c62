"""What is made of a clinic's word on its backups."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from securepacs_harness.checks import test_recovery as checks
from securepacs_harness.probes.inside import Inside
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import Recovery


def ago(**span: int) -> str:
    """Give the time that was so long ago, as a command prints it."""
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def judged(**recovery: str) -> tuple[Status, Status]:
    """Make both checks, with commands that really run here."""
    declared = Recovery(part="here", **{"newest": "true", **recovery}) if recovery else None
    verification: Any = SimpleNamespace(target=SimpleNamespace(recovery=declared), inside=lambda _: Inside("local://"))
    backup, restored = Record(), Record()
    checks.test_the_newest_backup_is_recent(verification, backup)
    checks.test_a_backup_was_restored_lately(verification, restored)
    return backup.status, restored.status


def test_what_is_not_declared_is_not_tested() -> None:
    """Backups and trials of which the target file says nothing are neither good nor bad."""
    assert judged() == (Status.NOT_TESTED, Status.NOT_TESTED)
    assert judged(newest=f"echo {ago(hours=1)}") == (Status.PASSED, Status.NOT_TESTED)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (f"echo note; echo {ago(hours=1)}", Status.PASSED),
        (f"echo {ago(hours=1)[:-1]}", Status.PASSED),
        (f"echo {ago(hours=30)}", Status.FOUND),
        (f"echo {ago(hours=-3)}", Status.FOUND),
        (f"echo {ago(hours=1)}; false", Status.INCONCLUSIVE),
        ("echo yesterday", Status.INCONCLUSIVE),
        ("true", Status.INCONCLUSIVE),
    ],
)
def test_a_backup_is_as_old_as_its_command_says(command: str, status: Status) -> None:
    """Too old, and made in the future, are findings; a command that fails or tells no time shows nothing."""
    assert judged(newest=command)[0] is status


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (f"{ago(days=30)} 1200 1200", Status.PASSED),
        (f"{ago(days=30)} sha256:ab sha256:ab", Status.PASSED),
        (f"{ago(days=30)} 1200 1199", Status.FOUND),
        (f"{ago(days=400)} 1200 1200", Status.FOUND),
        (f"{ago(days=-2)} 1200 1200", Status.FOUND),
        (f"{ago(days=30)} 1200", Status.INCONCLUSIVE),
        ("never 1200 1200", Status.INCONCLUSIVE),
        ("", Status.INCONCLUSIVE),
    ],
)
def test_a_trial_is_recent_and_gives_back_what_was_backed_up(told: str, status: Status) -> None:
    """Old trials, and those that gave back something else, are findings; what cannot be read shows nothing."""
    assert judged(restored=f"echo {told}")[1] is status
