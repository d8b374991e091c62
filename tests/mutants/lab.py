"""The laboratory: makes a PACS out of a blueprint, with the engine alone. Several stand side by side, each in its slot."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from mutants.blueprint import FOLDERS, Blueprint, Extra, File, Part
from mutants.place import HERE

LABEL = HERE.labels
#: The address on which the base clinic is published.
PUBLISHED = "127.0.0.1"
#: Seconds that a PACS gets to serve; one that never does is tested all the same.
PATIENCE = 12.0


@dataclasses.dataclass(frozen=True)
class Slot:
    """Where an instance stands: names, published ports and subnet are its own."""

    number: int

    @property
    def name(self) -> str:
        """Prefix of everything in it."""
        return HERE.slot_name(self.number)

    @property
    def subnet(self) -> str:
        """The first three numbers of its edge network."""
        return HERE.slot_subnet(self.number)

    @property
    def address(self) -> str:
        """The address of this host on which it is published, so that no slot sees another's ports."""
        return HERE.slot_address(self.number)

    def port(self, base: int) -> int:
        """Give its own port in place of one of the base clinic's."""
        return base + 20 * (self.number + 1)


@dataclasses.dataclass(frozen=True)
class Base:
    """What stands for itself in the base clinic and must be another in each slot."""

    name: str
    subnet: str
    ports: tuple[int, ...]

    def moved(self, text: str, slot: Slot) -> str:
        """Give a text of the base clinic as it is in a slot."""
        text = text.replace(f"{self.subnet}.", f"{slot.subnet}.")
        for port in self.ports:
            # A number that stands alone, or behind the colon of an address.
            text = re.sub(rf"(?<![\d.]){port}(?![\d.])", str(slot.port(port)), text)
        return text


def remove_left_overs(client: docker.DockerClient) -> None:
    """Remove what a killed run left."""
    label: dict[str, Any] = {"label": [f"{name}={value}" for name, value in LABEL.items()]}
    for container in client.containers.list(all=True, filters=label):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=label):
        network.remove()
    for volume in client.volumes.list(filters=label):
        volume.remove(force=True)


def _tar(files: dict[str, File]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, file in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(file.content), file.mode, file.uid, file.uid
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


class Instance:
    """One PACS of the laboratory."""

    def __init__(self, client: docker.DockerClient, base: Base, blueprint: Blueprint, slot: Slot) -> None:
        self._client = client
        self._base = base
        self._blueprint = blueprint
        self._slot = slot

    def target(self) -> dict[str, Any]:
        """Declare it."""
        declared: dict[str, Any] = json.loads(self._base.moved(json.dumps(self._blueprint.target), self._slot))
        declared["dicom"]["host"] = self._slot.address
        declared["https"]["base_url"] = declared["https"]["base_url"].replace(PUBLISHED, self._slot.address)
        declared["inside"] = {part: told.replace(f"{self._base.name}-", f"{self._slot.name}-") for part, told in declared["inside"].items()}
        return declared

    def up(self) -> None:
        """Make networks, volumes and containers, and start them."""
        api, name = self._client.api, self._slot.name
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=f"{self._slot.subnet}.0/24", gateway=f"{self._slot.subnet}.1")])
        api.create_network(f"{name}-edge", driver="bridge", ipam=pool, labels=LABEL)
        for network in self._blueprint.networks:
            api.create_network(f"{name}-{network}", driver="bridge", labels=LABEL, **self._blueprint.inner_options)
        for part, made in self._blueprint.parts.items():
            self._make(part, made)
        # The gateway resolves the others' names when it starts; they resolve nothing.
        for part in reversed(list(self._blueprint.parts)):
            api.start(f"{name}-{part}")
        for extra, told in self._blueprint.extra.items():
            self._stand_beside(extra, told)

    def _volume(self, part: str, kind: str) -> str:
        name = f"{self._slot.name}-{part}-{kind}"
        self._client.volumes.create(name, labels=LABEL)
        return name

    def _make(self, part: str, made: Part) -> None:
        api, name, folder = self._client.api, self._slot.name, FOLDERS[part]
        host = json.loads(self._base.moved(json.dumps(made.host), self._slot))
        host["Mounts"] = [
            {**mount, "Source": self._volume(part, mount["Source"].rpartition("-")[2])} if mount["Type"] == "volume" else mount
            for mount in host.get("Mounts") or []
        ]
        host["RestartPolicy"] = {"Name": "no"}
        for bindings in (host["PortBindings"] or {}).values():
            for binding in bindings:
                binding["HostIp"] = self._slot.address if binding["HostIp"] == PUBLISHED else binding["HostIp"]
        shared = host["NetworkMode"] in {"host", "none"}
        first, *others = made.networks
        if not shared:
            host["NetworkMode"] = f"{name}-{first}"
        config = {**json.loads(self._base.moved(json.dumps(made.config), self._slot)), "HostConfig": host}
        config["Labels"] = {**(config["Labels"] or {}), **LABEL}
        if not shared:
            config["NetworkingConfig"] = {"EndpointsConfig": {f"{name}-{first}": {"Aliases": list(made.networks[first])}}}
        api.create_container_from_config(config, f"{name}-{part}")
        for network in [] if shared else others:
            api.connect_container_to_network(f"{name}-{part}", f"{name}-{network}", aliases=list(made.networks[network]))
        if made.files:
            self._fill(part, folder, made)

    def _fill(self, part: str, folder: str, made: Part) -> None:
        """Write the files through a container that is never started: the part itself mounts them read-only."""
        name = f"{self._slot.name}-{part}"
        volume = f"{name}-files"
        helper = self._client.api.create_container(
            made.config["Image"], ["true"], host_config=self._client.api.create_host_config(binds=[f"{volume}:{folder}"]), labels=LABEL
        )
        try:
            uid = next(iter(made.files.values())).uid
            own = tarfile.TarInfo(folder.rpartition("/")[2])
            own.type, own.mode, own.uid, own.gid = tarfile.DIRTYPE, 0o500, uid, uid
            moved = {file: dataclasses.replace(told, content=self._moved(told.content)) for file, told in made.files.items()}
            self._client.api.put_archive(helper["Id"], folder, _tar(moved))
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as archive:
                archive.addfile(own)
            self._client.api.put_archive(helper["Id"], folder.rpartition("/")[0], buffer.getvalue())
        finally:
            self._client.api.remove_container(helper["Id"], force=True)

    def _moved(self, content: bytes) -> bytes:
        try:
            return self._base.moved(content.decode(), self._slot).encode()
        except UnicodeDecodeError:
            return content

    def _stand_beside(self, extra: str, told: Extra) -> None:
        api, name = self._client.api, f"{self._slot.name}-{extra}"
        port = told.publishes
        host = api.create_host_config(port_bindings={port: (self._slot.address, port)}, network_mode=f"{self._slot.name}-{told.network}")
        api.create_container(
            self._blueprint.parts[told.of].config["Image"], list(told.command), name=name, host_config=host, ports=[port], labels=LABEL
        )
        for network in ("edge", "inner"):
            if network != told.network:
                api.connect_container_to_network(name, f"{self._slot.name}-{network}")
        api.start(name)

    def healthy(self) -> bool:
        """Wait until the engine calls each part well; tell whether that came in time."""
        until = time.monotonic() + PATIENCE
        waiting = set(self._blueprint.parts)
        while waiting and time.monotonic() < until:
            for part in list(waiting):
                state = self._client.api.inspect_container(f"{self._slot.name}-{part}")["State"]
                if not state["Running"]:
                    return False
                if (state.get("Health") or {"Status": "healthy"})["Status"] == "healthy":
                    waiting.remove(part)
            time.sleep(0.2)
        return not waiting

    def down(self) -> None:
        """Take all of it away."""
        name = self._slot.name
        for part in (*self._blueprint.parts, *self._blueprint.extra):
            with suppress(NotFound):
                self._client.api.remove_container(f"{name}-{part}", force=True, v=True)
        for network in ("edge", *self._blueprint.networks):
            with suppress(NotFound, APIError):
                self._client.api.remove_network(f"{name}-{network}")
        for volume in self._client.volumes.list(filters={"label": [f"{key}={value}" for key, value in LABEL.items()]}):
            if str(volume.name).startswith(f"{name}-"):
                with suppress(NotFound, APIError):
                    volume.remove(force=True)


@contextmanager
def standing(client: docker.DockerClient, base: Base, blueprint: Blueprint, slot: Slot, folder: Path) -> Iterator[tuple[Path, bool]]:
    """Stand an instance up; give its target file, and whether it serves."""
    instance = Instance(client, base, blueprint, slot)
    instance.down()
    try:
        instance.up()
        serves = instance.healthy()
        file = folder / f"{slot.name}.json"
        file.write_text(json.dumps(instance.target()), encoding="utf-8")
        yield file, serves
    finally:
        instance.down()
