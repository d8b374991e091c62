"""Defects of signing in in a browser: the cookie, what ends a session, what it opens, guessing, what pages are told."""

from __future__ import annotations

import dataclasses

from mutants.blueprint import Blueprint, Edit, MutationError, both, declared, lines, replaced
from mutants.mutant import Mutant
from securepacs_harness.results import Tier

#: What is tried of such a clinic: the rest is the other one's, with two containers less.
ONLY = "session.*,http.page-headers,http.granted"
COOKIE = "__Host-securepacs"

PASSWORD = "  # Who: one look at the password, and none after too many wrong ones.\n"  # noqa: S105 - a comment of the template
NAMED_BY_COOKIE = (
    f"  http-request set-var(txn.user) req.cook({COOKIE}) if {{ req.cook({COOKIE}),map_str(/etc/gateway/roles.map) -m found }}\n"
)
NAMED_BY_PASSWORD = "  http-request set-var(txn.user) http_auth_user if { var(txn.user) -m found } { http_auth_type -m str Basic }\n"  # noqa: S105
ROUTE = "  http-request deny deny_status 403 unless { var(txn.route) -m found }\n"
GENERATION = "  http-request set-var(txn.claimed) var(txn.name) if { var(txn.generation) -m found }\n"
DELETES = "  http-request set-var(txn.route) str(admin_delete) if { method DELETE } { var(txn.session_user) -m found }\n"
SESSION = "  http-request set-var(txn.user) var(txn.session_user) if { var(txn.number) -m found } number_fits\n"
FOREIGN_CHANGE = "  http-request deny deny_status 403 if in_browser changes_something !same_origin\n"
FOREIGN_FORM = "  http-request deny deny_status 403 if signing_in { req.hdr(Sec-Fetch-Site) -m found } !same_origin\n"
OPENED = "  http-response track-sc2 var(txn.opened) table sessions if { var(txn.opened) -m found }\n"
LEADS = "  http-response set-header Location %[var(txn.to)] if { var(txn.opened) -m found } { var(txn.to) -m found }\n"
NO_STORE = "  http-after-response set-header Cache-Control no-store\n"


def of_the_sign_in(old: str, new: str) -> Edit:
    """Replace a setting of the sign-in's."""
    return replaced(old, new, part="sign-in", file="sign-in.cfg")


def _renamed(name: str) -> Edit:
    """Give the cookie another name, everywhere."""

    def edit(blueprint: Blueprint) -> Blueprint:
        for part, file in (("gateway", "haproxy.cfg"), ("sign-in", "sign-in.cfg")):
            text = blueprint.text(part, file)
            if COOKIE not in text:
                raise MutationError(f"{file} of {part}: got no '{COOKIE}'")
            blueprint = blueprint.with_text(part, file, text.replace(COOKIE, name))
        return declared(lambda target: target["https"]["sign_in"].update(cookie=name))(blueprint)

    return edit


COOKIES = (
    Mutant(
        "cookie-read-by-scripts",
        "scripts of a page may read the session's cookie",
        ("session.cookie",),
        of_the_sign_in("cookie_httponly = true", "cookie_httponly = false"),
    ),
    Mutant(
        "cookie-in-the-clear",
        "the session's cookie is sent without TLS too, and any host of the domain may set it",
        ("session.cookie",),
        both(_renamed("securepacs"), of_the_sign_in("cookie_secure = true", "cookie_secure = false")),
    ),
    Mutant("cookie-of-any-host", "other hosts of the domain may set the session's cookie", ("session.cookie",), _renamed("securepacs")),
    Mutant(
        "cookie-sent-from-elsewhere",
        "the session's cookie goes along with what other sites' pages ask",
        ("session.cookie",),
        of_the_sign_in('cookie_samesite = "lax"', 'cookie_samesite = "none"'),
    ),
    Mutant(
        "cookie-says-who",
        "a cookie that says a person's name is believed",
        ("session.forged",),
        replaced(PASSWORD, NAMED_BY_COOKIE + PASSWORD),
    ),
)

ENDS = (
    Mutant(
        "sign-out-in-the-browser-only",
        "a sign-out takes the browser's cookie away, and ends no session",
        ("session.ended",),
        lines("http-request sc-set-gpt0(2) 0 if is_sign_out session_open"),
    ),
    Mutant(
        "sessions-unkept",
        "the gateway keeps no sessions: the sign-in's cookie alone is enough",
        ("session.ended",),
        both(
            replaced("acl session_open var(txn.session),in_table(sessions)", "acl session_open var(txn.session) -m found"),
            replaced("acl number_fits var(txn.number),neg,add(txn.held) eq 0", "acl number_fits var(txn.number) -m found"),
        ),
    ),
    Mutant(
        "never-idle",
        "a session that nobody is at goes on for an hour",
        ("session.idle",),
        replaced("size 20k expire 1m store gpt0", "size 20k expire 60m store gpt0"),
        Tier.LOAD,
        "session.idle,session.cookie",
    ),
)

RIGHTS = (
    Mutant(
        "viewer-deletes-in-a-browser",
        "whoever is signed in in a browser may delete studies",
        ("session.rights",),
        replaced(ROUTE, DELETES + ROUTE),
    ),
    Mutant(
        "name-beside-a-session",
        "the name that is given beside a session is believed, whatever its password",
        ("session.two-credentials",),
        both(
            replaced("!is_open !{ http_auth_type -m str Basic } session_open", "!is_open session_open"),
            replaced(SESSION, SESSION + NAMED_BY_PASSWORD),
        ),
    ),
    Mutant("changes-from-elsewhere", "another site's page may change something", ("session.foreign",), replaced(FOREIGN_CHANGE, "")),
    Mutant(
        "form-from-elsewhere",
        "another site's page may sign somebody in",
        ("session.foreign",),
        both(replaced(FOREIGN_FORM, ""), replaced(FOREIGN_CHANGE, FOREIGN_CHANGE.replace("!same_origin", "!same_origin !is_sign_in"))),
    ),
    Mutant(
        "sign-out-from-elsewhere",
        "another site's page may sign somebody out",
        ("session.foreign",),
        lines("403 if is_sign_out { req.hdr(Sec-Fetch-Site) -m str cross-site }"),
    ),
    Mutant(
        "sign-in-leads-elsewhere",
        "a sign-in leads on to wherever its form says",
        ("session.foreign",),
        both(
            lines("http-request deny deny_status 400 if { var(txn.to) -m found }"),
            replaced(OPENED, OPENED + LEADS),
        ),
    ),
)

PASSWORDS = (
    Mutant(
        "guessing-at-the-form",
        "passwords may be guessed at the form without end",
        ("session.guessing",),
        lines(
            "429 if signing_in { sc0_gpc0_rate(sources)",
            "429 if signing_in { sc_gpc0_rate(1,names_of_sources)",
            "429 if signing_in { sc_gpc1_rate(1,names_of_sources)",
            "429 if signing_in { sc_gpc0_rate(3,names)",
        ),
        Tier.LOAD,
        "session.guessing,session.cookie",
    ),
    Mutant(
        "unknown-name-sooner",
        "a name that is not there is answered sooner",
        ("session.unknown-name",),
        lines("http-response lua.wait if wrong"),
        Tier.LOAD,
        "session.unknown-name,session.cookie",
    ),
    Mutant(
        "unknown-name-told",
        "a name that is not there is answered otherwise",
        ("session.unknown-name",),
        replaced(GENERATION, f"{GENERATION}  http-request deny deny_status 403 if signing_in !{{ var(txn.generation) -m found }}\n"),
        Tier.LOAD,
        "session.unknown-name,session.cookie",
    ),
)

PAGES = (
    Mutant("code-from-text", "the viewer's page may run text as code", ("http.page-headers",), replaced("wasm-unsafe-eval", "unsafe-eval")),
    Mutant(
        "framed-by-anybody",
        "other sites may show the viewer in a frame of theirs",
        ("http.page-headers",),
        both(
            lines("http-after-response set-header X-Frame-Options"),
            replaced("; frame-ancestors '\\''none'\\''", "", times=3),
        ),
    ),
    Mutant(
        "images-kept",
        "the browser keeps images on the workstation's disk",
        ("session.images",),
        replaced(NO_STORE, NO_STORE.replace("no-store", '"private, max-age=3600"')),
    ),
)


def _in_a_browser(mutant: Mutant) -> Mutant:
    return dataclasses.replace(mutant, browser=True, only=mutant.only or ONLY)


BROWSER = tuple(map(_in_a_browser, (*COOKIES, *ENDS, *RIGHTS, *PASSWORDS, *PAGES)))
