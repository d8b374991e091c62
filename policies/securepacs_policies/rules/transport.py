"""What travels in the clear, and to whom a listener opens: gateways' listeners, and Orthanc's own TLS."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.rule import Finding, Parameters, rule
from securepacs_policies.rules.exposure import chosen, from_outside
from securepacs_policies.things import Clinic, Listener, OrthancSettings, Part, Service, Stack, Workload

#: Orthanc's numbers for TLS versions (DicomTlsMinimumProtocolVersion, SslMinimumProtocolVersion).
_TLS_1_2 = 4


@rule(
    "tls-version",
    "TLS 1.2 or later",
    why="TLS 1.0 and 1.1 are withdrawn (RFC 8996); PS3.15 B.12 asks for BCP 195.",
    remedy="HAProxy: ssl-default-bind-options ssl-min-ver TLSv1.2. nginx: ssl_protocols TLSv1.2 TLSv1.3;",
    severity="high",
    controls=("tls-profile",),
    needs=("tls", "oldest"),
)
def tls_version(listener: Listener, _: Parameters) -> Iterator[str]:
    """Yield a listener that takes an older TLS, or does not say."""
    if listener.tls and listener.oldest not in {"1.2", "1.3"}:
        yield f"'{listener.section}' port {listener.port} takes TLS {listener.oldest or 'of any version that its product does'}"


@rule(
    "client-certificate",
    "A DICOM listener asks for a certificate",
    why="TLS without a client certificate hides the images from the network and gives them to every stranger.",
    remedy="HAProxy: bind … verify required ca-file …. nginx: ssl_verify_client on; ssl_client_certificate …;",
    severity="critical",
    controls=("peer-authentication",),
    needs=("tls", "dicom", "client_certificates"),
)
def client_certificate(listener: Listener, _: Parameters) -> Iterator[str]:
    """Yield a DICOM listener with TLS that lets in who shows no certificate."""
    if listener.tls and listener.dicom and not listener.client_certificates:
        yield f"'{listener.section}' port {listener.port} asks for no client certificate"


@rule(
    "clear-text-listener",
    "What the gateway publishes is encrypted",
    why="DICOM in the clear is images, names and birth dates for whoever is on the way.",
    remedy="Add ssl and a certificate to the listener. A peer without TLS needs a waiver of its own, with a reason and a last day.",
    severity="critical",
    controls=("transmission-encryption",),
    needs=("listeners", "workloads"),
)
def clear_text_listener(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each listener without TLS on a port that a gateway opens to the outside, waived peers' and redirects apart."""
    opened = {port for gateway in stack.workloads(Part.GATEWAY) for port in _opened(stack, gateway)}
    waived = {peer.port for clinic in stack.of(Clinic) for peer in clinic.peers if peer.plaintext}
    for listener in stack.of(Listener):
        if listener.port in opened - waived and not listener.tls and not listener.redirects:
            yield Finding(f"'{listener.section}' port {listener.port} speaks without TLS", listener)


def _opened(stack: Stack, gateway: Workload) -> Iterator[int]:
    """Yield the ports of a gateway that are reached from outside: published ones, and those that a service leads to."""
    yield from (port.number for port in gateway.ports)
    for service in stack.of(Service):
        if from_outside(service) and chosen(service, gateway):
            for target in service.targets:
                yield int(target) if target.isdecimal() else gateway.port_names.get(target, 0)


@rule(
    "orthanc-anonymous-tls",
    "An archive that speaks TLS itself asks for a certificate, of TLS 1.2 or later",
    why="DicomTlsEnabled without DicomTlsRemoteCertificateRequired is TLS with anybody; its default protocol version takes TLS 1.0.",
    remedy="Leave TLS to a gateway; or set DicomTlsRemoteCertificateRequired, DicomTlsMinimumProtocolVersion 4, DicomTlsCiphersAccepted.",
    severity="critical",
    controls=("peer-authentication", "tls-profile"),
    needs=("settings",),
)
def orthanc_anonymous_tls(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield what is missing where Orthanc ends TLS itself."""
    if orthanc.get("DicomTlsEnabled") is not True:
        return
    if orthanc.get("DicomTlsRemoteCertificateRequired") is False:
        yield "DicomTlsRemoteCertificateRequired is false: it speaks TLS with anybody"
    version = orthanc.get("DicomTlsMinimumProtocolVersion") or 0
    if not isinstance(version, int) or version < _TLS_1_2:
        yield f"DicomTlsMinimumProtocolVersion is {version}, which takes TLS 1.0"
