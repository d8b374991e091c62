"""A web server on loopback with a sign-in by form, sound or with one defect: something for the checks of sessions to look at."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from securepacs_harness.probes.routes import NO_UID
from securepacs_harness.probes.sign_in import bits_apart, leads_away
from unit.harness.standin_web import PASSWORDS, Answer, Asked

COOKIE = "__Host-session"
SIGN_IN = {"path": "/in", "to_field": "to", "cookie": COOKIE, "sign_out": "/out", "check": "/me", "page": "/", "idle_minutes": 1}
FORM = (
    '<form action="/search"><input name="q"></form><form method=post><input type="hidden" name="once" value="{once}">'
    '<input name="username"><input name="password" type="password"><input type="hidden" name="to" value="/"></form>'
)
SEARCH, SYSTEM, STUDIES = "/dicom-web/studies", "/system", "/studies/00000000-00000000-00000000-00000000-00000000"
ROLES = {
    "viewer": [{"methods": ["GET"], "route": f"^({SEARCH}|/me|/)$"}],
    "admin": [{"methods": ["GET"], "route": f"^({SEARCH}|{SYSTEM}|/me|/)$"}, {"methods": ["DELETE"], "route": "^/studies/[0-9a-f-]+$"}],
    "anonymous": [{"methods": ["GET", "POST"], "route": "^/(in|out)$"}],
}
_RIGHTS = {"vera": {("GET", SEARCH), ("GET", "/me"), ("GET", "/")}}
_RIGHTS["anna"] = _RIGHTS["vera"] | {("GET", SYSTEM), ("DELETE", STUDIES)}
PAGE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Gate:
    """The server. `defects` names what is wrong with it; `now` tells the seconds, for sessions that are idle."""

    def __init__(self, *defects: str, now: Callable[[], float] = time.monotonic) -> None:
        self.defects, self._now = set(defects), now
        self._lock = threading.Lock()
        self.sessions: dict[str, tuple[str, float]] = {}
        self._once: set[str] = set()
        self.wrong: dict[str, int] = {}
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        with self._lock:
            self.asked.append(asked)
            path = urlsplit(asked.target).path
            answer = {"/in": self._sign_in, "/out": self._sign_out}.get(path, self._served)(asked)
        if "known slower" in self.defects and asked.method == "POST" and "username=zz" not in asked.body:
            time.sleep(0.15)
        return answer

    def _foreign(self, asked: Asked) -> bool:
        return asked.headers.get("Sec-Fetch-Site") == "cross-site"

    def _sign_in(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            once = secrets.token_hex(8)
            self._once.add(once)
            return 200, FORM.format(once=once), PAGE | ({"Referrer-Policy": "unsafe-url"} if "page" in self.defects else {})
        form = {name: values[0] for name, values in parse_qs(asked.body, keep_blank_values=True).items()}
        name = form.get("username", "")
        if form.get("once") not in self._once or (self._foreign(asked) and "foreign form" not in self.defects):
            return 403, ""
        if self.wrong.get(name, 0) >= 5 and "unthrottled" not in self.defects:
            return 429, ""
        if PASSWORDS.get(name) != form.get("password") or "nobody signs in" in self.defects:
            self.wrong[name] = self.wrong.get(name, 0) + 1
            told = "no such name" if "name told" in self.defects and name not in PASSWORDS else "wrong"
            return 401, f"{told}: {name}, {secrets.token_hex(16)}"
        value = "00000001" if "guessable" in self.defects else secrets.token_hex(32)
        self.sessions[value] = (name, self._now())
        to = form.get("to", "/")
        away = leads_away("http://x", to) and "leads away" not in self.defects
        flags = "Path=/; Secure; SameSite=Lax" + ("" if "flags" in self.defects else "; HttpOnly")
        return 302, "", {"Set-Cookie": f"{COOKIE}={value}; {flags}", "Location": "/" if away else to.replace("\t", "")}

    def _sign_out(self, asked: Asked) -> Answer:
        if self._foreign(asked) and "foreign sign-out" not in self.defects:
            return 403, ""
        if "kept" not in self.defects:
            self.sessions.pop(self._value(asked), None)
        return 302, "", {"Location": "/"}

    def _value(self, asked: Asked) -> str:
        cookies = "; ".join(asked.headers.get_all("Cookie", []))
        return {name: value for name, _, value in (pair.partition("=") for pair in cookies.split("; "))}.get(COOKIE, "")

    def _in_session(self, asked: Asked) -> str | None:
        value = self._value(asked)
        if "name believed" in self.defects and value in PASSWORDS:
            return value
        for known, (user, last) in self.sessions.items():
            like = "half believed" in self.defects and value and bits_apart(known[: len(known) // 2], value[: len(known) // 2]) == 0
            if (value == known or like) and (self._now() - last <= 60 or "never idle" in self.defects):
                self.sessions[known] = (user, self._now())
                return user
        return None

    def _by_password(self, asked: Asked) -> str | None:
        told = [base64.b64decode(header.partition(" ")[2]).decode() for header in asked.headers.get_all("Authorization", [])]
        if len(told) > 1 and "second believed" not in self.defects:
            return None
        right = [pair for pair in told if PASSWORDS.get(pair.partition(":")[0]) == pair.partition(":")[2]]
        return told[-1].partition(":")[0] if right else None

    def _served(self, asked: Asked) -> Answer:
        path = urlsplit(asked.target).path
        session = self._in_session(asked)
        given = "Authorization" in asked.headers
        user = self._by_password(asked) if given else session
        if given and session and "name beside a session" in self.defects:
            user = base64.b64decode(asked.headers["Authorization"].partition(" ")[2]).decode().partition(":")[0]
        if user is None:
            return 401, ""
        if self._foreign(asked) and asked.method != "GET" and "foreign change" not in self.defects:
            return 403, ""
        if path.endswith(("/rendered", "/metadata")) and f"/{NO_UID}" not in path:
            return 200, "image", {"Cache-Control": "private, max-age=60" if "images kept" in self.defects else "no-store, private"}
        if (asked.method, path) not in _RIGHTS[user] and not (asked.method == "DELETE" and session and "session deletes" in self.defects):
            return 403, ""
        if path == STUDIES:
            return 404, ""
        return 200, f'{{"user": "{user}"}}' if path == "/me" else "[]", PAGE
