"""Which process made an object that should not outlive it, so that a later run can tell what a killed one has left.

A process id alone means nothing on another host, in another namespace, or once it is given to somebody else: the boot, the
namespace and the time of the process's start stand beside it (proc(5), namespaces(7)).
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
#: Of the fields behind the command's name in /proc/PID/stat, the one that says when the process started.
_STARTED: Final = 19


@dataclass(frozen=True)
class Running:
    """A process that runs: its name, and when it started, in clock ticks since the boot."""

    name: str
    started: str


def running(pid: int) -> Running | None:
    """Look a process up; None where there is none, or it has ended.

    One that was killed and that nobody has asked about yet still has its entry (a zombie, proc(5)), and has ended.
    """
    try:
        before, _, after = (_PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")
    except OSError:
        return None
    fields = after.split()
    return None if fields[0] in {"Z", "X"} else Running(before.partition("(")[2], fields[_STARTED])


def _started(pid: int) -> str | None:
    found = running(pid)
    return found.started if found else None


@functools.cache
def _here() -> str:
    """Name this boot of this host, and its process ids; '' where /proc does not say."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def mark() -> str:
    """Give the mark of this process."""
    return f"{_here()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(marked: str) -> bool:
    """Tell whether the process that made the mark was of this host and has ended; where that cannot be known it counts as alive."""
    place, _, process = marked.rpartition("/pid:")
    namespace, _, rest = process.partition("/")
    pid, _, started = rest.partition("/")
    if not place or f"{place}/pid:{namespace}" != _here() or not pid.isdigit():
        return False
    return _started(int(pid)) != started
