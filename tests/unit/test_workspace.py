"""Where a stack's state lives, and what is done with its passphrase."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from securepacs.errors import HostError, NotFoundError
from securepacs.state.workspace import Workspace, provider_folder, pulumi_command, workspace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A stack's place in an empty folder, with no variable of Pulumi's set."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    return Workspace("dev", tmp_path / "home")


def test_what_is_made_is_for_its_owners_eyes(place: Workspace) -> None:
    """State, passphrase and configuration lie in folders of mode 0700, in files of mode 0600."""
    place.prepare({"config": {}})
    assert {path.stat().st_mode & 0o777 for path in (place.home, place.home / "backend", place.folder)} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in place.home.rglob("*") if path.is_file()} == {0o600}


def test_the_passphrase_is_made_once_and_is_long(place: Workspace) -> None:
    """A second run keeps the passphrase of the first."""
    place.prepare({"config": {}})
    first = (place.home / "passphrase").read_text()
    place.prepare({"config": {}})
    assert (place.home / "passphrase").read_text() == first
    assert len(first) >= 64


def test_the_salt_is_kept_and_the_configuration_replaced(place: Workspace) -> None:
    """The engine's salt survives a change of the configuration, which is always the latest."""
    place.prepare({"config": {"a": 1}})
    place.config_file.write_text(yaml.safe_dump({"encryptionsalt": "v1:salt", "config": {"a": 1}}))
    place.prepare({"config": {"a": 2}})
    assert yaml.safe_load(place.config_file.read_text()) == {"encryptionsalt": "v1:salt", "config": {"a": 2}}


def test_a_lost_passphrase_is_never_replaced(place: Workspace) -> None:
    """Where an encrypted state stands and its passphrase is gone, nothing is made up."""
    place.prepare({"config": {}})
    place.config_file.write_text(yaml.safe_dump({"encryptionsalt": "v1:salt", "config": {}}))
    (place.home / "passphrase").unlink()
    with pytest.raises(HostError, match="got no such file, expected the passphrase of the state"):
        place.prepare({"config": {}})
    assert not (place.home / "passphrase").exists()


def test_a_backend_of_the_users_own_is_honoured(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """$PULUMI_BACKEND_URL and $PULUMI_CONFIG_PASSPHRASE stay as they are; no passphrase is made then."""
    assert place.environment()["PULUMI_BACKEND_URL"] == (place.home / "backend").as_uri()
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    assert not {"PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(place.environment())
    place.prepare({"config": {}})
    assert not (place.home / "passphrase").exists()


def test_the_variables_hold_no_secret(place: Workspace) -> None:
    """What is shown to a shell names the passphrase's file, not the passphrase."""
    place.prepare({"config": {}})
    assert (place.home / "passphrase").read_text() not in str(place.environment())


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "x" * 101])
def test_a_stack_name_cannot_leave_its_folder(name: str) -> None:
    """A name that is no stack's is refused."""
    with pytest.raises(NotFoundError, match="--stack"):
        workspace(name)


def test_an_old_pulumi_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CLI below the floor counts as none, and the line says which one was found."""
    old = tmp_path / "pulumi"
    old.write_text("#!/bin/sh\necho v3.100.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HostError, match=r"got v3\.100\.0, expected version 3\.255 or later"):
        pulumi_command()


def test_a_passphrase_is_not_made_up_beside_a_state(place: Workspace) -> None:
    """Where any state stands and the passphrase is gone with the configuration's salt, nothing is made up either."""
    states = place.home / "backend" / ".pulumi" / "stacks" / "securepacs"
    states.mkdir(parents=True)
    (states / "other.json").write_text("{}")
    with pytest.raises(HostError, match="got no such file, expected the passphrase of the state"):
        place.prepare({"config": {}})


def test_the_provider_is_found_where_python_has_its_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider stands beside Python, or where an installation for one user puts programs; where it is in neither, that is told."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path / "own"))
    with pytest.raises(HostError, match="pulumi-resource-securepacs: got no such program"):
        provider_folder()
    for place in ("own", "bin"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "pulumi-resource-securepacs").touch()
        assert provider_folder() == tmp_path / place
