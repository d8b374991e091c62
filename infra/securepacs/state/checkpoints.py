"""The states of a stack that Pulumi's file backend keeps: the present one, and the older ones beside it.

Pulumi writes the present state to `stacks`, its predecessor to `.bak` beside it, and a copy of each finished run's to
`history` and `backups`. A state that was lost or cut short can thus be put back, with the keys that are in it.
"""

from __future__ import annotations

import datetime
import enum
import gzip
import json
import os
import subprocess
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from securepacs.state.workspace import PROJECT, Workspace, pulumi_command, write_secret

#: A state older than this many others is not tried: each costs a second, for the passphrase is stretched.
MOST_TRIED = 20

_EXPORT_SECONDS = 120

#: Where a resource keeps the engine's id of its object.
_IDS = ("id", "containerId", "networkId")


class Opens(enum.Enum):
    """What Pulumi makes of a state."""

    YES = enum.auto()
    SEALED = enum.auto()
    """By another passphrase."""
    NO = enum.auto()


@dataclass(frozen=True)
class Checkpoint:
    """One state that lies on the disk: what it knows, never what it keeps secret."""

    path: Path
    time: str
    """When Pulumi wrote it, RFC 3339; the order of age."""
    ids: frozenset[str]
    """Ids of the clinic's resources and of their objects on the engine; empty after `down`."""
    salt: str
    pending: int
    """How many objects a killed run had begun to make."""
    text: str = field(repr=False)


def parse(path: Path, text: str) -> Checkpoint | None:
    """Read a state; None for a text that is none."""
    try:
        latest: dict[str, Any] = json.loads(text)["checkpoint"]["latest"] or {}
        resources = [one for one in latest.get("resources") or [] if one["type"].startswith(f"{PROJECT}:") and one.get("custom")]
        flat = [one | (one.get("outputs") or {}) | {"id": one.get("id")} for one in resources]
        salt = ((latest.get("secrets_providers") or {}).get("state") or {}).get("salt", "")
        pending = len(latest.get("pending_operations") or [])
        time = (latest.get("manifest") or {}).get("time", "")
        ids = frozenset(str(one[name]) for one in flat for name in _IDS if one.get(name))
        return Checkpoint(path, str(time), ids, str(salt), pending, text)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(path: Path) -> Checkpoint | None:
    try:
        content = path.read_bytes()
        return parse(path, (gzip.decompress(content) if ".gz" in path.suffixes else content).decode())
    except (OSError, EOFError, UnicodeDecodeError, zlib.error):
        return None


def newest_first(found: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Order states by age, each content once."""
    distinct = {checkpoint.text: checkpoint for checkpoint in found}
    return sorted(distinct.values(), key=lambda checkpoint: checkpoint.time, reverse=True)


def _folder(place: Workspace, kind: str) -> Path:
    return place.home / "backend" / ".pulumi" / kind / PROJECT


def present_files(place: Workspace) -> list[Path]:
    """Give the file of the stack's present state; none where it was lost."""
    names = (f"{place.stack}.json", f"{place.stack}.json.gz")
    return [path for name in names if (path := _folder(place, "stacks") / name).is_file()]


def present(place: Workspace) -> Checkpoint | None:
    """Read the stack's present state; None where it is missing or no state."""
    return next((read for path in present_files(place) if (read := _read(path))), None)


def kept(place: Workspace) -> list[Checkpoint]:
    """Give all states of the stack that can be read, newest first; the present one is among them."""
    older = [
        *_folder(place, "stacks").glob(f"{place.stack}.json*.bak"),
        *_folder(place, "history").joinpath(place.stack).glob("*.checkpoint.json*"),
        *_folder(place, "backups").joinpath(place.stack).glob(f"{place.stack}.*.json*"),
    ]
    paths = [*present_files(place), *(path for path in older if path.suffix != ".attrs")]
    return newest_first(read for path in paths if (read := _read(path)))


def opens(place: Workspace, checkpoint: Checkpoint) -> Opens:
    """Have Pulumi itself open a state, in a backend of its own that is gone afterwards; its secrets are decrypted and dropped."""
    with tempfile.TemporaryDirectory(prefix=".trial-", dir=place.home) as folder:
        trial = Workspace(place.stack, Path(folder))
        trial.folder.mkdir(mode=0o700, parents=True)
        write_secret(trial.folder / "Pulumi.yaml", yaml.safe_dump({"name": PROJECT, "runtime": "python"}))
        write_secret(trial.config_file, yaml.safe_dump({"encryptionsalt": checkpoint.salt} if checkpoint.salt else {}))
        _lay(trial, checkpoint)
        environment = {**os.environ, **place.environment(), "PULUMI_BACKEND_URL": (trial.home / "backend").as_uri()}
        command = [pulumi_command().command, "stack", "export", "--show-secrets", "--stack", place.stack]
        done = subprocess.run(
            command,
            cwd=trial.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=_EXPORT_SECONDS,
        )
    if done.returncode == 0:
        return Opens.YES
    return Opens.SEALED if "passphrase" in done.stderr else Opens.NO


def _lay(place: Workspace, checkpoint: Checkpoint) -> None:
    """Make a state the present one of a backend."""
    folder = _folder(place, "stacks")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    layout = place.home / "backend" / ".pulumi" / "meta.yaml"
    if not layout.exists():
        write_secret(layout, "version: 1\n")  # stacks in a folder for each project
    # Sum and length of the file before stand beside it, and would not be those of this one.
    (folder / f"{place.stack}.json.attrs").unlink(missing_ok=True)
    write_secret(folder / f"{place.stack}.json", checkpoint.text)


def set_aside(place: Workspace, *, salt: bool) -> list[Path]:
    """Move the present state, readable or not, to the folder `lost`, with `salt` the copy of the configuration too; give where they are."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
    lost = place.home / "lost" / f"{place.stack}-{moment}"
    moved = []
    for path in [*present_files(place), *([place.config_file] if salt and place.config_file.exists() else [])]:
        lost.mkdir(mode=0o700, parents=True, exist_ok=True)
        moved.append(path.replace(lost / path.name))
        path.with_name(f"{path.name}.attrs").unlink(missing_ok=True)
    return moved


def put_back(place: Workspace, checkpoint: Checkpoint) -> None:
    """Make a state the stack's present one, and its salt that of the configuration."""
    if checkpoint.salt:
        place.take_salt(checkpoint.salt)
    _lay(place, checkpoint)
