"""The target file: what the deployed system promises, for whoever tests it. It holds no key and no password."""

from __future__ import annotations

from typing import Any, get_args

from securepacs import sign_in, viewer
from securepacs.archive import ORTHANC_FLOOR
from securepacs.archive import PORT_DICOM as ARCHIVE_DICOM
from securepacs.archive import PORT_HTTP as ARCHIVE_HTTP
from securepacs.clinic import Clinic, Endpoint
from securepacs.database import PORT as PORT_DATABASE
from securepacs.database import uses_postgresql
from securepacs.gateway import PORT_DICOM, PORT_HTTPS, egress_ports
from securepacs.peers import Peer, Verb
from securepacs.routes import SIGN_IN, SIGN_OUT, Route, open_paths, routes_of

VERSION = 1

#: A server's certificate that lives longer is a finding, unless it is declared (HT210176 of Apple's: 825 days).
LONGEST_DAYS = 825

#: Ports that must not answer from outside: the archive's own, and what stands beside a PACS elsewhere
#: (databases, LDAP, debuggers, the engine).
CLOSED_PORTS = (ARCHIVE_DICOM, ARCHIVE_HTTP, 104, 389, 1433, 1521, 2375, 2376, 3306, 5005, 5432, 6379, 8000, 8404, 8405, 9200, 11112, 27017)


_REJECTED = {"layers": ["association"], "codes": ["1/1/3"]}
_BY_TLS = {"layers": ["tls"]}
_VERB = {"layers": ["dimse"], "codes": ["abort/0/0"]}
_MOVE = {"layers": ["dimse"], "codes": ["0xC000"]}

#: How each refusal looks here, by the harness's check: narrower than what the standards leave open.
EXPECTS: dict[str, dict[str, list[str]]] = {
    "association.calling-ae": _REJECTED,
    "association.called-ae": {"layers": ["association"], "codes": ["1/1/7"]},
    "association.plaintext-waiver": _REJECTED,
    "mtls.anonymous": _BY_TLS,
    "mtls.forged": _BY_TLS,
    "mtls.unfit": _BY_TLS,
    "mtls.revoked": _BY_TLS,
    **{f"dimse.{verb}": _VERB for verb in get_args(Verb)},
    **{f"dimse.{verb}/stranger": _BY_TLS for verb in get_args(Verb)},
    "exfiltration.move-unknown": _MOVE,
    "exfiltration.move-unauthorised": _MOVE,
    "integrity.same-uid": {"layers": ["dimse"], "codes": ["0x0111"]},
    "http.anonymous": {"layers": ["http"], "codes": ["401", "405"]},
    "http.roles": {"layers": ["http"], "codes": ["403", "405"]},
    **{f"session.{ended}": {"layers": ["http"], "codes": ["401"]} for ended in ("ended", "idle", "forged")},
    "session.rights": {"layers": ["http"], "codes": ["403", "405"]},
    "session.foreign": {"layers": ["http"], "codes": ["403"]},
}


def container_name(clinic: Clinic, part: str) -> str:
    """Name an object on the engine after its clinic and its part."""
    return f"{clinic.name}-{part}"


def parts(clinic: Clinic) -> list[str]:
    """Name the clinic's parts that are containers."""
    return [
        *("gateway", "archive"),
        *(["database"] if uses_postgresql(clinic) else []),
        *(["viewer", "sign-in"] if clinic.viewer else []),
    ]


def _at(endpoint: Endpoint) -> str:
    return str(endpoint.addresses[0])


def _peer(peer: Peer) -> dict[str, Any]:
    told: dict[str, Any] = {"verbs": list(peer.verbs)}
    if peer.destinations:
        told["move_to"] = peer.destinations
    if peer.address:
        told["address"] = peer.address
    if peer.plaintext:
        told["plaintext"] = {
            "port": peer.plaintext.port,
            "until": peer.plaintext.until.isoformat(),
            "reason": peer.plaintext.reason,
            "source": str(peer.plaintext.source),
        }
    return told


def _recovery(clinic: Clinic) -> dict[str, Any]:
    """Say where the newest copy of the studies can be seen, where the clinic says so."""
    backup = clinic.backup
    return {"recovery": {"part": "archive", "newest": backup.newest, "max_age_hours": backup.hours}} if backup and backup.newest else {}


def _listeners(clinic: Clinic) -> dict[str, list[int]]:
    """Give the ports on which each part listens inside, beyond loopback."""
    gateway = [PORT_DICOM, PORT_HTTPS, *(peer.plaintext.port for peer in clinic.peers if peer.plaintext)]
    if clinic.sign_in.oidc:
        gateway += sorted({port for _, port in clinic.sign_in.oidc.hosts()} - set(gateway))
    inner = {
        "archive": [ARCHIVE_DICOM, ARCHIVE_HTTP],
        **({"database": [PORT_DATABASE]} if uses_postgresql(clinic) else {}),
        **({"viewer": [viewer.PORT], "sign-in": [sign_in.PORT]} if clinic.viewer else {}),
    }
    return {"gateway": [*gateway, *egress_ports(clinic).values()], **inner}


def _rules(allowed: list[Route]) -> list[dict[str, Any]]:
    return [{"methods": list(route.methods), "route": route.pattern} for route in allowed]


def _open(clinic: Clinic) -> dict[str, list[dict[str, Any]]]:
    """Give what nobody must be signed in for, as the harness calls it."""
    paths = open_paths(clinic)
    return {"anonymous": [{"methods": list(verbs), "route": f"^{path}$"} for path, verbs in paths.items()]} if paths else {}


def _sign_in(clinic: Clinic) -> dict[str, Any]:
    """Say how people sign in in a browser, where that is by a form of the clinic's own."""
    if not clinic.viewer or clinic.sign_in.oidc:
        return {}
    form = {"path": SIGN_IN, "name_field": "username", "password_field": "password", "to_field": "rd"}
    session = {"cookie": sign_in.COOKIE, "sign_out": SIGN_OUT, "check": "/session", "idle_minutes": clinic.sign_in.idle_minutes}
    return {"sign_in": form | session}


def target(clinic: Clinic, ca_pem: str) -> dict[str, Any]:
    """Declare the deployed clinic for the harness."""
    host = _at(clinic.https)
    published = {endpoint.port for _, endpoint in clinic.published()}
    roles = dict.fromkeys(person.role for person in clinic.people)
    admins = [person.name for person in clinic.people if person.role == "admin"]
    return {
        "version": VERSION,
        "name": clinic.name,
        "ca": ca_pem,
        **({"certificate_days": days} if (days := clinic.authority.certificate_days) > LONGEST_DAYS else {}),
        "dicom": {
            "host": _at(clinic.dicom),
            "port": clinic.dicom.port,
            "ae_title": clinic.archive.ae_title,
            "server_name": clinic.host_names[0],
            "tls": True,
            "resumption": False,
        },
        "peers": {peer.ae_title: _peer(peer) for peer in clinic.peers},
        "https": {
            "base_url": f"https://{f'[{host}]' if ':' in host else host}:{clinic.https.port}",
            "server_name": clinic.host_names[0],
            "users": {person.name: {"role": person.role} for person in clinic.people},
            "roles": {role: _rules(routes_of(clinic, role)) for role in roles} | _open(clinic),
            **_sign_in(clinic),
        },
        "closed_ports": [port for port in CLOSED_PORTS if port not in published],
        "expects": EXPECTS,
        "floor": {"orthanc": ORTHANC_FLOOR},
        "waivers": [
            {"what": f"plaintext DICOM of {peer.ae_title}", "reason": w.reason, "owner": clinic.name, "until": w.until.isoformat()}
            for peer in clinic.peers
            if (w := peer.plaintext)
        ],
        **({"cleanup": {"by": "orthanc", "user": admins[0]}} if admins else {}),
        "listeners": _listeners(clinic),
        "log": {
            "part": "gateway",
            "denial": r"peer={peer} .*calling=- claimed={ae} ",
            "access": r"peer={ae} .*calling={ae} ",
            "anonymous": r"dicom src=\S+ refused tls=",
            "person": r"https src=\S+ user={user} ",
            "person_denied": r"https src=\S+ user={user} .*status=403 ",
        },
        **_recovery(clinic),
        "inside": {part: f"docker://{container_name(clinic, part)}" for part in parts(clinic)},
        "budget": {"connections": 5000, "seconds": 900},
    }
