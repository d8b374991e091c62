"""Runs of the command line that are killed at a given moment, and what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployed.deployment import CLINIC_KEY, Stack, docker
from securepacs.provider import engine, maker
from securepacs.provider.files_volume import HELPER, MAKER

ROOT = Path(__file__).parents[3]

#: Who is killed -> words of the command line by which its process is known. All four are of one run.
VICTIMS = {
    "everything": ("securepacs", "pulumi", "pulumi-resource-securepacs", "securepacs-policies"),
    "securepacs": ("securepacs",),
    "pulumi": ("pulumi",),
    "provider": ("pulumi-resource-securepacs",),
    "policies": ("securepacs-policies",),
}

#: With this tag a test keeps an image's layers, so that it is built again quickly.
KEPT_TAG = ":kept"

#: How long what is left of a killed run may need to end: the provider gives its last calls twenty seconds.
GONE_SECONDS = 45.0


def configuration(path: Path, name: str, dicom_port: int, https_port: int, /, **changes: object) -> Path:
    """Write the worked example under a name and ports of its own, with changes to the clinic's own keys; what was rotated stays so."""
    kept = yaml.safe_load(path.read_text(encoding="utf-8"))["config"][CLINIC_KEY] if path.exists() else {}
    rotated = {key: kept[key] for key in ("authority", "rotations") if key in kept}
    whole = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    own: dict[str, object] = {
        "dicom": {"addresses": ["127.0.0.1"], "port": dicom_port},
        "https": {"addresses": ["127.0.0.1"], "port": https_port},
        "viewer": False,  # what is counted, killed and copied here are the archive and its gateway
    }
    whole["config"][CLINIC_KEY].update({"name": name, **own, **rotated, **changes})
    path.write_text(yaml.safe_dump(whole), encoding="utf-8")
    return path


def alone(stack: str, folder: Path) -> Stack:
    """Give a stack whose state and temporary files lie in a folder of their own."""
    (folder / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SECUREPACS_"))}
    environment = {**own, "SECUREPACS_HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "COLUMNS": "400"}
    return Stack(stack, folder / "clinic.yaml", environment)


def command(*arguments: str) -> list[str]:
    """Give the words that run `securepacs` of this environment."""
    return [str(Path(sys.executable).with_name("securepacs")), *arguments]


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines that tell a failure."""
        return [line for line in self.err.splitlines() if line.startswith("error:")]


def ask(stack: Stack, *arguments: str, seconds: float = 300) -> Answer:
    """Run a command of a stack to its end, however that is."""
    done = subprocess.run(
        [*command(*arguments), "--stack", stack.name],
        env=dict(stack.environment),
        capture_output=True,
        text=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def processes(stack: Stack) -> Iterator[tuple[int, str]]:
    """Give id and program of each process that works on the stack's state, known by its environment."""
    mark = f"SECUREPACS_HOME={stack.environment['SECUREPACS_HOME']}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                # A script's own name stands behind its interpreter.
                programs = [Path(os.fsdecode(word)).name for word in words[:2]]
                yield int(folder.name), next((p for p in programs if p in VICTIMS["everything"]), programs[0])


def wait_gone(stack: Stack, seconds: float = GONE_SECONDS) -> list[tuple[int, str]]:
    """Wait until no process works on the stack; give those that do not end."""
    end = time.monotonic() + seconds
    while (left := list(processes(stack))) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def killed(stack: Stack, arguments: list[str], victim: str, after: float) -> bool:
    """Start a command and send SIGKILL to its victim after so many seconds; tell whether there was one still."""
    words = [*command(*arguments), "--stack", stack.name]
    silent = subprocess.DEVNULL
    run = subprocess.Popen(words, env=dict(stack.environment), stdin=silent, stdout=silent, stderr=silent, start_new_session=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(after)
    hit = False
    for pid, program in list(processes(stack)):
        if program in VICTIMS[victim]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                hit = True
    if victim in {"everything", "securepacs"}:
        run.wait(10)
    else:
        run.wait(120)  # it has to notice by itself
    return hit


def abandon(stack: Stack, clinic: str) -> None:
    """Leave what a run leaves that is killed while it looks into the archive's volume: a made errand, whose maker has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    place, _, started = maker.mark().rsplit("/", 2)
    labels = {engine.STACK: f"securepacs/{stack.name}", HELPER: f"{clinic}/errand", MAKER: f"{place}/{ended.pid}/{started}"}
    image = docker("images", "-q", f"{clinic}-archive").split()[0]
    words = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
    docker("create", "--name", f"{clinic}-errand-abandoned", *words, image, "/none")


@dataclass(frozen=True)
class Left:
    """What the engine and the disk hold of a stack, by name."""

    containers: frozenset[str]
    networks: frozenset[str]
    volumes: frozenset[str]
    images: tuple[str, ...]
    """Repositories, one for each tag; those that a test tagged itself are left out."""
    files: frozenset[str]


def left(stack: Stack) -> Left:
    """Look at everything that carries the stack's label, at dangling images of it, and at its folder of states."""
    label = f"label=securepacs.stack=securepacs/{stack.name}"
    image_label = f"label=securepacs.image.stack=securepacs/{stack.name}"
    images = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", image_label).split()
    home = Path(stack.environment["SECUREPACS_HOME"])
    unfinished = [path for path in home.rglob("*") if path.is_file() and _is_passing(path)]
    return Left(
        frozenset(docker("ps", "-a", "--format", "{{.Names}}", "--filter", label).split()),
        frozenset(docker("network", "ls", "--format", "{{.Name}}", "--filter", label).split()),
        frozenset(docker("volume", "ls", "-q", "--filter", label).split()),
        tuple(sorted(image.partition(":")[0] for image in images if not image.endswith(KEPT_TAG))),
        frozenset(str(path.relative_to(home)) for path in unfinished),
    )


def _is_passing(path: Path) -> bool:
    """Tell whether a file is one that a run makes for a moment: a lock, or one that is not whole yet."""
    within = path.as_posix()
    return "/locks/" in within or ".trial-" in within or path.name.startswith(".") or ".tmp" in path.name


def state_file(stack: Stack) -> Path:
    """Give where the stack's present state lies."""
    return Path(stack.environment["SECUREPACS_HOME"]) / "backend" / ".pulumi" / "stacks" / "securepacs" / f"{stack.name}.json"


def latest(stack: Stack) -> dict[str, Any]:
    """Give the stack's present state; empty where there is none."""
    path = state_file(stack)
    if not path.exists():
        return {}
    whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return whole["checkpoint"]["latest"] or {}


def authorities(stack: Stack) -> list[str]:
    """Give the fingerprints of the authorities that the state holds, the newest last."""
    resources = latest(stack).get("resources") or []
    found = [one for one in resources if one["type"] == "securepacs:pki:CertificateAuthority"]
    return [str(one["id"]) for one in sorted(found, key=lambda one: (len(one["urn"]), one["urn"]))]
