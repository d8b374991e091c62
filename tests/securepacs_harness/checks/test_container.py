"""How the parts are confined: what the engine says of them, and what the kernel says of their processes (CIS Docker Benchmark 1.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from securepacs_harness.check import check
from securepacs_harness.checks.test_network import declared_ports
from securepacs_harness.parts import NO_INSIDE, containers
from securepacs_harness.probes import confinement
from securepacs_harness.probes.confinement import Inspected
from securepacs_harness.probes.engine import EngineError, engine_of
from securepacs_harness.probes.inside import Process
from securepacs_harness.record import Record
from securepacs_harness.session import Verification
from securepacs_harness.target import Target

#: What is looked at in one container: whether it holds, and what was seen.
Look = Callable[[Inspected], tuple[bool, str]]

#: Why only the engine's word stands for a container: an image without a shell, for example.
UNSEEN = "its processes cannot be looked at from inside"


def looked_at(verification: Verification, record: Record, looks: Mapping[str, tuple[str, Look]]) -> None:
    """Look at every container in each of these ways: what is looked at, what is expected, and how."""
    for part, engine in containers(verification, record):
        for what, (expected, look) in looks.items():
            holds, told = look(engine.inspect())
            record.fact(f"{what} of {part}", expected=expected, told=told, holds=holds)


def processes(verification: Verification, record: Record) -> Iterator[tuple[str, Inspected, list[Process]]]:
    """Give each container with the state of its processes; none where they cannot be looked at."""
    for part, engine in containers(verification, record):
        yield part, engine.inspect(), verification.inside(part).running()


def _flag(*path: str, good: object) -> Look:
    """Look at one setting that has one good value."""

    def look(inspected: Inspected) -> tuple[bool, str]:
        value: Any = inspected
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value == good, str(value).lower()

    return look


@check(
    "container.user",
    "No service runs as root",
    tier="passive",
    controls=("container-user",),
    remedy="Run the service as a user of its own (USER in the image, or `user` of the container).",
)
def test_no_service_runs_as_root(verification: Verification, record: Record) -> None:
    """No process of a container has root's user id, nor can take it again; on a host, none that listens where the part does."""
    if not verification.target.inside:
        record.not_tested("processes", NO_INSIDE)
    for part, specification in verification.target.inside.items():
        what, engine = f"processes of {part}", engine_of(specification)
        listens = verification.target.listeners.get(part)
        if engine is None and not listens:
            record.not_tested(what, f"it is no container, and the target does not say where it listens (listeners.{part})")
            continue
        inside = verification.inside(part)
        seen = inside.running() if engine else inside.serving(listens or ())
        users = {uid for process in seen for uid in process.uids}
        by = ""
        if engine and not users:
            # An image without a shell: the engine lists the processes from without.
            try:
                users, by = engine.users(), ", as the engine's host sees them"
            except EngineError as error:
                record.unknown(what, f"{UNSEEN}, and {error}")
                continue
        if users:
            told = f"user ids {', '.join(map(str, sorted(users)))}{by}"
            record.fact(what, expected="no user id 0", told=told, holds=0 not in users)
        else:
            record.unknown(what, "no process was seen that listens on its ports: none does, or who looks may not see it")


@check(
    "container.privileged",
    "No container is privileged",
    tier="passive",
    controls=("container-privileges",),
    remedy="Run the container without --privileged and without devices of the host's.",
)
def test_no_container_is_privileged(verification: Verification, record: Record) -> None:
    """The engine runs no part in privileged mode, and gives it no device."""

    def devices(inspected: Inspected) -> tuple[bool, str]:
        count = sum(len(inspected["HostConfig"].get(key) or []) for key in ("Devices", "DeviceCgroupRules"))
        return count == 0, str(count)

    privileged = _flag("HostConfig", "Privileged", good=False)
    looked_at(verification, record, {"privileged mode": ("false", privileged), "devices": ("none", devices)})


@check(
    "container.capabilities",
    "No process has a capability",
    tier="passive",
    controls=("container-privileges",),
    remedy="Drop all capabilities (cap_drop: ALL) and add none.",
)
def test_no_process_has_a_capability(verification: Verification, record: Record) -> None:
    """The engine adds none, and the kernel says that no process has one or can get one; unseen, the engine must have dropped all."""
    for part, inspected, seen in processes(verification, record):
        added, dropped = confinement.capabilities(inspected)
        told = f"dropped {', '.join(dropped) or 'none'}, added {', '.join(added) or 'none'}"
        # What was dropped is the engine's way of saying it (Podman names each); the kernel tells what came of it.
        holds = not added and (bool(seen) or "ALL" in {name.upper() for name in dropped})
        expected = "none added" if seen else "ALL dropped, none added"
        record.fact(f"capabilities of {part}", expected=expected, told=told, holds=holds)
        what = f"capabilities of the processes in {part}"
        if seen:
            mask = 0
            for process in seen:
                mask |= process.capabilities
            record.fact(what, expected="none", told=f"mask {mask:#x}", holds=mask == 0)
        else:
            record.not_tested(what, UNSEEN)


@check(
    "container.no-new-privileges",
    "No process can gain privileges",
    tier="passive",
    controls=("container-privileges",),
    remedy="Run the container with security_opt no-new-privileges.",
)
def test_no_process_can_gain_privileges(verification: Verification, record: Record) -> None:
    """The kernel says of each process in a container that it can gain no privileges; unseen, the engine must say so."""
    for part, inspected, seen in processes(verification, record):
        what = f"no new privileges in {part}"
        if seen:
            without = sum(not process.no_new_privileges for process in seen)
            told = f"not set for {without} of {len(seen)} processes" if without else "set"
            record.fact(what, expected="set", told=told, holds=not without)
        elif confinement.forbids_new_privileges(inspected):
            record.fact(what, expected="set", told="set, as the engine says", holds=True)
        else:
            record.unknown(what, f"{UNSEEN}, and the container has no such option; the engine may have it for all")


@check(
    "container.seccomp",
    "System calls are filtered",
    tier="passive",
    controls=("container-privileges",),
    remedy="Run the container with the engine's default seccomp profile, or a narrower one; never unconfined.",
)
def test_system_calls_are_filtered(verification: Verification, record: Record) -> None:
    """The kernel says of each process in a container that a seccomp filter is at work; unseen, the engine must not have left it out."""
    for part, inspected, seen in processes(verification, record):
        what = f"seccomp in {part}"
        if seen:
            mode = min(process.seccomp for process in seen)
            told = ("off", "strict", "a filter")[min(mode, 2)]
            record.fact(what, expected="a filter", told=told, holds=mode != 0)
        elif confinement.unfiltered(inspected):
            record.fact(what, expected="a filter", told="off, as the engine says", holds=False)
        else:
            record.unknown(what, f"{UNSEEN}; whether the engine's own profile is at work only the kernel tells")


#: Folders in which nobody but an image's maker writes.
PROGRAMS = ("/", "/usr/bin", "/usr/local/bin", "/etc")


@check(
    "container.read-only",
    "No service can change itself",
    tier="passive",
    controls=("container-filesystem",),
    remedy="Run the container with a read-only root, and tmpfs where the service must write.",
)
def test_the_root_is_read_only(verification: Verification, record: Record) -> None:
    """The root of each container is mounted read-only, and nothing writable is mounted over its folders of programs."""
    for part, engine in containers(verification, record):
        read_only = bool(engine.inspect()["HostConfig"].get("ReadonlyRootfs"))
        told = "read-only" if read_only else "writable"
        record.fact(f"root of {part}, as the engine says", expected="read-only", told=told, holds=read_only)
        inside = verification.inside(part)
        root = next((mount for mount in inside.mounts() if mount.target == "/"), None)
        if root is None:
            record.not_tested(f"root of {part}", UNSEEN)
            continue
        written = [folder for folder in PROGRAMS if inside.may_write(folder)]
        holds = "ro" in root.options and not written
        told = "read-only" if holds else f"writable: {', '.join(written) or 'by its mount'}"
        record.fact(f"root of {part}", expected="read-only", told=told, holds=holds)


@check(
    "container.host-namespaces",
    "No service is in a namespace of the host's",
    tier="passive",
    controls=("container-isolation",),
    remedy="Take network, pid, ipc, uts and userns mode `host` off the container.",
)
def test_no_namespace_is_the_hosts(verification: Verification, record: Record) -> None:
    """Network, processes, IPC, host name and users of each container are its own."""
    looked_at(verification, record, {what: ("its own", _own(key)) for key, what in NAMESPACES.items()})


NAMESPACES = {"NetworkMode": "network", "PidMode": "processes", "IpcMode": "IPC", "UTSMode": "host name", "UsernsMode": "users"}


def _own(key: str) -> Look:
    def look(inspected: Inspected) -> tuple[bool, str]:
        shared = inspected["HostConfig"].get(key) == "host"
        return not shared, "the host's" if shared else "its own"

    return look


@check(
    "container.mounts",
    "Nothing of the host is mounted",
    tier="passive",
    controls=("container-filesystem", "container-isolation"),
    remedy="Use volumes instead of folders of the host.",
)
def test_nothing_of_the_host_is_mounted(verification: Verification, record: Record) -> None:
    """Every mount of each container is a tmpfs, or a volume that is no folder of the host's under another name."""
    for part, engine in containers(verification, record):
        bound = confinement.of_the_host(engine.inspect()["Mounts"], engine.volumes())
        record.fact(f"folders of the host of {part}", expected="none", told=", ".join(bound) or "none", holds=not bound)


@check(
    "container.engine-socket",
    "No service can command the engine",
    tier="passive",
    controls=("container-isolation",),
    remedy="Take the engine's socket off the container.",
)
def test_no_service_has_the_engines_socket(verification: Verification, record: Record) -> None:
    """No socket of a container engine is mounted in any container, alone or with its folder, and none is named to it as a server."""

    def look(inspected: Inspected) -> tuple[bool, str]:
        found = confinement.engine_sockets(inspected)
        return not found, ", ".join(found) or "none"

    looked_at(verification, record, {"engine sockets": ("none", look)})


@check(
    "container.limits",
    "Every service has limits",
    tier="passive",
    controls=("container-resources",),
    remedy="Give the container limits of memory, processors and processes, and rotate its log.",
)
def test_every_service_has_limits(verification: Verification, record: Record) -> None:
    """Memory, processors, processes and the log of each container are limited."""

    def at_least_one(*keys: str) -> Look:
        return lambda inspected: (any((inspected["HostConfig"].get(key) or 0) > 0 for key in keys), _values(inspected, keys))

    def rotated(inspected: Inspected) -> tuple[bool, str]:
        holds = confinement.log_ends(inspected)
        return holds, f"{inspected['HostConfig']['LogConfig']['Type']}, {'rotated' if holds else 'without end'}"

    looks = {
        "memory limit": ("some bytes", at_least_one("Memory")),
        "limit of processes": ("some", at_least_one("PidsLimit")),
        "limit of processors": ("some", at_least_one("NanoCpus", "CpuQuota")),
        "log": ("rotated", rotated),
    }
    looked_at(verification, record, looks)


def _values(inspected: Inspected, keys: tuple[str, ...]) -> str:
    return ", ".join(f"{key} {inspected['HostConfig'].get(key) or 'none'}" for key in keys)


@check(
    "container.health",
    "Every service has a health check, and is well",
    tier="passive",
    controls=("container-health",),
    remedy="Give the container a health check that asks the service itself.",
)
def test_every_service_is_well(verification: Verification, record: Record) -> None:
    """The engine says of each container that its health check succeeds; one that has not been made yet says nothing."""
    for part, engine in containers(verification, record):
        told = confinement.health(engine.inspect())
        if told == "starting":
            record.unknown(f"health of {part}", "it was started a moment ago, and no health check has ended yet")
        else:
            record.fact(f"health of {part}", expected="healthy", told=told, holds=told == "healthy")


@check(
    "container.published-address",
    "Ports are published on named addresses",
    tier="passive",
    controls=("network-exposure",),
    remedy="Publish each port on the address it is meant for, not on all of them.",
)
def test_ports_are_published_on_named_addresses(verification: Verification, record: Record) -> None:
    """No port of any container is published on every address of the host, unless the target declares its listener there."""
    meant = meant_everywhere(verification.target)
    for part, engine in containers(verification, record):
        what, inspected = f"published ports of {part}", engine.inspect()
        if inspected["HostConfig"].get("NetworkMode") == "host":
            record.unknown(what, "it is on the host's own network, where the engine publishes nothing")
            continue
        everywhere = confinement.published_everywhere(inspected, meant)
        told = ", ".join(everywhere or [f"{address}:{port}" for address, port in confinement.published(inspected)]) or "none"
        record.fact(what, expected="on named addresses", told=told, holds=not everywhere)


def meant_everywhere(target: Target) -> set[int]:
    """Give the ports of the listeners that are declared on every address (0.0.0.0 or ::)."""
    return {port for host, ports in declared_ports(target).items() if host in confinement.EVERYWHERE - {""} for port in ports}
