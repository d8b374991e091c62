"""Ways to write a request so that gateway and archive read two different things, or take one person for another."""

from __future__ import annotations

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

#: Host names of somebody else, of the archive itself and of none: no rule that goes by them may open anything.
HOSTS: tuple[str, ...] = ("evil.example", "localhost.evil.example", "localhost", "127.0.0.1", "archive:8042", "")

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
    {"Content-Length": "5", "content-length": "6"},
    {"Content-Length ": "5"},
    {"Transfer-Encoding": "chunked, identity"},
    {"Transfer-Encoding": "chunked", "transfer-encoding": "identity"},
    {"Transfer-Encoding": "xchunked"},
    {"Transfer-Encoding": "\x0bchunked"},
)
