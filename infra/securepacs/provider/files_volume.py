"""Writing and reading the files of a volume through containers that are made and never started.

A container that only exists has the volume mounted for the engine's archive calls; nothing runs, and no content passes
through an environment, a command line or the host's file system. Only removal needs a process: one `rm` with no network,
a read-only root and one capability.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import tarfile
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from securepacs.errors import DeploymentError
from securepacs.provider import engine, maker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import docker

    from securepacs.provider.fields import Values

_PLACE: Final = "volume"
HELPER: Final = "securepacs.helper"
_MIB: Final = 1024 * 1024
_REMOVE_SECONDS: Final = 60
MAKER: Final = "securepacs.maker"
#: A preview may look into the volume while another run writes: what is younger may be in use, where its maker cannot be asked after.
LEFT_SECONDS: Final = 600


def folders(paths: Mapping[str, Any] | set[str]) -> set[str]:
    """Give every folder, without the root, that paths lie in."""
    return {str(parent) for path in paths for parent in PurePosixPath(path).parents if str(parent) != "."}


def write(client: docker.APIClient, image: str, inputs: Values) -> set[str]:
    """Make a volume hold exactly the declared files; give the paths of those that were not as declared before."""
    with _helper(client, image, inputs) as helper:
        before = observe(_read(client, helper), inputs)["files"]
        client.put_archive(helper, "/", _pack(inputs))
        present = _read(client, helper)
    wanted = set(inputs["files"]) | folders(inputs["files"])
    stale = {path for path in present if path not in wanted and path != ""}
    _remove(client, image, inputs, {path for path in stale if not stale & folders({path})})
    return {path for path, file in inputs["files"].items() if before.get(path) != file}


def remove_all(client: docker.APIClient, image: str, state: Values) -> None:
    """Remove every file of a volume."""
    with _helper(client, image, state) as helper:
        present = _read(client, helper)
    _remove(client, image, state, {path for path in present if path and "/" not in path})


def read(client: docker.APIClient, image: str, state: Values) -> dict[str, Values]:
    """Give what is in a volume: path to {content, mode, uid, gid}; the root is '', and folders have no content."""
    with _helper(client, image, state) as helper:
        return _read(client, helper)


def observe(present: Mapping[str, Values], state: Values) -> Values:
    """Give what is in a volume in the terms of the state; where it is as declared the two are equal."""
    root = present[""]
    observed: Values = {name: root[name] for name in ("uid", "gid", "mode")}
    expected_folders = folders(state["files"])
    files = {}
    for path, found in present.items():
        if path == "" or (path in expected_folders and "content" not in found):
            continue
        declared = state["files"].get(path, {})
        implied = {name for name in ("uid", "gid") if name not in declared and found[name] == state[name]}
        files[path] = {"content": ""} | {name: value for name, value in found.items() if name not in implied}
    return observed | {"files": files}


def _full(file: Values, folder: Values) -> Values:
    return {"uid": folder["uid"], "gid": folder["gid"], **file}


def sweep(client: docker.APIClient, helped: str, seconds: float) -> None:
    """Remove the helpers of a volume, or the errands of a clinic, that a killed run left: their maker is dead, or they are that old."""
    for left in client.containers(all=True, filters={"label": f"{HELPER}={helped}"}):
        if time.time() - left["Created"] >= seconds or maker.is_dead(left["Labels"].get(MAKER, "")):
            engine.remove_container(client, left["Id"])


@contextlib.contextmanager
def _helper(client: docker.APIClient, image: str, owner: Values) -> Iterator[str]:
    """Make a container with the volume at /volume, never started, and remove it afterwards."""
    volume = owner["volume"]
    sweep(client, volume, LEFT_SECONDS)
    made = engine.post(client, "/containers/create", _body(image, owner, ["/none"]), name=f"{volume}-files-{secrets.token_hex(4)}")
    try:
        yield made["Id"]
    finally:
        engine.remove_container(client, made["Id"])


def _body(image: str, owner: Values, command: list[str]) -> dict[str, Any]:
    return {
        "Image": image,
        "Entrypoint": command[:1],
        "Cmd": command[1:],
        "User": "0:0",
        "Labels": {engine.STACK: owner["stack"], engine.COMPONENT: owner["component"], HELPER: owner["volume"], MAKER: maker.mark()},
        "NetworkDisabled": True,
        "HostConfig": {
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Memory": 64 * _MIB,
            "PidsLimit": 16,
            "Mounts": [{"Type": "volume", "Source": owner["volume"], "Target": f"/{_PLACE}", "VolumeOptions": {"NoCopy": True}}],
        },
    }


def _pack(inputs: Values) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in ["", *sorted(folders(inputs["files"]))]:
            # The root needs an entry of its own: else the volume stays root's, and its service cannot enter.
            entry = tarfile.TarInfo(f"{_PLACE}/{folder}".rstrip("/"))
            entry.type = tarfile.DIRTYPE
            entry.mode, entry.uid, entry.gid = int(inputs["mode"], 8), inputs["uid"], inputs["gid"]
            archive.addfile(entry)
        for path, file in sorted(inputs["files"].items()):
            content = file["content"].encode()
            entry = tarfile.TarInfo(f"{_PLACE}/{path}")
            entry.size = len(content)
            full = _full(file, inputs)
            entry.mode, entry.uid, entry.gid = int(full["mode"], 8), full["uid"], full["gid"]
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _read(client: docker.APIClient, helper: str) -> dict[str, Values]:
    stream, _ = client.get_archive(helper, f"/{_PLACE}")
    present: dict[str, Values] = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream)), mode="r") as archive:
        for entry in archive:
            path = entry.name.removeprefix(_PLACE).strip("/")
            present[path] = {"mode": f"{entry.mode & 0o7777:04o}", "uid": entry.uid, "gid": entry.gid}
            if not entry.isdir():
                content = archive.extractfile(entry) if entry.isreg() else None
                present[path]["content"] = content.read().decode(errors="replace") if content else ""
    return present


def _remove(client: docker.APIClient, image: str, owner: Values, paths: set[str]) -> None:
    if not paths:
        return
    command = ["/bin/rm", "-rf", "--", *(f"/{_PLACE}/{path}" for path in sorted(paths))]
    body = _body(image, owner, command)
    # Folders and files are another user's, without a right to write: root without this capability cannot remove them.
    body["HostConfig"] |= {"ReadonlyRootfs": True, "CapAdd": ["DAC_OVERRIDE"]}
    made = engine.post(client, "/containers/create", body, name=f"{owner['volume']}-files-{secrets.token_hex(4)}")
    try:
        client.start(made["Id"])
        status = client.wait(made["Id"], timeout=_REMOVE_SECONDS)["StatusCode"]
        if status != 0:
            tail = engine.log_tail(client, made["Id"])
            raise DeploymentError(f"files of volume {owner['volume']}: stale files could not be removed (status {status}):\n{tail}")
    finally:
        engine.remove_container(client, made["Id"])
