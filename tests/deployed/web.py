"""HTTPS to the clinic as a browser's page would speak it, without a browser: for what has to be tried by the hundred."""

from __future__ import annotations

import dataclasses
import http.client
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from securepacs_harness.reach import Pacs

SIGN_IN, SIGN_OUT, COOKIE = "/oauth2/sign_in", "/oauth2/sign_out", "__Host-securepacs"

#: How a browser says that a page of the clinic's own asks, that somebody typed the address, or that another site asks (Fetch Metadata).
FETCHED = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
NAVIGATED = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
FOREIGN = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "https://elsewhere.example"}


@dataclasses.dataclass
class Web:
    """One browser's memory: the clinic's address, its authority, and a cookie."""

    base: str
    ca: Path
    cookie: str = dataclasses.field(default="", repr=False)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        """Send one request with the cookie, on a connection of its own; follow nothing."""
        sent = {**(FETCHED if headers is None else headers), **({"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})}
        return requests.request(method, self.base + path, headers=sent, verify=str(self.ca), allow_redirects=False, timeout=30, **more)

    def ask_exactly(self, method: str, path: str, headers: list[tuple[str, str]], body: str = "") -> int:
        """Send one request with exactly these headers, repeated ones too; give the status."""
        parts = urlsplit(self.base)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=30, context=ssl.create_default_context(cafile=str(self.ca))
        )
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body.encode() or None)
            return connection.getresponse().status
        finally:
            connection.close()

    def sign_in(self, name: str, password: str, headers: dict[str, str] | None = None, to: str = "/") -> requests.Response:
        """Send the sign-in's form; keep the cookie that comes."""
        sent = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"} if headers is None else headers
        answer = self.ask("POST", SIGN_IN, sent, data={"rd": to, "username": name, "password": password})
        if COOKIE in answer.cookies:
            self.cookie = answer.cookies[COOKIE]
        return answer

    def sign_out(self) -> requests.Response:
        """Follow the way out."""
        return self.ask("GET", f"{SIGN_OUT}?rd=%2F", {**NAVIGATED, "Sec-Fetch-Site": "same-origin"})


def web(pacs: Pacs) -> Web:
    """Give a browser that has not been here before."""
    https = pacs.https
    ca = pacs.bundles.folder / "web-ca.pem"
    if not ca.exists():
        ca.write_text(pacs.target.ca, encoding="ascii")
    return Web(https.base_url.replace("127.0.0.1", "localhost"), ca)


def seconds_of(browser: Web, name: str, password: str) -> tuple[float, requests.Response]:
    """Try to sign in; give the time until the answer."""
    began = time.monotonic()
    answer = browser.sign_in(name, password)
    return time.monotonic() - began, answer
