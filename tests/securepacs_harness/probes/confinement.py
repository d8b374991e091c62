"""What an engine's description of a container says of its confinement: pure functions over what `docker inspect` tells.

Podman tells the same with differences, which stand beside what they concern.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

Inspected = Mapping[str, Any]

#: Where engines have their sockets on a host (Docker, containerd, Podman, CRI-O, BuildKit).
SOCKETS = (
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
)
#: Addresses that stand for every address of the host; Podman tells them by an empty one.
EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - read, not bound


def capabilities(inspected: Inspected) -> tuple[list[str], list[str]]:
    """Give the capabilities that were added and dropped. Podman tells each that it dropped, where Docker says ALL."""
    host = inspected["HostConfig"]
    return list(host.get("CapAdd") or []), list(host.get("CapDrop") or [])


def security_options(inspected: Inspected) -> list[str]:
    """Give the security options of a container, in small letters."""
    return [str(option).lower() for option in inspected["HostConfig"].get("SecurityOpt") or []]


def forbids_new_privileges(inspected: Inspected) -> bool:
    """Tell whether the container itself was started so; an engine may do it for all of them without telling."""
    forms = {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}
    return any(option in forms for option in security_options(inspected))


def unfiltered(inspected: Inspected) -> bool:
    """Tell whether the engine was told to filter no system calls."""
    return bool(inspected["HostConfig"].get("Privileged")) or any(option.endswith("unconfined") for option in security_options(inspected))


def of_the_host(mounts: Sequence[Mapping[str, Any]], options: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Give the places in a container where a folder or file of the host is mounted.

    `options` are those of its volumes by name: the local driver mounts a folder of the host, too, when it is told to.
    """
    found = []
    for mount in mounts:
        volume = options.get(mount.get("Name", ""), {})
        through_volume = volume.get("device", "").startswith("/") and "bind" in volume.get("o", "").split(",")
        if mount["Type"] == "bind" or through_volume:
            found.append(str(mount["Destination"]))
    return found


def engine_sockets(inspected: Inspected) -> list[str]:
    """Give the sockets of engines that a container can have: mounted under any name, in a folder of the host's, or over TCP."""
    found = set()
    for mount in inspected["Mounts"]:
        source, destination = str(mount.get("Source", "")), str(mount["Destination"])
        for socket in map(PurePosixPath, SOCKETS):
            if mount["Type"] == "bind" and PurePosixPath(source) in socket.parents:
                found.add(f"the host's folder {source}, where they stand")
            elif socket.name in {PurePosixPath(source).name, PurePosixPath(destination).name}:
                found.add(socket.name)
    remote = [entry for entry in inspected["Config"].get("Env") or [] if entry.startswith(("DOCKER_HOST=", "CONTAINER_HOST="))]
    return sorted({*found, *(entry.partition("=")[0] for entry in remote)})


def log_ends(inspected: Inspected) -> bool:
    """Tell whether a container's log is rotated, or kept by something else than a file of the engine's."""
    log = inspected["HostConfig"]["LogConfig"]
    limited = bool((log.get("Config") or {}).get("max-size")) or str(log.get("Size") or "0B") != "0B"  # Podman's is Size
    return log["Type"] not in {"json-file", "k8s-file", ""} or limited


def health(inspected: Inspected) -> str:
    """Give what the engine says of a container's health."""
    state = inspected["State"]
    told = (state.get("Health") or state.get("Healthcheck") or {}).get("Status")  # Podman's was Healthcheck before version 4
    return str(told) if told else "no health check"


def published(inspected: Inspected) -> list[tuple[str, int]]:
    """Give the addresses and ports of the host on which a container is published."""
    ports = inspected["NetworkSettings"].get("Ports") or {}
    return [(str(bound["HostIp"]), int(bound["HostPort"])) for bindings in ports.values() for bound in bindings or []]


def published_everywhere(inspected: Inspected, meant: Collection[int] = ()) -> list[str]:
    """Give what is published on every address of the host, but for the ports for which that is meant."""
    return [f"{address or '*'}:{port}" for address, port in published(inspected) if address in EVERYWHERE and port not in meant]
