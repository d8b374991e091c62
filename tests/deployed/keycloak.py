"""A real identity provider, in a container on a clinic's outer network: Keycloak with one realm, a client of ours, and some people."""

from __future__ import annotations

import datetime
import json
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from deployed.deployment import HERE, CommandError, docker
from securepacs.provider import pki

IMAGE, NAME = "securepacs-test-keycloak", "securepacs-test-keycloak"
ARTIFACT = "org.keycloak:keycloak-quarkus-dist:26.7.3:zip"

#: The name and the port under which both the browsers and the clinic know it.
HOST, PORT = "idp.deptest.example", 18543
REALM, CLIENT = "clinic", "securepacs"
ISSUER = f"https://{HOST}:{PORT}/realms/{REALM}"

_PROTOCOL = f"{ISSUER}/protocol/openid-connect"
_CONTEXT = HERE / "images" / "keycloak"


@dataclass(frozen=True)
class Keycloak:
    """The running provider. Passwords and the client's secret are made for one run of the tests."""

    folder: Path
    authority: str
    """PEM of the authority that signed its certificate."""
    client_secret: str = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)
    admin: str = field(repr=False)

    def section(self) -> dict[str, Any]:
        """Give what a clinic declares of it."""
        secret = self.folder / "client-secret"
        return {
            "issuer": ISSUER,
            "login_url": f"{_PROTOCOL}/auth",
            "token_url": f"{_PROTOCOL}/token",
            "keys_url": f"{_PROTOCOL}/certs",
            "sign_out_url": f"{_PROTOCOL}/logout",
            "authority": self.authority,
            "client_id": CLIENT,
            "client_secret_file": str(secret),
            "role_claim": "roles",
            "roles": {"pacs-admin": "admin", "pacs-clinician": "clinician", "pacs-viewer": "viewer"},
        }

    def ask(self, method: str, path: str, content: object = None) -> Any:  # noqa: ANN401 - JSON has any shape
        """Ask its administration (Keycloak Admin REST API); give the answer. Raises requests.HTTPError."""
        base = f"https://{HOST}:{PORT}"
        ca = str(self.folder / "ca.pem")
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "root", "password": self.admin}
        token = requests.post(f"{base}/realms/master/protocol/openid-connect/token", data=form, verify=ca, timeout=30)
        token.raise_for_status()
        bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
        answer = requests.request(method, f"{base}/admin/realms/{REALM}{path}", json=content, headers=bearer, verify=ca, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None


#: Person -> values of the role's claim. A comma in a value must not make two of one.
PEOPLE: dict[str, list[str]] = {
    "olga": ["pacs-clinician"],
    "otto": ["pacs-viewer", "canteen"],
    "oda": ["pacs-viewer", "pacs-admin"],
    "nora": ["canteen"],
    "comma": ["canteen,pacs-admin"],
    "many": [secrets.token_hex(32) for _ in range(120)],
}


def _realm(client_secret: str, passwords: Mapping[str, str], back: str) -> dict[str, Any]:
    roles = sorted({role for held in PEOPLE.values() for role in held})
    mapper = {
        "name": "roles",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-client-role-mapper",
        "config": {
            "claim.name": "roles",
            "jsonType.label": "String",
            "multivalued": "true",
            "id.token.claim": "true",
            "access.token.claim": "false",
            "usermodel.clientRoleMapping.clientId": CLIENT,
        },
    }
    client = {
        "clientId": CLIENT,
        "secret": client_secret,
        "redirectUris": [f"{back}/oauth2/callback"],
        "attributes": {"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": f"{back}/*"},
        "directAccessGrantsEnabled": False,
        "fullScopeAllowed": True,
        "protocolMappers": [mapper],
    }
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "all",
        "clients": [client],
        "roles": {"client": {CLIENT: [{"name": role} for role in roles]}},
        "users": [
            {
                "username": name,
                "enabled": True,
                "email": f"{name}@deptest.example",
                "firstName": name,
                "lastName": "of the tests",
                "credentials": [{"type": "password", "value": passwords[name]}],
                "clientRoles": {CLIENT: held},
            }
            for name, held in PEOPLE.items()
        ],
    }


def _image() -> None:
    """Build the image; the archive is fetched by Maven once, and kept where Maven keeps it."""
    archive = _CONTEXT / "keycloak.zip"
    if not archive.exists():
        if shutil.which("mvn") is None:
            raise CommandError("mvn: not found, expected Maven, which fetches Keycloak: apt-get install maven")
        fetched = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={_CONTEXT}"]
        subprocess.run(fetched, check=True, capture_output=True, timeout=600)
        next(_CONTEXT.glob("keycloak-quarkus-dist-*.zip")).rename(archive)
    try:
        docker("build", "-q", "--network", "host", "-t", IMAGE, str(_CONTEXT), seconds=900)
    finally:
        archive.unlink(missing_ok=True)


def _certificates(folder: Path) -> str:
    """Write the provider's key and certificate, signed by an authority of its own; give that one's PEM."""
    now = datetime.datetime.now(datetime.UTC)
    authority = pki.make_authority("Identity provider of the tests", None, "ecdsa-p256", 30, now)
    key = pki.KEY_TYPES["ecdsa-p256"]()
    subject = pki.Subject(HOST, dns_names=[HOST], usages=["server"])
    served = pki.issue(authority, subject, key.public_key(), now + datetime.timedelta(days=7), now)
    pem = pki.pem(authority.certificate)
    (folder / "ca.pem").write_text(pem, encoding="ascii")
    (folder / "own").mkdir(exist_ok=True)
    for name, text in {"server.pem": pki.pem(served), "server-key.pem": pki.key_pem(key)}.items():
        (folder / "own" / name).write_text(text, encoding="ascii")
    return pem


def prepare(folder: Path, back: str) -> Keycloak:
    """Make what it needs in a folder: key, certificate, realm, the client's secret. `back` is where its client lives (https://HOST:PORT)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    passwords = {name: secrets.token_urlsafe(12) for name in PEOPLE}
    made = Keycloak(folder, _certificates(folder), secrets.token_urlsafe(24), passwords, secrets.token_urlsafe(16))
    secret = folder / "client-secret"
    secret.touch(mode=0o600)
    secret.write_text(f"{made.client_secret}\n", encoding="ascii")
    (folder / "import").mkdir(exist_ok=True)
    (folder / "import" / "realm.json").write_text(json.dumps(_realm(made.client_secret, passwords, back)), encoding="utf-8")
    return made


@contextmanager
def running(provider: Keycloak, network: str) -> Iterator[None]:
    """Run it on a clinic's outer network, published to this host."""
    _image()
    try:
        start(provider, network)
        yield
    finally:
        stop()


def start(provider: Keycloak, network: str) -> None:
    """Start it anew with its realm, and wait until it answers."""
    stop()
    options = [
        *("start", "--optimized", "--import-realm", f"--hostname=https://{HOST}:{PORT}", f"--https-port={PORT}", "--http-enabled=false"),
        *("--https-certificate-file=/opt/own/server.pem", "--https-certificate-key-file=/opt/own/server-key.pem", "--log-level=WARN"),
    ]
    environment = provider.folder / "environment"
    environment.touch(mode=0o600)
    environment.write_text(f"KC_BOOTSTRAP_ADMIN_USERNAME=root\nKC_BOOTSTRAP_ADMIN_PASSWORD={provider.admin}\nJAVA_OPTS_APPEND=-Xmx512m\n")
    created = ("create", "--name", NAME, "--network", network, "--network-alias", HOST, "-p", f"127.0.0.1:{PORT}:{PORT}")
    docker(*created, "--memory", "1536m", "--env-file", str(environment), IMAGE, *options)
    docker("cp", f"{provider.folder}/import/.", f"{NAME}:/opt/keycloak/data/import/")
    docker("cp", f"{provider.folder}/own/.", f"{NAME}:/opt/own/")
    docker("start", NAME)
    _wait(provider)


def _wait(provider: Keycloak) -> None:
    end = time.monotonic() + 180
    while True:
        try:
            requests.get(f"{ISSUER}/.well-known/openid-configuration", verify=str(provider.folder / "ca.pem"), timeout=5).raise_for_status()
        except requests.RequestException:
            if time.monotonic() > end:
                raise RuntimeError(f"Keycloak does not answer:\n{docker('logs', NAME, check=False)[-2000:]}") from None
            time.sleep(0.5)
        else:
            return


def away() -> None:
    """Let it be away, at once; what it holds stays."""
    docker("kill", NAME)


def back(provider: Keycloak) -> None:
    """Let it be there again, with the keys and people that it had."""
    docker("start", NAME)
    _wait(provider)


def stop() -> None:
    """End it, whatever it holds."""
    docker("rm", "-f", NAME, check=False)


@contextmanager
def known_here() -> Iterator[None]:
    """Let this process look the provider's name up, as a browser of the clinic would: it is this host, where it is published."""
    real = socket.getaddrinfo

    def lookup(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - the signature is the socket module's
        return real("127.0.0.1" if host == HOST else host, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", lookup)
        yield
