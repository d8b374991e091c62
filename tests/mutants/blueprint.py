"""What a PACS of the laboratory is made of, as data: taken from the deployed clinic, so that a mutant differs by its defect alone."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import docker

from securepacs_harness.errors import HarnessError

#: Parts of a clinic, and the folder with each one's files; '' where it has none.
FOLDERS = {"gateway": "/etc/gateway", "archive": "/etc/archive", "sign-in": "/etc/sign-in", "viewer": ""}


class MutationError(HarnessError):
    """An edit does not fit what was deployed: the mutant would be no mutant."""


@dataclasses.dataclass(frozen=True)
class File:
    """A file of a part: content, mode, owner."""

    content: bytes
    mode: int
    uid: int


@dataclasses.dataclass(frozen=True)
class Part:
    """One container: what the engine is told (`Config`, `HostConfig`), its aliases by network, and the files in its folder."""

    config: Mapping[str, Any]
    host: Mapping[str, Any]
    networks: Mapping[str, tuple[str, ...]]
    files: Mapping[str, File]


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """A whole PACS, and the target file that declares it. `extra` are containers beside it, by name: image part and command."""

    parts: Mapping[str, Part]
    target: Mapping[str, Any]
    extra: Mapping[str, Extra] = dataclasses.field(default_factory=dict)
    inner_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What the networks without a way out are made with, beyond their driver."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks without a way out."""
        joined = dict.fromkeys(network for part in self.parts.values() for network in part.networks)
        return tuple(dict.fromkeys(("inner", *(network for network in joined if network not in {"edge", "host", "none"}))))

    def part(self, name: str, **changes: Any) -> Blueprint:  # noqa: ANN401 - fields of Part
        """Give it with other fields of one part."""
        return dataclasses.replace(self, parts={**self.parts, name: dataclasses.replace(self.parts[name], **changes)})

    def text(self, part: str, file: str) -> str:
        """Give a file's text."""
        return self.parts[part].files[file].content.decode()

    def with_text(self, part: str, file: str, text: str) -> Blueprint:
        """Give it with another text in a file."""
        files = self.parts[part].files
        return self.part(part, files={**files, file: dataclasses.replace(files[file], content=text.encode())})


@dataclasses.dataclass(frozen=True)
class Extra:
    """A container beside the PACS, of the image of one of its parts: what it runs, what it publishes, where it stands."""

    of: str
    command: tuple[str, ...]
    publishes: int
    network: str = "edge"


Edit = Callable[[Blueprint], Blueprint]


def files_of(container: Any, folder: str) -> dict[str, File]:  # noqa: ANN401 - docker's container
    """Read the files of a folder out of a container, by their names."""
    chunks, _ = container.get_archive(folder)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        found = {}
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[member.name.partition("/")[2]] = File(content.read(), member.mode, member.uid)
    return found


#: Settings that belong to one container and not to its kind.
_OF_ONE = ("Hostname", "Image")


def part_of(client: docker.DockerClient, container: str, folder: str, clinic: str) -> Part:
    """Take a part from a running container."""
    running = client.containers.get(container)
    inspected = client.api.inspect_container(container)
    config = {name: value for name, value in inspected["Config"].items() if name not in _OF_ONE}
    config["Image"] = inspected["Image"]
    config["Labels"] = {}
    networks = {
        name.removeprefix(f"{clinic}-"): tuple(alias for alias in there["Aliases"] if not inspected["Id"].startswith(alias))
        for name, there in inspected["NetworkSettings"]["Networks"].items()
    }
    return Part(config, inspected["HostConfig"], networks, files_of(running, folder) if folder else {})


def blueprint_of(client: docker.DockerClient, clinic: str, target: Mapping[str, Any]) -> Blueprint:
    """Take a blueprint from a deployed clinic."""
    parts = {part: part_of(client, f"{clinic}-{part}", folder, clinic) for part, folder in FOLDERS.items() if part in target["inside"]}
    inner = client.api.inspect_network(f"{clinic}-inner")
    options = {"internal": inner["Internal"], "options": inner["Options"] or None}
    return Blueprint(parts, target, inner_options=options)


def replaced(old: str, new: str, *, part: str = "gateway", file: str = "haproxy.cfg", times: int = 1) -> Edit:
    """Replace a text in a file, which must be there as often as is said."""

    def edit(blueprint: Blueprint) -> Blueprint:
        text = blueprint.text(part, file)
        if text.count(old) != times:
            raise MutationError(f"{file} of {part}: got '{old[:60]}' {text.count(old)} times, expected {times}")
        return blueprint.with_text(part, file, text.replace(old, new))

    return edit


def lines(*marks: str, new: str = "", part: str = "gateway", file: str = "haproxy.cfg") -> Edit:
    """Replace each line that holds one of these marks; every mark must be in some line."""

    def edit(blueprint: Blueprint) -> Blueprint:
        text = blueprint.text(part, file)
        absent = [mark for mark in marks if mark not in text]
        if absent:
            raise MutationError(f"{file} of {part}: got no line with '{absent[0]}'")
        kept = [new if any(mark in line for mark in marks) else line for line in text.splitlines(keepends=True)]
        return blueprint.with_text(part, file, "".join(kept))

    return edit


def added(name: str, text: str, *, part: str = "gateway") -> Edit:
    """Add a file to a part's folder, of the mode and the owner of the others."""

    def edit(blueprint: Blueprint) -> Blueprint:
        files = blueprint.parts[part].files
        return blueprint.part(part, files={**files, name: dataclasses.replace(next(iter(files.values())), content=text.encode())})

    return edit


def setting(key: str, value: object) -> Edit:
    """Give one option of the archive another value; it must have had another before."""

    def edit(blueprint: Blueprint) -> Blueprint:
        options = json.loads(blueprint.text("archive", "orthanc.json"))
        if key not in options or options[key] == value:
            raise MutationError(f"orthanc.json: got no '{key}' with another value than {value!r}")
        return blueprint.with_text("archive", "orthanc.json", json.dumps({**options, key: value}))

    return edit


def right(peer: str, name: str, *, granted: bool) -> Edit:
    """Give a peer a right in the archive, or take it."""

    def edit(blueprint: Blueprint) -> Blueprint:
        peers = json.loads(blueprint.text("archive", "peers.json"))
        if peers["DicomModalities"][peer][name] is granted:
            raise MutationError(f"peers.json: {peer} has {name} {granted} already")
        peers["DicomModalities"][peer][name] = granted
        return blueprint.with_text("archive", "peers.json", json.dumps(peers))

    return edit


def guarded_by(old: str, new: str) -> Edit:
    """Run the archive with a guard in which a text is replaced; the guard stands beside the configuration then."""

    def edit(blueprint: Blueprint) -> Blueprint:
        guard = blueprint.text("archive", GUARD)
        if guard.count(old) != 1:
            raise MutationError(f"guard.py: got '{old[:60]}' {guard.count(old)} times, expected once")
        changed = blueprint.with_text("archive", GUARD, guard.replace(old, new))
        return setting("PythonScript", f"{FOLDERS['archive']}/{GUARD}")(changed)

    return edit


GUARD = "guard.py"


def engine(part: str, **settings: object) -> Edit:
    """Tell the engine something else of a container (HostConfig)."""

    def edit(blueprint: Blueprint) -> Blueprint:
        host = {**copy.deepcopy(dict(blueprint.parts[part].host)), **settings}
        if host == blueprint.parts[part].host:
            raise MutationError(f"{part}: it has these settings already")
        return blueprint.part(part, host=host)

    return edit


def container(part: str, **settings: object) -> Edit:
    """Tell the container something else (Config)."""

    def edit(blueprint: Blueprint) -> Blueprint:
        return blueprint.part(part, config={**blueprint.parts[part].config, **settings})

    return edit


def declared(change: Callable[[dict[str, Any]], None]) -> Edit:
    """Declare something else in the target file."""

    def edit(blueprint: Blueprint) -> Blueprint:
        target = copy.deepcopy(dict(blueprint.target))
        change(target)
        if target == blueprint.target:
            raise MutationError("the target file: the edit changes nothing")
        return dataclasses.replace(blueprint, target=target)

    return edit


def beside(name: str, extra: Extra) -> Edit:
    """Stand another container beside the PACS."""
    return lambda blueprint: dataclasses.replace(blueprint, extra={**blueprint.extra, name: extra})


def inner_network(**options: object) -> Edit:
    """Make the inner network otherwise."""
    return lambda blueprint: dataclasses.replace(blueprint, inner_options={**blueprint.inner_options, **options})


def both(*edits: Edit) -> Edit:
    """Make several edits that are one defect; each must change something, so that no part of it is lost."""

    def edit(blueprint: Blueprint) -> Blueprint:
        for number, one in enumerate(edits, 1):
            changed = one(blueprint)
            if changed == blueprint:
                raise MutationError(f"edit {number} of {len(edits)} of a defect changes nothing")
            blueprint = changed
        return blueprint

    return edit
