"""What a listener shows, read by a handshake: also weak, old and roundabout ones, which an honest client would not take."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from securepacs_harness import forge
from securepacs_harness.probes import certificate
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.tls import Offer

NOW = datetime.datetime.now(datetime.UTC)
ROOT = forge.new_authority("Root")
_KEY = ec.generate_private_key(ec.SECP256R1())
BELOW = forge.Authority(forge.certify("Below", _KEY, ROOT, ca=True, usages=()), _KEY)


def pem(*authorities: forge.Authority) -> str:
    """Write certificates as PEM."""
    return "".join(authority.cert.public_bytes(Encoding.PEM).decode() for authority in authorities)


@contextmanager
def server(folder: Path, by: forge.Authority, *sent: forge.Authority, bits: int = 0) -> Iterator[Line]:
    """Serve TLS with a certificate that `by` signed, and these certificates sent along; with `bits` its key is an RSA one."""
    key = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    made = forge.certify("server", key, by, usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
    (folder / "server.pem").write_text(forge.pem_of(key) + made.public_bytes(Encoding.PEM).decode() + pem(*sent), encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(folder / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                    with context.wrap_socket(caller, server_side=True) as secured:
                        secured.recv(1)
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield Line("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("by", "sent", "trusted", "holds"),
    [
        (ROOT, (), (ROOT,), True),
        (BELOW, (BELOW,), (ROOT,), True),
        (BELOW, (), (ROOT,), False),
        (BELOW, (), (BELOW,), True),
        (BELOW, (BELOW,), (forge.new_authority("Root"),), False),
    ],
    ids=["signed by itself", "intermediate sent along", "intermediate missing", "intermediate declared", "another of the same name"],
)
def test_a_chain_leads_to_the_declared_authority(
    tmp_path: Path,
    by: forge.Authority,
    sent: tuple[forge.Authority, ...],
    trusted: tuple[forge.Authority, ...],
    holds: bool,  # noqa: FBT001 - the table's value
) -> None:
    """An authority between the declared one and the server counts where the server sends it along, and only there."""
    with server(tmp_path, by, *sent) as there:
        line = Line(there.host, there.port, Offer(pem(*trusted), "elsewhere"))
        seen, by_chain = certificate.shown(line), certificate.chained(line)
    assert seen is not None
    assert by_chain is holds
    rules = certificate.Rules([authority.cert for authority in trusted], "server")
    findings = {finding.what: finding.holds for finding in certificate.judged(seen, rules, NOW, by_chain=by_chain)}
    assert findings["issuer"] is holds


def test_a_weak_key_is_seen(tmp_path: Path) -> None:
    """A certificate with a key that this machine's TLS library would not take is read and found, not passed over."""
    with server(tmp_path, ROOT, bits=1024) as there:
        seen = certificate.shown(Line(there.host, there.port, Offer(pem(ROOT), "server")))
    assert seen is not None
    findings = {finding.what: finding for finding in certificate.judged(seen, certificate.Rules([ROOT.cert], "server"), NOW)}
    assert (findings["key"].holds, findings["key"].told) == (False, "RSA of 1024 bits")
