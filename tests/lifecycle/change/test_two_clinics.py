"""Two clinics on one host, and one that is only previewed: none reaches another, none shares a key with another."""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployed.deployment import Stack, docker, remove_left_overs
from lifecycle.change.conftest import environment
from lifecycle.change.living import Living, declaration
from securepacs_harness.probes.inside import Inside

SECOND, PREVIEWED = "chgtwo", "chgthree"
DICOM_PORT, HTTPS_PORT = 13420, 13421

#: What each part listens on, inside.
PORTS = {"archive": (4242, 8042), "gateway": (2762, 8443)}

#: proc_pid_net(5): the state of a listening socket.
LISTENING = "0A"
HELD_SECONDS = 4


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, clinic: Living) -> Iterator[Living]:
    """A second clinic, up beside the first."""
    del clinic  # it is up first
    folder = tmp_path_factory.mktemp("second")
    remove_left_overs(SECOND)
    stack = Stack(SECOND, folder / "clinic.yaml", environment(folder / "home"))
    made = Living(stack, folder, declaration(SECOND, DICOM_PORT, HTTPS_PORT))
    try:
        made.up()
        yield made
    finally:
        made.take_down()


def addresses(clinic: Living, part: str) -> list[str]:
    """Give a container's addresses on all of its networks."""
    (told,) = json.loads(docker("inspect", f"{clinic.name}-{part}"))
    return [network["IPAddress"] for network in told["NetworkSettings"]["Networks"].values()]


def knock(container: str, ways: list[tuple[str, int]]) -> None:
    """Open connections from inside a container, and hold what opens for some seconds."""
    words = " ".join(f"{address}/{port}" for address, port in ways)
    docker("exec", "-d", container, "bash", "-c", f"for way in {words}; do (exec 3<>/dev/tcp/$way; sleep {HELD_SECONDS}) & done; wait")


def callers(clinic: Living, part: str) -> set[str]:
    """Give the addresses from which somebody has a connection to a part's ports now, without the container itself."""
    rows = Inside(f"docker://{clinic.name}-{part}").read("/proc/net/tcp").splitlines()[1:]
    found = set()
    for local, remote, state in (row.split()[1:4] for row in rows):
        if int(local.partition(":")[2], 16) in PORTS[part] and state != LISTENING:
            # A 32-bit word in the machine's (little-endian) order.
            found.add(str(ipaddress.IPv4Address(bytes.fromhex(remote.partition(":")[0])[::-1])))
    return found - {"127.0.0.1"}


def test_no_container_reaches_the_other_clinics(clinic: Living, second: Living) -> None:
    """No connection from a clinic's containers arrives at the other's archive or gateway; one from its own gateway does, both times."""
    # What arrives is looked at, not what opens: a proxy on the way out of this host may answer for any address.
    (inner,) = set(addresses(second, "gateway")) & callers_after(second, [(f"{second.name}-gateway", "archive")])
    foreign = [(f"{clinic.name}-{part}", target) for part in PORTS for target in PORTS]
    time.sleep(HELD_SECONDS + 1)
    strangers = {address for part in PORTS for address in addresses(clinic, part)}
    seen = callers_after(second, foreign)
    assert not seen & strangers
    # Nobody else calls the second clinic; the engine's own proxy would come from the edge network's first address.
    assert seen <= {inner}
    time.sleep(HELD_SECONDS + 1)
    assert inner in callers_after(second, [(f"{second.name}-gateway", "archive")])


def callers_after(clinic: Living, knocks: list[tuple[str, str]]) -> set[str]:
    """Knock from each container at all addresses of a part of the clinic, and give who has arrived at any part of it."""
    for container, target in knocks:
        knock(container, [(address, port) for address in addresses(clinic, target) for port in PORTS[target]])
    until, seen = time.monotonic() + HELD_SECONDS - 1, set[str]()
    while time.monotonic() < until:
        seen |= {address for part in PORTS for address in callers(clinic, part)}
        time.sleep(0.2)
    return seen


def _secret(value: Any) -> str:  # noqa: ANN401 - JSON has any shape
    # Pulumi's export shows a secret as an object that holds its JSON.
    return str(json.loads(value["plaintext"])) if isinstance(value, dict) else str(value)


def keys(clinic: Living) -> dict[str, set[str]]:
    """Give all that a clinic must have for itself: kind and property -> values, of every resource that makes one."""
    wanted = {
        "CertificateAuthority": ("certPem", "keyPem", "serial"),
        "Certificate": ("certPem", "keyPem", "serial"),
        "Password": ("value", "sha512crypt"),
        "RevocationList": ("crlPem",),
    }
    state = clinic.stack.state()["deployment"]["resources"]
    found: dict[str, set[str]] = {}
    for resource in state:
        kind = resource["type"].rpartition(":")[2]
        for name in wanted.get(kind, ()):
            value = _secret(resource["outputs"].get(name) or "")
            if value:
                found.setdefault(f"{kind}.{name}", set()).add(value)
    assert len(found) == sum(len(names) for names in wanted.values()), sorted(found)
    return found


def test_no_key_is_shared(clinic: Living, second: Living) -> None:
    """Authority, certificates, passwords, the archive's login and revocation list of two clinics have nothing in common."""
    one, other = keys(clinic), keys(second)
    assert {kind: one[kind] & other[kind] for kind in one} == {kind: set() for kind in one}


def previewed(clinic: Living, folder: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    """Preview a third clinic beside those that stand, with changes to its declaration."""
    third = Living(
        Stack(PREVIEWED, folder / "third.yaml", environment(folder / "home")), folder, {**declaration(PREVIEWED, 13430, 13431), **changes}
    )
    third.write()
    command = [str(Path(sys.executable).with_name("securepacs")), "preview", "--stack", PREVIEWED, "--config", str(third.stack.config)]
    del clinic
    return subprocess.run(
        command, env=dict(third.stack.environment), capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
    )


def of_the_previewed() -> list[str]:
    """List all that the engine has of the clinic that is only previewed."""
    label = ["--filter", f"label=securepacs.stack=securepacs/{PREVIEWED}"]
    listings = (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"])
    images = docker("image", "ls", "-q", "--filter", f"reference={PREVIEWED}-*").split()
    return images + [found for listing in listings for found in docker(*listing, *label).split()]


def test_a_preview_leaves_nothing(clinic: Living, tmp_path: Path) -> None:
    """A clinic that is only previewed succeeds, and leaves no container, network, volume or image, and no open port."""
    answer = previewed(clinic, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert of_the_previewed() == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 13430)) != 0


def test_a_preview_tells_that_a_port_is_taken(clinic: Living, tmp_path: Path) -> None:
    """A preview of a clinic that wants the first one's port says so, in one line with status 4."""
    answer = previewed(clinic, tmp_path, https=clinic.declared["https"])
    assert answer.returncode == 4, answer.stderr
    assert f"127.0.0.1:{clinic.declared['https']['port']}" in answer.stderr
    assert of_the_previewed() == []


def test_a_preview_tells_that_a_name_is_taken(clinic: Living, tmp_path: Path) -> None:
    """A preview of a clinic under the name of one that stands says whose it is, in one line with status 4, and touches nothing."""
    before = clinic.containers()
    answer = previewed(clinic, tmp_path, name=clinic.name)
    assert answer.returncode == 4, answer.stderr
    assert f"of stack securepacs/{clinic.stack.name}" in answer.stderr
    assert clinic.containers() == before
    assert of_the_previewed() == []
