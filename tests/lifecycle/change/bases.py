"""Base images that really differ: Debian's stable release, a rebuilt base, and two on which a service does not run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deployed.deployment import CommandError, docker

IMAGES = Path(__file__).parent / "images"
ENGINE = Path(__file__).parents[3] / "bootstrap" / "engine.py"

#: What bootstrap makes: Orthanc 1.13, HAProxy 3.2.
CURRENT = "securepacs-base:forky"

#: Debian 13: Orthanc 1.12.7, HAProxy 3.0.
STABLE = "securepacs-base:trixie"

REBUILT = "securepacs-test-base:rebuilt"

#: Part -> the base on which its service ends at once.
BROKEN: Mapping[str, str] = {"archive": "securepacs-test-base:broken-archive", "gateway": "securepacs-test-base:broken-gateway"}

_PROGRAMS = {"archive": "/usr/sbin/Orthanc", "gateway": "/usr/sbin/haproxy"}


def stable() -> str:
    """Make the base of Debian's stable release, as bootstrap makes the current one, unless it is there."""
    if not docker("image", "ls", "-q", STABLE):
        options = ["--variant=minbase", '--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=Acquire::Retries "5"']
        with tempfile.TemporaryDirectory(prefix="securepacs-base-") as place:
            root = Path(place) / "root.tar"
            _run(["mmdebstrap", *options, "trixie", str(root)])
            with root.open("rb") as archive:
                subprocess.run([sys.executable, ENGINE, "import", STABLE], stdin=archive, check=True, timeout=300)
    return STABLE


def rebuilt() -> str:
    """Make the current base anew, with other content."""
    _build("full", REBUILT, BASE=CURRENT)
    return REBUILT


def broken(part: str) -> str:
    """Make a base on which the service of one part ends at once."""
    _build("broken", BROKEN[part], BASE=rebuilt(), PROGRAM=_PROGRAMS[part])
    return BROKEN[part]


def _build(context: str, image: str, **arguments: str) -> None:
    told = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    docker("build", "-q", "--network", "host", *told, "-t", image, str(IMAGES / context), seconds=600)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise CommandError(f"{command[0]} ended with {done.returncode}: {done.stderr[-1000:]}")
