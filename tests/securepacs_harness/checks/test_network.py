"""What answers from outside, and where the archive can go from inside."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from securepacs_harness.bracket import Bracket, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.observation import Layer, Outcome
from securepacs_harness.parts import NO_INSIDE, containers
from securepacs_harness.probes import association, port
from securepacs_harness.probes.addresses import own_addresses
from securepacs_harness.probes.engine import engine_of
from securepacs_harness.probes.inside import Inside
from securepacs_harness.probes.sink import Doorbell
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.session import Verification
from securepacs_harness.target import Target

Control = Callable[..., Bracket]

#: A firewall may refuse with ICMP's word instead of TCP's.
CLOSED = at(Layer.TCP, ("refused", "unreachable"))
SILENT = at(Layer.TCP, ("refused", "unreachable"), silence=True)

#: Docker's own name server inside a container; it answers nobody outside.
RESOLVER = "127.0.0.11"


def declared_ports(target: Target) -> dict[str, set[int]]:
    """Give the ports of the PACS's own listeners, by the host that they are declared on."""
    plaintext = {peer.plaintext.port for peer in target.peers.values() if peer.plaintext}
    ports = {target.dicom.host: {target.dicom.port, *plaintext}}
    if target.https:
        web = urlsplit(target.https.base_url)
        usual = 443 if web.scheme == "https" else 80
        ports.setdefault(web.hostname or "", set()).add(web.port or usual)
    return ports


def resolved(host: str) -> list[str]:
    """Give the addresses to which a host's name leads."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))


def addresses_of(host: str) -> list[str]:
    """Give a host's addresses; for 127.0.0.1 that of IPv6 too, because a port published there is published by mistake."""
    found = resolved(host)
    return list(dict.fromkeys([*found, *(["::1"] if "127.0.0.1" in found else [])]))


def declared_at(target: Target) -> dict[str, set[int]]:
    """Give the ports that are declared to answer, by address; the ::1 that no name leads to has none."""
    ports: dict[str, set[int]] = {}
    for host, declared in declared_ports(target).items():
        for address in addresses_of(host):
            ports.setdefault(address, set()).update(declared if address in resolved(host) else ())
    return ports


def with_a_way(addresses: Iterable[str], pacs: Pacs, record: Record) -> list[str]:
    """Give those addresses to which this machine has a way at all, and note the others: nothing can be seen of them."""
    found = []
    for address in addresses:
        seen = record.look(port.connect(f"a way to {address}", address, pacs.target.dicom.port, spending=pacs.spending))
        if seen.outcome is Outcome.INCONCLUSIVE or seen.code == "unreachable":
            record.not_tested(f"TCP to {address}", f"this machine has no way to it ({seen.detail})")
        else:
            found.append(address)
    if not found:
        record.unknown("ports", "this machine has no way to any address of the target")
    return found


@check(
    "network.closed-ports",
    "Ports that are declared closed are closed",
    controls=("network-exposure",),
    remedy="Publish nothing but the gateway's own listeners; take the port off the container, or close it in the firewall.",
)
def test_declared_closed_ports_are_closed(pacs: Pacs, record: Record) -> None:
    """Each port that is declared closed refuses a connection; where a firewall is declared to drop it, nothing answers."""
    target = pacs.target
    wanted = [(number, CLOSED) for number in target.closed_ports] + [(number, SILENT) for number in target.silent_ports]
    if not wanted:
        record.not_tested("closed ports", "the target declares none (closed_ports, silent_ports)")
        return
    there = with_a_way(addresses_of(target.dicom.host), pacs, record)
    first = there[0] if there else ""
    cases = [
        (
            port.connect(f"TCP to {'' if address == first else f'{address} '}port {number}", address, number, spending=pacs.spending),
            expected,
        )
        for address in there
        for number, expected in wanted
    ]
    record.bracket(pacs.port_control()).tries(cases, workers=2 * PARALLEL)


@check(
    "network.open-ports",
    "Nothing answers but what is declared",
    controls=("network-exposure",),
    remedy="Take the port off the container or close it in the firewall; what is open on purpose stands in other_ports.",
)
def test_only_declared_ports_answer(pacs: Pacs, record: Record, verification: Verification) -> None:
    """Of the ports on which archives, databases and engines are found, only declared ones answer, by IPv4 and by IPv6."""
    declared = declared_at(pacs.target)
    elsewhere = {number: "declared elsewhere" for ports in declared.values() for number in sorted(ports)}
    # What network.closed-ports tries is left to it, on the addresses that it looks at.
    closed = {*pacs.target.closed_ports, *pacs.target.silent_ports}
    looked_at = addresses_of(pacs.target.dicom.host)
    for address in with_a_way(declared, pacs, record):
        allowed = {*declared[address], *pacs.target.other_ports, *(closed if address in looked_at else ())}
        cases = [
            (port.connect(f"TCP to {address} port {number} ({name})", address, number, spending=pacs.spending), SILENT)
            for number, name in {**port.KNOWN_PORTS, **elsewhere}.items()
            if number not in allowed
        ]
        record.bracket(pacs.port_control()).tries(cases, workers=2 * PARALLEL)
    _published_in_front(verification, record)


def _published(container: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Give what an engine publishes of a container: address and port of the host."""
    bindings = [binding for bound in container["NetworkSettings"]["Ports"].values() for binding in bound or []]
    return sorted((binding["HostIp"], int(binding["HostPort"])) for binding in bindings)


def _in_front(container: Mapping[str, Any], target: Target) -> bool:
    """Tell whether a container publishes a listener of the PACS's own."""
    return any(number in ports for _, number in _published(container) for ports in declared_ports(target).values())


def _published_in_front(verification: Verification, record: Record) -> None:
    """Note what a container in front publishes beside the declared listeners, on ports that no table has too."""
    target = verification.target
    allowed = {*target.other_ports, *(number for ports in declared_ports(target).values() for number in ports)}
    for part, specification in target.inside.items():
        engine = engine_of(specification)
        if engine and _in_front(engine.inspect(), target):
            others = {number for _, number in _published(engine.inspect())} - allowed
            record.fact(f"published ports of {part}", expected="none beside the declared", told=_row(others), holds=not others)


@check(
    "network.plaintext-on-tls-port",
    "The TLS listener takes no plaintext",
    controls=("transmission-encryption",),
    remedy="Let the listener speak TLS and nothing else.",
)
def test_the_tls_port_takes_no_plaintext(pacs: Pacs, control: Control, record: Record, stranger: Stranger) -> None:
    """An association in the clear on the TLS port is refused, under a peer's AE title and under a stranger's."""
    if not pacs.target.dicom.tls:
        record.not_tested("plaintext", "the listener is declared without TLS, which tls.required tells")
        return
    line, called = pacs.plain_line(), pacs.target.dicom.ae_title
    names = [*pacs.with_verb("echo")[:1], stranger.ae_title]
    cases = [
        (association.echo(f"in the clear as {'a stranger' if name == stranger.ae_title else name}", line, called, name), expected)
        for name, expected in ((name, record.expected(at({Layer.TLS, Layer.ASSOCIATION, Layer.HTTP}))) for name in names)
    ]
    control("echo").tries(cases)


def _archive(verification: Verification) -> tuple[str, Inside] | None:
    """Give the part that holds the images, by its name."""
    for part in ("archive", "pacs", "orthanc"):
        if part in verification.target.inside:
            return part, verification.inside(part)
    return None


@check(
    "network.egress",
    "The archive has no way out",
    tier="safe",
    controls=("network-egress", "exfiltration"),
    remedy="Put the archive on an internal network, without the host's address on it; let it reach peers through the gateway only.",
)
def test_the_archive_has_no_way_out(verification: Verification, record: Record) -> None:
    """From inside the archive no address of this machine answers, where a listener waits on all of them."""
    found = _archive(verification)
    if found is None:
        record.not_tested("egress", "the target does not say how to look inside the archive (inside.archive)")
        return
    part, inside = found
    if not any(inside.can_reach(there.reachable_at, there.port) for there in inside.listeners()):
        record.unknown(f"connections from {part}", "the control failed: it could not be made to connect to its own port")
        return
    own = own_addresses()
    if not own:
        record.unknown(f"connections from {part}", "this machine does not tell its own addresses, so none could be tried")
        return
    with Doorbell(":0") as bell:
        socket.create_connection(("127.0.0.1", bell.port), timeout=3).close()
        if not bell.rang(1):
            record.unknown(f"connections from {part}", "the control failed: the listener did not see this machine's own connection")
            return
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            answers = pool.map(lambda address: inside.can_reach(address, bell.port, seconds=1), own)
            reached = [address for address, answer in zip(own, answers, strict=True) if answer]
    record.fact(
        f"{part} to a listener on {len(own)} addresses of this machine",
        expected="no connection arrives",
        told=f"{bell.connections - 1} arrived" if bell.connections > 1 else "none arrived",
        holds=bell.connections == 1 and not reached,
    )


@check(
    "network.segmentation",
    "Archive and database are reached through the gateway only",
    tier="passive",
    controls=("network-segmentation", "network-exposure"),
    remedy="Give archive and database networks that are internal, and publish none of their ports.",
)
def test_inner_parts_publish_nothing(verification: Verification, record: Record) -> None:
    """Each part that publishes no declared listener publishes no port at all, and stands on internal networks only."""
    for part, engine in containers(verification, record):
        container = engine.inspect()
        if _in_front(container, verification.target):
            record.not_tested(part, "it publishes a declared listener: it is what stands in front")
            continue
        published = [f"{address}:{number}" for address, number in _published(container)]
        record.fact(f"published ports of {part}", expected="none", told=", ".join(published) or "none", holds=not published)
        open_networks = [name for name in container["NetworkSettings"]["Networks"] if not engine.network(name)["Internal"]]
        told = f"{len(open_networks)} of its networks lead out" if open_networks else "internal"
        record.fact(f"networks of {part}", expected="internal", told=told, holds=not open_networks)


@check(
    "network.listeners",
    "Nothing listens inside that is not declared",
    tier="passive",
    controls=("network-exposure",),
    remedy="Turn off what listens and is not needed, or bind it to loopback.",
)
def test_parts_listen_where_they_are_declared_to(verification: Verification, record: Record) -> None:
    """What listens inside a part beyond loopback is one of the ports that the target declares for it."""
    declared = verification.target.listeners
    for part in verification.target.inside:
        seen = {there.port for there in verification.inside(part).listeners() if not there.loopback and there.address != RESOLVER}
        allowed = set(declared.get(part, ()))
        if part not in declared:
            record.not_tested(f"listeners of {part}", f"the target declares none (listeners.{part}); it listens on {_row(seen)}")
        elif not seen:
            record.unknown(f"listeners of {part}", "none could be seen inside")
        else:
            told = _row(seen - allowed)
            record.fact(f"listeners of {part}", expected=f"no other than {_row(allowed)}", told=told, holds=seen <= allowed)
    if not verification.target.inside:
        record.not_tested("listeners", NO_INSIDE)


def _row(ports: set[int]) -> str:
    return ", ".join(map(str, sorted(ports))) or "none"
