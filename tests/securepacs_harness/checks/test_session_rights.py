"""What a session opens, and for whom: the rights of its person, on behalf of pages of its own origin, and by one credential at a time."""

from __future__ import annotations

from urllib.parse import urlsplit

from securepacs_harness import browsing, people
from securepacs_harness.bracket import Expected, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.checks.test_http_roles import NOT_ALLOWED
from securepacs_harness.control import person_control
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import http, routes, sign_in
from securepacs_harness.probes.http import Request
from securepacs_harness.probes.sign_in import ASTRAY, FETCHED, FOREIGN
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries

NOT_SERVED = at(Layer.HTTP)
WRONG = "no-password-of-anybody"

#: Where DICOMweb is served, by Orthanc and by dcm4chee; and how an image is asked for there (PS3.18 section 10.4.1).
BASES = ("/dicom-web", "/dcm4chee-arc/aets/DCM4CHEE/rs")
KINDS = {"an image as a browser shows it": "/rendered", "an image's metadata": "/metadata"}

#: How another site's page sends what it has no right to: as a form that it lets the browser send, and as a request of its script.
FROM_ELSEWHERE = {
    "as another site's form": {**FOREIGN, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    "by another site's script": {**FOREIGN, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
}


@check(
    "session.rights",
    "A role may do in a browser what is declared for it, and no more",
    controls=("person-rights",),
    remedy="Hold role, method and route against one table, however a person has signed in.",
)
def test_undeclared_routes_are_refused_in_a_session(pacs: Pacs, record: Record) -> None:
    """Each route and method that is not declared for a role is refused to its session, between two requests of the same session."""
    if browsing.somebody(pacs, record) is None:
        return
    expected = record.expected(NOT_ALLOWED)
    for user, role in people.one_of_each_role(pacs, record).items():
        if user not in browsing.able(pacs):
            record.not_tested(f"role {role}", f"{user} signs in with a token")
            continue
        session = browsing.opened(pacs, user)
        judges = people.judges_past(pacs, record, session.sends(), f"in a session of {role}")
        cases = [
            (
                http.ask(f"{what} in a session of {role}", pacs.web, routes.as_person(request, session.sends()), judges[request.method]),
                expected,
            )
            for what, request in people.undeclared(pacs, record, user).items()
        ]
        record.bracket(browsing.asked(pacs, session)).tries(cases, workers=PARALLEL)


@check(
    "session.two-credentials",
    "Two credentials make no more of a person than one",
    controls=("person-rights", "person-authentication"),
    remedy="Refuse a request with two Authorization headers, and let one credential alone say who asks (RFC 9110 section 11.6.2).",
)
def test_two_credentials_are_no_more_than_one(pacs: Pacs, record: Record) -> None:
    """A right password or session beside another's name opens nothing of that other's, between two requests of the one alone."""
    if people.no_web(pacs, record):
        return
    user = people.lowest(pacs, record)
    more = people.beyond(pacs, user) if user else None
    if user is None or more is None:
        if user:
            record.not_tested("another's rights", "no route that is tried is declared for others alone")
        return
    entitled = next(name for name, other in pacs.https.users.items() if pacs.https.allows(other.role, "GET", routes.path_of(more)))
    own, claimed = pacs.login(user)["Authorization"], http.basic(entitled, WRONG)["Authorization"]
    expected = record.expected(NOT_SERVED)

    def tried(what: str, headers: dict[str, str]) -> tuple[Attempt, Expected]:
        return http.ask(f"GET {more.target} with {what}", pacs.web, Request("GET", more.target, headers), http.judge_served), expected

    # The same name in two spellings is the same header twice.
    pair = f"the password of {user}", f"the name of {entitled}"
    cases = [
        tried(f"{pair[0]}, then {pair[1]}", {"Authorization": own, "authorization": claimed}),
        tried(f"{pair[1]}, then {pair[0]}", {"Authorization": claimed, "authorization": own}),
    ]
    record.bracket(person_control(pacs, user=user)).tries(cases)
    if browsing.no_sign_in(pacs, record):
        return
    if user not in browsing.able(pacs):
        record.not_tested("a session beside a password", browsing.NO_PASSWORD)
        return
    session = browsing.opened(pacs, user)
    cookie, name = sign_in.cookie_header(session.cookies), session.cookie.name
    cases = [
        tried(f"a session of {user} and the name of {entitled}", {**session.sends(), "Authorization": claimed}),
        tried(f"the same, of no browser: {entitled}", {"Cookie": cookie, "Authorization": claimed}),
        tried(f"a cookie of {entitled}'s name after the session's", {**FETCHED, "Cookie": f"{cookie}; {name}={entitled}"}),
        tried(f"a cookie of {entitled}'s name before the session's", {**FETCHED, "Cookie": f"{name}={entitled}; {cookie}"}),
        tried(f"the same in a second header: {entitled}", {**session.sends(), "cookie": f"{name}={entitled}"}),
    ]
    record.bracket(browsing.asked(pacs, session)).tries(cases)


@check(
    "session.foreign",
    "Another site's page does nothing in a person's name",
    controls=("web-hardening", "person-rights"),
    remedy="Refuse what changes something, signs in or signs out where Sec-Fetch-Site says another site (Fetch Metadata Request Headers);"
    " let a sign-in lead on to paths of one's own alone (CWE-352, CWE-601).",
)
def test_another_site_does_nothing(pacs: Pacs, record: Record) -> None:
    """A form, a change and a sign-out that another site's page sends are refused, and no sign-in leads on to another site."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    expected = record.expected(NOT_SERVED)
    forms = [
        (browsing.trying(pacs, f"the sign-in {how}", user, pacs.passwords[user], how=headers), expected)
        for how, headers in FROM_ELSEWHERE.items()
    ]
    record.bracket(browsing.signing_in_anew(pacs, user)).tries(forms)
    _changes(pacs, record, expected)
    session = browsing.opened(pacs, user)
    record.accepts(browsing.asked(pacs, session, "before another site signs out"))
    for how, headers in FROM_ELSEWHERE.items():
        record.look(browsing.leaving(pacs, session, headers).named(f"a sign-out {how}"))
        # Whatever was answered: the session is there still.
        record.accepts(browsing.asked(pacs, session, f"after a sign-out {how}"))
    _leads(pacs, record, user)


def _changes(pacs: Pacs, record: Record, expected: Expected) -> None:
    """Try a change that somebody may make of something that is not there."""
    changes = [request for request in routes.HARMLESS if request.method in {"DELETE", "PUT", "POST"}]
    able = [(user, change) for user in browsing.able(pacs) for change in changes if people.allowed(pacs, user, change)]
    if not able:
        record.not_tested("a change", "nobody whose password is at hand may make one that is known to be harmless")
        return
    user, change = able[0]
    session = browsing.opened(pacs, user)
    what = f"{change.method} {change.target} in a session of {user}"

    def sent(name: str, headers: dict[str, str]) -> Attempt:
        return http.ask(f"{what}{name}", pacs.web, routes.as_person(change, session.sends(headers)))

    cases = [(sent(f", {how}", headers), expected) for how, headers in FROM_ELSEWHERE.items()]
    record.bracket(sent("", dict(FETCHED))).tries(cases)


def _leads(pacs: Pacs, record: Record, user: str) -> None:
    """Look where a sign-in leads on to whose form says another site."""
    declared = browsing.declared(pacs)
    if not declared.to_field:
        record.not_tested("where a sign-in leads on to", "the target does not say which field says it (https.sign_in.to_field)")
        return
    for to in ASTRAY:
        form = sign_in.form_of(pacs.web, declared)
        more = {declared.to_field: to}
        answered = sign_in.submit(pacs.web, declared, form, user, pacs.passwords[user], more=more)
        location = answered.headers.get("location", "")
        host = urlsplit(location).netloc if location else ""
        told = f"status {answered.status}, leads to {host or 'this origin' if location else 'nowhere'}"
        away = sign_in.leads_away(pacs.https.base_url, location)
        record.fact(f"a sign-in that is to lead to {to!r}", expected="it stays at its origin", told=told, holds=not away)


@check(
    "session.images",
    "No image stays in a browser",
    tier="write",
    controls=("web-hardening",),
    remedy="Send Cache-Control: no-store with each image: `private` leaves it on the disk of a workstation that others use too"
    " (RFC 9111 section 5.2.2.5).",
)
def test_no_image_stays_in_a_browser(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """A synthetic image that is shown in a session says that it is not to be stored, neither by shared caches nor by the browser."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    image = canaries.stored
    tail = f"/studies/{image.study}/series/{image.series}/instances/{image.sop_instance}"
    paths = {f"{kind} at {base}": f"{base}{tail}{end}" for base in BASES for kind, end in KINDS.items()}
    able = {
        what: (who, path) for who in browsing.able(pacs) for what, path in paths.items() if people.allowed(pacs, who, Request("GET", path))
    }
    if not able:
        record.not_tested("images", "nobody whose password is at hand may look at one by a path that is tried")
    for what, (who, path) in able.items():
        answered = http.answer(pacs.web, Request("GET", path, browsing.opened(pacs, who).sends()))
        kept = "no-store" not in {word.strip().lower() for word in answered.headers.get("cache-control", "").split(",")}
        if not 200 <= answered.status < 300:
            record.unknown(what, f"it was not shown: status {answered.status}")
        else:
            record.fact(what, expected="no-store", told=answered.headers.get("cache-control", "none")[:200], holds=not kept)
