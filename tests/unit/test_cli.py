"""The command line: what it refuses, with which status, and that it changes nothing then."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from securepacs import cli, errors
from securepacs.bundles import write_bundle
from securepacs.cli import app
from securepacs.clinic import parse_clinic
from securepacs.errors import ConfigurationError
from securepacs.state.stackfile import clinic_of, read_stack_file

COMMAND = Path(sys.executable).parent / "securepacs"
EXAMPLE = Path(__file__).parents[2] / "Pulumi.dev.yaml"


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, with its state in a folder of its own."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "SECUREPACS_HOME": str(folder / "home"),
        "COLUMNS": "200",
        "DOCKER_HOST": "unix:///nonexistent.sock",
    }
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False)


def test_the_worked_example_is_a_good_clinic() -> None:
    """The committed configuration is valid, as it stands."""
    assert clinic_of(read_stack_file(EXAMPLE), EXAMPLE).name == "clinic-a"


def test_the_schema_is_printed_as_json(tmp_path: Path) -> None:
    """`securepacs schema` gives a JSON Schema that names the clinic's parts."""
    answer = run("schema", folder=tmp_path)
    assert answer.returncode == 0
    assert {"archive", "peers", "people", "limits"} <= set(json.loads(answer.stdout)["properties"])


def test_a_mistake_ends_in_one_line_and_status_3(tmp_path: Path) -> None:
    """Bad input gives its line on standard error, no traceback, status 3, and leaves no state behind."""
    content = yaml.safe_load(EXAMPLE.read_text())
    content["config"]["securepacs:clinic"]["peers"][0]["ae_title"] = "A" * 17
    bad = tmp_path / "Pulumi.bad.yaml"
    bad.write_text(yaml.safe_dump(content))
    answer = run("up", "--config", str(bad), "--stack", "bad", folder=tmp_path)
    assert answer.returncode == ConfigurationError.exit_status == 3
    assert answer.stderr.splitlines() == [
        "error: securepacs:clinic.peers[0].ae_title: got 'AAAAAAAAAAAAAAAAA'; an AE title has 1 to 16 characters, this has 17"
    ]
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("config: [", "YAML"),
        ("x: 1", "no mapping 'config'"),
        ("config: {}", "got nothing"),
        ("config:\n  securepacs:clinic:\n    name: a1\n    name: b1\n", "the key 'name' stands twice"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """A broken file, one without a clinic, and one with a key twice are told apart."""
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=what):
        clinic_of(read_stack_file(path), path)


def test_a_date_may_stand_unquoted(tmp_path: Path) -> None:
    """YAML's own dates are read as the text that they are."""
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text("config:\n  day: 2026-01-31\n")
    assert read_stack_file(path)["config"]["day"] == "2026-01-31"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A configuration that is not there is named, with what to do."""
    answer = run("preview", "--config", "nowhere.yaml", folder=tmp_path)
    assert answer.returncode == 3
    assert answer.stderr.startswith("error: nowhere.yaml: got no such file")


def test_no_engine_is_one_line_and_status_4(tmp_path: Path) -> None:
    """Without a Docker engine `up` says so and ends with status 4."""
    answer = run("up", "--config", str(EXAMPLE), folder=tmp_path)
    assert answer.returncode == 4
    assert answer.stderr.startswith("error: Docker engine: got ")
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [("status",), ("bundle", "CT01", "--out", "b"), ("token", "sender"), ("password", "vera"), ("target", "--out", "t.toml")]
)
def test_what_needs_a_deployment_says_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Commands on a stack that was never deployed end with status 6 and say what is missing."""
    answer = run(*command, "--stack", "nosuch", folder=tmp_path)
    assert answer.returncode == 6
    assert "stack 'nosuch'" in answer.stderr


def test_down_asks_and_without_an_answer_refuses(tmp_path: Path) -> None:
    """`down` without a terminal and without --yes changes nothing, and data are given up only by the clinic's name."""
    answer = run("down", "--config", str(EXAMPLE), folder=tmp_path)
    assert answer.returncode == 7
    answer = run("down", "--config", str(EXAMPLE), "--yes", "--delete-data", "clinic-b", folder=tmp_path)
    assert answer.returncode == 7
    assert "expected the clinic's name, 'clinic-a'" in answer.stderr


def test_every_failure_has_its_own_status() -> None:
    """The exit statuses are distinct, and none is that of a defect (1) or of wrong usage (2)."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SecurePacsError)]
    statuses = [kind.exit_status for kind in kinds if kind is not errors.SecurePacsError]
    assert len(statuses) == len(set(statuses)) >= 5
    assert not {0, 1, 2} & set(statuses)


def test_every_command_has_an_example_in_its_help() -> None:
    """`--help` of every command shows how it is called."""
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"Example: {'eval' if command.callback.__name__ == 'env' else 'securepacs'}" in (command.callback.__doc__ or "")


def test_a_bundle_is_for_its_owners_eyes(tmp_path: Path) -> None:
    """A bundle's files have mode 0600 in a folder of mode 0700; a key that was never here is left out; a link is not followed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (tmp_path / "CT01").mkdir(mode=0o700)
    (tmp_path / "CT01" / "cert.pem").symlink_to(elsewhere)
    written = write_bundle(tmp_path, "CT01", {"cert.pem": "CERT", "key.pem": "", "ca.pem": "CA"})
    assert [path.name for path in written] == ["cert.pem", "ca.pem"]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    assert elsewhere.read_text() == "kept"


def test_the_example_says_only_what_the_schema_knows() -> None:
    """The example parses from the very structure that the schema describes."""
    assert parse_clinic(yaml.safe_load(EXAMPLE.read_text())["config"]["securepacs:clinic"]).limits.storage_mb == 50000


def test_the_committed_schema_is_the_printed_one(tmp_path: Path) -> None:
    """docs/clinic.schema.json, for editors, is what `securepacs schema` prints; that command writes it anew."""
    assert (EXAMPLE.parent / "docs" / "clinic.schema.json").read_text() == run("schema", folder=tmp_path).stdout


@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    told: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Where a file finds no place the line says that the disk is full, status 5; another failure of the system stays one of our own."""

    def fail() -> None:
        raise OSError(number, "x")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit if told else OSError) as ended:
        cli.main()
    if told:
        assert isinstance(ended.value, SystemExit)
        assert ended.value.code == 5
        assert capsys.readouterr().err.startswith("error: the disk is full: no space left on device; free some")
