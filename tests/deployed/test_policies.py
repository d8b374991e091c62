"""A clinic that breaks a rule is not made: by the command line, with the real engine."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployed.deployment import CLINIC_KEY, NO_BACKUP, CommandError, Stack, docker, remove_left_overs

NAME = "refusetest"
CLINIC: Mapping[str, Any] = {
    "name": NAME,
    "archive": {"ae_title": "REFUSETEST"},
    "dicom": {"addresses": ["127.0.0.1"], "port": 12972},
    "https": {"addresses": ["127.0.0.1"], "port": 18653},
    "peers": [{"ae_title": "CT01", "verbs": ["echo", "store"]}],
    "limits": {"archive_memory_mb": 512, "cpus": 0.5},
}
IN_A_MONTH = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)).isoformat()
EXCUSED = {"backup-declared": {"exceptions": [{"reason": "the NAS comes in May", "owner": "it", "until": IN_A_MONTH}]}}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of its own, with nothing deployed."""
    remove_left_overs(NAME)
    environment = {**os.environ, "SECUREPACS_HOME": str(tmp_path / "home")}
    yield Stack(NAME, tmp_path / "clinic.yaml", environment)
    remove_left_overs(NAME)


def declare(stack: Stack, clinic: Mapping[str, Any], policies: Mapping[str, Any] | None = None) -> None:
    """Write the stack's configuration."""
    declared = {"config": {CLINIC_KEY: dict(clinic), **({"securepacs:policies": dict(policies)} if policies else {})}}
    stack.config.write_text(yaml.safe_dump(declared), encoding="utf-8")


def made() -> str:
    """Name every container, network and volume of this stack on the engine."""
    label = f"label=securepacs.stack=securepacs/{NAME}"
    listings = (["ps", "-a"], ["network", "ls"], ["volume", "ls"])
    return "".join(docker(*listing, "--filter", label, "--format", "{{json .}}") for listing in listings)


@pytest.mark.parametrize("command", ["preview", "up"])
def test_a_clinic_that_breaks_a_rule_is_not_made(stack: Stack, command: str) -> None:
    """It ends with status 9 and says what, where, which control and how to mend it; no container, network or volume was made."""
    declare(stack, CLINIC)
    with pytest.raises(CommandError, match=r"ended with 9") as refused:
        stack.securepacs(command, "--config", str(stack.config))
    told = str(refused.value)
    assert "error: It declares no backup" in told
    for line in (
        "rule     backup-declared",
        "where    SecurePacs pacs",
        "control  recovery-backup (HIPAA",
        "mend     Ours: the clinic's `backup`",
    ):
        assert f"\n  {line}" in told
    assert "Traceback" not in told
    assert made() == ""


def test_a_rotation_that_is_refused_is_not_written(stack: Stack) -> None:
    """`rotate` asks the policies before it writes: the file says what it said, and nothing was made."""
    declare(stack, CLINIC)
    before = stack.config.read_bytes()
    with pytest.raises(CommandError, match=r"ended with 9"):
        stack.securepacs("rotate", "server", "--config", str(stack.config))
    assert stack.config.read_bytes() == before
    assert made() == ""


def test_a_mistake_in_the_policies_changes_nothing(stack: Stack) -> None:
    """A rule that does not exist ends with status 3 and one line, before the engine starts."""
    declare(stack, {**CLINIC, "backup": NO_BACKUP}, {"backup-declered": {}})
    with pytest.raises(CommandError, match=r"ended with 3") as refused:
        stack.securepacs("up", "--config", str(stack.config))
    assert "error: securepacs:policies.backup-declered: there is no such rule; docs/rules.md lists all" in str(refused.value)
    assert made() == ""


def test_an_exception_is_told_and_a_rule_that_is_kept_is_silent(stack: Stack) -> None:
    """With an exception the preview goes on, and says who answers for what until when; with the rule kept nothing is said."""
    declare(stack, CLINIC, EXCUSED)
    [excused] = preview(stack)["excused"]
    assert f"  excused  until {IN_A_MONTH} by it: the NAS comes in May" in excused
    declare(stack, {**CLINIC, "backup": NO_BACKUP})
    told = preview(stack)
    assert told["excused"] == []
    assert told["changes"]["made"] > 15
    assert made() == ""


def preview(stack: Stack) -> dict[str, Any]:
    """Give what a preview tells a program."""
    told: dict[str, Any] = json.loads(stack.securepacs("preview", "--config", str(stack.config), "--json"))
    return told
