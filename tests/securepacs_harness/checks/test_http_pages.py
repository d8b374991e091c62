"""What pages tell the browser that shows them: whose scripts run, who may frame them, what is told to others (Content Security Policy)."""

from __future__ import annotations

from collections.abc import Callable

from securepacs_harness import browsing, people
from securepacs_harness.check import check
from securepacs_harness.checks.test_http_answers import NO_TLS, lasts
from securepacs_harness.probes import http
from securepacs_harness.probes.http import Request
from securepacs_harness.probes.sign_in import NAVIGATED
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

#: Sources of scripts that are everybody's, or any text (Content Security Policy Level 3 section 2.3.1).
_ANYBODY = frozenset({"'unsafe-eval'", "*", "http:", "https:", "data:", "blob:", "filesystem:"})
#: Values of Referrer-Policy that keep paths to oneself (Referrer Policy section 3).
_DISCREET = frozenset({"no-referrer", "same-origin", "strict-origin", "origin", "strict-origin-when-cross-origin"})


def directives_of(policy: str) -> dict[str, list[str]]:
    """Read a Content-Security-Policy: directive -> sources, the first of each name (section 2.2.1)."""
    found: dict[str, list[str]] = {}
    for directive in policy.split(";"):
        name, *sources = directive.split() or [""]
        found.setdefault(name.lower(), [source.lower() for source in sources])
    return found


def weakness_of(policy: str) -> str:
    """Say which scripts a policy lets run that are not the page's own; '' where there are none."""
    directives = directives_of(policy)
    scripts = directives.get("script-src", directives.get("default-src"))
    if scripts is None:
        return "it says nothing of scripts"
    inline = "'unsafe-inline'" in scripts and not any(source.startswith(("'nonce-", "'sha")) for source in scripts)
    return ", ".join([*sorted(_ANYBODY & set(scripts)), *["'unsafe-inline'"] * inline])


def framed_by(headers: dict[str, str]) -> str:
    """Say who else may show a page in a frame; '' for nobody but its own origin (frame-ancestors, else RFC 7034)."""
    ancestors = directives_of(headers.get("content-security-policy", "")).get("frame-ancestors")
    if ancestors is not None:
        return ", ".join(sorted(set(ancestors) - {"'none'", "'self'"}))
    return "" if headers.get("x-frame-options", "").strip().lower() in {"deny", "sameorigin"} else "anybody"


#: Header -> what is expected of it, and what shows that of a page's headers.
HEADERS: dict[str, tuple[str, Callable[[dict[str, str]], bool]]] = {
    "content-security-policy": (
        "scripts of its own origin, none made of text",
        lambda told: not weakness_of(told.get("content-security-policy", "")),
    ),
    "x-frame-options": ("no frame of others, by it or by frame-ancestors", lambda told: not framed_by(told)),
    "x-content-type-options": ("nosniff", lambda told: told.get("x-content-type-options", "").strip().lower() == "nosniff"),
    "referrer-policy": (
        "no path for others",
        lambda told: told.get("referrer-policy", "").rpartition(",")[2].strip().lower() in _DISCREET,
    ),
    "strict-transport-security": ("max-age of half a year or more", lambda told: lasts(told.get("strict-transport-security", ""))),
}


@check(
    "http.page-headers",
    "A page runs its own scripts, in its own frame, and tells others nothing",
    controls=("web-hardening",),
    remedy="Send with each page Content-Security-Policy (scripts of 'self', no 'unsafe-eval', no 'unsafe-inline', frame-ancestors 'none'),"
    " X-Content-Type-Options: nosniff, Referrer-Policy: no-referrer and Strict-Transport-Security (OWASP ASVS 4.0, V14.4).",
)
def test_pages_are_confined(pacs: Pacs, record: Record) -> None:
    """The sign-in's form and the first page behind it bear each header."""
    if browsing.no_sign_in(pacs, record):
        return
    declared = browsing.declared(pacs)
    pages = {"the sign-in": Request("GET", declared.path, NAVIGATED)}
    able = [user for user in browsing.able(pacs) if people.allowed(pacs, user, Request("GET", declared.page))]
    if able:
        pages["the first page"] = Request("GET", declared.page, browsing.opened(pacs, able[0]).sends(NAVIGATED))
    else:
        record.not_tested("the first page", f"nobody whose password is at hand may GET {declared.page}")
    if not pacs.https.base_url.startswith("https://"):
        record.not_tested("strict-transport-security", NO_TLS)
    for what, request in pages.items():
        told = http.headers_of(pacs.web, request)
        if told[":status"] != "200":
            record.unknown(what, f"it was not shown: status {told[':status']}")
            continue
        for header, (expected, holds) in HEADERS.items():
            if header != "strict-transport-security" or pacs.https.base_url.startswith("https://"):
                record.fact(f"{header} of {what}", expected=expected, told=told.get(header, "none")[:300], holds=holds(told))
