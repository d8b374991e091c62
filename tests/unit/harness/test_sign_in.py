"""What the probe of a sign-in by form reads and writes, and how pages' headers are judged; no server."""

from __future__ import annotations

import pytest

from securepacs_harness.browsing import tells
from securepacs_harness.checks.test_http_pages import framed_by, weakness_of
from securepacs_harness.checks.test_session_passwords import differ, masked
from securepacs_harness.observation import Outcome
from securepacs_harness.probes.http import Answer
from securepacs_harness.probes.sign_in import ASTRAY, Form, bits_apart, cookie_named, cookie_of, fields_of, leads_away

BASE = "https://pacs.example:8443"


def test_a_cookie_is_read_with_its_attributes() -> None:
    """Name, value with its equals signs, and attributes without regard to case are read as RFC 6265 section 5.2 says."""
    cookie = cookie_of("__Host-a=b=c|1; path=/ ; Secure;HttpOnly; SameSite=Lax")
    assert (cookie.name, cookie.value) == ("__Host-a", "b=c|1")
    assert cookie.attributes == {"path": "/", "secure": "", "httponly": "", "samesite": "Lax"}


def test_a_cookie_that_is_taken_away_is_none() -> None:
    """An empty value ends a cookie; the last one of a name counts."""
    assert cookie_named(Answer(302, {}, b"", ("a=; Max-Age=0", "b=1")), "a") is None
    kept = cookie_named(Answer(302, {}, b"", ("a=1", "a=2")), "a")
    assert kept is not None
    assert kept.value == "2"


def test_the_form_with_the_password_is_filled_in_its_own_order() -> None:
    """Of several forms it is the one that asks for the password; hidden fields keep their values, and nothing else is sent."""
    page = (
        "<form><input name=q></form><form><input type=hidden name=rd value='/a?b&amp;c'><input name=u>"
        "<input name=p type=password><input type=checkbox name=stay><input type=hidden name=t value=1></form>"
    )
    fields = fields_of(page, "u", "p")
    assert fields == [("rd", "/a?b&c"), ("u", ""), ("p", ""), ("t", "1")]
    assert Form(fields, {}).filled({"u": "vera", "p": "a&b"}) == b"rd=%2Fa%3Fb%26c&u=vera&p=a%26b&t=1"
    assert Form(fields, {}).filled({"u": "v", "p": "w", "rd": "/", "x": "y"}) == b"rd=%2F&u=v&p=w&t=1&x=y"
    assert fields_of("<p>no form</p>", "u", "p") == [("u", ""), ("p", "")]


@pytest.mark.parametrize(
    "location", [*ASTRAY[:4], "http://pacs.example:8443/", "javascript:alert(1)", "https://pacs.example/", "\\\\x", " //x"]
)
def test_what_a_browser_leaves_for_is_seen(location: str) -> None:
    """Another host, port or scheme is another origin, however a browser would have to read it."""
    assert leads_away(BASE, location)


@pytest.mark.parametrize("location", ["", "/", "/viewer?a=//b", "studies", f"{BASE}/x", "https:x", "?to=https://x", ASTRAY[4]])
def test_what_a_browser_stays_for_is_seen(location: str) -> None:
    """A path, a query, or the origin itself in full leads nowhere else."""
    assert not leads_away(BASE, location)


def test_bits_are_counted_at_least() -> None:
    """Each character that differs, or is missing, counts four bits."""
    assert bits_apart("aab", "aac") == 4
    assert bits_apart("aa", "aaaa") == 8
    assert bits_apart("same", "same") == 0


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b'{"user":"vera"}', Outcome.ACCEPTED),
        (200, b'{"user":"veranda"}', Outcome.REFUSED),
        (200, b'{"user":null}', Outcome.REFUSED),
        (404, b"not found", Outcome.REFUSED),
        (302, b"vera", Outcome.REFUSED),
        (401, b"vera", Outcome.REFUSED),
        (503, b"vera", Outcome.INCONCLUSIVE),
    ],
)
def test_a_session_is_open_where_its_name_is_told(status: int, body: bytes, outcome: Outcome) -> None:
    """Only a served answer with the person's own name shows a session; an error of the server shows nothing."""
    assert tells("vera")(status, "", body).outcome is outcome


@pytest.mark.parametrize(
    ("policy", "weakness"),
    [
        ("default-src 'none'; style-src 'unsafe-inline'", ""),
        ("script-src 'self' 'wasm-unsafe-eval'; worker-src blob:", ""),
        ("script-src 'self' 'unsafe-inline' 'nonce-abc'", ""),
        ("default-src 'self'; script-src 'self' 'unsafe-eval'", "'unsafe-eval'"),
        ("SCRIPT-SRC 'self' 'UNSAFE-EVAL'", "'unsafe-eval'"),
        ("default-src *", "*"),
        ("script-src 'self' 'unsafe-inline' https:", "https:, 'unsafe-inline'"),
        ("script-src 'none'; script-src *", ""),
        ("frame-ancestors 'none'", "it says nothing of scripts"),
        ("", "it says nothing of scripts"),
    ],
)
def test_a_policy_is_judged_by_its_scripts(policy: str, weakness: str) -> None:
    """Text that is run as code, inline scripts and everybody's hosts are weak; the first directive of a name counts."""
    assert weakness_of(policy) == weakness


@pytest.mark.parametrize(
    ("headers", "framed"),
    [
        ({"content-security-policy": "frame-ancestors 'none'"}, ""),
        ({"x-frame-options": "SAMEORIGIN"}, ""),
        ({"content-security-policy": "frame-ancestors https://x", "x-frame-options": "DENY"}, "https://x"),
        ({"x-frame-options": "ALLOW-FROM https://x"}, "anybody"),
        ({}, "anybody"),
    ],
)
def test_who_may_frame_a_page_is_read(headers: dict[str, str], framed: str) -> None:
    """frame-ancestors goes before X-Frame-Options; where neither says no, anybody may."""
    assert framed_by(headers) == framed


def test_times_differ_only_where_none_is_like_another() -> None:
    """A slow answer among quick ones is noise; two groups that are apart and do not overlap are none."""
    assert not differ([1.00, 1.01], [1.02, 1.90])
    assert not differ([1.00, 1.30], [1.20, 1.25])
    assert differ([0.26, 0.25], [0.01, 0.02])
    assert differ([0.01, 0.02], [0.26, 0.25])


def test_pages_are_compared_without_what_is_used_once() -> None:
    """The name that was typed, and long numbers, do not make two pages of one; other words do."""
    one = masked(b"wrong: vera <input value='0123456789abcdef'>", "vera")
    assert one == masked(b"wrong: zz1 <input value='fedcba9876543210'>", "zz1")
    assert one != masked(b"unknown: zz1 <input value='fedcba9876543210'>", "zz1")
