"""Requests that a picture archive's web interface may answer, chosen so that none changes or shows anything, however open it is.

Reads ask for a study that nobody has or for one entry; writes carry bodies that no server can use, or name what is not there.
"""

from __future__ import annotations

import dataclasses

from securepacs_harness.probes.http import Request

NO_UID = "2.25.0"
NO_ORTHANC_ID = "00000000-00000000-00000000-00000000-00000000"
_STUDY = f"/dicom-web/studies/{NO_UID}"
_SERIES = f"{_STUDY}/series/{NO_UID}"
_INSTANCE = f"{_SERIES}/instances/{NO_UID}"
_DCM4CHEE = "/dcm4chee-arc/aets/DCM4CHEE/rs"

#: Paths that are read with GET; the part behind `?` keeps the answer empty or short.
_READS = (
    "/",
    f"/dicom-web/studies?StudyInstanceUID={NO_UID}",
    f"/dicom-web/series?StudyInstanceUID={NO_UID}",
    f"/dicom-web/instances?StudyInstanceUID={NO_UID}",
    _STUDY,
    f"{_STUDY}/metadata",
    f"{_STUDY}/rendered",
    f"{_STUDY}/series",
    _SERIES,
    f"{_SERIES}/metadata",
    _INSTANCE,
    f"{_INSTANCE}/frames/1",
    f"{_INSTANCE}/bulk/00081155",
    f"{_INSTANCE}/rendered",
    "/dicom-web/servers",
    "/dicom-web/app/client/index.html",
    f"/wado?requestType=WADO&studyUID={NO_UID}&seriesUID={NO_UID}&objectUID={NO_UID}",
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
    f"/instances/{NO_ORTHANC_ID}/file",
    f"/instances/{NO_ORTHANC_ID}/attachments/dicom/data",
    "/modalities",
    "/modalities/NOBODY",
    "/peers",
    "/queries",
    "/jobs",
    "/plugins",
    "/plugins/explorer.js",
    "/tools",
    "/tools/log-level",
    "/tools/metrics-prometheus",
    "/app/explorer.html",
    "/ui/app/",
    "/webdav/",
    "/metrics",
    f"{_DCM4CHEE}/studies?StudyInstanceUID={NO_UID}",
    "/dcm4chee-arc/ui2/",
    "/dcm4chee-arc/devices",
)

#: Requests of other methods, with bodies that no server can use.
_OTHERS = (
    ("HEAD", "/system", b""),
    ("OPTIONS", "/dicom-web/studies", b""),
    ("TRACE", "/", b""),
    ("PROPFIND", "/webdav/", b""),
    ("POST", "/dicom-web/studies", b"x"),
    ("POST", "/instances", b"x"),
    ("POST", "/tools/lookup", NO_UID.encode()),
    ("POST", "/tools/find", b'{"Level":"Study","Query":{"StudyInstanceUID":"2.25.0"}}'),
    ("POST", "/modalities/NOBODY/echo", b"{}"),
    ("POST", "/modalities/NOBODY/store", b'"x"'),
    ("POST", "/peers/NOBODY/store", b'"x"'),
    ("POST", f"/studies/{NO_ORTHANC_ID}/anonymize", b"{}"),
    ("POST", f"/studies/{NO_ORTHANC_ID}/modify", b"{}"),
    ("POST", f"/instances/{NO_ORTHANC_ID}/export", b"x"),
    ("PUT", "/modalities/NOBODY", b"x"),
    ("PUT", "/peers/NOBODY", b"x"),
    ("PUT", f"/instances/{NO_ORTHANC_ID}/metadata/1024", b"x"),
    ("DELETE", f"/patients/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/studies/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/series/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/instances/{NO_ORTHANC_ID}", b""),
    ("DELETE", f"/dicom-web/studies/{NO_UID}", b""),
    ("PATCH", f"/studies/{NO_ORTHANC_ID}", b"x"),
)

HARMLESS: tuple[Request, ...] = (
    *(Request("GET", path) for path in _READS),
    *(Request(method, path, body=body) for method, path, body in _OTHERS),
)


def path_of(request: Request) -> str:
    """Give the path of a request without its query."""
    return request.target.partition("?")[0]


def as_person(request: Request, login: dict[str, str]) -> Request:
    """Give the same request with a login."""
    return dataclasses.replace(request, headers={**request.headers, **login})


#: Spellings that lead to /system, or out of DICOMweb, where a server normalises what a gateway did not.
TRICKS = (
    "//system",
    "/./system",
    "/x/../system",
    "/dicom-web/../system",
    "/dicom-web/studies/../../system",
    "/dicom-web/studies/..%2f..%2fsystem",
    "/dicom-web/studies/%2e%2e/%2e%2e/system",
    "/dicom-web/studies/%252e%252e/system",
    "/dicom-web/studies;/../system",
    "/dicom-web/studies;x=/system",
    "/dicom-web/studies%00/system",
    "/dicom-web/studies\\..\\system",
    "/dicom-web/studies/..",
    "/dicom-web/studies/.",
    "/system/",
    "/system?",
    "/system#",
    "/System",
    "/%73ystem",
    "/system%20",
    "/system%0a",
    "/system%0d%0aX:y",
    "/system/.",
    "system",
    "*",
    "http://localhost/system",
    "https://localhost:8042/system",
    "/dicom-web/studies/1.2.3/../../../tools/log-level",
    "/dicom-web//studies",
    "/dicom-web/studies/",
    "/dicom-web/studies/1..2",
    "/dicom-web/studies/1.2.",
    "/DICOM-WEB/studies",
)

#: Headers by which a proxy tells a server who asks or what for; a client must not be able to.
FORGED_HEADERS: tuple[dict[str, str], ...] = (
    {"X-Forwarded-User": "{user}"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Forwarded-Prefix": "/system"},
    {"X-Original-URL": "/dicom-web/studies"},
    {"X-Rewrite-URL": "/dicom-web/studies"},
    {"X-Remote-User": "{user}"},
    {"Remote-User": "{user}"},
    {"Forwarded": "for=127.0.0.1;by={user}"},
    {"Cookie": "role=admin; user={user}"},
    {"Upgrade": "websocket", "Connection": "Upgrade"},
    {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"},
)

#: Ways to say another method than the request's own: the query's part, and headers.
OVERRIDES: tuple[tuple[str, dict[str, str]], ...] = (
    ("?_method=DELETE", {}),
    ("?_METHOD=DELETE", {}),
    ("?x=1&_method=DELETE", {}),
    ("?%5fmethod=DELETE", {}),
    ("?%5Fmethod=DELETE", {}),
    ("?_%6dethod=DELETE", {}),
    ("?%255fmethod=DELETE", {}),
    ("?%25255fmethod=DELETE", {}),
    ("?_method%3dDELETE", {}),
    ("?a=b;_method=DELETE", {}),
    ("", {"X-HTTP-Method-Override": "DELETE"}),
    ("", {"x-http-method-override": "delete"}),
    ("", {"X-Method-Override": "DELETE"}),
    ("", {"X-HTTP-Method": "DELETE"}),
)

#: Bodies whose length is said twice, or wrongly (RFC 9112 section 6.1).
FRAMINGS: tuple[dict[str, str], ...] = (
    {"Content-Length": "-1"},
    {"Content-Length": "5, 6"},
    {"Content-Length": "0x5"},
    {"Transfer-Encoding": "chunked, identity"},
    {"Transfer-Encoding": "xchunked"},
)

#: Pairs that products ship with, or that are published in their examples (user, password). Few: a wrong one counts towards a lock-out.
DEFAULT_LOGINS: tuple[tuple[str, str], ...] = (
    ("orthanc", "orthanc"),
    ("admin", "admin"),
    ("demo", "demo"),
    ("alice", "alicePassword"),
    ("root", "changeit"),
)
