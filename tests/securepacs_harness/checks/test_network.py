"""What answers from outside, and where the archive can go from inside."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from securepacs_harness.bracket import Bracket, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.observation import Layer
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

CLOSED = at(Layer.TCP, "refused")
SILENT = at(Layer.TCP, "refused", silence=True)

#: Docker's own name server inside a container; it answers nobody outside.
RESOLVER = "127.0.0.11"


def declared_ports(target: Target) -> set[int]:
    """Give the ports that are declared to answer."""
    https = urlsplit(target.https.base_url).port or 443 if target.https else None
    plaintext = {peer.plaintext.port for peer in target.peers.values() if peer.plaintext}
    return {target.dicom.port, *plaintext, *target.other_ports, *({https} if https else ())}


def addresses_of(host: str) -> list[str]:
    """Give a host's addresses; for 127.0.0.1 that of IPv6 too, because a port published there is published by mistake."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    return list(dict.fromkeys([*found, *(["::1"] if "127.0.0.1" in found else [])]))


@check(
    "network.closed-ports",
    "Ports that are declared closed are closed",
    controls=("network-exposure",),
    remedy="Publish nothing but the gateway's own listeners; take the port off the container, or close it in the firewall.",
)
def test_declared_closed_ports_are_closed(pacs: Pacs, record: Record) -> None:
    """Each port that is declared closed refuses a connection; where a firewall is declared to drop it, nothing answers."""
    host, target = pacs.target.dicom.host, pacs.target
    cases = [
        (port.connect(f"TCP to port {number}", host, number, spending=pacs.spending), expected)
        for numbers, expected in ((target.closed_ports, CLOSED), (target.silent_ports, SILENT))
        for number in numbers
    ]
    if not cases:
        record.not_tested("closed ports", "the target declares none (closed_ports, silent_ports)")
        return
    record.bracket(pacs.port_control()).tries(cases, workers=2 * PARALLEL)


@check(
    "network.open-ports",
    "Nothing answers but what is declared",
    controls=("network-exposure",),
    remedy="Take the port off the container or close it in the firewall; what is open on purpose stands in other_ports.",
)
def test_only_declared_ports_answer(pacs: Pacs, record: Record) -> None:
    """Of the ports on which archives, databases and engines are found, only declared ones answer, by IPv4 and by IPv6."""
    declared = declared_ports(pacs.target) | set(pacs.target.closed_ports) | set(pacs.target.silent_ports)
    for address in addresses_of(pacs.target.dicom.host):
        extra = declared_ports(pacs.target) if address not in addresses_of(pacs.target.dicom.host)[:1] else set()
        cases = [
            (port.connect(f"TCP to {address} port {number} ({name})", address, number, spending=pacs.spending), SILENT)
            for number, name in port.KNOWN_PORTS.items()
            if number not in declared
        ]
        cases += [
            (port.connect(f"TCP to {address} port {number} (declared elsewhere)", address, number, spending=pacs.spending), SILENT)
            for number in sorted(extra - set(pacs.target.other_ports))
        ]
        record.bracket(pacs.port_control()).tries(cases, workers=2 * PARALLEL)


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
    listening = inside.listeners()
    if not listening or not inside.can_reach("127.0.0.1", listening[0].port):
        record.unknown(f"connections from {part}", "the control failed: it could not be made to connect to its own port")
        return
    with Doorbell("0.0.0.0:0") as bell:
        socket.create_connection(("127.0.0.1", bell.port), timeout=3).close()
        own = [address for address in own_addresses() if not address.startswith("127.")]
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
    declared = {str(number) for number in declared_ports(verification.target)}
    if not verification.target.inside:
        record.not_tested("inner parts", "the target does not say how to look inside any part (inside)")
    for part, specification in verification.target.inside.items():
        engine = engine_of(specification)
        if engine is None:
            record.not_tested(part, "it is no container")
            continue
        container = engine.inspect()
        if any(binding["HostPort"] in declared for bound in container["NetworkSettings"]["Ports"].values() for binding in bound or []):
            record.not_tested(part, "it publishes a declared listener: it is what stands in front")
            continue
        published = sorted(
            f"{binding['HostIp']}:{binding['HostPort']}"
            for bindings in container["NetworkSettings"]["Ports"].values()
            for binding in bindings or []
        )
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
        record.not_tested("listeners", "the target does not say how to look inside any part (inside)")


def _row(ports: set[int]) -> str:
    return ", ".join(map(str, sorted(ports))) or "none"
