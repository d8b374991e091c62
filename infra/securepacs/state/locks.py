"""Locks and unfinished files that a killed run left on a stack of the local backend.

Pulumi's file backend writes who holds a lock: process, host and time. A holder that is not alive any more will never
give it back, and without this the tired person who runs `up` again would have to find and delete a file.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from securepacs.provider.maker import running

PROJECT_LOCKS = Path(".pulumi") / "locks" / "organization"

#: Pulumi writes a file beside its place and then renames it, within milliseconds; one that is older is of a run that was killed.
UNFINISHED_SECONDS = 5.0


def _is_alive(pid: int) -> bool:
    """Tell whether a Pulumi CLI runs under this process id; another program may have got it since."""
    found = running(pid)
    return found is not None and found.name == "pulumi"


def clear_dead_locks(backend: Path, project: str, stack: str) -> int:
    """Remove the locks on a stack whose holders ran on this host and are dead; give their number.

    A lock that cannot be read, or comes from another host, is left alone.
    """
    cleared = 0
    for lock in (backend / PROJECT_LOCKS / project / stack).glob("*.json"):
        try:
            held = json.loads(lock.read_text(encoding="utf-8"))
            ours, pid = held["hostname"] == socket.gethostname(), int(held["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if ours and not _is_alive(pid):
            lock.unlink(missing_ok=True)
            lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)
            cleared += 1
    return cleared


def held_locks(backend: Path, project: str, stack: str) -> list[Path]:
    """Give the locks that stand on a stack."""
    return sorted((backend / PROJECT_LOCKS / project / stack).glob("*.json"))


def clear_unfinished(backend: Path, project: str, stack: str) -> int:
    """Remove the files of a stack that a killed run had begun to write; give their number. While a lock stands nothing is touched."""
    if held_locks(backend, project, stack):
        return 0
    kept = backend / ".pulumi"
    found = [*(kept / "stacks" / project).glob(f"{stack}.json*.tmp")]
    for kind in ("history", "backups"):
        found += (kept / kind / project / stack).glob("*.tmp")
    found += (backend / PROJECT_LOCKS / project / stack).glob("*.tmp")
    old = [path for path in found if path.stat().st_mtime < time.time() - UNFINISHED_SECONDS]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
