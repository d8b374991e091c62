from __future__ import annotations

import ipaddress

import pytest

from securepacs_harness.probes import inside

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = (
    HEAD
    + "   0: 00000000:0ACA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10101        0 1 1 0 100 0 0 10 0\n"
    + "   1: 0100007F:20D5 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10101        0 2 1 0 100 0 0 10 0\n"
    + "   2: 0100007F:20D5 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 10101        0 3 1 0 100 0 0 10 0\n"
)
TCP6 = (
    HEAD
    + "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4 1 0 100 0 0 10 0\n"
    + "   1: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4 1 0 100 0 0 10 0\n"
)
ROUTE = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t01FA1FAC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t00FA1FAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
)
STATUS = (
    "Name:\thaproxy\nUid:\t10101\t10101\t10101\t10101\nGid:\t10101\t10101\t10101\t10101\n"
    "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n"
    "NoNewPrivs:\t1\nSeccomp:\t2\n"
)


def test_listeners_are_read_and_connections_are_not() -> None:
    """Only sockets in state LISTEN are given, with address and port in the usual order."""
    assert inside.parse_listeners(TCP) == [inside.Listener("0.0.0.0", 2762), inside.Listener("127.0.0.1", 8405)]  # noqa: S104 - read, not bound
    assert [listener.loopback for listener in inside.parse_listeners(TCP)] == [False, True]


def test_listeners_of_ipv6_are_read() -> None:
    """IPv6 addresses are read from their four little-endian words."""
    first, second = inside.parse_listeners(TCP6)
    assert (first.address, first.port, first.loopback) == ("::1", 8080, True)
    assert ipaddress.IPv6Address(second.address).ipv4_mapped == ipaddress.IPv4Address("127.0.0.1")


def test_routes_are_read() -> None:
    """Destination and mask give the network; a default route is 0.0.0.0/0."""
    assert inside.parse_routes(ROUTE) == [ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv4Network("172.31.250.0/24")]


def test_a_default_route_of_ipv6_is_seen() -> None:
    """Only ::/0 over an interface other than loopback counts."""
    lo = "0" * 32 + " 00 " + "0" * 32 + " 00 " + "0" * 32 + " ffffffff 00000001 00000000 00200200 lo\n"
    out = "0" * 32 + " 00 " + "0" * 32 + " 00 " + "f" * 32 + " 00000400 00000001 00000000 00000003 eth0\n"
    net = "fe80" + "0" * 28 + " 40 " + "0" * 32 + " 00 " + "0" * 32 + " 00000100 00000001 00000000 00000001 eth0\n"
    assert inside.parse_routes6(lo + net) == []
    assert inside.parse_routes6(lo + out + net) == ["eth0"]


def test_a_hosts_own_addresses_are_read() -> None:
    """Addresses are the leaves that are local, each once and in order; broadcast and network leaves are not."""
    leaf = "     |-- {}\n        /32 host {}\n"
    trie = "Main:\n" + leaf.format("172.31.250.1", "LOCAL") + leaf.format("172.31.250.255", "BROADCAST") + leaf.format("10.0.0.5", "LOCAL")
    assert inside.parse_local_addresses(trie + "Local:\n" + trie) == ["10.0.0.5", "172.31.250.1"]


def test_a_process_is_read() -> None:
    """Effective user, capability masks, no_new_privs and seccomp mode are read from a status file."""
    process = inside.parse_status(STATUS)
    assert (process.uid, process.gid, process.effective, process.no_new_privileges, process.seccomp) == (10101, 10101, 0, True, 2)
    assert process.bounding == 0xA80425FB


def test_a_user_that_can_be_taken_again_is_seen() -> None:
    """A process that only lays root down for a while has it among its users still."""
    process = inside.parse_status(STATUS.replace("Uid:\t10101\t10101\t10101\t10101", "Uid:\t10101\t10101\t0\t10101"))
    assert (process.uid, process.uids) == (10101, frozenset({0, 10101}))
    assert (inside.parse_status(STATUS).uids, process.capabilities) == (frozenset({10101}), 0xA80425FB)


def test_who_looks_is_no_process_of_the_service() -> None:
    """The shell that looks, and what it starts, are left out by their numbers; what cannot be read is no process."""
    rows = [("1", "0"), ("70", "0"), ("71", "70"), ("700", "1")]
    statuses = "\n".join(f"{STATUS}Pid:\t{pid}\nPPid:\t{parent}\n" for pid, parent in rows)
    assert len(inside.parse_statuses(f"70\n{statuses}")) == 2
    assert inside.parse_statuses("") == inside.parse_statuses("70\n") == []


def test_who_holds_a_listening_socket_is_found() -> None:
    """A socket that listens on a port is found by its inode among the open files of the processes; a connection's is not."""
    table = (
        HEAD
        + "   0: 00000000:0ACA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10101        0 4711 1 0 100 0 0 10 0\n"
        + "   1: 0100007F:0ACA 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 10101        0 4712 1 0 100 0 0 10 0\n"
    )
    files = (
        "/proc/1/fd:\ntotal 0\nlrwx------ 1 a a 64 Nov 25 07:00 3 -> socket:[4712]\n\n"
        "/proc/22/fd:\ntotal 0\nlrwx------ 1 a a 64 Nov 25 07:00 4 -> socket:[4711]\nl-wx------ 1 a a 64 Nov 25 07:00 5 -> pipe:[4711]\n"
    )
    assert inside.parse_sockets(table, {2762}) == {"4711"}
    assert inside.parse_sockets(table, {104}) == set()
    assert inside.parse_holders(files, {"4711"}) == [22]


def test_an_unreadable_status_is_an_error() -> None:
    """A status that could not be read is never taken for one without privileges."""
    with pytest.raises(KeyError):
        inside.parse_status("")


def test_mounts_and_entries_are_read() -> None:
    """Mount options and the modes and owners of files are given as sets and numbers."""
    (root, tmp) = inside.parse_mounts("overlay / overlay ro,relatime 0 0\ntmpfs /tmp tmpfs rw,nosuid,size=64k 0 0\n")
    assert (root.target, "ro" in root.options, "rw" in tmp.options, tmp.kind) == ("/", True, True, "tmpfs")
    (entry,) = inside.parse_entries("400 10101 10101 regular file|/etc/gateway/key with space.pem\n")
    assert entry == inside.Entry("/etc/gateway/key with space.pem", 0o400, 10101, 10101, "regular file")


def test_a_host_that_cannot_be_reached_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What testinfra raises when ssh fails is a status like any other: nothing is read, listed or reached."""

    class Unreached:
        def run(self, *_: str) -> None:
            raise RuntimeError("CommandResult(… Permission denied (publickey,password))")

    monkeypatch.setattr("testinfra.get_host", lambda _: Unreached())
    part = inside.Inside("ssh://absent")
    assert part.run("true") == (255, "")
    assert (part.read("/etc/hostname"), part.listeners(), part.running(), part.size("/x")) == ("", [], [], None)
    assert not part.lists_files()
    assert not part.can_reach("127.0.0.1", 1)
    assert part.open_to_others(["/etc"]) == ("", False)


def test_a_specification_that_nobody_knows_is_told() -> None:
    """A mistake in `inside` is one line that says what is expected."""
    with pytest.raises(inside.InsideError, match="expected docker://NAME"):
        inside.Inside("warp://archive")
