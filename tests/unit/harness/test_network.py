"""The checks of ports, against listeners on loopback; and which addresses and ports a declaration means."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from securepacs_harness.bracket import NotAcceptedError, accepts
from securepacs_harness.bundles import Bundles
from securepacs_harness.checks import test_network as checks
from securepacs_harness.observation import Outcome
from securepacs_harness.probes import inside, port
from securepacs_harness.probes.sink import Doorbell
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import Target, parse_target
from unit.harness.standin import free_port


def target(**more: Any) -> Target:  # noqa: ANN401 - sections of a target file
    """Declare a PACS without TLS."""
    dicom = {"host": "127.0.0.1", "port": 104, "ae_title": "ARCHIVE", "tls": False, **more.pop("dicom", {})}
    return parse_target({"version": 1, "name": "x", "dicom": dicom, **more})


@contextmanager
def answering(address: str = "127.0.0.1", number: int = 0) -> Iterator[int]:
    """Listen on a port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, number), family=family) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("name", "addresses", "declared"),
    [
        ("127.0.0.1", {"127.0.0.1": ["127.0.0.1"]}, {"127.0.0.1": {104}, "::1": set()}),
        ("localhost", {"localhost": ["::1", "127.0.0.1"]}, {"::1": {104}, "127.0.0.1": {104}}),
        ("pacs", {"pacs": ["192.0.2.1", "2001:db8::1"]}, {"192.0.2.1": {104}, "2001:db8::1": {104}}),
    ],
)
def test_a_name_with_two_addresses_declares_both(
    monkeypatch: pytest.MonkeyPatch, name: str, addresses: dict[str, list[str]], declared: dict[str, set[int]]
) -> None:
    """A host that has IPv4 and IPv6 is declared on both; only the ::1 that nobody named has nothing declared."""
    monkeypatch.setattr(checks, "resolved", addresses.__getitem__)
    assert checks.declared_at(target(dicom={"host": name})) == declared


def test_the_web_listener_is_declared_on_its_own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the web stands on another machine, its port is declared there and not on the DICOM host."""
    monkeypatch.setattr(checks, "resolved", lambda host: {"pacs": ["192.0.2.1"], "web": ["192.0.2.2"]}[host])
    declared = checks.declared_at(target(dicom={"host": "pacs"}, https={"base_url": "https://web"}))
    assert declared == {"192.0.2.1": {104}, "192.0.2.2": {443}}


def closed_ports(number: int, *closed: int) -> Record:
    """Make the check against a listener."""
    record = Record("network.closed-ports")
    pacs = Pacs(target(dicom={"port": number}, closed_ports=list(closed)), Bundles(Path()))
    checks.test_declared_closed_ports_are_closed(pacs, record)
    return record


def test_a_closed_port_is_tried_on_each_address() -> None:
    """A port that is closed by IPv4 and open by IPv6 is a finding, where this machine has IPv6."""
    closed = free_port()
    with answering() as dicom:
        assert closed_ports(dicom, closed).status is Status.PASSED
        with answering("::1", closed):
            found = closed_ports(dicom, closed)
    assert found.status is Status.FOUND
    assert [case.what for case in found.cases if case.status is Status.FOUND] == [f"TCP to ::1 port {closed}"]


def test_an_address_without_a_way_is_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine has no IPv6, that address is left out with the reason; where it has no way at all, nothing is shown."""
    connected = socket.create_connection

    def without_ipv6(address: tuple[str, int], *more: Any) -> socket.socket:  # noqa: ANN401 - passed on
        if ":" in address[0]:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return connected(address, *more)

    def without_any(address: tuple[str, int], *more: Any) -> socket.socket:  # noqa: ANN401 - passed on
        raise OSError(errno.EHOSTUNREACH, f"No route to host {address[0]} {more}")

    closed = free_port()
    with answering() as dicom:
        monkeypatch.setattr(socket, "create_connection", without_ipv6)
        record = closed_ports(dicom, closed)
        assert record.status is Status.PASSED, record.reason
        assert [case.what for case in record.cases if case.status is Status.NOT_TESTED] == ["TCP to ::1"]
        monkeypatch.setattr(socket, "create_connection", without_any)
        assert closed_ports(dicom, closed).status is Status.INCONCLUSIVE


def test_a_firewalls_own_word_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """ICMP host-prohibited, which firewalld sends, is the refusal "unreachable"; a missing network is not."""

    def refused(number: int) -> None:
        raise OSError(number, "told by ICMP")

    outcomes = {}
    for number in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        monkeypatch.setattr(socket, "create_connection", lambda *_, number=number: refused(number))
        with pytest.raises(NotAcceptedError) as other:
            accepts(port.connect("x", "192.0.2.1", 1))
        outcomes[number] = (other.value.seen.outcome, other.value.seen.code)
    assert outcomes == {errno.EHOSTUNREACH: (Outcome.REFUSED, "unreachable"), errno.ENETUNREACH: (Outcome.INCONCLUSIVE, "OSError")}


@pytest.mark.parametrize(
    ("address", "loopback", "reachable_at"),
    [
        ("::ffff:127.0.0.1", True, "::ffff:127.0.0.1"),
        ("127.0.0.11", True, "127.0.0.11"),
        ("::", False, "127.0.0.1"),
        ("0.0.0.0", False, "127.0.0.1"),  # noqa: S104 - only read
        ("::ffff:172.18.0.2", False, "::ffff:172.18.0.2"),
    ],
)
def test_a_listener_knows_who_reaches_it(address: str, loopback: bool, reachable_at: str) -> None:  # noqa: FBT001 - the table's value
    """What Java binds to 127.0.0.1 is on loopback, though it stands in the table of IPv6; a wildcard is reached at 127.0.0.1."""
    listener = inside.Listener(address, 9990)
    assert (listener.loopback, listener.reachable_at) == (loopback, reachable_at)


def test_a_hosts_global_addresses_are_read() -> None:
    """Of the IPv6 addresses those of global scope are given, not loopback's nor a link's own."""
    table = """00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000002 04 40 00 82     eth0
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
"""
    assert inside.parse_global_addresses6(table) == ["fd00::2"]


def test_a_doorbell_rings_on_both_families() -> None:
    """A doorbell on every address counts who comes by IPv4 and who comes by IPv6, and says when nobody does."""
    with Doorbell(":0") as bell:
        assert not bell.rang(1, seconds=0.1)
        for address in ("127.0.0.1", "::1"):
            assert ipaddress.ip_address(address).is_loopback
            socket.create_connection((address, bell.port), timeout=3).close()
        assert bell.rang(2)
