"""How the parts are confined: what the engine says of them, and what the kernel says of their processes (CIS Docker Benchmark 1.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from securepacs_harness.check import check
from securepacs_harness.probes.engine import engine_of
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

Inspected = Mapping[str, Any]
#: What is looked at in one container: whether it holds, and what was seen.
Look = Callable[[Inspected], tuple[bool, str]]


def containers(verification: Verification, record: Record) -> Iterator[tuple[str, Inspected]]:
    """Give each declared part that is a container, as its engine describes it; note those that are none."""
    if not verification.target.inside:
        record.not_tested("containers", "the target does not say how to look inside any part (inside)")
    for part, specification in verification.target.inside.items():
        engine = engine_of(specification)
        if engine is None:
            record.not_tested(part, "it is no container")
        else:
            yield part, engine.inspect()


def looked_at(verification: Verification, record: Record, what: str, expected: str, look: Look) -> None:
    """Look at every container in one way."""
    for part, inspected in containers(verification, record):
        holds, told = look(inspected)
        record.fact(f"{what} of {part}", expected=expected, told=told, holds=holds)


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
    """The first process of each part, and every other one, has a user and a group that are not root's."""
    if not verification.target.inside:
        record.not_tested("processes", "the target does not say how to look inside any part (inside)")
    for part in verification.target.inside:
        inside = verification.inside(part)
        if not inside.read("/proc/1/status"):
            record.unknown(f"processes of {part}", "the part could not be looked into")
            continue
        users = {inside.process(1).uid} | {process.uid for process in inside.running()}
        told = f"user ids {', '.join(map(str, sorted(users)))}"
        record.fact(f"processes of {part}", expected="no user id 0", told=told, holds=0 not in users)


@check(
    "container.privileged",
    "No container is privileged",
    tier="passive",
    controls=("container-privileges",),
    remedy="Run the container without --privileged and without devices of the host's.",
)
def test_no_container_is_privileged(verification: Verification, record: Record) -> None:
    """The engine runs no part in privileged mode, and gives it no device."""
    looked_at(verification, record, "privileged mode", "false", _flag("HostConfig", "Privileged", good=False))
    looked_at(
        verification,
        record,
        "devices",
        "none",
        lambda inspected: (not inspected["HostConfig"].get("Devices"), str(len(inspected["HostConfig"].get("Devices") or []))),
    )


@check(
    "container.capabilities",
    "No process has a capability",
    tier="passive",
    controls=("container-privileges",),
    remedy="Drop all capabilities (cap_drop: ALL) and add none.",
)
def test_no_process_has_a_capability(verification: Verification, record: Record) -> None:
    """The engine drops all and adds none, and the kernel says that the first process has none, nor can get any."""

    def look(inspected: Inspected) -> tuple[bool, str]:
        host = inspected["HostConfig"]
        added, dropped = host.get("CapAdd") or [], host.get("CapDrop") or []
        return (not added and "ALL" in {name.upper() for name in dropped}), f"dropped {dropped or 'none'}, added {added or 'none'}"

    looked_at(verification, record, "capabilities", "ALL dropped, none added", look)
    for part, _ in containers(verification, record):
        process = verification.inside(part).process(1)
        masks = process.effective | process.permitted | process.inheritable | process.ambient | process.bounding
        record.fact(f"capabilities of the service in {part}", expected="none", told=f"mask {masks:#x}", holds=masks == 0)


@check(
    "container.no-new-privileges",
    "No process can gain privileges",
    tier="passive",
    controls=("container-privileges",),
    remedy="Run the container with security_opt no-new-privileges.",
)
def test_no_process_can_gain_privileges(verification: Verification, record: Record) -> None:
    """The kernel says of the first process of each container that it can gain no privileges."""
    for part, _ in containers(verification, record):
        holds = verification.inside(part).process(1).no_new_privileges
        record.fact(f"no new privileges in {part}", expected="set", told="set" if holds else "not set", holds=holds)


@check(
    "container.seccomp",
    "System calls are filtered",
    tier="passive",
    controls=("container-privileges",),
    remedy="Run the container with the engine's default seccomp profile, or a narrower one; never unconfined.",
)
def test_system_calls_are_filtered(verification: Verification, record: Record) -> None:
    """The kernel says of the first process of each container that a seccomp filter is at work."""
    for part, _ in containers(verification, record):
        mode = verification.inside(part).process(1).seccomp
        record.fact(f"seccomp in {part}", expected="a filter", told=("off", "strict", "a filter")[min(mode, 2)], holds=mode != 0)


@check(
    "container.read-only",
    "No service can change itself",
    tier="passive",
    controls=("container-filesystem",),
    remedy="Run the container with a read-only root, and tmpfs where the service must write.",
)
def test_the_root_is_read_only(verification: Verification, record: Record) -> None:
    """The root of each container is mounted read-only, and a file can be made neither in it nor in a folder of programs."""
    for part, _ in containers(verification, record):
        inside = verification.inside(part)
        mounts = {mount.target: mount for mount in inside.mounts()}
        if "/" not in mounts:
            record.unknown(f"root of {part}", "its mounts could not be read")
            continue
        options = mounts["/"].options
        written = [folder for folder in ("/", "/usr/bin", "/etc") if inside.can_write(folder)]
        told = "read-only" if "ro" in options and not written else f"writable: {', '.join(written) or 'by its mount'}"
        record.fact(f"root of {part}", expected="read-only", told=told, holds="ro" in options and not written)


@check(
    "container.host-namespaces",
    "No service is in a namespace of the host's",
    tier="passive",
    controls=("container-isolation",),
    remedy="Take network, pid, ipc, uts and userns mode `host` off the container.",
)
def test_no_namespace_is_the_hosts(verification: Verification, record: Record) -> None:
    """Network, processes, IPC, host name and users of each container are its own."""
    for key, what in NAMESPACES.items():
        looked_at(verification, record, what, "its own", _own(key))


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
    """Every mount of each container is a volume or a tmpfs."""

    def look(inspected: Inspected) -> tuple[bool, str]:
        bound = [mount["Destination"] for mount in inspected["Mounts"] if mount["Type"] == "bind"]
        return not bound, ", ".join(bound) or "none"

    looked_at(verification, record, "folders of the host", "none", look)


@check(
    "container.engine-socket",
    "No service can command the engine",
    tier="passive",
    controls=("container-isolation",),
    remedy="Take the engine's socket off the container.",
)
def test_no_service_has_the_engines_socket(verification: Verification, record: Record) -> None:
    """No socket of a container engine is mounted in, or found inside, any container."""
    sockets = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")

    def look(inspected: Inspected) -> tuple[bool, str]:
        places = [mount["Source"] + mount["Destination"] for mount in inspected["Mounts"]]
        found = sorted({name for name in sockets if any(name in place for place in places)})
        return not found, ", ".join(found) or "none"

    looked_at(verification, record, "engine sockets", "none", look)


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

    looked_at(verification, record, "memory limit", "some bytes", at_least_one("Memory"))
    looked_at(verification, record, "limit of processes", "some", at_least_one("PidsLimit"))
    looked_at(verification, record, "limit of processors", "some", at_least_one("NanoCpus", "CpuQuota"))

    def rotated(inspected: Inspected) -> tuple[bool, str]:
        log = inspected["HostConfig"]["LogConfig"]
        holds = log["Type"] not in {"json-file", ""} or bool((log["Config"] or {}).get("max-size"))
        return holds, f"{log['Type']}, {'rotated' if holds else 'without end'}"

    looked_at(verification, record, "log", "rotated", rotated)


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
    """The engine says of each container that its health check succeeds."""

    def look(inspected: Inspected) -> tuple[bool, str]:
        health = (inspected["State"].get("Health") or {}).get("Status", "no health check")
        return health == "healthy", str(health)

    looked_at(verification, record, "health", "healthy", look)


@check(
    "container.published-address",
    "Ports are published on named addresses",
    tier="passive",
    controls=("network-exposure",),
    remedy="Publish each port on the address it is meant for, not on all of them.",
)
def test_ports_are_published_on_named_addresses(verification: Verification, record: Record) -> None:
    """No port of any container is published on every address of the host."""

    def look(inspected: Inspected) -> tuple[bool, str]:
        ports = inspected["NetworkSettings"]["Ports"]
        bound = [f"{binding['HostIp']}:{binding['HostPort']}" for bindings in ports.values() for binding in bindings or []]
        everywhere = [place for place in bound if place.startswith(("0.0.0.0:", ":::", "::", "[::]:"))]
        return not everywhere, ", ".join(everywhere or bound) or "none"

    looked_at(verification, record, "published ports", "on named addresses", look)
