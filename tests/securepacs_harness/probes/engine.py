"""What the container engine tells of a part, through its own client: so that contexts and DOCKER_HOST count as they do for testinfra."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from functools import cached_property
from typing import Any

from securepacs_harness.errors import HarnessError

_SECONDS = 20
#: How much of a log is read: one that was never rotated can be larger than this machine's memory.
LINES = 100_000


class EngineError(HarnessError):
    """The engine's client is not there, or knows no such container."""


def _ask(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{program}: cannot be asked ({type(error).__name__})") from None
    if done.returncode:
        raise EngineError(f"{program}: {(done.stderr.strip().splitlines() or ['failed'])[-1][:200]}")
    return done.stdout


@dataclasses.dataclass(frozen=True)
class Engine:
    """One container, as its engine describes it. `program` is docker or podman."""

    program: str
    container: str

    @cached_property
    def _inspected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(_ask(self.program, "container", "inspect", self.container))[0]
        return found

    def inspect(self) -> dict[str, Any]:
        """Give what the engine knows of the container. Raises EngineError."""
        return self._inspected

    def network(self, name: str) -> dict[str, Any]:
        """Give what the engine knows of a network. Raises EngineError."""
        found: dict[str, Any] = json.loads(_ask(self.program, "network", "inspect", name))[0]
        return found

    def volumes(self) -> dict[str, dict[str, str]]:
        """Give the options with which the container's volumes were made, by their names. Raises EngineError."""
        names = [mount["Name"] for mount in self.inspect()["Mounts"] if mount["Type"] == "volume" and mount.get("Name")]
        told = json.loads(_ask(self.program, "volume", "inspect", *names)) if names else []
        return {volume["Name"]: volume.get("Options") or {} for volume in told}

    def users(self) -> set[int]:
        """Give the user ids of the container's processes, as the engine's host sees them. Raises EngineError."""
        rows = _ask(self.program, "top", self.container, "-eo", "pid,uid").splitlines()[1:]
        return {int(row.split()[-1]) for row in rows if row.split()[-1:] and row.split()[-1].isdigit()}

    def history(self) -> str:
        """Give the commands that made the container's image. Raises EngineError."""
        return _ask(self.program, "history", "--no-trunc", "--format", "{{.CreatedBy}}", str(self.inspect()["Image"]))

    def logs(self, since: str = "") -> str:
        """Give what the container wrote, both streams: since an RFC 3339 time, else the last LINES. Raises EngineError."""
        options = ["--since", since] if since else ["--tail", str(LINES)]
        try:
            done = subprocess.run(
                [self.program, "logs", *options, self.container],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"{self.program}: cannot be asked ({type(error).__name__})") from None
        if done.returncode:
            raise EngineError(f"{self.program} logs: failed for {self.container}")
        return done.stdout


def engine_of(specification: str) -> Engine | None:
    """Give the engine's view of a testinfra specification such as docker://NAME; None where the part is no container."""
    program, mark, rest = specification.partition("://")
    if not mark or program not in {"docker", "podman"}:
        return None
    return Engine(program, rest.rpartition("@")[2].partition("?")[0])
