from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from provider.conftest import OWNER, UID, Maker
from provider.stub import UNKNOWN, Object, Provider, RefusedError, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker

CONTAINER = "securepacs:docker:Container"
NAME = "sp-prov-box"
# Counts in /data what happens to it: a line a start, a line a reload; healthy while /data/sick is absent.
SERVICE = ["bash", "-c", "trap 'echo reload >> /data/log' HUP; echo start >> /data/log; while :; do sleep 0.1; done"]
HEALTH = {"test": ["bash", "-c", "test ! -e /data/sick"], "intervalSeconds": 1, "timeoutSeconds": 2, "retries": 1, "startSeconds": 1}


@pytest.fixture(scope="module")
def place(provider: Provider, engine: docker.DockerClient) -> Iterator[None]:
    """Give two networks and two volumes for containers."""
    del engine
    kept = [provider.create("securepacs:docker:Network", {**OWNER, "name": f"sp-prov-{name}"}) for name in ("edge", "inner")]
    kept += [provider.create("securepacs:docker:Volume", {**OWNER, "name": f"sp-prov-{name}"}) for name in ("box-data", "box-conf")]
    yield
    for one in kept:
        provider.delete(one)


def free_port() -> int:
    """Give a TCP port of the loopback address that nothing uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wanted(image: str, /, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    """Give the inputs of a container."""
    return {
        **OWNER,
        "name": NAME,
        "image": image,
        "user": f"{UID}:{UID}",
        "command": SERVICE,
        "networks": [{"name": "sp-prov-edge"}, {"name": "sp-prov-inner", "aliases": ["box"]}],
        "mounts": [
            {"volume": "sp-prov-box-data", "target": "/data", "readOnly": False},
            {"volume": "sp-prov-box-conf", "target": "/conf"},
        ],
        "tmpfs": {"/tmp": "rw,noexec,size=1m"},  # noqa: S108 - a tmpfs of the container's own
        "memoryMb": 64,
        "cpus": 0.5,
        "pids": 32,
        "healthcheck": HEALTH,
        "stopSignal": "SIGKILL",
        "reloadSignal": "SIGHUP",
        **more,
    }


@pytest.fixture
def box(made: Maker, place: None, image: str) -> Object:
    """Give a running container."""
    del place
    return made(CONTAINER, wanted(image))


@pytest.fixture(scope="module")
def steady(provider: Provider, place: None, image: str) -> Iterator[Object]:
    """Give a running container that no test changes."""
    del place
    one = provider.create(CONTAINER, wanted(image, name="sp-prov-steady"))
    yield one
    provider.delete(one)


def inspect(engine: docker.DockerClient) -> dict[str, Any]:
    """Give what the engine shows of the container."""
    shown: dict[str, Any] = engine.containers.get(NAME).attrs
    return shown


def inside(engine: docker.DockerClient, script: str) -> str:
    """Run a script in the container."""
    output = engine.containers.get(NAME).exec_run(["sh", "-c", script]).output
    assert isinstance(output, bytes)
    return output.decode()


#: Says much at each start, and at its end why.
TALKATIVE = "for i in $(seq 30); do echo line $i; done; sleep 0.3; echo the-reason-why; exit 3"

IMAGE_ID = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("more", "path", "told"),
    [
        ({"user": "root"}, "user", "UID:GID"),
        ({"image": "debian:latest"}, "image", "sha256:"),
        ({"networks": []}, "networks", "at least one"),
        ({"networks": [{"name": "a1"}, {"name": "a1"}]}, "networks", "twice"),
        ({"networks": [{"name": "a1", "ipv4": "::1"}]}, "networks[0].ipv4", "IPv4"),
        ({"ports": [{"hostIp": "", "hostPort": 1, "containerPort": 1}]}, "ports[0].hostIp", "literal"),
        ({"ports": [{"hostPort": 1, "containerPort": 1}]}, "ports[0].hostIp", "is required"),
        ({"ports": [{"hostIp": "localhost", "hostPort": 1, "containerPort": 1}]}, "ports[0].hostIp", "literal"),
        ({"ports": [{"hostIp": "::1", "hostPort": 65536, "containerPort": 1}]}, "ports[0].hostPort", "1 to 65535"),
        ({"ports": [{"hostIp": "::1", "hostPort": 5, "containerPort": port} for port in (1, 2)]}, "ports", "::1:5 twice"),
        ({"mounts": [{"volume": "/etc", "target": "/x"}]}, "mounts[0].volume", "name of an engine's object"),
        ({"mounts": [{"volume": "v1", "target": "x"}]}, "mounts[0].target", "absolute"),
        ({"mounts": [{"volume": name, "target": "/x"} for name in ("v1", "v2")]}, "mounts", "/x twice"),
        ({"environment": {"DB_PASSWORD": "x"}}, "environment.DB_PASSWORD", "looks like a secret"),
        ({"environment": {"apiKey": "x"}}, "environment.apiKey", "looks like a secret"),
        ({"environment": {"A": Secret("x")}}, "environment", "is a secret"),
        ({"command": Secret(["x"])}, "command", "is a secret"),
        ({"privileged": True}, "privileged", "is not a property here"),
        ({"memoryMb": 0}, "memoryMb", "6 to"),
        ({"cpus": "all"}, "cpus", "a number"),
        ({"pids": None}, "pids", "is required"),
        ({"healthcheck": {"test": []}}, "healthcheck.test", "at least one"),
        ({"stopSignal": "TERM"}, "stopSignal", "SIGHUP"),
        ({"tmpfs": {"tmp": ""}}, "tmpfs.tmp", "absolute"),
        ({"reloadOn": {"a": "1"}, "reloadSignal": None}, "reloadOn", "reloadSignal or reloadCommand"),
    ],
)
def test_bad_input_is_named(provider: Provider, more: dict[str, Any], path: str, told: str) -> None:
    """Each property that cannot be is a failure at its path, with what is expected."""
    failures = provider.check(CONTAINER, wanted(IMAGE_ID, **more))[1]
    assert list(failures) == [path]
    assert told in failures[path]


def test_a_container_is_hardened_and_healthy(box: Object, provider: Provider, engine: docker.DockerClient) -> None:
    """What cannot be turned off is on, the limits are set, and the same inputs change nothing."""
    shown = inspect(engine)
    host = shown["HostConfig"]
    assert box.output("health") == "healthy"
    assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"], host["CapAdd"]) == (True, False, ["ALL"], None)
    assert (host["SecurityOpt"], host["IpcMode"], host["PidMode"]) == (["no-new-privileges:true"], "private", "")
    assert (host["Memory"], host["MemorySwap"], host["CpuQuota"], host["PidsLimit"]) == (64 << 20, 64 << 20, 50_000, 32)
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert host["RestartPolicy"]["Name"] == "always"
    assert set(shown["NetworkSettings"]["Networks"]) == {"sp-prov-edge", "sp-prov-inner"}
    assert "box" in shown["NetworkSettings"]["Networks"]["sp-prov-inner"]["Aliases"]
    status = inside(engine, "cat /proc/1/status; id -u; touch /conf/x /x; ulimit -n")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert status.count("Read-only file system") == 2
    assert "\n4096\n" in status
    assert not provider.diff(box).changes
    found = provider.read(box)
    assert found is not None
    assert (found.state, found.inputs) == (box.state, box.inputs)


@pytest.mark.parametrize(
    ("more", "details"),
    [
        ({"image": IMAGE_ID}, {"image": "UPDATE"}),
        ({"image": UNKNOWN}, {"image": "UPDATE"}),
        ({"user": "1:1"}, {"user": "UPDATE"}),
        ({"environment": {"A": "1"}}, {"environment": "ADD"}),
        ({"networks": [{"name": "sp-prov-edge"}]}, {"networks[1]": "DELETE"}),
        ({"healthcheck": {**HEALTH, "retries": 2}}, {"healthcheck.retries": "UPDATE"}),
        ({"memoryMb": 65}, {"memoryMb": "UPDATE"}),
        ({"restartOn": {"a": "1"}}, {"restartOn": "ADD"}),
        ({"reloadOn": {"a": UNKNOWN}}, {"reloadOn": "ADD"}),
        ({"name": "sp-prov-other"}, {"name": "UPDATE_REPLACE"}),
        ({"component": "other"}, {"component": "UPDATE_REPLACE"}),
        ({"healthySeconds": 5, "reloadSignal": "SIGUSR2"}, {}),
    ],
)
def test_only_another_name_or_owner_is_a_replacement(
    steady: Object, provider: Provider, image: str, more: dict[str, Any], details: dict[str, str]
) -> None:
    """Each change shows at its path; all but a new name or owner is an update: the old container is kept until the new one works."""
    diff = provider.diff(steady, wanted(image, **{"name": "sp-prov-steady", **more}))
    assert (diff.details, diff.delete_before_replace) == (details, True)
    assert bool(diff.replaces) == any(kind.endswith("REPLACE") for kind in details.values())


def test_limits_are_changed_while_it_runs(box: Object, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """New limits reach the engine without a restart."""
    started = inspect(engine)["State"]["StartedAt"]
    new = wanted(image, memoryMb=96, cpus=0.25, pids=48)
    assert set(provider.diff(box, new).details) == {"memoryMb", "cpus", "pids"}
    updated = provider.update(box, new)
    shown = inspect(engine)
    host = shown["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["CpuQuota"], host["PidsLimit"]) == (96 << 20, 96 << 20, 25_000, 48)
    assert shown["State"]["StartedAt"] == started
    assert not provider.diff(updated).changes


def test_reload_and_restart_follow_what_they_depend_on(box: Object, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """A change of reloadOn sends the signal and runs the command in the service, a change of restartOn starts it anew; each once."""
    log = "cat /data/log; : > /data/log"
    inside(engine, log)
    reloaded = provider.update(box, wanted(image, reloadOn={"files": "2"}))
    assert inside(engine, log) == "reload\n"
    command = ["sh", "-c", "echo by command >> /data/log"]
    reloaded = provider.update(reloaded, wanted(image, reloadOn={"files": "3"}, reloadSignal=None, reloadCommand=command))
    assert inside(engine, log) == "by command\n"
    restarted = provider.update(reloaded, wanted(image, reloadOn={"files": "4"}, restartOn={"files": "2"}))
    assert inside(engine, log) == "start\n"
    assert inspect(engine)["Id"] == box.output("containerId")
    assert not provider.diff(restarted).changes


def test_a_reload_that_the_service_would_refuse_is_not_sent(
    box: Object, provider: Provider, engine: docker.DockerClient, image: str
) -> None:
    """Where reloadCheck fails, its output is told, no signal is sent, and the service goes on."""
    inside(engine, ": > /data/log")
    new = wanted(image, reloadOn={"files": "2"}, reloadCheck=["sh", "-c", "echo line 7 is wrong; exit 1"])
    with pytest.raises(
        RefusedError, match=r"(?s)^container sp-prov-box: refuses its new files and goes on with the old ones:\n  line 7 is wrong$"
    ):
        provider.update(box, new)
    assert inside(engine, "cat /data/log") == ""
    assert provider.diff(box, new).changes
    failing = wanted(image, reloadOn={"files": "2"}, reloadCommand=["sh", "-c", "echo it did not take; exit 1"])
    with pytest.raises(RefusedError, match=r"(?s)^container sp-prov-box: the reload did not succeed:\n  it did not take$"):
        provider.update(box, failing)


def _stop(engine: docker.DockerClient) -> None:
    engine.containers.get(NAME).stop(timeout=0)


def _pause(engine: docker.DockerClient) -> None:
    engine.containers.get(NAME).pause()


def _sicken(engine: docker.DockerClient) -> None:
    inside(engine, "touch /data/sick")
    end = time.monotonic() + 15
    while inspect(engine)["State"]["Health"]["Status"] != "unhealthy" and time.monotonic() < end:
        time.sleep(0.2)
    inside(engine, "rm /data/sick")


def _limit(engine: docker.DockerClient) -> None:
    engine.containers.get(NAME).update(mem_limit="128m", memswap_limit="128m")


def _rename(engine: docker.DockerClient) -> None:
    engine.containers.get(NAME).rename("sp-prov-renamed")


@pytest.mark.parametrize(
    ("tamper", "path"), [(_stop, "health"), (_pause, "health"), (_sicken, "health"), (_limit, "memoryMb"), (_rename, "name")]
)
def test_what_somebody_did_to_it_is_seen_and_repaired(
    box: Object, provider: Provider, engine: docker.DockerClient, tamper: Callable[[docker.DockerClient], None], path: str
) -> None:
    """A stopped, paused, sick, altered or renamed container shows in a plain diff and in a read; the update repairs it in place."""
    tamper(engine)
    diff = provider.diff(box)
    assert (diff.details, diff.replaces) == ({path: "UPDATE"}, [])
    seen = provider.read(box)
    assert seen is not None
    assert seen.state[path] != box.state[path]
    repaired = provider.update(box)
    assert repaired.state == box.state
    assert inspect(engine)["State"]["Health"]["Status"] == "healthy"
    assert not provider.diff(repaired).changes


def test_a_container_that_would_not_come_back_is_seen_and_repaired(box: Object, provider: Provider, engine: docker.DockerClient) -> None:
    """A restart policy that somebody, or a killed swap, gave it would keep it down after a crash of the engine; the update mends it."""
    engine.containers.get(NAME).update(restart_policy={"Name": "unless-stopped"})  # type: ignore[arg-type] # the stubs know no plain dict
    assert provider.diff(box).details == {"health": "UPDATE"}
    assert provider.update(box).state == box.state
    assert inspect(engine)["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert not provider.diff(box).changes


def test_a_container_that_left_or_joined_a_network_is_swapped(box: Object, provider: Provider, engine: docker.DockerClient) -> None:
    """A network that somebody took away or added is an update that puts another container in its place."""
    container = engine.containers.get(NAME)
    engine.networks.get("sp-prov-inner").disconnect(container)
    assert provider.diff(box).details == {"networks[1]": "ADD"}
    engine.networks.get("sp-prov-inner").connect(container)
    assert not provider.diff(box).changes
    engine.networks.get("bridge").connect(container)
    assert provider.diff(box).details == {"networks[2]": "DELETE"}
    swapped = provider.update(box)
    assert swapped.output("containerId") != box.output("containerId")
    assert set(inspect(engine)["NetworkSettings"]["Networks"]) == {"sp-prov-edge", "sp-prov-inner"}
    assert not provider.diff(swapped).changes


def test_a_container_that_was_removed_is_made_again(box: Object, provider: Provider, engine: docker.DockerClient) -> None:
    """Gone is gone for read, a replacement for diff, and a success for delete, twice."""
    engine.containers.get(NAME).remove(force=True)
    assert provider.read(box) is None
    assert provider.diff(box).details == {"containerId": "UPDATE_REPLACE"}
    provider.delete(box)
    provider.delete(box)


def leaves_nothing(engine: docker.DockerClient, name: str = NAME) -> bool:
    """Tell whether no container of the name is there."""
    return name not in {one.name for one in engine.containers.list(all=True, ignore_removed=True)}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"command": ["sh", "-c", "echo the-reason-why; exit 3"]}, "ended with status 3; the end of its log:\n  the-reason-why"),
        ({"command": ["sh", "-c", TALKATIVE]}, "ended with status 3; the end of its log:\n  line 7\n"),
        ({"healthcheck": {**HEALTH, "test": ["sh", "-c", "echo not well; exit 1"]}}, "is unhealthy (last check: 'not well')"),
        ({"healthcheck": {**HEALTH, "startSeconds": 60, "test": ["false"]}, "healthySeconds": 2}, "was not healthy after 2 s"),
        ({"command": ["/no/such/program"]}, "No such file or directory"),
        ({"image": IMAGE_ID}, "No such image"),
        ({"networks": [{"name": "sp-prov-none"}]}, "sp-prov-none"),
        ({"ports": [{"hostIp": "192.0.2.1", "hostPort": 12765, "containerPort": 1}]}, "192.0.2.1:12765 is no address of this host"),
    ],
    ids=["ends", "ends with much said", "unhealthy", "slow", "no program", "no image", "no network", "no address"],
)
def test_a_failed_creation_tells_why_and_leaves_nothing(  # each row is one way to fail
    place: None, provider: Provider, engine: docker.DockerClient, image: str, more: dict[str, Any], told: str
) -> None:
    """The error names the container and the reason, without a traceback; no container stays."""
    del place
    with pytest.raises(RefusedError) as refused:
        provider.create(CONTAINER, wanted(image, **more))
    assert str(refused.value).startswith("container sp-prov-box: ")
    assert told in str(refused.value)
    assert "Traceback" not in str(refused.value)
    assert ".py" not in str(refused.value)
    assert leaves_nothing(engine)


@pytest.mark.parametrize("taker", ["process", "container"])
def test_a_port_that_is_taken_is_named(box: Object, provider: Provider, engine: docker.DockerClient, image: str, taker: str) -> None:
    """A port of another process or container is told as address:port, with what to do, and nothing stays."""
    del box
    port = free_port()
    binding = {"ports": [{"hostIp": "127.0.0.1", "hostPort": port, "containerPort": 1}], "name": "sp-prov-second"}
    with socket.socket() as busy:
        if taker == "process":
            busy.bind(("127.0.0.1", port))
            busy.listen()
        else:
            engine.containers.run(image, ["sleep", "60"], name="sp-prov-taker", ports={"1/tcp": ("127.0.0.1", port)}, detach=True)
        with pytest.raises(
            RefusedError, match=rf"^container sp-prov-second: 127.0.0.1:{port} is in use by another process .*; stop that.*$"
        ):
            provider.create(CONTAINER, wanted(image, **binding))
    assert leaves_nothing(engine, "sp-prov-second")
    if taker == "container":
        engine.containers.get("sp-prov-taker").remove(force=True)


def test_a_container_that_is_not_ours_is_left_alone(place: None, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """A container of the same name without our labels is refused in one line and goes on."""
    del place
    foreign = engine.containers.run(image, ["sleep", "60"], name=NAME, detach=True)
    with pytest.raises(RefusedError, match=r"^container sp-prov-box exists already and is not made by securepacs; .*$"):
        provider.create(CONTAINER, wanted(image))
    foreign.reload()
    assert foreign.status == "running"
    foreign.remove(force=True)


def test_a_container_that_a_killed_run_left_is_made_afresh(made: Maker, place: None, engine: docker.DockerClient, image: str) -> None:
    """One of the same name with our labels does not stand in the way."""
    del place
    left = engine.containers.create(image, ["true"], name=NAME, labels={f"securepacs.{name}": value for name, value in OWNER.items()})
    assert made(CONTAINER, wanted(image)).output("containerId") != left.id


def test_a_published_port_is_bound_to_its_address_only(
    made: Maker, place: None, provider: Provider, engine: docker.DockerClient, image: str
) -> None:
    """IPv4 and IPv6 are published where they are named and nowhere else."""
    del place
    port = free_port()
    ports = [{"hostIp": address, "hostPort": port, "containerPort": 8000} for address in ("127.0.0.1", "::1")]
    one = made(CONTAINER, wanted(image, ports=ports))
    shown = inspect(engine)["NetworkSettings"]["Ports"]
    assert {(binding["HostIp"], binding["HostPort"]) for binding in shown["8000/tcp"]} == {("127.0.0.1", str(port)), ("::1", str(port))}
    assert not provider.diff(one).changes


def test_a_preview_keeps_the_id_and_makes_up_no_health(steady: Object, provider: Provider, image: str) -> None:
    """An update foresees the same container; a creation foresees none."""
    assert provider.update(steady, wanted(image, name="sp-prov-steady", memoryMb=65), preview=True).state["containerId"] == steady.output(
        "containerId"
    )
    assert "containerId" not in provider.update(steady, wanted(image, name="sp-prov-steady", user="1:1"), preview=True).state
    foreseen = provider.preview_create(CONTAINER, wanted(UNKNOWN))
    assert not {"containerId", "health"} & set(foreseen)
