"""The distribution as somebody else has it: a wheel in an environment of its own, away from the checkout."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployed.deployment import docker, run
from securepacs_harness.bundles import Bundles, write_bundle
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
_LANGUAGE_HOST = ROOT / "tests" / "deployed" / "langhost"
_OURS = Path(sys.executable).parent


@dataclasses.dataclass(frozen=True)
class Installation:
    """A virtual environment that has the wheel, and the Pulumi CLI beside it."""

    wheel: Path
    virtualenv: Path

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.virtualenv / "bin" / "python"

    def environment(self, home: Path, *, activated: bool) -> dict[str, str]:
        """Give the variables of a user who keeps state in `home`. Neither the checkout's environment nor its code is reachable."""
        foreign = ("PULUMI_", "SECUREPACS_", "PYTHON", "VIRTUAL_ENV")
        own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        path = [folder for folder in own["PATH"].split(os.pathsep) if Path(folder) != _OURS]
        pulumi = Path(shutil.which("pulumi") or ROOT / ".tools" / "bin" / "pulumi")
        before = [str(self.virtualenv / "bin")] if activated else []
        (home / "backend").mkdir(parents=True, exist_ok=True)
        passphrase = home / "passphrase"
        passphrase.write_text("a passphrase of this test", encoding="ascii")
        return own | {
            "PATH": os.pathsep.join([*before, str(_LANGUAGE_HOST), str(pulumi.parent), *path]),
            # Read by the stand-in for Pulumi's Python language host alone; the official one finds Python by itself.
            "LANGHOST_PYTHON": str(self.python),
            "PULUMI_PYTHON_EXEC": str(pulumi.resolve().with_name("pulumi-language-python-exec")),
            "PULUMI_BACKEND_URL": (home / "backend").as_uri(),
            "PULUMI_HOME": str(home / "pulumi"),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


def install(folder: Path) -> Installation:
    """Build the wheel and install it, in the versions of the lock, which an earlier bootstrap left in the cache."""
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")], os.environ, 60, cwd=ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    virtualenv = folder / "environment"
    uv = str(_OURS / "uv")
    run([uv, "venv", "--quiet", "--python", sys.executable, str(virtualenv)], os.environ, 60)
    what = f"securepacs[harness] @ {wheel.as_uri()}"
    versions = ["--constraint", str(ROOT / "requirements.lock")]
    run([uv, "pip", "install", "--quiet", "--python", str(virtualenv / "bin" / "python"), *versions, what], os.environ, 300)
    return Installation(wheel, virtualenv)


@dataclasses.dataclass(frozen=True)
class Project:
    """A Pulumi project in a folder of its own, driven by plain `pulumi`."""

    name: str
    stack: str
    folder: Path
    environment: Mapping[str, str] = dataclasses.field(repr=False)

    def pulumi(self, *words: str, seconds: float = 400) -> str:
        """Run `pulumi` on the stack and give what it printed. Raises CommandError."""
        return run(["pulumi", words[0], "--stack", self.stack, "--non-interactive", *words[1:]], self.environment, seconds, cwd=self.folder)

    def outputs(self) -> dict[str, Any]:
        """Give the stack's outputs, decrypted."""
        told: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return told

    def __str__(self) -> str:
        """The owner that stands in the labels of the project's objects on the engine."""
        return f"{self.name}/{self.stack}"


@contextmanager
def deployed(project: Project) -> Iterator[Project]:
    """Bring a project's stack up by `pulumi up`; take it down, with its studies, at the end."""
    remove_owned(str(project))
    try:
        project.pulumi("up", "--yes", "--skip-preview")
        yield project
        project.pulumi("destroy", "--yes", "--skip-preview")
    finally:
        remove_owned(str(project))


def remove_owned(owner: str) -> None:
    """Remove every object of one owner: what a killed run left, and the volume of the studies, which `destroy` keeps."""
    label = ["--filter", f"label=securepacs.stack={owner}"]
    for listing, removal in (
        (["ps", "-aq"], ["rm", "-f", "-v"]),
        (["network", "ls", "-q"], ["network", "rm"]),
        (["volume", "ls", "-q"], ["volume", "rm"]),
    ):
        found = docker(*listing, *label).split()
        if found:
            docker(*removal, *found, check=False)


def seen(outputs: Mapping[str, Any], folder: Path) -> Pacs:
    """Give a clinic to call, from the outputs `target` and `bundles` of any program that made it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "target.json"
    path.write_text(json.dumps(outputs["target"]), encoding="utf-8")
    for peer, files in outputs["bundles"].items():
        write_bundle(folder / "bundles" / peer, peer, cert=files["cert.pem"], key=files["key.pem"], ca=files["ca.pem"])
    return Pacs(load_target(path), Bundles(folder / "bundles"), outputs.get("passwords", {}))
