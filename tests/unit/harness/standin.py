"""A small PACS of pynetdicom's on loopback, with mutual TLS: something for the probes to look at."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydicom.uid import CTImageStorage, MRImageStorage
from pynetdicom import AE, evt

from securepacs_harness import forge
from securepacs_harness.bundles import Bundles, Material, write_bundle
from securepacs_harness.probes.dimse import SOP_CLASSES, Caller
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.tls import Offer

BOTH = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


@dataclasses.dataclass(frozen=True)
class Clinic:
    """An authority, bundles that it signed, and a line to a PACS."""

    authority: forge.Authority
    bundles: Bundles
    line: Line
    refuse: set[str]
    """Verbs that the PACS answers with status 0x0124 (not authorized) as long as they stand here."""

    @property
    def ca(self) -> str:
        """The authority's certificate, PEM."""
        return self.authority.cert.public_bytes(Encoding.PEM).decode()

    def caller(self, name: str = "CT01", material: Material | None = None) -> Caller:
        """Call as NAME with its own bundle, or with other material."""
        offer = Offer(self.ca, "localhost", material or self.bundles.material(name))
        return Caller(dataclasses.replace(self.line, offer=offer), "ARCHIVE", name, timeout=5)


def bundle(folder: Path, name: str, authority: forge.Authority) -> Material:
    """Sign a certificate with both usages and write its bundle."""
    key = ec.generate_private_key(ec.SECP256R1())
    cert = forge.certify(name, key, authority, usages=BOTH)
    ca = authority.cert.public_bytes(Encoding.PEM).decode()
    return write_bundle(folder / name, name, cert=cert.public_bytes(Encoding.PEM).decode(), key=forge.pem_of(key), ca=ca)


def free_port() -> int:
    """Give a port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def start_archive(refuse: set[str], context: ssl.SSLContext | None) -> Any:  # noqa: ANN401 - pynetdicom's server
    """Start an SCP that knows all verbs, and remembers nothing."""
    ae = AE(ae_title="ARCHIVE")
    ae.require_called_aet = True
    ae.require_calling_aet = ["CT01", "WS01"]
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 5
    for abstract in (*SOP_CLASSES.values(), CTImageStorage, MRImageStorage):
        ae.add_supported_context(abstract, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
    status = {verb: (lambda verb=verb: 0x0124 if verb in refuse else 0x0000) for verb in (*SOP_CLASSES, "store")}
    handlers: list[Any] = [
        (evt.EVT_C_ECHO, lambda _: status["echo"]()),
        (evt.EVT_C_STORE, lambda _: status["store"]()),
        (evt.EVT_C_FIND, lambda _: iter([(status["find"](), None)])),
        (evt.EVT_N_ACTION, lambda _: (status["commit"](), None)),
    ]
    return ae.start_server(("127.0.0.1", free_port()), block=False, ssl_context=context, evt_handlers=handlers)
