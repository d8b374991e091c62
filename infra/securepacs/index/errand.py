"""An errand: a container that is given files, runs one command, gives files back, and is gone.

The index holds patients' names: it travels in archives between a folder that only its owner reads and the container's own
layer. Nothing of it passes through an environment, an argument list or the engine's log, which is off.
"""

from __future__ import annotations

import io
import secrets
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import docker
import requests
from docker.errors import APIError, NotFound

from securepacs.errors import DeploymentError
from securepacs.provider import engine, files_volume, maker
from securepacs.provider.files_volume import HELPER, LEFT_SECONDS, MAKER

#: The folder of an errand in its container; the errand's user owns it.
PLACE: Final = "/errand"

_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Errand:
    """Who runs what, where. `stack` and `component` own the container, `clinic` names it."""

    client: docker.DockerClient
    stack: str
    clinic: str
    image: str
    user: int
    network: str | None = None
    volumes: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    """Volume -> where it is mounted, and whether it may be written."""
    component: str = "pacs"

    def run(self, command: Sequence[str], seconds: int) -> int:
        """Run a command that needs no file, and give its exit status. Raises DeploymentError when it does not end in time."""
        with self.prepared(command, {}) as started:
            return started.run(seconds)

    @contextmanager
    def prepared(self, command: Sequence[str], files: Mapping[str, Path]) -> Iterator[Started]:
        """Make the container with `files` in its folder; it is removed in the end."""
        api = self.client.api
        sweep(self.client, self.clinic)
        with engine.telling(f"errand for {self.clinic}"):
            made = engine.post(api, "/containers/create", self._body(command), name=f"{self.clinic}-errand-{secrets.token_hex(4)}")
        try:
            started = Started(api, str(made["Id"]), self.clinic)
            started.put(files, self.user)
            yield started
        finally:
            engine.remove_container(api, made["Id"])

    def _body(self, command: Sequence[str]) -> dict[str, object]:
        return {
            "Image": self.image,
            "Entrypoint": list(command[:1]),
            "Cmd": list(command[1:]),
            "User": f"{self.user}:{self.user}",
            "Labels": {engine.STACK: self.stack, engine.COMPONENT: self.component, HELPER: _helped(self.clinic), MAKER: maker.mark()},
            "NetworkDisabled": self.network is None,
            "HostConfig": {
                "NetworkMode": self.network or "none",
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges:true"],
                "Memory": 1024 * _MIB,
                "MemorySwap": 1024 * _MIB,
                "PidsLimit": 512,
                "Init": True,
                "LogConfig": {"Type": "none", "Config": {}},
                "Mounts": [
                    {"Type": "volume", "Source": volume, "Target": target, "ReadOnly": not writable, "VolumeOptions": {"NoCopy": True}}
                    for volume, (target, writable) in self.volumes.items()
                ],
            },
        }


def sweep(client: docker.DockerClient, clinic: str, seconds: float = LEFT_SECONDS) -> None:
    """Remove what a killed run left, for it may hold an index: errands of a clinic whose maker is dead, or that are that old."""
    files_volume.sweep(client.api, _helped(clinic), seconds)


def _helped(clinic: str) -> str:
    """Give what an errand's label calls whom it helps; a volume's helpers have the volume's name there."""
    return f"{clinic}/errand"


@dataclass(frozen=True)
class Started:
    """A made container of an errand."""

    api: docker.APIClient
    container_id: str
    clinic: str

    def put(self, files: Mapping[str, Path], user: int) -> None:
        """Put files into the errand's folder, owned by its user."""
        with tempfile.TemporaryFile(dir=next(iter(files.values())).parent if files else None) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for name in ("", "out"):
                    folder = tarfile.TarInfo(f"{PLACE}/{name}".strip("/"))
                    folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, user, user
                    archive.addfile(folder)
                for name, path in files.items():
                    entry = tarfile.TarInfo(f"{PLACE}/{name}".strip("/"))
                    entry.size, entry.mode, entry.uid, entry.gid = path.stat().st_size, 0o600, user, user
                    with path.open("rb") as content:
                        archive.addfile(entry, content)
            packed.seek(0)
            self.api.put_archive(self.container_id, "/", packed)

    def run(self, seconds: int) -> int:
        """Start it, wait for its end, and give its exit status. Raises DeploymentError when it does not end in time."""
        with engine.telling(f"errand for {self.clinic}"):
            self.api.start(self.container_id)
        try:
            return int(self.api.wait(self.container_id, timeout=seconds)["StatusCode"])
        except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
            raise DeploymentError(f"errand for {self.clinic}: did not end in {seconds} s", do="nothing was changed by it") from None

    def fetch(self, path: str, folder: Path) -> list[Path]:
        """Copy a file, or the files of a folder, out of the container to `folder`; give where they are. [] where there is none."""
        try:
            stream, _ = self.api.get_archive(self.container_id, path)
        except NotFound:
            return []
        fetched = []
        with tempfile.TemporaryFile(dir=folder) as packed:
            for chunk in stream:
                packed.write(chunk)
            packed.seek(0)
            with tarfile.open(fileobj=packed, mode="r") as archive:
                for entry in archive:
                    content = archive.extractfile(entry) if entry.isreg() else None
                    if content is not None:
                        target = folder / Path(entry.name).name
                        with target.open("wb") as out:
                            shutil.copyfileobj(content, out, _MIB)
                        fetched.append(target)
        return fetched

    def said(self, path: str = f"{PLACE}/out/said") -> str:
        """Give the last line that the command wrote to its file."""
        try:
            stream, _ = self.api.get_archive(self.container_id, path)
        except (NotFound, APIError):
            return ""
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream)), mode="r") as archive:
            content = archive.extractfile(Path(path).name)
            lines = content.read().decode(errors="replace").split("\n") if content else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
