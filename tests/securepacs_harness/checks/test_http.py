"""Who may do what over the web: every route by every role, and what a request must not be able to say (PS3.18, RFC 9110)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securepacs_harness.bracket import at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import http, routes
from securepacs_harness.probes.http import Judge, Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries

#: 405 and 501 say that nobody may use the method; a redirect leads to a page to sign in at.
NOT_SIGNED_IN = at(Layer.HTTP, {"401", "403", "404", "405", "501", "302", "303", "307"})
NOT_ALLOWED = at(Layer.HTTP, {"403", "404", "405", "501"})
NOT_SERVED = at(Layer.HTTP)

#: A request that a person who may search is served, with an empty answer.
SERVED = f"/dicom-web/studies?StudyInstanceUID={routes.NO_UID}"

Login = dict[str, str]


@pytest.fixture
def web(pacs: Pacs, record: Record) -> Pacs | None:
    """Give the PACS where it declares a web listener; else note that there is none."""
    if pacs.target.https is None:
        record.not_tested("the web", "the target declares no HTTPS listener")
        return None
    return pacs


def lowest(pacs: Pacs) -> str | None:
    """Give the person at hand whose role has the fewest rules: whoever has the least to lose shows the most."""
    https = pacs.https
    able = pacs.people()
    return min(able, key=lambda user: len(https.roles[https.users[user].role])) if able else None


def judge_for(pacs: Pacs, record: Record, login: Login, whom: str) -> Judge:
    """Say how answers are judged: where a path that cannot be there is answered with 404, then 404 elsewhere shows nothing."""
    seen = record.look(http.ask(f"GET of a path that is not there, {whom}", pacs.web, Request("GET", "/no-such-path-zz", login)))
    return http.judge_served if seen.code == "404" else http.judge_status


def asked(pacs: Pacs, request: Request, whom: str, judge: Judge = http.judge_status) -> Attempt:
    """Give an attempt of one request."""
    return http.ask(f"{request.method} {request.target} {whom}", pacs.web, request, judge)


@check(
    "http.anonymous",
    "Nothing is served without signing in",
    controls=("person-authentication",),
    remedy="Ask for a login on every route, before anything else is looked at.",
)
def test_nothing_is_served_to_the_anonymous(web: Pacs | None, record: Record) -> None:
    """Each route of REST and DICOMweb is refused without a login, between two requests with one."""
    if web is None:
        return
    judge = judge_for(web, record, {}, "anonymously")
    cases = [(asked(web, request, "anonymously", judge), record.expected(NOT_SIGNED_IN)) for request in routes.HARMLESS]
    record.bracket(person_control(web)).tries(cases, workers=PARALLEL)


@check(
    "http.granted",
    "A role may do what is declared for it",
    controls=("person-rights",),
    remedy="Let the role have the route, or take it out of the declaration.",
)
def test_declared_routes_work(web: Pacs | None, record: Record) -> None:
    """Each declared route that is tried gets past the gate, for each role with somebody whose password is at hand."""
    if web is None:
        return
    for user, role in people_by_role(web, record).items():
        allowed = [request for request in routes.HARMLESS if web.https.allows(role, request.method, routes.path_of(request))]
        for request in allowed:
            attempt = asked(web, routes.as_person(request, web.login(user)), f"as {role}")
            record.answers(attempt, refusals=frozenset({"401", "403", "405"}))
        if not allowed:
            record.not_tested(f"routes of {role}", "none of those that are tried is declared for it")


@check(
    "http.roles",
    "A role may do nothing that is not declared for it",
    controls=("person-rights",),
    remedy="Hold role, method and route against one table, and refuse what does not stand in it.",
)
def test_undeclared_routes_are_refused(web: Pacs | None, record: Record) -> None:
    """Each route and method that is not declared for a role is refused to it, between two requests of the same person."""
    if web is None:
        return
    for user, role in people_by_role(web, record).items():
        judge = judge_for(web, record, web.login(user), f"as {role}")
        cases = [
            (asked(web, routes.as_person(request, web.login(user)), f"as {role}", judge), record.expected(NOT_ALLOWED))
            for request in routes.HARMLESS
            if not web.https.allows(role, request.method, routes.path_of(request))
        ]
        record.bracket(person_control(web, user=user)).tries(cases, workers=PARALLEL)


def people_by_role(pacs: Pacs, record: Record) -> dict[str, str]:
    """Give one person at hand for each role, user -> role; note the roles that have none."""
    https = pacs.https
    found: dict[str, str] = {}
    for role in https.roles:
        able = pacs.people(role)
        if able:
            found[able[0]] = role
        else:
            record.not_tested(f"role {role}", "nobody of it has a password at hand")
    if not https.roles:
        record.not_tested("roles", "the target declares none")
    return found


@check(
    "http.paths",
    "No spelling of a path opens another",
    controls=("person-rights", "web-hardening"),
    remedy="Refuse a raw path with anything but plain characters in it, or with empty, dot or dot-dot segments; never mend it.",
)
def test_no_spelling_opens_another_route(web: Pacs | None, record: Record) -> None:
    """Dots, slashes, encodings, parameters, absolute forms and case lead the person with the fewest rights nowhere new."""
    user = lowest(web) if web else None
    if web is None or user is None:
        return _nobody(web, record)
    https = web.https
    for who, login in ((None, {}), (user, web.login(user))):
        whom = f"as {https.users[user].role}" if who else "anonymously"
        cases = [
            (asked(web, Request("GET", trick, login), whom, http.judge_served), record.expected(NOT_SERVED))
            for trick in routes.TRICKS
            if who is None or not https.allows(https.users[user].role, "GET", trick.partition("?")[0])
        ]
        record.bracket(person_control(web, user=user)).tries(cases, workers=PARALLEL)
    return None


def _nobody(web: Pacs | None, record: Record) -> None:
    if web is not None:
        record.not_tested("people", "nobody's password is at hand")


@check(
    "http.forged-headers",
    "No header makes another person of the one who asks",
    controls=("person-rights", "web-hardening"),
    remedy="Drop every header by which a proxy speaks for a person, before the request is passed on; know your own host names.",
)
def test_no_header_makes_another_person(web: Pacs | None, record: Record) -> None:
    """Headers that a proxy would set, cookies and foreign host names open nothing, signed in or not."""
    user = lowest(web) if web else None
    if web is None or user is None:
        return _nobody(web, record)
    https = web.https
    highest = max(https.users, key=lambda name: len(https.roles[https.users[name].role]))
    forged = [{name: value.format(user=highest) for name, value in headers.items()} for headers in routes.FORGED_HEADERS]
    cases = []
    for headers in forged:
        names = ", ".join(headers)
        anonymous = Request("GET", SERVED, headers)
        cases.append((http.ask(f"a request with {names} anonymously", web.web, anonymous, http.judge_served), record.expected(NOT_SERVED)))
        if not https.allows(https.users[user].role, "GET", "/system"):
            signed_in = Request("GET", "/system", {**web.login(user), **headers})
            what = f"GET /system with {names} as {https.users[user].role}"
            cases.append((http.ask(what, web.web, signed_in, http.judge_served), record.expected(NOT_SERVED)))
    record.bracket(person_control(web, user=user)).tries(cases, workers=PARALLEL)
    return None


@check(
    "http.method-override",
    "No method stands for another",
    tier="write",
    controls=("person-rights", "web-hardening"),
    remedy="Refuse _method in a query, however it is encoded, and the headers that override a method.",
)
def test_no_method_stands_for_another(web: Pacs | None, record: Record, canaries: Canaries) -> None:
    """No override in query or header turns a GET or POST of a synthetic study into its removal, for anybody who may read it."""
    if web is None:
        return
    https = web.https
    image = canaries.stored
    path = canaries.path(image)
    able = [user for user in web.people() if https.allows(https.users[user].role, "GET", path)]
    if not able:
        record.not_tested("overrides", f"nobody whose password is at hand may GET {path.rpartition('/')[0]}/…")
        return
    user = able[0]
    read = http.ask("GET of the synthetic study", web.web, Request("GET", path, web.login(user)), http.judge_served)
    for method in ("GET", "POST"):
        for query, headers in routes.OVERRIDES:
            request = Request(method, f"{path}{query}", {**web.login(user), **headers})
            record.look(http.ask(f"{method} with {query or ', '.join(headers)}", web.web, request))
        record.accepts(read.named(f"the synthetic study after {method}s that say DELETE"))


@check(
    "http.framing",
    "No request hides in another",
    controls=("web-hardening",),
    remedy="Refuse a request whose length is said twice or wrongly (RFC 9112 section 6.1).",
)
def test_no_request_hides_in_another(web: Pacs | None, record: Record) -> None:
    """A body with a false length or coding is refused, and what hides in it gets no answer of its own."""
    user = lowest(web) if web else None
    if web is None or user is None:
        return _nobody(web, record)
    hidden = b"0\r\n\r\nGET /system HTTP/1.1\r\nHost: localhost\r\n\r\n"
    cases = []
    for framing in routes.FRAMINGS:
        request = Request("POST", "/dicom-web/studies", {**web.login(user), **framing}, hidden)
        told = ", ".join(f"{name}: {value}" for name, value in framing.items())
        cases.append((http.ask(f"a body with {told}", web.web, request, http.judge_served), record.expected(NOT_SERVED)))
    record.bracket(person_control(web, user=user)).tries(cases)
    # RFC 9112 section 6.3: the chunks count, and the connection ends after the answer, whatever the client wishes.
    both = {"Content-Length": "5", "Transfer-Encoding": "chunked", "Content-Type": "application/dicom", "Connection": "keep-alive"}
    answers = http.answers_to(web.web, Request("POST", "/dicom-web/studies", {**web.login(user), **both}, hidden))
    record.fact("a body with two lengths", expected="one answer", told=f"{len(answers)} answers", holds=len(answers) == 1)
    return None


def _headers(pacs: Pacs, record: Record, header: str, holds: Callable[[str], bool], expected: str, headers: Login) -> None:
    """Note one response header of a request that is served and of one that is refused."""
    user = lowest(pacs)
    asked_for: dict[str, Request] = {"a refused request": Request("GET", "/system", headers)}
    if user is not None:
        asked_for["a served request"] = Request("GET", SERVED, {**pacs.login(user), **headers})
    for what, request in asked_for.items():
        value = http.headers_of(pacs.web, request).get(header, "")
        record.fact(f"{header} of {what}", expected=expected, told=value or "none", holds=holds(value))


@check(
    "http.hsts",
    "Browsers are told to use HTTPS from now on",
    controls=("web-hardening", "transmission-encryption"),
    remedy="Send Strict-Transport-Security with a max-age of half a year or more with every response (RFC 6797).",
)
def test_browsers_are_told_to_use_https(web: Pacs | None, record: Record) -> None:
    """Each response, refused ones included, bears Strict-Transport-Security."""
    if web is None:
        return
    if not web.https.base_url.startswith("https://"):
        record.not_tested("HSTS", "the web listener is declared without TLS, which tls.required tells")
        return
    _headers(web, record, "strict-transport-security", _lasts, "max-age of half a year or more", {})


def _lasts(value: str) -> bool:
    ages = [part.partition("=")[2].strip('" ') for part in value.split(";") if part.strip().lower().startswith("max-age")]
    return bool(ages) and ages[0].isdigit() and int(ages[0]) >= 15_552_000


@check(
    "http.cache",
    "No cache keeps what was served",
    controls=("web-hardening",),
    remedy="Send Cache-Control: no-store (or private) with every response that can hold a patient's data (RFC 9111).",
)
def test_no_cache_keeps_it(web: Pacs | None, record: Record) -> None:
    """A served response says that it is not to be stored by shared caches."""
    if web is None:
        return None
    user = lowest(web)
    if user is None:
        return _nobody(web, record)
    request = Request("GET", SERVED, web.login(user))
    value = http.headers_of(web.web, request).get("cache-control", "")
    holds = bool({"no-store", "private"} & {part.strip().lower() for part in value.split(",")})
    record.fact("cache-control of a served request", expected="no-store or private", told=value or "none", holds=holds)
    return None


@check(
    "http.cors",
    "No foreign page reads answers",
    controls=("web-hardening",),
    remedy="Send no Access-Control-Allow-Origin, or only for the origins that are one's own.",
)
def test_no_foreign_origin_is_allowed(web: Pacs | None, record: Record) -> None:
    """A request from a foreign origin gets no Access-Control-Allow-Origin for it, nor for all."""
    if web is None:
        return
    origin = "https://evil.example"
    foreign = {"Origin": origin}
    allowed = {"*", "null", origin}
    _headers(web, record, "access-control-allow-origin", lambda value: value not in allowed, "none for a foreign origin", foreign)


@check(
    "http.cleartext",
    "The HTTPS port serves nothing in the clear",
    controls=("transmission-encryption",),
    remedy="Let the port speak TLS only; a redirect belongs to port 80.",
)
def test_the_https_port_serves_nothing_in_the_clear(web: Pacs | None, record: Record) -> None:
    """A plain HTTP request to the HTTPS port is not served."""
    if web is None:
        return
    if not web.https.base_url.startswith("https://"):
        record.not_tested("the web", "the web listener is declared without TLS, which tls.required tells")
        return
    line = web.plain_line(web.web.port)
    attempt = http.ask("GET / in the clear", line, Request("GET", "/"), http.judge_served)
    record.bracket(person_control(web)).tries([(attempt, record.expected(at({Layer.HTTP, Layer.TLS, Layer.TCP})))])
