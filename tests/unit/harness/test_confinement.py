"""What an engine tells of a container, and what the checks of confinement make of it; without an engine."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from securepacs_harness import parts
from securepacs_harness.checks import test_container as container
from securepacs_harness.probes import confinement
from securepacs_harness.probes.engine import Engine, EngineError
from securepacs_harness.probes.inside import Process
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import parse_target

HARDENED: dict[str, Any] = {
    "State": {"Running": True, "Status": "running", "Health": {"Status": "healthy"}},
    "Config": {"Env": ["PATH=/usr/bin"]},
    "Mounts": [{"Type": "volume", "Name": "v", "Source": "/var/lib/docker/volumes/v/_data", "Destination": "/data"}],
    "HostConfig": {
        "Privileged": False,
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "Memory": 1,
        "PidsLimit": 1,
        "NanoCpus": 1,
        "NetworkMode": "inner",
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
    },
    "NetworkSettings": {"Ports": {"2762/tcp": [{"HostIp": "127.0.0.1", "HostPort": "2762"}], "80/tcp": None}},
}
SERVICE = Process(
    uid=101,
    uids=frozenset({101}),
    gid=101,
    effective=0,
    permitted=0,
    inheritable=0,
    bounding=0,
    ambient=0,
    no_new_privileges=True,
    seccomp=2,
)


def other(*path: str, value: object) -> dict[str, Any]:
    """Give the hardened container with one setting otherwise."""
    made = copy.deepcopy(HARDENED)
    place = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return made


class StandIn(Engine):
    """An engine that knows what it is told; `gone` is no container that it knows."""

    known: dict[str, dict[str, Any]]

    def inspect(self) -> dict[str, Any]:
        """Give what it was told of the container."""
        if self.container not in self.known:
            raise EngineError(f"No such container: {self.container}")
        return self.known[self.container]

    def volumes(self) -> dict[str, dict[str, str]]:
        """Give no options."""
        return {}

    def users(self) -> set[int]:
        """Give a user, where the container runs."""
        if not self.inspect()["State"]["Running"]:
            raise EngineError("it does not run")
        return {101}


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Record]:
    """Make a check of containers, as an engine describes them, with the processes that are seen in each."""

    def judge(
        check: Callable[[Any, Record], None], known: dict[str, dict[str, Any]], seen: Sequence[Process] = (SERVICE,), **declared: object
    ) -> Record:
        def engine_of(specification: str) -> Engine | None:
            program, _, name = specification.partition("://")
            made = StandIn(program, name)
            object.__setattr__(made, "known", known)
            return made if program == "docker" else None

        for module in (parts, container):
            monkeypatch.setattr(module, "engine_of", engine_of)
        inside = {**{part: f"docker://{part}" for part in known}, **declared.pop("inside", {})}  # type: ignore[dict-item] # parts
        dicom = {"host": "127.0.0.1", "port": 2762, "ae_title": "ARCHIVE", "tls": False}
        target = parse_target({"version": 1, "name": "x", "dicom": dicom, "inside": inside, **declared})
        looks = SimpleNamespace(running=lambda: list(seen), serving=lambda _: list(seen), mounts=list)
        record = Record()
        check(SimpleNamespace(target=target, inside=lambda _: looks), record)
        return record

    return judge


CHECKS = [
    container.test_no_service_runs_as_root,
    container.test_no_container_is_privileged,
    container.test_no_process_has_a_capability,
    container.test_no_process_can_gain_privileges,
    container.test_system_calls_are_filtered,
    container.test_the_root_is_read_only,
    container.test_no_namespace_is_the_hosts,
    container.test_nothing_of_the_host_is_mounted,
    container.test_no_service_has_the_engines_socket,
    container.test_every_service_has_limits,
    container.test_every_service_is_well,
    container.test_ports_are_published_on_named_addresses,
]


@pytest.mark.parametrize("check", CHECKS)
def test_a_hardened_container_passes(judged: Callable[..., Record], check: Callable[[Any, Record], None]) -> None:
    """Each check passes a container that is confined in every way."""
    record = judged(check, {"archive": HARDENED})
    assert record.status is Status.PASSED, record.reason


@pytest.mark.parametrize("check", CHECKS)
def test_what_does_not_run_or_is_not_there_passes_nothing(judged: Callable[..., Record], check: Callable[[Any, Record], None]) -> None:
    """Good settings of a container that has ended prove nothing, nor does a hardened one beside a part that is not there."""
    ended = {"Running": False, "Status": "exited", "Health": {"Status": "healthy"}}
    assert judged(check, {"archive": other("State", value=ended)}, seen=()).status is Status.INCONCLUSIVE
    record = judged(check, {"archive": HARDENED}, seen=(SERVICE,), inside={"gone": "docker://gone", "archive": "docker://archive"})
    assert {case.status for case in record.cases} >= {Status.PASSED}
    if check is not container.test_no_service_runs_as_root:  # what is seen there is the same in every part of this stand-in
        assert record.status is Status.INCONCLUSIVE


@pytest.mark.parametrize("check", CHECKS)
def test_a_part_that_is_no_container_is_told(judged: Callable[..., Record], check: Callable[[Any, Record], None]) -> None:
    """A host is no container: it is neither a pass nor a finding that its first process is root's."""
    root = dataclasses.replace(SERVICE, uids=frozenset({0}))
    assert judged(check, {}, seen=(root,), inside={"archive": "ssh://pacs"}).status is Status.NOT_TESTED


def test_on_a_host_the_processes_that_listen_are_looked_at(judged: Callable[..., Record]) -> None:
    """Where a part is a host, the service is what listens on its declared ports; unseen, nothing is shown."""
    check, declared = container.test_no_service_runs_as_root, {"inside": {"archive": "ssh://pacs"}, "listeners": {"archive": [4242]}}
    root = dataclasses.replace(SERVICE, uids=frozenset({0, 101}))
    for seen, status in (((SERVICE,), Status.PASSED), ((SERVICE, root), Status.FOUND), ((), Status.INCONCLUSIVE)):
        assert judged(check, {}, seen=seen, **declared).status is status


def test_without_a_shell_inside_the_engines_word_stands_where_it_is_enough(judged: Callable[..., Record]) -> None:
    """That all was dropped is enough; that a filter is at work, or that nothing forbids privileges, is not."""
    unseen = {check: judged(check, {"archive": HARDENED}, seen=()).status for check in CHECKS}
    assert [check for check, status in unseen.items() if status is not Status.PASSED] == [container.test_system_calls_are_filtered]
    kept = other("HostConfig", "CapDrop", value=["NET_RAW"])
    assert judged(container.test_no_process_has_a_capability, {"archive": kept}, seen=()).status is Status.FOUND
    assert judged(container.test_no_process_has_a_capability, {"archive": kept}).status is Status.PASSED
    free = other("HostConfig", "SecurityOpt", value=["seccomp=unconfined"])
    assert judged(container.test_no_process_can_gain_privileges, {"archive": free}, seen=()).status is Status.INCONCLUSIVE
    assert judged(container.test_system_calls_are_filtered, {"archive": free}, seen=()).status is Status.FOUND


def test_a_container_that_was_just_started_is_neither_well_nor_ill(judged: Callable[..., Record]) -> None:
    """Before the first health check has ended nothing is known; without one that is a finding; Podman's older word is read."""
    health = container.test_every_service_is_well
    told = {"starting": Status.INCONCLUSIVE, "healthy": Status.PASSED, "unhealthy": Status.FOUND, "": Status.FOUND}
    for key in ("Health", "Healthcheck"):
        for word, status in told.items():
            assert judged(health, {"archive": other("State", value={"Running": True, key: {"Status": word}})}).status is status


@pytest.mark.parametrize(
    ("address", "everywhere"),
    [("127.0.0.1", False), ("192.0.2.7", False), ("::1", False), ("fd00::7", False), ("0.0.0.0", True), ("::", True), ("", True)],  # noqa: S104
)
def test_every_address_has_three_names(address: str, everywhere: bool) -> None:  # noqa: FBT001 - the table's value
    """0.0.0.0, :: and Podman's empty one are all addresses; those that begin alike are one each."""
    bound = other("NetworkSettings", "Ports", value={"2762/tcp": [{"HostIp": address, "HostPort": "2762"}]})
    assert bool(confinement.published_everywhere(bound)) is everywhere
    assert confinement.published_everywhere(bound, {2762}) == []


def test_what_is_declared_everywhere_may_be_published_everywhere(judged: Callable[..., Record]) -> None:
    """A listener that is declared on 0.0.0.0 may be there; on the host's own network the engine does not tell."""
    check, bound = container.test_ports_are_published_on_named_addresses, {"2762/tcp": [{"HostIp": "0.0.0.0", "HostPort": "2762"}]}  # noqa: S104
    archive = other("NetworkSettings", "Ports", value=bound)
    assert judged(check, {"archive": archive}).status is Status.FOUND
    everywhere = {"host": "0.0.0.0", "port": 2762, "ae_title": "A", "tls": False}  # noqa: S104
    assert judged(check, {"archive": archive}, dicom=everywhere).status is Status.PASSED
    assert judged(check, {"archive": other("HostConfig", "NetworkMode", value="host")}).status is Status.INCONCLUSIVE


def test_a_folder_of_the_host_is_seen_under_a_volumes_name() -> None:
    """A bind mount is the host's, and so is a local volume that is bound to a folder; a disk, a share and a plain volume are not."""
    bind = [{"Type": "bind", "Source": "/etc", "Destination": "/host"}]
    volume = HARDENED["Mounts"]
    assert confinement.of_the_host(bind, {}) == ["/host"]
    assert confinement.of_the_host(volume, {"v": {"type": "none", "o": "rw,bind", "device": "/etc"}}) == ["/data"]
    for options in ({}, {"type": "nfs", "o": "addr=192.0.2.1", "device": ":/images"}, {"type": "ext4", "device": "/dev/sdb"}):
        assert confinement.of_the_host(volume, {"v": options}) == []


@pytest.mark.parametrize(
    ("source", "destination", "has"),
    [
        ("/run/docker.sock", "/mnt/other", True),
        ("/somewhere/else", "/var/run/docker.sock", True),
        ("/var/run", "/hostrun", True),
        ("/run", "/hostrun", True),
        ("/", "/host", True),
        ("/run/podman", "/p", True),
        ("/run/postgresql", "/run/postgresql", False),
        ("/usr/share", "/mnt", False),
    ],
)
def test_an_engines_socket_is_seen_with_its_folder(source: str, destination: str, has: bool) -> None:  # noqa: FBT001 - the table's value
    """A socket under another name, and one in a folder of the host's that is mounted whole, are both told."""
    assert bool(confinement.engine_sockets(other("Mounts", value=[{"Type": "bind", "Source": source, "Destination": destination}]))) is has


def test_an_engine_over_tcp_is_one_too() -> None:
    """A container that is told where an engine answers can command it without a socket's file."""
    assert confinement.engine_sockets(HARDENED) == []
    assert confinement.engine_sockets(other("Config", "Env", value=["DOCKER_HOST=tcp://host:2375"])) == ["DOCKER_HOST"]


@pytest.mark.parametrize(
    ("log", "ends"),
    [
        ({"Type": "json-file", "Config": {}}, False),
        ({"Type": "json-file", "Config": {"max-size": "1m"}}, True),
        ({"Type": "local", "Config": {}}, True),
        ({"Type": "journald", "Config": None}, True),
        ({"Type": "k8s-file", "Config": None, "Size": "0B"}, False),
        ({"Type": "k8s-file", "Config": None, "Size": "10MB"}, True),
    ],
)
def test_a_log_without_end_is_seen(log: dict[str, object], ends: bool) -> None:  # noqa: FBT001 - the table's value
    """Files of Docker's and Podman's grow without end unless a size is given; other drivers see to it themselves."""
    assert confinement.log_ends(other("HostConfig", "LogConfig", value=log)) is ends
