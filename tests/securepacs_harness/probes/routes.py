"""Requests that a picture archive's web interface may answer, chosen so that none changes or shows anything, however open it is.

Reads ask for a study that nobody has or for one entry; writes carry bodies that no server can use, or name what is not there.
What would harm an open archive with hardly any body (`/tools/reset`, `/tools/shutdown`, `/tools/execute-script`) is not among them.
"""

from __future__ import annotations

import dataclasses
import random
import re
from functools import cache

import rstr

from securepacs_harness.probes.http import Request

NO_UID = "2.25.0"
NO_ORTHANC_ID = "00000000-00000000-00000000-00000000-00000000"
_STUDY = f"/dicom-web/studies/{NO_UID}"
_SERIES = f"{_STUDY}/series/{NO_UID}"
_INSTANCE = f"{_SERIES}/instances/{NO_UID}"
_DCM4CHEE = "/dcm4chee-arc/aets/DCM4CHEE"

#: Paths that are read with GET; the part behind `?` keeps the answer empty or short.
_READS = (
    "/",
    # DICOMweb (PS3.18), as Orthanc serves it.
    f"/dicom-web/studies?StudyInstanceUID={NO_UID}",
    f"/dicom-web/series?StudyInstanceUID={NO_UID}",
    f"/dicom-web/instances?StudyInstanceUID={NO_UID}",
    _STUDY,
    f"{_STUDY}/metadata",
    f"{_STUDY}/rendered",
    f"{_STUDY}/thumbnail",
    f"{_STUDY}/series",
    f"{_STUDY}/instances",
    _SERIES,
    f"{_SERIES}/metadata",
    f"{_SERIES}/thumbnail",
    f"{_SERIES}/instances",
    _INSTANCE,
    f"{_INSTANCE}/metadata",
    f"{_INSTANCE}/frames/1",
    f"{_INSTANCE}/bulk/00081155",
    f"{_INSTANCE}/rendered",
    "/dicom-web/servers",
    "/dicom-web/servers/NOBODY",
    "/dicom-web/app/client/index.html",
    f"/wado?requestType=WADO&studyUID={NO_UID}&seriesUID={NO_UID}&objectUID={NO_UID}",
    # Orthanc's REST interface.
    "/system",
    "/statistics",
    "/changes?limit=1",
    "/exports?limit=1",
    "/patients?limit=1&since=0",
    "/studies?limit=1&since=0",
    "/series?limit=1&since=0",
    "/instances?limit=1&since=0",
    f"/patients/{NO_ORTHANC_ID}",
    f"/studies/{NO_ORTHANC_ID}",
    f"/studies/{NO_ORTHANC_ID}/archive",
    f"/studies/{NO_ORTHANC_ID}/shared-tags",
    f"/studies/{NO_ORTHANC_ID}/attachments/dicom/data",
    f"/series/{NO_ORTHANC_ID}",
    f"/instances/{NO_ORTHANC_ID}",
    f"/instances/{NO_ORTHANC_ID}/file",
    f"/instances/{NO_ORTHANC_ID}/tags",
    f"/instances/{NO_ORTHANC_ID}/preview",
    f"/instances/{NO_ORTHANC_ID}/metadata/RemoteAET",
    f"/instances/{NO_ORTHANC_ID}/attachments/dicom/data",
    "/modalities",
    "/modalities/NOBODY",
    "/peers",
    "/peers/NOBODY",
    "/queries",
    "/jobs",
    "/plugins",
    "/plugins/explorer.js",
    "/storage-commitment",
    "/tools",
    "/tools/dicom-conformance",
    "/tools/log-level",
    "/tools/metrics-prometheus",
    "/app/explorer.html",
    "/ui/app/",
    "/ohif/",
    "/stone-webviewer/index.html",
    "/webdav/",
    # dcm4chee-arc, and the application server and identity provider that it comes with.
    f"{_DCM4CHEE}/rs/studies?StudyInstanceUID={NO_UID}",
    f"{_DCM4CHEE}/rs/studies/{NO_UID}",
    f"{_DCM4CHEE}/rs/studies/{NO_UID}/metadata",
    f"{_DCM4CHEE}/rs/patients?PatientID=NOBODY&limit=1",
    f"{_DCM4CHEE}/rs/mwlitems?PatientID=NOBODY&limit=1",
    f"{_DCM4CHEE}/wado?requestType=WADO&studyUID={NO_UID}&seriesUID={NO_UID}&objectUID={NO_UID}",
    "/dcm4chee-arc/aets",
    "/dcm4chee-arc/devices",
    "/dcm4chee-arc/monitor/associations",
    "/dcm4chee-arc/ui2/",
    "/console",
    "/management",
    # What stands in front of, or beside, an archive.
    "/metrics",
    "/healthz",
    "/stats",
    "/haproxy",
    "/server-status",
    "/nginx_status",
)

#: Requests of other methods, with bodies that no server can use.
_OTHERS = (
    ("HEAD", "/system", b""),
    ("HEAD", f"/dicom-web/studies?StudyInstanceUID={NO_UID}", b""),
    ("OPTIONS", "/dicom-web/studies", b""),
    ("TRACE", "/", b""),
    ("PROPFIND", "/webdav/", b""),
    ("POST", "/dicom-web/studies", b"x"),
    ("POST", _STUDY, b"x"),
    ("PUT", "/dicom-web/servers/NOBODY", b"x"),
    ("POST", "/dicom-web/servers/NOBODY/stow", b"x"),
    ("DELETE", "/dicom-web/servers/NOBODY", b""),
    ("POST", "/instances", b"x"),
    ("POST", "/tools/lookup", NO_UID.encode()),
    ("POST", "/tools/find", b'{"Level":"Study","Query":{"StudyInstanceUID":"2.25.0"}}'),
    ("POST", "/tools/create-archive", b"x"),
    ("POST", "/tools/create-dicom", b"x"),
    ("POST", "/modalities/NOBODY/echo", b"{}"),
    ("POST", "/modalities/NOBODY/query", b"x"),
    ("POST", "/modalities/NOBODY/move", b"x"),
    ("POST", "/modalities/NOBODY/store", b'"x"'),
    ("POST", "/peers/NOBODY/store", b'"x"'),
    ("POST", f"/studies/{NO_ORTHANC_ID}/anonymize", b"{}"),
    ("POST", f"/studies/{NO_ORTHANC_ID}/modify", b"{}"),
    ("POST", f"/instances/{NO_ORTHANC_ID}/export", b"x"),
    ("PUT", "/modalities/NOBODY", b"x"),
    ("PUT", "/peers/NOBODY", b"x"),
    ("PUT", f"/instances/{NO_ORTHANC_ID}/metadata/1024", b"x"),
    ("DELETE", "/modalities/NOBODY", b""),
    ("DELETE", "/peers/NOBODY", b""),
    ("DELETE", f"/patients/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/studies/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/series/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/instances/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/instances/{NO_ORTHANC_ID}/attachments/dicom", b""),
    ("DELETE", _STUDY, b""),
    ("DELETE", _INSTANCE, b""),
    ("PATCH", f"/studies/{NO_ORTHANC_ID}", b"x"),
    ("POST", f"{_DCM4CHEE}/rs/studies", b"x"),
    ("DELETE", f"{_DCM4CHEE}/rs/studies/{NO_UID}", b""),
    ("POST", "/dcm4chee-arc/devices/NOBODY", b"x"),
    ("DELETE", "/dcm4chee-arc/devices/NOBODY", b""),
)

HARMLESS: tuple[Request, ...] = (
    *(Request("GET", path) for path in _READS),
    *(Request(method, path, body=body) for method, path, body in _OTHERS),
)

#: Queries that keep an answer empty or short, whichever of them the server knows.
_LITTLE = f"?StudyInstanceUID={NO_UID}&limit=1&since=0"
#: What an example may hold: no character that a server could take for anything but itself.
_PLAIN = re.compile(r"/(?!.*(//|/\.))[A-Za-z0-9/._~,-]{0,159}")
_TRIES = 64


def path_of(request: Request) -> str:
    """Give the path of a request without its query."""
    return request.target.partition("?")[0]


#: Every path of the table, without query.
PATHS: tuple[str, ...] = tuple(dict.fromkeys(path_of(request) for request in HARMLESS))


def as_person(request: Request, login: dict[str, str]) -> Request:
    """Give the same request with a login."""
    return dataclasses.replace(request, headers={**request.headers, **login})


def _bounded(route: str) -> str:
    """Give a route in which repetitions end soon, and classes of what may not stand there are letters; it need not be equivalent."""
    without_negations = re.sub(r"\[\^[^\]]*\]", "[a-z0-9]", route)
    return re.sub(r"(?<![\\\[])([+*])(?![^\[]*\])", lambda found: "{4,9}" if found[1] == "+" else "{0,2}", without_negations)


@cache
def example_of(route: str) -> str | None:
    """Give a path that an anchored route matches, the same one each time; None where none of plain characters was found.

    Where the route has variable parts they are filled at random and long, so that nothing stored is named.
    """
    made = rstr.Rstr(random.Random(route))  # noqa: S311 - a name that nobody has is no secret
    bounded = _bounded(route)
    try:
        tried = [made.xeger(bounded) for _ in range(_TRIES)]
    except (re.error, KeyError, IndexError):
        return None
    fitting = [path for path in tried if _PLAIN.fullmatch(path) and re.fullmatch(route, path)]
    return max(fitting, key=lambda path: (len(path), path), default=None)


def example(route: str) -> Request | None:
    """Give a GET of an example of a declared route, which asks for little; None where there is none."""
    path = example_of(route)
    return None if path is None else Request("GET", f"{path}{_LITTLE}")
