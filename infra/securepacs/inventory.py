"""What stands on the Docker engine for a stack: looked up by labels, never changed but for a data volume that is given up."""

from __future__ import annotations

import datetime
import errno
import json
import re
import socket
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from securepacs.archive import STORAGE_FOLDER
from securepacs.clinic import Clinic
from securepacs.errors import ConfigurationError, HostError
from securepacs.provider.engine import STACK
from securepacs.state.workspace import PROJECT
from securepacs.target import container_name
from securepacs.trust import authority_names


@dataclass(frozen=True)
class Running:
    """One container as the engine shows it."""

    name: str
    state: str
    health: str
    image: str
    started: str


def engine() -> docker.DockerClient:
    """Reach the Docker engine.

    Raises HostError where none answers.
    """
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        raise HostError(
            "Docker engine", got=str(error), expected="an engine that answers", do="run `make bootstrap`, or set DOCKER_HOST"
        ) from None
    return client


def stack_label(stack: str) -> str:
    """Give the label that each object of a stack carries."""
    return f"{STACK}={owner(stack)}"


def owner(stack: str) -> str:
    """Give the label's value."""
    return f"{PROJECT}/{stack}"


def containers(client: docker.DockerClient, stack: str) -> list[Running]:
    """List the stack's containers, running or not."""
    found = client.containers.list(all=True, filters={"label": stack_label(stack)})
    return [
        Running(
            name=str(container.name),
            state=container.attrs["State"]["Status"],
            health=container.attrs["State"].get("Health", {}).get("Status", "none"),
            image=container.attrs["Config"]["Image"],
            started=container.attrs["State"]["StartedAt"],
        )
        for container in sorted(found, key=lambda container: str(container.name))
    ]


def stored_mb(client: docker.DockerClient, clinic_name: str) -> int | None:
    """Measure the archive's stored files, in MB; None while the archive does not run."""
    words = (_answer(client, f"{clinic_name}-archive", ["du", "-sm", STORAGE_FOLDER]) or "").split(maxsplit=1)
    return int(words[0]) if words and words[0].isdigit() else None


def gateway_status(client: docker.DockerClient, clinic_name: str) -> dict[str, Any] | None:
    """Ask the gateway, inside and without a login, what it knows of the clinic: the JSON of its page; None where it does not answer."""
    told = _answer(client, f"{clinic_name}-gateway", ["/usr/share/securepacs/status"])
    known: dict[str, Any] | None = json.loads(told) if told else None
    return known


def newest_backup(client: docker.DockerClient, clinic_name: str, command: str) -> str | None:
    """Give when the newest backup was made (ISO 8601 with its zone), as the command inside the archive tells; None where it does not."""
    lines = (_answer(client, f"{clinic_name}-archive", ["/bin/sh", "-c", command]) or "").split("\n")
    words = next((line.split() for line in reversed(lines) if line.strip()), [""])
    try:
        made = datetime.datetime.fromisoformat(words[0])
    except ValueError:
        return None
    return (made if made.tzinfo else made.replace(tzinfo=datetime.UTC)).isoformat()


def tell_backup(client: docker.DockerClient, clinic_name: str, newest: str | None, seen: datetime.datetime) -> None:
    """Tell the gateway, for its status page, when the newest backup was made (ISO 8601; None: no time is known), and when that was seen."""
    made = int(datetime.datetime.fromisoformat(newest).timestamp()) if newest else 0
    _answer(client, f"{clinic_name}-gateway", ["/usr/share/securepacs/backup-seen", str(made), str(int(seen.timestamp()))])


#: A command inside that takes longer gives no answer; the engine's own patience ends at 60 s.
_ANSWER_SECONDS = "50"


def _answer(client: docker.DockerClient, container: str, command: list[str]) -> str | None:
    """Run a command in a container; give what it printed, None where it failed or the container does not run."""
    try:
        answer = client.containers.get(container).exec_run(["timeout", _ANSWER_SECONDS, *command], stderr=False)
    except APIError:
        return None
    output = answer.output if isinstance(answer.output, bytes) else b"".join(answer.output)
    return output.decode(errors="replace") if answer.exit_code == 0 else None


#: A line of the gateway's log about an association of a peer with TLS; the authority's name has no other character than these.
_SEEN = re.compile(r"^dicom src=\S+ peer=(.+) authority=(\S+) calling=", re.MULTILINE)


def authorities_seen(client: docker.DockerClient, clinic: Clinic) -> dict[str, str]:
    """Read in the gateway's log by which authority's certificate each peer came last: AE title -> authority's name."""
    names = {re.sub("[^A-Za-z0-9-]", "_", name): name for name in authority_names(clinic)}
    try:
        log = client.api.logs(container_name(clinic, "gateway"), stdout=True, stderr=False).decode(errors="replace")
    except APIError:
        return {}
    return {peer: names.get(authority, authority) for peer, authority in _SEEN.findall(log)}


def published_by(client: docker.DockerClient, stack: str) -> set[tuple[str, int]]:
    """Give the addresses and ports that the stack's containers hold."""
    found = client.containers.list(filters={"label": stack_label(stack)})
    bindings: list[dict[str, Any]] = [b for c in found for bound in (c.attrs["HostConfig"]["PortBindings"] or {}).values() for b in bound]
    return {(binding["HostIp"], int(binding["HostPort"])) for binding in bindings}


#: What tells that a clinic stands: parts whose containers, and whose volume, bear its name.
_CONTAINERS, _VOLUME = ("archive", "gateway"), "archive-data"


def check_name(client: docker.DockerClient, clinic: Clinic, stack: str) -> None:
    """Hold the clinic's name against what stands on the engine, before anything is changed.

    Raises HostError where another stack, or somebody else, has an object of that name.
    """
    containers = [(name, client.api.inspect_container) for name in (container_name(clinic, part) for part in _CONTAINERS)]
    for name, inspect in [*containers, (container_name(clinic, _VOLUME), client.api.inspect_volume)]:
        try:
            found = inspect(name)
        except NotFound:
            continue
        labels = found.get("Config", found).get("Labels") or {}
        if labels.get(STACK) != owner(stack):
            whose = f"of stack {labels[STACK]}" if STACK in labels else "not made by securepacs"
            raise HostError(
                "securepacs:clinic.name",
                got=f"'{clinic.name}', but {name} stands already and is {whose}",
                expected="a name that no other clinic on this engine has",
                do="choose another",
            )


def check_ports(clinic: Clinic, held: set[tuple[str, int]]) -> None:
    """Hold the declared ports against the host, before anything is changed.

    Raises ConfigurationError for an address that the host does not have, HostError for a port that another program holds.
    """
    for where, endpoint in clinic.published():
        for address in endpoint.addresses:
            if (str(address), endpoint.port) in held:
                continue
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            try:
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((str(address), endpoint.port))
            except OSError as error:
                _tell_port_problem(error, where, f"{address}:{endpoint.port}")


def _tell_port_problem(error: OSError, where: str, at: str) -> None:
    if error.errno == errno.EADDRNOTAVAIL:
        raise ConfigurationError(
            f"securepacs:clinic.{where}", got=at, expected="an address of this host", do="name one that `ip address` shows"
        ) from None
    if error.errno == errno.EADDRINUSE:
        raise HostError(
            f"securepacs:clinic.{where}",
            got=f"{at}, which another program holds",
            expected="a free port",
            do="end that program or declare another port",
        ) from None
    raise HostError(
        f"securepacs:clinic.{where}", got=f"{at}: {error.strerror}", expected="an address and port that can be published"
    ) from None


def data_volume(clinic: Clinic) -> str:
    """Name the volume that holds the studies."""
    return container_name(clinic, "archive-data")


def database_volume(clinic: Clinic) -> str:
    """Name the volume that holds the index where it is in PostgreSQL."""
    return container_name(clinic, "database-data")


def data_volumes(clinic: Clinic) -> list[str]:
    """Name the volumes that outlive the stack: images, and the index that is or was in PostgreSQL."""
    return [data_volume(clinic), database_volume(clinic)]


def volume_of(client: docker.DockerClient, name: str, stack: str) -> bool:
    """Tell whether a volume of the stack is there."""
    try:
        volume = client.volumes.get(name)
    except NotFound:
        return False
    return bool((volume.attrs.get("Labels") or {}).get(STACK) == owner(stack))


def remove_volume(client: docker.DockerClient, name: str, stack: str) -> bool:
    """Remove a volume of the stack; tell whether there was one. What has not the stack's label is left alone."""
    if not volume_of(client, name, stack):
        return False
    client.volumes.get(name).remove()
    return True
