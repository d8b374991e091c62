"""Sessions of people in a browser: the cookie, what ends a session, what is none (NIST SP 800-63B section 7.1; RFC 6265bis)."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable

from securepacs_harness import browsing
from securepacs_harness.bracket import at
from securepacs_harness.check import check
from securepacs_harness.observation import Layer
from securepacs_harness.probes.sign_in import Cookie, Session, bits_apart
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

NOT_SERVED = at(Layer.HTTP)

#: A session's secret has as many bits at least (NIST SP 800-63B section 7.1).
LEAST_BITS = 64
#: A longer idle time is not waited for.
MOST_IDLE_MINUTES = 2
#: Seconds beyond the idle time that a server may take to see that it is over.
GRACE = 10


def _host_bound(cookie: Cookie) -> bool:
    attributes = cookie.attributes
    return cookie.name.startswith("__Host-") and attributes.get("path") == "/" and "domain" not in attributes and "secure" in attributes


#: What a session's cookie must be, and what shows it.
ATTRIBUTES: dict[str, tuple[str, Callable[[Cookie], bool]]] = {
    "Secure": ("sent over TLS only", lambda cookie: "secure" in cookie.attributes),
    "HttpOnly": ("read by no script", lambda cookie: "httponly" in cookie.attributes),
    "SameSite": ("Lax or Strict", lambda cookie: cookie.attributes.get("samesite", "").lower() in {"lax", "strict"}),
    "__Host-": ("a name with this prefix, Path=/, no Domain: set by this host, for this host", _host_bound),
}


@check(
    "session.cookie",
    "A session's cookie is its own host's, and a secret",
    controls=("web-hardening", "person-authentication"),
    remedy="Name the cookie __Host-…, send it with Secure, HttpOnly, SameSite and Path=/ and without Domain (RFC 6265bis section 4.1.3),"
    " and make it anew at each sign-in from 64 random bits or more (NIST SP 800-63B section 7.1).",
)
def test_the_cookie_is_bound_and_a_secret(pacs: Pacs, record: Record) -> None:
    """A sign-in gives a cookie with each flag; a second one, in a browser that holds it, gives another, with little in common."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    first = browsing.opened(pacs, user)
    record.accepts(browsing.asked(pacs, first))
    second = browsing.opened(pacs, user, first.cookies)
    for flag, (expected, holds) in ATTRIBUTES.items():
        told = "; ".join((first.cookie.name, *(f"{name}={word}" for name, word in first.cookie.attributes.items())))
        record.fact(f"{flag} of the session's cookie", expected=expected, told=told[:200], holds=holds(first.cookie))
    bits = bits_apart(first.cookie.value, second.cookie.value)
    told = f"they differ in about {bits} bits" if bits else "it is the same cookie"
    record.fact("cookies of two sign-ins", expected=f"{LEAST_BITS} bits apart, or more", told=told, holds=bits >= LEAST_BITS)


@check(
    "session.ended",
    "A sign-out ends the session on the server",
    controls=("person-authentication",),
    remedy="Forget the session on the server at the sign-out; that the browser forgets its cookie ends no copy of it"
    " (NIST SP 800-63B section 7.1).",
)
def test_a_sign_out_ends_the_session(pacs: Pacs, record: Record) -> None:
    """A cookie that was accepted is refused after its sign-out, between two new sessions of the same person."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    session = browsing.opened(pacs, user)
    record.accepts(browsing.asked(pacs, session, "before the sign-out"))
    control = browsing.signing_in_anew(pacs, user)
    record.look(browsing.leaving(pacs, session))
    kept = browsing.asked(pacs, session, "with the cookie of before the sign-out")
    record.bracket(control).tries([(kept, record.expected(NOT_SERVED))])


@check(
    "session.idle",
    "A session ends when nobody is at it",
    tier="load",
    controls=("automatic-logoff",),
    remedy="End a session on the server after the idle time that is declared; a timer in the page alone ends no copy of the cookie"
    " (HIPAA 164.312(a)(2)(iii)).",
)
def test_an_idle_session_ends(pacs: Pacs, record: Record) -> None:
    """A session of which nothing is heard for the declared time is refused then; one that works in the same time is not."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    minutes = browsing.declared(pacs).idle_minutes
    if minutes is None or minutes > MOST_IDLE_MINUTES:
        why = (
            "the target declares none (idle_minutes)" if minutes is None else f"{minutes} minutes are declared, {MOST_IDLE_MINUTES} waited"
        )
        record.not_tested("the idle time", why)
        return
    idle, works = browsing.opened(pacs, user), browsing.opened(pacs, user)
    record.accepts(browsing.asked(pacs, idle, "before it is left alone"))
    until = time.monotonic() + 60 * minutes + GRACE
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 20 * minutes))
        record.accepts(browsing.asked(pacs, works, "that works"))
    left_alone = browsing.asked(pacs, idle, f"after {minutes} minutes in which it was left alone")
    record.bracket(browsing.asked(pacs, works)).tries([(left_alone, record.expected(NOT_SERVED))])


def _encoded(word: str) -> str:
    return base64.urlsafe_b64encode(word.encode()).decode().rstrip("=")


def forged(session: Session, other: Session, names: list[str]) -> dict[str, str]:
    """Give values that no sign-in gave: a session's own, changed in one place or another, and such as one would make up."""
    value, half = session.cookie.value, len(session.cookie.value) // 2
    turned = "A" if value[half] != "A" else "B"
    made_up = {f"the name of {name}": name for name in names} | {f"the name of {name} in base64": _encoded(name) for name in names}
    return {
        "cut": value[:half],
        "without its last characters": value[:-4],
        "with a character that is another one": f"{value[:half]}{turned}{value[half + 1 :]}",
        "twice": f"{value}{value}",
        "half of another's": f"{value[:half]}{other.cookie.value[half:]}",
        "at random": secrets.token_urlsafe(len(value))[: len(value)],
        "a JSON Web Token without a signature": f"{_encoded(json.dumps({'alg': 'none'}))}.{_encoded(json.dumps({'sub': names[0]}))}.",
        **made_up,
    }


@check(
    "session.forged",
    "A cookie that no sign-in gave is no session",
    controls=("person-authentication", "person-rights"),
    remedy="Take a session's cookie whole, as the key of what the server keeps or with a signature over all of it (OWASP ASVS 4.0, V3.5).",
)
def test_a_forged_cookie_is_no_session(pacs: Pacs, record: Record) -> None:
    """A cookie that was cut, changed, put together of two or made up is refused, between two requests with the whole one."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    session, other = browsing.opened(pacs, user), browsing.opened(pacs, browsing.able(pacs)[-1])
    names = list(dict.fromkeys((user, browsing.able(pacs)[-1])))
    cases = []
    for what, value in forged(session, other, names).items():
        # Whoever's name it says, none may be told.
        for name in names if what.startswith(("the name", "a JSON")) else [user]:
            thief = Session(name, session.cookie).forged(value)
            cases.append((browsing.asked(pacs, thief, f"as {name}, with a cookie: {what}"), record.expected(NOT_SERVED)))
    record.bracket(browsing.asked(pacs, session)).tries(cases)
