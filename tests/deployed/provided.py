"""A person with a browser, who signs in to a clinic at its identity provider: what the browser would do, step by step."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import requests

from deployed.keycloak import Keycloak
from deployed.web import COOKIE, FETCHED, SIGN_OUT

START, BACK = "/oauth2/start", "/oauth2/callback"

_TYPED = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
_CLICKED = {**_TYPED, "Sec-Fetch-Site": "same-origin"}
#: The provider sends the browser back: another site leads here.
_SENT = {**_TYPED, "Sec-Fetch-Site": "cross-site"}


@dataclass
class Person:
    """One browser with its cookies, and the two authorities that it trusts."""

    base: str
    ca: Path
    provider: Keycloak
    cookies: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.cookies.trust_env = False

    def ask(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> requests.Response:
        """Ask the clinic; follow nothing."""
        sent = FETCHED if headers is None else headers
        return self.cookies.request(method, self.base + path, headers=sent, verify=str(self.ca), allow_redirects=False, timeout=90)

    def begin(self, to: str = "/") -> str:
        """Follow the link to the provider; give the address there."""
        return self.ask(f"{START}?rd={quote(to, safe='')}", _CLICKED).headers["Location"]

    def page(self, address: str) -> str:
        """Open a page of the provider's; give its form's address."""
        shown = self.cookies.get(address, verify=str(self.provider.folder / "ca.pem"), timeout=60)
        shown.raise_for_status()
        (action,) = re.findall(r'<form[^>]*\saction="([^"]+)"', shown.text)
        return html.unescape(action)

    def prove(self, action: str, name: str, password: str | None = None) -> str:
        """Fill in the provider's form; give the address to which it sends the browser back, '' where it does not."""
        form = {"username": name, "password": self.provider.passwords[name] if password is None else password}
        ca = str(self.provider.folder / "ca.pem")
        return self.cookies.post(action, data=form, verify=ca, allow_redirects=False, timeout=60).headers.get("Location", "")

    def come_back(self, address: str) -> requests.Response:
        """Follow the way back to the clinic."""
        return self.ask(address.removeprefix(self.base), _SENT)

    def sign_in(self, name: str, to: str = "/") -> requests.Response:
        """Go all the way; give the clinic's last answer."""
        return self.come_back(self.prove(self.page(self.begin(to)), name))

    def sign_out(self) -> requests.Response:
        """Follow the way out."""
        return self.ask(f"{SIGN_OUT}?rd=%2F", _CLICKED)

    def who(self) -> tuple[str, str] | int:
        """Give name and role as the clinic tells them, or the status of its refusal."""
        answer = self.ask("/session")
        return (answer.json()["user"], answer.json()["role"]) if answer.ok else answer.status_code

    @property
    def session(self) -> str:
        """The session's cookie; '' where there is none."""
        return next((cookie.value or "" for cookie in self.cookies.cookies if cookie.name == COOKIE), "")
