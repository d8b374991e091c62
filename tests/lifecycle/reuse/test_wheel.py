"""The wheel alone, without the checkout: what is in it, and what it does in an empty folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deployed.deployment import CLINIC_KEY, NO_BACKUP, run
from lifecycle.reuse.installation import ROOT, Installation, remove_owned
from securepacs_harness.bracket import accepts
from securepacs_harness.bundles import Bundles
from securepacs_harness.probes import dimse
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

STACK = "exa-wheel"
CLINIC = {
    "name": STACK,
    "archive": {"ae_title": "EXAWHEEL"},
    "dicom": {"port": 13131},
    "https": {"port": 19131},
    "peers": [{"ae_title": "CT01", "verbs": ["echo", "store"]}],
    "backup": NO_BACKUP,
}
#: What is no Python module and yet must come along.
DATA = ("*.j2", "Dockerfile", "health", "*.lua", "guard.py", "py.typed", "PulumiPlugin.yaml")


def test_the_wheel_carries_every_file_of_its_packages(installation: Installation) -> None:
    """Templates, the images' folders, the mark of types and the plugin's description are in the wheel, as is every module."""
    packed = set(zipfile.ZipFile(installation.wheel).namelist())
    packages = [ROOT / "infra" / "securepacs", ROOT / "policies" / "securepacs_policies", ROOT / "tests" / "securepacs_harness"]
    paths = [(package, path) for package in packages for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files = {str(path.relative_to(package.parent)) for package, path in paths}
    assert files - packed == set()
    assert all(any(Path(name).match(pattern) for name in packed) for pattern in DATA)


def test_the_installed_code_is_the_wheels(installation: Installation, tmp_path: Path) -> None:
    """Away from the checkout the component is imported from the environment, and typed."""
    environment = installation.environment(tmp_path / "home", activated=False)
    program = "import securepacs, pathlib; print(pathlib.Path(securepacs.SecurePacs.__init__.__code__.co_filename))"
    found = Path(run([str(installation.python), "-c", program], environment, 60, cwd=tmp_path).strip())
    assert found.is_relative_to(installation.virtualenv)
    assert (found.parent / "py.typed").is_file()


@pytest.fixture(scope="module")
def empty_folder(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that holds one configuration; what is on the engine afterwards is removed."""
    del installation
    folder = tmp_path_factory.mktemp("empty")
    (folder / "clinic.yaml").write_text(yaml.safe_dump({"config": {CLINIC_KEY: CLINIC}}), encoding="utf-8")
    owner = f"securepacs/{STACK}"
    remove_owned(owner)
    yield folder
    remove_owned(owner)


def test_the_command_works_in_an_empty_folder(installation: Installation, empty_folder: Path) -> None:
    """`schema`, `up`, `bundle`, `target`, `verify`, `status` and `down` need nothing but the wheel, a Pulumi CLI and the engine."""
    environment = installation.environment(empty_folder / "home", activated=False)
    # The command keeps its state where it always does: beside the configuration's folder.
    environment = {name: value for name, value in environment.items() if not name.startswith("PULUMI_")}
    command = str(installation.virtualenv / "bin" / "securepacs")

    def securepacs(*words: str) -> str:
        return run([command, *words], environment, 400, cwd=empty_folder)

    assert json.loads(securepacs("schema"))["title"] == "Clinic"
    securepacs("up", "--stack", STACK, "--config", "clinic.yaml", "--json")
    securepacs("target", "--stack", STACK, "--out", "target.json")
    securepacs("bundle", "CT01", "--stack", STACK, "--out", "bundles")
    pacs = Pacs(load_target(empty_folder / "target.json"), Bundles(empty_folder / "bundles"), {})
    accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")
    # Both ways of the harness, from the wheel alone; 0 says that everything is as declared.
    securepacs("verify", "--stack", STACK, "--only", "tls.*,mtls.*,dimse.*,container.*", "--out", "evidence")
    assert (empty_folder / "evidence" / "report.html").is_file()
    verify = [str(installation.virtualenv / "bin" / "pacs-verify"), "target.json", "--only", "association.*"]
    run(verify, environment, 120, cwd=empty_folder)
    assert len(json.loads(securepacs("status", "--stack", STACK, "--json"))["containers"]) == 2
    assert json.loads(securepacs("preview", "--stack", STACK, "--config", "clinic.yaml", "--json"))["changes"] == {}
    securepacs("down", "--stack", STACK, "--config", "clinic.yaml", "--yes", "--delete-data", STACK)
    assert (empty_folder / ".securepacs").is_dir()
