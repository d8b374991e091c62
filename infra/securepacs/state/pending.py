"""What a killed run had begun to make, in the state of its stack.

Pulumi notes each object that it begins to make, and keeps the note of one that it never saw ended, with a warning at each
later run. Here the note is worth nothing: what a killed run left carries the stack's label, and is adopted or removed by
name when the object is made again.
"""

from __future__ import annotations

import json
import os
import subprocess

from securepacs.errors import DeploymentError
from securepacs.failures import known_failure
from securepacs.state.checkpoints import present
from securepacs.state.workspace import Workspace, pulumi_command

_SECONDS = 120


def forget_half_made(place: Workspace) -> int:
    """Take the notes out of the stack's state; give their number. Secrets stay encrypted on the way, and no file is written.

    A state in another backend is left as it is: `pulumi refresh --clear-pending-creates` does it there.
    Raises DeploymentError where Pulumi refuses, with its own words.
    """
    state = present(place) if place.is_own_backend else None
    if state is None or not state.pending:
        return 0
    exported = json.loads(_pulumi(place, "export"))
    noted = exported["deployment"].pop("pending_operations", [])
    _pulumi(place, "import", json.dumps(exported))
    return len(noted)


def _pulumi(place: Workspace, verb: str, given: str | None = None) -> str:
    done = subprocess.run(
        [pulumi_command().command, "stack", verb, "--stack", place.stack],
        cwd=place.folder,
        env={**os.environ, **place.environment()},
        input=given or "",
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        told = f"stack '{place.stack}': its state could not be tidied: {' '.join(done.stderr.split())}"
        raise known_failure(done.stderr) or DeploymentError(told)
    return done.stdout
