"""An identity provider that says whatever a test wants: tokens with one thing wrong each, signed or not, of any time.

It has no page: the test plays the person's part, and hands a code of its choice to the clinic, which then asks here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from deployed.keycloak import CLIENT, HOST

KEY_ID = "of-the-tests"


def encoded(content: bytes) -> str:
    """Write bytes as a JSON Web Signature has them (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Said:
    """What the provider says next: claims of its token, how that is signed, and how far its clock is off (s)."""

    nonce: str
    algorithm: str = "RS256"
    foreign_key: bool = False
    clock: int = 0
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class FalseProvider:
    """The running provider. `asked` holds the forms with which the clinic asked for a token, and their header Authorization."""

    issuer: str
    client_secret: str = field(repr=False)
    said: Said | None = None
    asked: list[tuple[dict[str, list[str]], str]] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def section(self) -> dict[str, str]:
        """Give the keys of the clinic's section that lead here."""
        return {
            "issuer": self.issuer,
            "login_url": f"{self.issuer}/login",
            "token_url": f"{self.issuer}/token",
            "keys_url": f"{self.issuer}/keys",
            "sign_out_url": f"{self.issuer}/logout",
        }

    def keys(self) -> dict[str, Any]:
        """Give its JWK set (RFC 7517)."""
        numbers = self.key.public_key().public_numbers()
        parts = {name: encoded(number.to_bytes(256 if name == "n" else 3)) for name, number in (("n", numbers.n), ("e", numbers.e))}
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, **parts}]}

    def token(self, said: Said) -> str:
        """Write the ID token (OpenID Connect Core section 2)."""
        now = int(time.time()) + said.clock
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            "nonce": said.nonce,
            "preferred_username": "mallory",
            "roles": ["pacs-admin"],
            **said.claims,
        }
        head = {"alg": said.algorithm, "kid": KEY_ID, "typ": "JWT"}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
        return f"{signed}.{encoded(self._signature(signed.encode(), said))}"

    def _signature(self, signed: bytes, said: Said) -> bytes:
        if said.algorithm == "none":
            return b""
        if said.algorithm == "HS256":  # by what the clinic itself knows
            code = hmac.HMAC(self.client_secret.encode(), hashes.SHA256())
            code.update(signed)
            return code.finalize()
        key = rsa.generate_private_key(65537, 2048) if said.foreign_key else self.key
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def challenge(verifier: str) -> str:
    """Give the challenge of a verifier (RFC 7636 section 4.2)."""
    return encoded(hashlib.sha256(verifier.encode()).digest())


@contextmanager
def serving(address: str, port: int, certificates: Path, client_secret: str) -> Iterator[FalseProvider]:
    """Serve on one of this host's addresses, with the certificate of Keycloak's place."""
    provider = FalseProvider(f"https://{HOST}:{port}", client_secret)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(provider.keys() if self.path == "/keys" else None)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            provider.asked.append((form, self.headers.get("Authorization", "")))
            said = provider.said
            token = {"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": provider.token(said)} if said else None
            self._answer(token if self.path == "/token" else None)

        def _answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's signature
            """Say nothing."""

    server = ThreadingHTTPServer((address, port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
