"""The gateway's files, as pure functions of a clinic and its secrets: HAProxy's configuration, maps and certificates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from jinja2 import Environment, PackageLoader, StrictUndefined

from securepacs import sign_in, viewer
from securepacs.clinic import Clinic
from securepacs.identity_provider import IdentityProvider
from securepacs.peers import AE_TITLE_LENGTH, Peer
from securepacs.routes import FROM_PROVIDER, SIGN_IN, SIGN_OUT, methods, open_paths, routes

#: The user that HAProxy runs as, in the image and in the files' ownership.
UID = GID = 10101

#: Where the files stand in the container.
FOLDER = "/etc/gateway"

#: Where the socket of HAProxy's master stands, in memory.
RUN_FOLDER = "/run/gateway"

#: Ports inside the container.
PORT_DICOM, PORT_HTTPS, FIRST_EGRESS_PORT = 2762, 8443, 11200

#: Ports on the container's loopback: the way of the gateway's own question to the sign-in, and the way of its tables to its next self.
PORT_CHECK, PORT_TABLES = 8406, 8407

#: A wrong password is answered so long after it came, whatever was wrong, in milliseconds: longer than the hash of a name that is there
#: takes. The second is the form's, whose hash is slow.
WRONG_PASSWORD_MS, REFUSED_MS = 120, 1000

#: The name under which only the inner network knows the gateway.
INNER_NAME = "gateway-inner"

#: The name under which only the sign-in knows it, where the clinic has an identity provider.
BROWSER_NAME = "gateway-browser"

#: So often in 10 minutes one source may come back from the identity provider.
MOST_RETURNS = 600

#: DICOM PS3.15 B.12: what BCP 195 recommends; AES-128 first, because it is the cheaper of two that are both enough.
TLS12_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
TLS13_CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384")
TLS_CURVES = ("X25519", "P-256", "P-384")

#: A peer has this long for its whole A-ASSOCIATE-RQ.
ASSOCIATE_SECONDS = 5

#: Associations that were open at a reload may go on this long, and outlive so many further reloads. What may not go on at all,
#: because its peer was removed or its certificate revoked, the reload itself ends.
HARD_STOP_SECONDS, MOST_RELOADS = 3600, 10

#: Tries to reach the archive, a second apart: it restarts in less.
ARCHIVE_RETRIES = 10


@dataclass(frozen=True)
class GatewaySecrets:
    """What the gateway needs and the clinic does not declare. All of it ends in files of mode 0400."""

    ca_pem: str
    """Certificates of the authorities that are trusted, one after the other."""
    ca_common_names: Sequence[str]
    server_pem: str
    """Certificate and key of the server, one after the other."""
    egress_pem: str
    """Certificate and key that the gateway shows to peers when the archive calls them."""
    crl_pem: str
    """Revocation lists of the same authorities, one after the other."""
    password_hashes: Mapping[str, str]
    """Person -> crypt(3) hash."""
    archive_authorization: str
    """With which the archive is asked: the value of the header Authorization."""


def ae_hex(ae_title: str) -> str:
    """Give the 16 bytes of an AE title as they stand in an A-ASSOCIATE-RQ (PS3.8 table 9-11), in upper-case hexadecimal."""
    return ae_title.ljust(AE_TITLE_LENGTH).encode("ascii").hex().upper()


def slug(ae_title: str) -> str:
    """Give a name for HAProxy, Orthanc and Pulumi: the AE title, with any unusual character as its code. No two AE titles share one."""
    return re.sub(r"[^A-Za-z0-9-]", lambda match: f"_{ord(match[0]):02x}", ae_title)


def word(text: str) -> str:
    """Quote a word for HAProxy's configuration (Configuration Manual 2.2: strong quotes keep all but the quote itself)."""
    return "'" + text.replace("'", "'\\''") + "'"


def fingerprint(certificate_pem: str) -> str:
    """Give the SHA-256 of a certificate's DER, in lower-case hexadecimal."""
    return x509.load_pem_x509_certificate(certificate_pem.encode()).fingerprint(hashes.SHA256()).hex()


def pinned_file(peer: Peer) -> str:
    """Name the file that holds a peer's own certificate."""
    return f"pinned-{slug(peer.ae_title)}.pem"


def known_as(peer: Peer) -> str:
    """Give the name by which the gateway knows a peer once it has shown who it is. One without TLS never counts as one with it."""
    return f"plaintext-{slug(peer.ae_title)}" if peer.plaintext else peer.ae_title


def egress_ports(clinic: Clinic) -> dict[str, int]:
    """Give the gateway's listener for each peer that the archive may call: AE title -> port on the inner network."""
    return {peer.ae_title: FIRST_EGRESS_PORT + index for index, peer in enumerate(clinic.callable_peers())}


_TEMPLATES = Environment(
    loader=PackageLoader("securepacs"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - it writes HAProxy's configuration, not HTML; the filter `word` quotes
)
_TEMPLATES.filters["word"] = word


def _server_options(peer: Peer) -> str:
    """Give the options of HAProxy's server line for a peer: how its address is found, and how it must prove itself."""
    # Names are looked up while HAProxy runs: a name server that does not answer must not hold up a start or a reload.
    options = ["resolvers engine init-addr none"]
    if peer.plaintext is None:
        options.append(f"ssl crt {FOLDER}/egress.pem verify required")
        if peer.certificate:
            options.append(f"ca-file {FOLDER}/{pinned_file(peer)}")
        else:
            options.append(f"ca-file {FOLDER}/ca.pem crl-file {FOLDER}/crl.pem verifyhost {word(peer.ae_title)}")
    return " ".join(options)


def _egress(clinic: Clinic) -> list[dict[str, Any]]:
    ports = egress_ports(clinic)
    return [
        {"slug": slug(peer.ae_title), "address": peer.address, "listen": ports[peer.ae_title], "options": _server_options(peer)}
        for peer in clinic.callable_peers()
    ]


def _browser(clinic: Clinic) -> dict[str, Any] | None:
    """Give what people in a browser need; None for a clinic without a viewer."""
    if not clinic.viewer:
        return None
    provider = clinic.sign_in.oidc
    return {
        "cookie": sign_in.COOKIE,
        "sign_in": SIGN_IN,
        "sign_out": SIGN_OUT,
        "open_paths": open_paths(clinic),
        "check_path": sign_in.CHECK_PATH,
        "role_values": sign_in.role_values(clinic),
        "name_header": sign_in.PROVIDED_NAME_HEADER if provider else sign_in.USER_HEADER,
        "provider": _provider(provider) if provider else None,
        "settings": clinic.sign_in,
        "viewer": f"{viewer.HOST}:{viewer.PORT}",
        "sign_in_server": f"{sign_in.HOST}:{sign_in.PORT}",
        "check_port": PORT_CHECK,
        "tables_port": PORT_TABLES,
        "refused_ms": REFUSED_MS,
        "page_policy": viewer.CONTENT_SECURITY_POLICY,
        "sign_in_policy": viewer.SIGN_IN_SECURITY_POLICY,
    }


def _end_session(provider: IdentityProvider) -> str | None:
    """Give where a sign-out leads to end the session at the provider too, as a log format of HAProxy's (RP-Initiated Logout 1.0, 2)."""
    if provider.sign_out_url is None:
        return None
    asked = f"{provider.sign_out_url}?client_id={quote(provider.client_id, safe='')}&post_logout_redirect_uri={quote('https://', safe='')}"
    return f"{asked.replace('%', '%%')}%[var(txn.host),url_enc]{quote('/', safe='').replace('%', '%%')}"


def _provider(provider: IdentityProvider) -> dict[str, Any]:
    """Give what people who sign in at an identity provider need."""
    ways: dict[int, list[str]] = {}
    for host, port in provider.hosts():
        ways.setdefault(port, []).append(host)
    return {
        "name": provider.name,
        "role_claim": provider.role_claim,
        "end_session": _end_session(provider),
        "generation": sign_in.provider_generation(provider),
        "back": FROM_PROVIDER,
        "returns": MOST_RETURNS,
        "own_name": BROWSER_NAME,
        "ways": ways,
    }


def haproxy_configuration(clinic: Clinic, secrets: GatewaySecrets) -> str:
    """Write haproxy.cfg."""
    addresses = [*clinic.dicom.addresses, *clinic.https.addresses]
    hosts = dict.fromkeys(
        [*(name.lower() for name in clinic.host_names), *(str(a) if a.version == 4 else f"[{a}]" for a in clinic.https.addresses)]
    )
    return _TEMPLATES.get_template("haproxy.cfg.j2").render(
        ports={"dicom": PORT_DICOM, "https": PORT_HTTPS},
        threads=math.ceil(clinic.limits.cpus),
        maxconn=max(2000, clinic.limits.connections_per_source * len(addresses) + clinic.limits.associations),
        hard_stop_seconds=HARD_STOP_SECONDS,
        most_reloads=MOST_RELOADS,
        associate_seconds=ASSOCIATE_SECONDS,
        tls12_ciphers=":".join(TLS12_CIPHERS),
        tls13_ciphers=":".join(TLS13_CIPHERS),
        tls_curves=":".join(TLS_CURVES),
        archive_ae_hex=ae_hex(clinic.archive.ae_title),
        ca_common_names=secrets.ca_common_names,
        archive_retries=ARCHIVE_RETRIES,
        callers=[{"slug": slug(peer.ae_title), "known_as": known_as(peer)} for peer in clinic.peers],
        limits=clinic.limits,
        pinned=any(peer.certificate for peer in clinic.peers),
        plaintext=[
            {
                "slug": slug(peer.ae_title),
                "known_as": known_as(peer),
                "ae_hex": ae_hex(peer.ae_title),
                "port": peer.plaintext.port,
                "source": peer.plaintext.source,
                "until": peer.plaintext.until,
            }
            for peer in clinic.peers
            if peer.plaintext
        ],
        egress=_egress(clinic),
        people=[{"name": person.name, "hash": secrets.password_hashes[person.name]} for person in clinic.people],
        hosts=" ".join(hosts),
        wrong_password_ms=WRONG_PASSWORD_MS,
        methods=" ".join(methods(clinic)),
        realm=clinic.name,
        rules=[
            {
                "name": route.name,
                "roles": " ".join(route.roles),
                "methods": " ".join(route.methods),
                "pattern": word(route.pattern),
                "backend": route.backend,
            }
            for route in routes(clinic)
        ],
        browser=_browser(clinic),
        data_policy=viewer.DATA_SECURITY_POLICY,
        archive_authorization=secrets.archive_authorization,
    )


#: Files that the gateway has whatever the clinic declares.
_FILE_NAMES = (
    *("haproxy.cfg", "server.pem", "egress.pem", "ca.pem", "peers-ca.pem", "crl.pem"),
    *("ae.map", "pinned.map", "roles.map", "generations.map", "peers.list", "revoked.list"),
)


def gateway_file_names(clinic: Clinic) -> list[str]:
    """Name the gateway's files, which are known before their content is."""
    provided = ["locked.list"] if clinic.sign_in.oidc else []
    return [*_FILE_NAMES, *provided, *(pinned_file(peer) for peer in clinic.with_tls() if peer.certificate)]


def _map(rows: Mapping[str, str]) -> str:
    """Write a map file (HAProxy Configuration Manual, map_<match_type>): a key and its value on each line."""
    return "".join(f"{key} {value}\n" for key, value in rows.items())


def gateway_files(clinic: Clinic, secrets: GatewaySecrets) -> dict[str, str]:
    """Give the content of each file of the gateway: name -> text."""
    own = {peer.ae_title: peer.certificate for peer in clinic.with_tls() if peer.certificate}
    pinned = {pinned_file(peer): peer.certificate for peer in clinic.with_tls() if peer.certificate}
    return {
        "haproxy.cfg": haproxy_configuration(clinic, secrets),
        "server.pem": secrets.server_pem,
        "egress.pem": secrets.egress_pem,
        "ca.pem": secrets.ca_pem,
        "peers-ca.pem": "".join(pem if pem.endswith("\n") else f"{pem}\n" for pem in (secrets.ca_pem, *own.values())),
        "crl.pem": secrets.crl_pem,
        "ae.map": _map({ae_hex(peer.ae_title): peer.ae_title for peer in clinic.with_tls()}),
        "pinned.map": _map({fingerprint(pem): ae_title for ae_title, pem in own.items()}),
        "roles.map": _map({person.name: person.role for person in clinic.people}),
        "generations.map": _map({person.name: str(sign_in.generation(secrets.password_hashes[person.name])) for person in clinic.people}),
        # What the reload ends: associations of peers that are not in the one, or whose certificate is in the other.
        "peers.list": "".join(f"{slug(peer.ae_title)}\n" for peer in clinic.peers),
        "revoked.list": "".join(f"{slug(entry.peer)} {entry.serial}\n" for entry in clinic.revoked if entry.peer),
        **({"locked.list": "".join(f"{name}\n" for name in clinic.sign_in.oidc.locked_out)} if clinic.sign_in.oidc else {}),
        **pinned,
    }
