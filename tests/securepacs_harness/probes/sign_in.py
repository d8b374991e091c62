"""Signing in by a form, as a browser does it: its page is fetched, its hidden fields are sent along, its cookies are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from itertools import zip_longest
from urllib.parse import urlencode, urljoin, urlsplit

from securepacs_harness.probes import http
from securepacs_harness.probes.http import Answer, Request
from securepacs_harness.probes.line import Line
from securepacs_harness.target import SignIn

#: How a browser says that a page of the same origin asks, that somebody follows a link of it, or that another site does either
#: (Fetch Metadata Request Headers).
FETCHED = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
NAVIGATED = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
FOREIGN = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}

#: Where a sign-in must not lead on to: written so that a browser takes each for another site (WHATWG URL: a backslash is a slash, tabs
#: are left out).
ASTRAY = (
    "https://elsewhere.example/",
    "//elsewhere.example/",
    "/\\elsewhere.example/",
    "/\t/elsewhere.example/",
    "/x/..//elsewhere.example/",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Cookie:
    """One Set-Cookie header: name, value, attributes by lower-case name (RFC 6265 section 5.2)."""

    name: str
    value: str = dataclasses.field(repr=False)
    attributes: Mapping[str, str]


def cookie_of(header: str) -> Cookie:
    """Read a Set-Cookie header."""
    pair, *more = (part.strip() for part in header.split(";"))
    name, _, value = pair.partition("=")
    told = (part.partition("=") for part in more)
    return Cookie(name.strip(), value.strip(), {key.strip().lower(): word.strip() for key, _, word in told})


def cookie_named(answered: Answer, name: str) -> Cookie | None:
    """Give the cookie of that name that an answer sets; None where it sets none, or takes it away."""
    found = [cookie for cookie in map(cookie_of, answered.cookies) if cookie.name == name and cookie.value]
    return found[-1] if found else None


class _Inputs(HTMLParser):
    """Collects the inputs of each form of a page: name, type, value."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[list[tuple[str, str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a form, or add an input to the one that is open."""
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append([])
        elif tag == "input" and self.forms and told.get("name"):
            self.forms[-1].append((told["name"], told.get("type", "text").lower(), told.get("value", "")))


def fields_of(page: str, name_field: str, password_field: str) -> list[tuple[str, str]]:
    """Give the fields of the form that asks for a password, in its order, hidden ones with their values; of none: name and password."""
    parser = _Inputs()
    parser.feed(page)
    for form in parser.forms:
        if password_field in {name for name, _, _ in form}:
            return [(name, value) for name, kind, value in form if kind == "hidden" or name in {name_field, password_field}]
    return [(name_field, ""), (password_field, "")]


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """The form as it was fetched: its fields, and the cookies that came with its page."""

    fields: Sequence[tuple[str, str]] = dataclasses.field(repr=False)
    cookies: Mapping[str, str] = dataclasses.field(repr=False)

    def filled(self, values: Mapping[str, str]) -> bytes:
        """Write it as a browser sends it (application/x-www-form-urlencoded); what it does not have is added."""
        missing = [(name, value) for name, value in values.items() if name not in dict(self.fields)]
        return urlencode([*((name, values.get(name, value)) for name, value in self.fields), *missing]).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """An open session: whose, and its cookies."""

    user: str
    cookie: Cookie
    others: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def cookies(self) -> Mapping[str, str]:
        """All cookies that the browser holds then."""
        return {**self.others, self.cookie.name: self.cookie.value}

    def sends(self, how: Mapping[str, str] = FETCHED) -> dict[str, str]:
        """Give the headers of a request that is made in it."""
        return {**how, "Cookie": cookie_header(self.cookies)}

    def forged(self, value: str) -> Session:
        """Give it with another value of its cookie."""
        return dataclasses.replace(self, cookie=dataclasses.replace(self.cookie, value=value))


def cookie_header(cookies: Mapping[str, str]) -> str:
    """Write a Cookie header (RFC 6265 section 4.2)."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def form_of(line: Line, declared: SignIn, held: Mapping[str, str] | None = None) -> Form:
    """Fetch the form, with cookies that the browser holds already. Raises EndedError."""
    sent = {**NAVIGATED, **({"Cookie": cookie_header(held)} if held else {})}
    answered = http.answer(line, Request("GET", declared.path, sent))
    given = {cookie.name: cookie.value for cookie in map(cookie_of, answered.cookies)}
    fields = fields_of(answered.body.decode("utf-8", "replace"), declared.name_field, declared.password_field)
    return Form(fields, {**(held or {}), **given})


def submit(
    line: Line,
    declared: SignIn,
    form: Form,
    user: str,
    password: str,
    *,
    how: Mapping[str, str] = NAVIGATED,
    more: Mapping[str, str] | None = None,
) -> Answer:
    """Send a form, filled in; follow nothing. Raises EndedError."""
    body = form.filled({declared.name_field: user, declared.password_field: password, **(more or {})})
    headers = {"Content-Type": "application/x-www-form-urlencoded", **how}
    if form.cookies:
        headers["Cookie"] = cookie_header(form.cookies)
    return http.answer(line, Request("POST", declared.path, headers, body))


def bits_apart(one: str, other: str) -> int:
    """Give about how many bits of two cookies differ, at least: four for each character that is another one, as in hexadecimal."""
    return 4 * len([left for left, right in zip_longest(one, other) if left != right])


def leads_away(base_url: str, location: str) -> bool:
    """Tell whether a browser that is at `base_url` leaves its origin for a Location header (WHATWG URL, basic URL parser)."""
    here = urlsplit(base_url)
    plain = "".join(letter for letter in location.strip() if letter not in "\t\r\n").replace("\\", "/")
    scheme, colon, rest = plain.partition(":")
    if colon and scheme.lower() == here.scheme and not rest.startswith("//"):
        plain = rest  # the page's own scheme without slashes is no more than a path
    elif colon and scheme.lower() in {"http", "https"}:
        plain = f"{scheme}://{rest.lstrip('/')}"
    elif plain.startswith("//"):
        plain = f"{here.scheme}://{plain.lstrip('/')}"
    goal = urlsplit(urljoin(f"{base_url}/", plain))
    return (goal.scheme, goal.netloc) != (here.scheme, here.netloc)
