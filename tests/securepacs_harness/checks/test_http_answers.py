"""What answers say to browsers and caches, and on which ports nothing may be answered in the clear."""

from __future__ import annotations

from collections.abc import Callable

from securepacs_harness import people
from securepacs_harness.bracket import at
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Layer, Outcome
from securepacs_harness.probes import http, routes
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

#: Half a year, which browsers' own lists ask for at least.
LEAST_AGE = 15_552_000
FOREIGN = "https://evil.example"
NO_TLS = "the web listener is declared without TLS, which tls.required tells"


def looked_at(pacs: Pacs, record: Record) -> dict[str, Request]:
    """Give a request that is refused, and one that is served where somebody can be; note where nobody can."""
    requests = {"a refused request": Request("GET", "/system")}
    user = next(iter(people.by_rights(pacs)), None)
    path = people.served_path(pacs, user) if user else None
    if user and path:
        requests["a served request"] = Request("GET", path, pacs.login(user))
    else:
        record.not_tested("a served request", people.NOBODY if user is None else f"no route of {user} is known to be harmless")
    return requests


def header_of(pacs: Pacs, record: Record, header: str, what: str, request: Request, expected: str, holds: Callable[[str], bool]) -> None:
    """Note one header of an answer."""
    value = http.headers_of(pacs.web, request).get(header, "")
    record.fact(f"{header} of {what}", expected=expected, told=value[:200] or "none", holds=holds(value))


@check(
    "http.hsts",
    "Browsers are told to use HTTPS from now on",
    controls=("web-hardening", "transmission-encryption"),
    remedy="Send Strict-Transport-Security with a max-age of half a year or more with every response (RFC 6797).",
)
def test_browsers_are_told_to_use_https(pacs: Pacs, record: Record) -> None:
    """Each response, refused ones included, bears Strict-Transport-Security."""
    if people.no_web(pacs, record):
        return
    if not pacs.https.base_url.startswith("https://"):
        record.not_tested("HSTS", NO_TLS)
        return
    for what, request in looked_at(pacs, record).items():
        header_of(pacs, record, "strict-transport-security", what, request, "max-age of half a year or more", lasts)


def lasts(value: str) -> bool:
    """Tell whether a Strict-Transport-Security header lasts for half a year (RFC 6797 section 6.1.1)."""
    ages = [part.partition("=")[2].strip('" ') for part in value.split(";") if part.strip().lower().startswith("max-age")]
    return bool(ages) and ages[0].isdigit() and int(ages[0]) >= LEAST_AGE


@check(
    "http.cache",
    "No cache keeps what was served",
    controls=("web-hardening",),
    remedy="Send Cache-Control: no-store (or private) with every response that can hold a patient's data (RFC 9111).",
)
def test_no_cache_keeps_it(pacs: Pacs, record: Record) -> None:
    """A served response says that it is not to be stored by shared caches."""
    if people.no_web(pacs, record):
        return
    request = looked_at(pacs, record).get("a served request")
    if request is not None:
        header_of(pacs, record, "cache-control", "a served request", request, "no-store or private", kept_by_nobody)


def kept_by_nobody(value: str) -> bool:
    """Tell whether a Cache-Control header keeps shared caches from storing a response (RFC 9111 section 5.2.2)."""
    return bool({"no-store", "private"} & {part.strip().lower() for part in value.split(",")})


@check(
    "http.cors",
    "No foreign page reads answers",
    controls=("web-hardening",),
    remedy="Send no Access-Control-Allow-Origin, or only for the origins that are one's own.",
)
def test_no_foreign_origin_is_allowed(pacs: Pacs, record: Record) -> None:
    """A request from a foreign origin, or a browser's question before one, gets no Access-Control-Allow-Origin for it, nor for all."""
    if people.no_web(pacs, record):
        return
    question = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    requests = {
        **looked_at(pacs, record),
        "a question before a request": Request("OPTIONS", f"/dicom-web/studies/{routes.NO_UID}", question),
    }
    for what, request in requests.items():
        for origin in (FOREIGN, "null"):
            sent = routes.as_person(request, {"Origin": origin})
            name = f"{what} from {origin if origin == 'null' else 'a foreign origin'}"
            header_of(
                pacs, record, "access-control-allow-origin", name, sent, "none for it", lambda value: value not in {"*", "null", FOREIGN}
            )


@check(
    "http.cleartext",
    "No port serves the web in the clear",
    controls=("transmission-encryption",),
    remedy="Let the port speak TLS only; a redirect belongs to port 80.",
)
def test_no_port_serves_the_web_in_the_clear(pacs: Pacs, record: Record) -> None:
    """A plain HTTP request is served neither by the HTTPS port nor by a DICOM listener."""
    if people.no_web(pacs, record):
        return
    request = Request("GET", "/")
    if pacs.https.base_url.startswith("https://"):
        attempt = http.ask("GET / in the clear to the HTTPS port", pacs.plain_line(pacs.web.port), request, http.judge_served)
        record.bracket(person_control(pacs)).tries([(attempt, record.expected(at({Layer.HTTP, Layer.TLS, Layer.TCP})))])
    else:
        record.not_tested("the HTTPS port", NO_TLS)
    plain = {peer.plaintext.port for peer in pacs.target.peers.values() if peer.plaintext}
    for port in sorted({pacs.target.dicom.port, *plain}):
        seen = record.look(http.ask(f"GET / in the clear to DICOM port {port}", pacs.plain_line(port), request, http.judge_served))
        spoke = seen.layer is Layer.HTTP and seen.code.isdigit()
        if seen.layer is Layer.TCP and seen.outcome is not Outcome.ACCEPTED:
            record.unknown(f"DICOM port {port}", f"it could not be reached: {seen.code}")
        else:
            told = f"HTTP status {seen.code}" if spoke else f"no HTTP ({seen.code})"
            record.fact(f"DICOM port {port}", expected="no HTTP", told=told, holds=not spoke)
