"""Plain `pulumi` on the checkout's Pulumi.yaml reaches the same program and the same state as `securepacs`.

Where the official Pulumi is installed its own language host is used, else the stand-in in `langhost/`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from deployed.deployment import CLINIC_KEY, NO_BACKUP, CommandError, Stack, docker, remove_left_overs, run

ROOT = Path(__file__).parents[2]
LANGUAGE_HOST = Path(__file__).parent / "langhost"
NAME = "plaintest"
CLINIC = {
    "name": NAME,
    "archive": {"ae_title": "PLAINTEST"},
    "dicom": {"addresses": ["127.0.0.1"], "port": 12862},
    "https": {"addresses": ["127.0.0.1"], "port": 18543},
    "peers": [{"ae_title": "CT01", "verbs": ["echo", "store"]}],
    "people": [{"name": "vera", "role": "viewer"}],
    "backup": NO_BACKUP,
}


def with_language_host(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with a language host on its PATH: the official one where there is one, else the stand-in."""
    found = dict(environment)
    if shutil.which("pulumi-language-python", path=found["PATH"]):
        return found
    pulumi = shutil.which("pulumi", path=found["PATH"])
    assert pulumi, "no pulumi: run `make bootstrap`"
    program_runner = Path(pulumi).resolve().with_name("pulumi-language-python-exec")
    assert program_runner.is_file(), f"{program_runner} is missing: run `make bootstrap`"
    found["PATH"] = f"{LANGUAGE_HOST}{os.pathsep}{found['PATH']}"
    return found | {"LANGHOST_PYTHON": sys.executable, "PULUMI_PYTHON_EXEC": str(program_runner)}


def configurations() -> dict[str, bytes]:
    """Return every project and stack file of the checkout."""
    return {path.name: path.read_bytes() for path in ROOT.glob("Pulumi*.yaml")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, brought up by `securepacs up`, with its state in a folder of its own."""
    folder = tmp_path_factory.mktemp("plain")
    remove_left_overs(NAME)
    configuration = folder / "clinic.yaml"
    configuration.write_text(yaml.safe_dump({"config": {CLINIC_KEY: CLINIC}}), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
        "PATH": f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SECUREPACS_HOME": str(folder / "home"),
    }
    stack = Stack(NAME, configuration, environment)
    try:
        stack.up()
        yield stack
    finally:
        try:
            stack.securepacs("down", "--config", str(configuration), "--delete-data", NAME, "--yes")
        except CommandError:
            remove_left_overs(NAME)
            raise


def pulumi(stack: Stack, command: str, *options: str) -> str:
    """Run plain pulumi in the checkout on the same state, the way the README says."""
    told: dict[str, str] = json.loads(stack.securepacs("env", "--json"))
    environment = with_language_host({**stack.environment, **told})
    words = ["pulumi", command, "--stack", NAME, "--config-file", told["SECUREPACS_CONFIG_FILE"], "--non-interactive", *options]
    return run(words, environment, 300, cwd=ROOT)


def running() -> set[str]:
    """Return the names of this clinic's running containers."""
    return set(docker("ps", "--filter", f"name=^{NAME}-", "--format", "{{.Names}}").split())


def test_plain_pulumi_is_the_same_program(plain: Stack) -> None:
    """After `securepacs up` plain pulumi sees no change; it takes the clinic down and brings it up; `securepacs` then sees no change."""
    before = configurations()
    containers = running()
    assert len(containers) >= 2
    pulumi(plain, "preview", "--expect-no-changes")
    pulumi(plain, "destroy", "--yes", "--skip-preview")
    assert running() == set()
    assert "to create" in pulumi(plain, "preview")
    pulumi(plain, "up", "--yes", "--skip-preview")
    assert running() == containers
    pulumi(plain, "preview", "--expect-no-changes")
    changes = json.loads(plain.securepacs("preview", "--config", str(plain.config), "--json"))["changes"]
    assert set(changes) <= {"same"}
    assert configurations() == before


def test_mistake_is_one_line_in_plain_pulumi(plain: Stack, tmp_path: Path) -> None:
    """Plain pulumi shows a bad configuration as a line with its path, without a traceback, and changes nothing."""
    told: dict[str, str] = json.loads(plain.securepacs("env", "--json"))
    wrong = tmp_path / "wrong.yaml"
    content = yaml.safe_load(Path(told["SECUREPACS_CONFIG_FILE"]).read_text(encoding="utf-8"))
    content["config"][CLINIC_KEY]["peers"][0]["verbs"] = ["fly"]
    wrong.write_text(yaml.safe_dump(content), encoding="utf-8")
    environment = with_language_host({**plain.environment, **told})
    words = ["pulumi", "preview", "--stack", NAME, "--config-file", str(wrong), "--non-interactive"]
    with pytest.raises(CommandError, match=r"peers\b.*verbs.*fly") as failure:
        run(words, environment, 120, cwd=ROOT)
    assert "Traceback" not in str(failure.value)
