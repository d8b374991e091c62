"""How the containers run, seen from inside and from the engine: as little of everything as the service needs."""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bench.soaking import open_files
from deployed.deployment import Stack, docker
from securepacs_harness.bracket import accepts
from securepacs_harness.canary import Instance
from securepacs_harness.probes import dimse
from securepacs_harness.probes.inside import Inside, parse_local_addresses
from securepacs_harness.probes.sink import Doorbell
from securepacs_harness.reach import Pacs

PARTS = ("gateway", "archive", "viewer", "sign-in")

#: Listeners that each part has by declaration; egress listeners come on top of the gateway's.
#: The gateway's own: its health, its question to the sign-in, the way of its tables to its next self, and its status.
LOOPBACK_PORTS = (8405, 8406, 8407, 8408)
PORTS = {"gateway": {2762, 8443, *LOOPBACK_PORTS, 12763}, "archive": {4242, 8042}, "viewer": {8080}, "sign-in": {4180}}
FOLDERS = {"gateway": "/etc/gateway", "archive": "/etc/archive", "sign-in": "/etc/sign-in"}

#: What each part behind the gateway reaches by its name: the control of what it does not reach.
NEIGHBOURS = {"archive": ("gateway-inner", 11200), "viewer": ("sign-in", 4180), "sign-in": ("viewer", 8080)}

#: Docker's own resolver on 127.0.0.11, present in every container of a user-defined network.
RESOLVER = "127.0.0.11"


@pytest.fixture(scope="module")
def inside(pacs: Pacs) -> dict[str, Inside]:
    """All containers, as the target file says how to reach them."""
    return {part: Inside(specification) for part, specification in pacs.target.inside.items()}


@pytest.fixture(scope="module")
def inspected(pacs: Pacs) -> dict[str, Any]:
    """What the engine says of each container."""
    return {part: json.loads(docker("inspect", name))[0] for part, name in names(pacs).items()}


def names(pacs: Pacs) -> dict[str, str]:
    """Give the container of each part."""
    return {part: specification.removeprefix("docker://") for part, specification in pacs.target.inside.items()}


def test_all_parts_can_be_looked_into(pacs: Pacs) -> None:
    """The target file says how to reach each part, so none of these tests is empty."""
    assert set(pacs.target.inside) == set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_no_process_has_a_privilege(inside: dict[str, Inside], part: str) -> None:
    """Every process runs as a user of its own without any capability, cannot gain one, and is confined by seccomp."""
    for pid in inside[part].processes():
        text = inside[part].read(f"/proc/{pid}/status")
        if not text:
            continue  # it ended meanwhile: `ls` itself is one of them
        process = inside[part].process(pid)
        assert process.uid > 999, pid
        assert process.gid > 999, pid
        assert (process.effective, process.permitted, process.inheritable, process.ambient) == (0, 0, 0, 0), pid
        assert process.bounding == 0, pid
        assert process.no_new_privileges, pid
        assert process.seccomp == 2, pid


@pytest.mark.parametrize("part", PARTS)
def test_the_service_is_the_first_process(inside: dict[str, Inside], part: str) -> None:
    """Process 1 can be read, so that the test above saw it."""
    assert inside[part].process(1).uid > 999


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_writable_but_what_must_be(inside: dict[str, Inside], part: str) -> None:
    """The root is read-only, so are configuration and keys; what is writable is a tmpfs that runs no program, or the archive's data."""
    mounts = {mount.target: mount for mount in inside[part].mounts()}
    assert "ro" in mounts["/"].options
    own = [FOLDERS[part]] if part in FOLDERS else []
    for folder in ("/", "/usr/bin", "/etc", "/root", "/usr/share/securepacs", *own):
        assert not inside[part].can_write(folder), folder
    assert all("ro" in mounts[folder].options for folder in own)
    ours = {target: mount for target, mount in mounts.items() if not target.startswith(("/proc", "/sys", "/dev")) and "rw" in mount.options}
    hosts_files = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"}
    for target, mount in ours.items():
        if target in hosts_files:
            assert not inside[part].can_write(target)
        elif mount.kind == "tmpfs":
            assert {"nosuid", "nodev", "noexec"} <= mount.options, target
        else:
            assert (part, target) == ("archive", "/var/lib/archive"), target


@pytest.mark.parametrize("part", PARTS)
def test_it_listens_where_it_is_declared_to(inside: dict[str, Inside], pacs: Pacs, part: str) -> None:
    """No port listens that is not declared; the gateway's health port is its own loopback's, an egress listener the inner network's."""
    listeners = [listener for listener in inside[part].listeners() if listener.address != RESOLVER]
    egress = {listener.port for listener in listeners} - PORTS[part]
    if part == "gateway":
        assert len(egress) == sum(peer.address is not None for peer in pacs.target.peers.values())
        inner = ipaddress.ip_address(_address(pacs, "gateway", "inner"))
        assert {ipaddress.ip_address(listener.address) for listener in listeners if listener.port in egress} == {inner}
        assert all(listener.loopback for listener in listeners if listener.port in LOOPBACK_PORTS)
    else:
        assert egress == set()
    assert PORTS[part] <= {listener.port for listener in listeners}


def _address(pacs: Pacs, part: str, network: str) -> str:
    """Give a container's address on the network whose name ends so."""
    settings = json.loads(docker("inspect", names(pacs)[part]))[0]["NetworkSettings"]["Networks"]
    (address,) = [str(there["IPAddress"]) for name, there in settings.items() if name.endswith(network)]
    return address


def _addresses_of_this_host() -> list[str]:
    """Give this host's own IPv4 addresses, bridges of the engine's included."""
    found = parse_local_addresses(Path("/proc/net/fib_trie").read_text(encoding="ascii"))
    return [address for address in found if not address.startswith("127.")]


@pytest.mark.parametrize("part", NEIGHBOURS)
def test_a_part_behind_the_gateway_has_no_way_out(inside: dict[str, Inside], pacs: Pacs, part: str) -> None:
    """From inside nothing answers but what stands on the same network: no address of this host, where a listener is open, no other part."""
    here = inside[part]
    assert here.default_routes6() == []
    elsewhere = [(_address(pacs, "gateway", "edge"), port) for port in (2762, 8443)]
    others = {"archive": ("inner", 8042), "viewer": ("browser", 8080), "sign-in": ("browser", 4180)}
    own = others[part][0]
    elsewhere += [(_address(pacs, other, network), port) for other, (network, port) in others.items() if network != own]
    with Doorbell("0.0.0.0:0") as bell:  # every address of this host
        socket.create_connection(("127.0.0.1", bell.port)).close()
        assert here.can_reach(*NEIGHBOURS[part]), "the control: it does reach its neighbour"
        reached = [address for address in _addresses_of_this_host() if here.can_reach(address, bell.port, seconds=1)]
        reached += [f"{host}:{port}" for host, port in elsewhere if here.can_reach(host, port, seconds=1)]
    assert reached == []
    assert bell.connections == 1, "the control's own"


def test_the_archive_cannot_be_reached_past_the_gateway(pacs: Pacs, inspected: dict[str, Any]) -> None:
    """The archive publishes no port and stands on the inner network only, which the engine keeps closed."""
    assert not any(inspected["archive"]["NetworkSettings"]["Ports"].values())
    (network,) = inspected["archive"]["NetworkSettings"]["Networks"]
    assert json.loads(docker("network", "inspect", network))[0]["Internal"] is True
    assert len(inspected["gateway"]["NetworkSettings"]["Networks"]) == 3
    assert pacs.target.closed_ports


def test_ports_are_published_on_the_named_address_only(pacs: Pacs, inspected: dict[str, Any]) -> None:
    """Each published port is bound to 127.0.0.1, as the clinic says, and to nothing else; IPv6 is not published by accident."""
    bound = [binding for bindings in inspected["gateway"]["NetworkSettings"]["Ports"].values() for binding in bindings or []]
    assert {binding["HostIp"] for binding in bound} == {"127.0.0.1"}
    assert {int(binding["HostPort"]) for binding in bound} == {pacs.target.dicom.port, 18443, 12763}


def test_declared_closed_ports_are_closed(pacs: Pacs) -> None:
    """Nothing of the stack answers on the ports that the target file declares closed."""
    published = {
        int(binding["HostPort"])
        for name in names(pacs).values()
        for bindings in json.loads(docker("inspect", name))[0]["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    }
    assert not published & set(pacs.target.closed_ports)


@pytest.mark.parametrize("part", PARTS)
def test_the_engine_confines_it(inspected: dict[str, Any], part: str) -> None:
    """Limits of memory, CPU and processes, no privilege, no namespace of the host's, no socket of the engine's, rotated logs."""
    host = inspected[part]["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert not any("unconfined" in option for option in host["SecurityOpt"])
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["CpuQuota"] > 0
    assert host["NetworkMode"] != "host"
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
    assert host["IpcMode"] in {"private", "none"}
    assert not host["Devices"]
    assert host["LogConfig"]["Config"]["max-size"]
    assert host["LogConfig"]["Config"]["max-file"]
    assert host["RestartPolicy"]["Name"] == "always"
    mounts = inspected[part]["Mounts"]
    assert {mount["Type"] for mount in mounts} == ({"volume"} if part in FOLDERS else set())
    assert inspected[part]["State"]["Health"]["Status"] == "healthy"


@pytest.mark.parametrize("part", FOLDERS)
def test_secret_files_belong_to_the_service_alone(inside: dict[str, Inside], part: str) -> None:
    """Configuration and keys are files of mode 0400 of the service's own user, in a folder that nobody else enters."""
    uid = inside[part].process(1).uid
    entries = inside[part].entries(FOLDERS[part])
    files = [entry for entry in entries if entry.kind == "regular file"]
    assert files
    assert {(entry.mode, entry.uid) for entry in files} == {(0o400, uid)}
    assert {(entry.mode, entry.uid) for entry in entries if entry.kind == "directory"} == {(0o500, uid)}


def _secrets(pacs: Pacs, stack: Stack) -> list[str]:
    """Give what must be seen nowhere: passwords, hashes, private keys, the gateway's own password for the archive."""
    found = [*pacs.passwords.values()]
    for name, peer in pacs.target.peers.items():
        if peer.plaintext is None:
            found.append(pacs.bundles.material(name).key.read_text(encoding="ascii").splitlines()[1])
    for outputs in stack.outputs("Password"):
        found += [json.loads(value["plaintext"]) for value in outputs.values() if isinstance(value, dict) and "plaintext" in value]
    for kind in ("Certificate", "CertificateAuthority"):
        keys = (outputs.get("keyPem") for outputs in stack.outputs(kind))
        found += [json.loads(key["plaintext"]).splitlines()[1] for key in keys if isinstance(key, dict) and json.loads(key["plaintext"])]
    return sorted({text for text in found if isinstance(text, str) and text})


def test_the_health_check_leaves_nothing_open(pacs: Pacs) -> None:
    """An archive that nobody calls has as many open files after several of its health checks as before them."""
    archive = pacs.target.inside["archive"].removeprefix("docker://")
    pid = int(docker("inspect", "-f", "{{.State.Pid}}", archive))
    time.sleep(2)  # what the tests before left
    before = open_files(pid)
    time.sleep(16)  # five checks: each that leaves one open is seen, and one that just runs is none
    assert open_files(pid) <= before + 2


def test_no_secret_is_to_be_seen(pacs: Pacs, stack: Stack, inspected: dict[str, Any]) -> None:
    """No password and no key stands in what the engine tells, in the images, the logs, the process list, the target or the state file."""
    hidden = _secrets(pacs, stack)
    assert len(hidden) > 10
    everywhere: dict[str, str] = {}
    for part, name in names(pacs).items():
        image = inspected[part]["Image"]
        everywhere[f"inspect of {part}"] = json.dumps(inspected[part])
        everywhere[f"image of {part}"] = docker("inspect", image) + docker("history", "--no-trunc", image)
        logs = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
        everywhere[f"logs of {part}"] = logs.stdout + logs.stderr
        everywhere[f"processes of {part}"] = docker("top", name, "-eo", "pid,args")
        everywhere[f"environment in {part}"] = docker("exec", name, "cat", "/proc/self/environ")
    everywhere["volumes"] = docker("volume", "ls", "--format", "{{json .}}")
    everywhere["target file"] = pacs.target.model_dump_json()
    home = Path(stack.environment["SECUREPACS_HOME"])
    for file in home.rglob("*"):
        if file.is_file() and file.suffix in {".json", ".yaml", ".bak", ".attrs"}:
            everywhere[str(file.relative_to(home))] = file.read_text(encoding="utf-8", errors="replace")
    assert any(name.endswith(".json") for name in everywhere), "the state file is among them"
    seen = {place for place, text in everywhere.items() for secret in hidden if secret in text}
    assert not seen


def test_state_and_passphrase_are_their_owners_alone(stack: Stack) -> None:
    """The folder of state and passphrase opens to its owner only."""
    home = Path(stack.environment["SECUREPACS_HOME"])
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "passphrase").stat().st_mode & 0o077 == 0


def test_logs_name_peers_and_not_patients(pacs: Pacs, image: Instance) -> None:
    """The gateway's log tells who called and how it ended; neither log holds the canary's patient name or study identifiers."""
    accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    logs = {}
    for part, name in names(pacs).items():
        done = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
        logs[part] = done.stdout + done.stderr
    assert "peer=CT01" in logs["gateway"]
    for part, text in logs.items():
        for private in ("CANARY", image.study, image.series, image.sop_instance):
            assert private not in text, (part, private)
