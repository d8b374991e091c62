"""A state that was lost, damaged or sealed, on the real engine: refused in one line, then recovered."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifecycle.failure.conftest import DICOM_PORT, HTTPS_PORT, NAME, Patient
from lifecycle.failure.killing import alone, ask, authorities, configuration, left, state_file
from securepacs_harness.bracket import at, bracket
from securepacs_harness.observation import Layer
from securepacs_harness.probes import dimse

#: Where a run finds this, the provider's clock goes ahead by so many seconds; everything else of the run has the host's.
AHEAD = """
import datetime
import os
if "securepacs.provider" in os.environ.get("SHIFTED", ""):
    from securepacs.provider import clock
    real = clock.now
    clock.now = lambda: real() + datetime.timedelta(seconds=int(os.environ["SHIFTED"].split()[1]))
"""


def tree(folder: Path) -> dict[str, str]:
    """Give each file of states and passphrase with its sum; Pulumi's own notes and the configuration's copy are left out."""
    kept = [path for path in sorted([*(folder / "backend").rglob("*"), folder / "passphrase"]) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


@pytest.fixture
def home(patient: Patient) -> Iterator[Path]:
    """The folder of the state, as it was at the end again."""
    folder = Path(patient.stack.environment["SECUREPACS_HOME"])
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    yield folder
    shutil.rmtree(folder)
    copy.rename(folder)


def lose(state: Path) -> None:
    """Remove a state."""
    state.unlink()


def cut(state: Path) -> None:
    """Cut a state short, as a full disk or a crashed host does."""
    state.write_bytes(state.read_bytes()[:4000])


def empty(state: Path) -> None:
    """Leave nothing of a state but its name."""
    state.write_bytes(b"")


def forget(state: Path) -> None:
    """Put a state in its place that knows nothing, as `pulumi stack init` makes one."""
    state.write_text(json.dumps({"version": 3, "checkpoint": {"stack": f"organization/securepacs/{NAME}", "latest": None}}))


@pytest.mark.parametrize("harm", [lose, cut, empty, forget])
def test_a_lost_state_is_refused_and_put_back(patient: Patient, home: Path, harm: Callable[[Path], None]) -> None:
    """`up`, `preview` and `down` refuse with status 7 and name the way out; `recover` puts the state back, and no key is another one."""
    del home
    before = authorities(patient.stack)
    harm(state_file(patient.stack))
    commands = {"up": (), "preview": (), "down": ("--yes",)} if harm is lose else {"up": ()}
    for command, options in commands.items():
        answer = patient.ask(command, *options)
        assert answer.status == 7, command
        (line,) = answer.errors
        assert line.startswith(f"error: stack '{NAME}': got ")
        assert "while 2 containers, 2 networks, 3 volumes of it stand on the engine" in line
        assert line.endswith(f"run `securepacs recover --stack {NAME}`; nothing was changed")
    answer = ask(patient.stack, "recover")
    assert answer.status == 0, answer.err
    assert "and knows 7 of these 7 objects" in answer.out
    assert f"{NAME}-archive-data" in answer.out
    assert patient.changes() == {}
    assert authorities(patient.stack) == before
    patient.serves()


def test_a_good_state_is_left_alone(patient: Patient, home: Path) -> None:
    """`recover` on a clinic whose state is good says so and changes nothing."""
    before = tree(home)
    answer = ask(patient.stack, "recover", "--yes")
    assert (answer.status, "nothing is to be recovered" in answer.out) == (0, True)
    assert tree(home) == before


@pytest.mark.parametrize("command", ["up", "preview", "down", "status", "recover"])
def test_a_wrong_passphrase_is_told(patient: Patient, home: Path, command: str) -> None:
    """A passphrase that is not the state's ends in one line and status 5; nothing is changed on the engine or in the state."""
    (home / "passphrase").write_text("another one")
    before, stood = tree(home), left(patient.stack)
    answer = ask(patient.stack, command) if command in {"status", "recover"} else patient.ask(command, *["--yes"] * (command == "down"))
    assert answer.status == 5
    (line,) = answer.errors
    assert line.startswith("error: the passphrase is not the one of this state; put back .securepacs/passphrase")
    assert (tree(home), left(patient.stack)) == (before, stood)


def test_a_missing_passphrase_is_told(patient: Patient, home: Path) -> None:
    """Where the passphrase is gone, with or without the configuration's salt, none is made up: one line, status 4."""
    (home / "passphrase").unlink()
    for lost in (None, home / "stacks" / NAME / f"Pulumi.{NAME}.yaml"):
        if lost:
            lost.unlink()
        answer = patient.ask("up")
        assert answer.status == 4
        (line,) = answer.errors
        assert line.startswith(f"error: {home}/passphrase: got no such file, expected the passphrase of the state that stands here")
        assert not (home / "passphrase").exists()


def test_a_lost_copy_of_the_configuration_is_made_anew(patient: Patient, home: Path) -> None:
    """Where only the folder with the configuration's copy and salt is lost, `up` goes on with the same keys."""
    before = authorities(patient.stack)
    shutil.rmtree(home / "stacks")
    assert patient.changes() == {}
    assert authorities(patient.stack) == before
    patient.serves()


def test_a_fresh_clone_with_the_same_backend_goes_on(patient: Patient, home: Path, tmp_path: Path) -> None:
    """With $PULUMI_BACKEND_URL the state is found from a clone that has nothing of its own; where that backend has none it is refused."""
    (tmp_path / "empty").mkdir()
    for backend, expected in ((home / "backend", 0), (tmp_path / "empty", 7)):
        shared = {"PULUMI_BACKEND_URL": backend.as_uri(), "PULUMI_CONFIG_PASSPHRASE_FILE": str(home / "passphrase")}
        own = {**patient.stack.environment, "SECUREPACS_HOME": str(tmp_path / f"clone-{backend.name}"), **shared}
        answer = ask(type(patient.stack)(NAME, patient.stack.config, own), "up", "--config", str(patient.stack.config), "--json")
        assert answer.status == expected, answer.err
        if expected == 0:
            assert json.loads(answer.out)["changes"] == {}


def test_an_unknown_stack_is_told_which_there_are(patient: Patient) -> None:
    """`recover` of a stack that nobody knows ends with status 6 and names those of which the engine has objects."""
    answer = ask(type(patient.stack)("failtypo", patient.stack.config, patient.stack.environment), "recover")
    assert answer.status == 6
    (line,) = answer.errors
    assert re.search(rf"expected one of (?:.*, )?{NAME}\b", line)


def test_a_clock_that_goes_wrong_later_changes_nothing(patient: Patient, shifted: Callable[[int], dict[str, str]]) -> None:
    """With a clock an hour ahead or behind an `up` of an unchanged clinic has nothing to do."""
    for seconds in (3600, -3600):
        stack = type(patient.stack)(NAME, patient.stack.config, {**patient.stack.environment, **shifted(seconds)})
        answer = ask(stack, "up", "--config", str(stack.config), "--json")
        assert (answer.status, json.loads(answer.out)["changes"]) == (0, {})


@pytest.fixture
def shifted(tmp_path: Path) -> Callable[[int], dict[str, str]]:
    """Give the variables that set the provider's clock ahead: a module that each Python process runs at its start."""
    (tmp_path / "sitecustomize.py").write_text(AHEAD)
    return lambda seconds: {"PYTHONPATH": str(tmp_path), "SHIFTED": f"securepacs.provider {seconds}"}


def test_a_second_clone_takes_the_studies_and_not_the_name(
    patient: Patient, tmp_path: Path, shifted: Callable[[int], dict[str, str]]
) -> None:
    """Another clone is refused; with consent `recover` takes the studies over under new keys, whose maker's clock was an hour ahead."""
    clone = alone(NAME, tmp_path)
    configuration(clone.config, NAME, DICOM_PORT, HTTPS_PORT)
    old = patient.pacs().bundles
    other = Patient(clone, tmp_path, patient.study)
    answer = other.ask("up")
    assert answer.status == 7
    assert "got no state while 2 containers, 2 networks, 3 volumes of it stand on the engine" in answer.err
    assert not (tmp_path / "home").exists()
    answer = ask(clone, "recover")
    assert answer.status == 7
    assert answer.errors == ["error: recover: got no consent to new keys, expected --yes, or 'y' when asked; nothing was changed"]
    patient.serves()
    answer = ask(clone, "recover", "--yes")
    assert answer.status == 0
    assert "all keys will be new" in answer.out
    early = Patient(type(clone)(NAME, clone.config, {**clone.environment, **shifted(3600)}), tmp_path, patient.study)
    assert early.changes() == {"made": 23}
    other.hand_out()
    other.serves()
    assert other.changes() == {}
    stranger = other.pacs().caller("CT01", material=old.material("CT01"))
    bracket(dimse.echo(other.pacs().caller("CT01"))).tries([(dimse.echo(stranger), at(Layer.TLS))])[0].require()
    patient.stack, patient.bundles, patient.folder = clone, other.bundles, tmp_path
