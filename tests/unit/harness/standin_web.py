"""A web server on loopback that answers as a test tells it: something for the checks of the web to look at."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from securepacs_harness.bundles import Bundles
from securepacs_harness.reach import Pacs
from securepacs_harness.target import parse_target

#: Status, body, and headers where there are some.
Answer = tuple[int, str] | tuple[int, str, Mapping[str, str]]
#: Says what is answered to a method, a path with its query, and the value of the Authorization header.
Site = Callable[[str, str, str], Answer]


@dataclasses.dataclass(frozen=True)
class Asked:
    """One request, whole."""

    method: str
    target: str
    headers: Message
    body: str



PASSWORDS = {"vera": "right-of-vera", "anna": "right-of-anna"}


def serving(site: Site) -> AbstractContextManager[str]:
    """Serve a site; give its base URL."""
    return serving_whole(lambda asked: site(asked.method, asked.target, asked.headers.get("Authorization", "")))


@contextmanager
def serving_whole(site: Callable[[Asked], Answer]) -> Iterator[str]:
    """Serve a site that looks at all of a request; give its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = self.headers.get("Content-Length", "")
            sent = self.rfile.read(int(length)).decode("latin-1") if length.isdigit() else ""
            status, body, *more = site(Asked(self.command, self.path, self.headers, sent))
            self.send_response_only(status)
            for name, value in (more[0] if more else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        def __getattr__(self, name: str) -> Callable[[], None]:
            """Answer every method alike."""
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def send_error(self, code: int, *_: object) -> None:
            """Refuse what is malformed without naming the server."""
            self.send_response_only(code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def pacs_of(base_url: str, *, passwords: Mapping[str, str] | None = None, **https: Any) -> Pacs:  # noqa: ANN401 - sections of a target file
    """Declare a PACS whose web interface stands there: a viewer who may search, an administrator who may look at the system too."""
    search = {"methods": ["GET"], "route": "^/dicom-web/studies$"}
    declared = {
        "base_url": base_url,
        "users": {"vera": {"role": "viewer"}, "anna": {"role": "admin"}},
        "roles": {"viewer": [search], "admin": [search, {"methods": ["GET"], "route": "^/system$"}]},
        **https,
    }
    dicom = {"host": "127.0.0.1", "port": 1, "ae_title": "ARCHIVE", "tls": False}
    target = parse_target({"version": 1, "name": "standin", "dicom": dicom, "https": declared})
    return Pacs(target, Bundles(Path("absent")), PASSWORDS if passwords is None else passwords)
