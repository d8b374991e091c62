"""The checks of the web on servers of other makes: what each makes of them, and that none takes a wrong answer for a refusal."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from securepacs_harness.checks import test_credentials as credentials
from securepacs_harness.checks import test_http_answers as answers
from securepacs_harness.checks import test_http_roles as roles
from securepacs_harness.checks import test_http_shape as shape
from securepacs_harness.checks import test_leaks as leaks
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from unit.harness.standin_web import PASSWORDS, Answer, Site, pacs_of, serving

Check = Callable[[Pacs, Record], None]

SEARCH = "/dicom-web/studies"
GRANTED = {"vera": (SEARCH,), "anna": (SEARCH, "/system")}


def who(authorization: str) -> str | None:
    """Give the person whose right password a header holds."""
    kind, _, word = authorization.partition(" ")
    user, _, password = base64.b64decode(word).decode().partition(":") if kind == "Basic" else ("", "", "")
    return user if PASSWORDS.get(user) == password else None


def hardened(method: str, target: str, authorization: str) -> Answer:
    """Serve each person what is declared, and nothing else to nobody."""
    user = who(authorization)
    if user is None:
        return 401, ""
    if method != "GET" or target.partition("?")[0] not in GRANTED[user]:
        return 403, ""
    return 200, "[]", {"Cache-Control": "no-store"}


def to_sign_in(method: str, target: str, authorization: str) -> Answer:
    """Send everybody who is not signed in to another page, as an identity provider's gate does."""
    answer = hardened(method, target, authorization)
    return (302, "", {"Location": "https://keycloak.clinic.example/"}) if answer[0] == 401 else answer


def with_form(method: str, target: str, authorization: str) -> Answer:
    """Show everybody who is not signed in a form, with 200."""
    answer = hardened(method, target, authorization)
    return (200, '<form><input name=p type="password"></form>') if answer[0] == 401 else answer


def with_program(method: str, target: str, authorization: str) -> Answer:
    """Answer each unknown path with a program for browsers, as nginx does for a viewer; the data are behind the login."""
    path = target.partition("?")[0]
    if method == "GET" and path not in {SEARCH, "/system"}:
        return 200, "<html><script src=/app.js></script></html>"
    return hardened(method, target, authorization)


def opened(*paths: str) -> Site:
    """Give a hardened site with some paths that ask for nothing."""

    def site(method: str, target: str, authorization: str) -> Answer:
        return (200, "{}") if target.partition("?")[0] in paths else hardened(method, target, authorization)

    return site


#: A role for each route; the first one's holder is everybody.
PUBLIC = {"anonymous": "^/healthz$", "viewer": f"^{SEARCH}$", "admin": f"^({SEARCH}|/system)$"}


def run(check: Check, site: Site, **declared: object) -> Record:
    """Make a check of a site and give its record."""
    record = Record()
    with serving(site) as base_url:
        check(pacs_of(base_url, **declared), record)  # type: ignore[arg-type] # sections of a target file
    return record


def found(record: Record) -> list[str]:
    """Give what was found wanting."""
    return [case.what for case in record.cases if case.status is Status.FOUND]


@pytest.mark.parametrize("site", [hardened, to_sign_in, with_form, with_program])
def test_a_site_that_asks_everybody_to_sign_in_is_clean(site: Site) -> None:
    """401, a redirect, a form and a program for browsers each give nothing: none is a finding, and nothing is left open."""
    record = run(roles.test_nothing_is_served_to_the_anonymous, site)
    assert (record.status, found(record)) == (Status.PASSED, [])


def test_an_open_route_is_found_behind_each_kind_of_gate() -> None:
    """One open path is found, and it alone, also where the other paths are answered with a page."""
    assert found(run(roles.test_nothing_is_served_to_the_anonymous, opened("/statistics"))) == ["GET /statistics anonymously"]

    def site(method: str, target: str, authorization: str) -> Answer:
        return (200, "{}") if target == "/statistics" else with_program(method, target, authorization)

    assert found(run(roles.test_nothing_is_served_to_the_anonymous, site)) == ["GET /statistics anonymously"]


def test_a_route_that_only_the_target_declares_is_tried() -> None:
    """A route of the owner's own is asked for without a login by an example; so it is found when it is open."""
    own = {"viewer": [{"methods": ["POST"], "route": r"^/own/[a-z]+/[0-9]{6}$"}], "admin": [{"methods": ["GET"], "route": "^/system$"}]}

    def site(method: str, target: str, authorization: str) -> Answer:
        return (200, "{}") if target.startswith("/own/") else hardened(method, target, authorization)

    record = run(roles.test_nothing_is_served_to_the_anonymous, site, roles=own)
    assert found(record) == [r"GET ^/own/[a-z]+/[0-9]{6}$ anonymously"]


def test_what_is_declared_for_everybody_is_no_finding() -> None:
    """The role `anonymous` declares what is served without signing in, and nobody has to hold it."""
    public = {name: [{"methods": ["GET"], "route": route}] for name, route in PUBLIC.items()}
    for check in (roles.test_nothing_is_served_to_the_anonymous, roles.test_undeclared_routes_are_refused):
        record = run(check, opened("/healthz"), roles=public)
        assert "role anonymous" not in [case.what for case in record.cases]
        assert found(record) == []


def test_a_gate_that_takes_no_basic_login_shows_nothing() -> None:
    """Where the people's own requests are sent to sign in, no refusal is claimed: all of it is inconclusive."""
    record = run(roles.test_undeclared_routes_are_refused, lambda *_: (302, ""))
    assert record.status is Status.INCONCLUSIVE


def test_a_token_is_sent_as_it_is() -> None:
    """A person whose identity provider gives tokens signs in with one."""
    seen: list[str] = []

    def site(_method: str, _target: str, authorization: str) -> Answer:
        seen.append(authorization)
        return 200, ""

    with serving(site) as base_url:
        answers.test_no_cache_keeps_it(pacs_of(base_url, passwords={"vera": "Bearer abc.def"}), Record())
    assert seen == ["Bearer abc.def"]


def test_an_undeclared_route_is_found_for_the_role_that_has_it() -> None:
    """A viewer who reaches what only an administrator may is found; the administrator is not."""

    def site(method: str, target: str, authorization: str) -> Answer:
        return (200, "{}") if (method, target) == ("GET", "/system") and who(authorization) else hardened(method, target, authorization)

    assert found(run(roles.test_undeclared_routes_are_refused, site)) == ["GET /system as viewer"]
    assert found(run(roles.test_declared_routes_work, lambda *_: (403, ""))) != []


def test_a_path_that_is_mended_is_found() -> None:
    """A server that decides by one spelling and serves another is found, anonymously and with few rights."""

    def site(method: str, target: str, authorization: str) -> Answer:
        return (200, "{}") if target.endswith("/../system") else hardened(method, target, authorization)

    told = found(run(shape.test_no_spelling_opens_another_route, site))
    assert "GET /x/../system anonymously" in told
    assert "GET /x/../system as viewer" in told
    assert run(shape.test_no_spelling_opens_another_route, with_program).status is Status.PASSED


def test_a_length_that_is_said_wrongly_is_found_for_who_may_send() -> None:
    """A server that answers for the body's type, not for its length, has taken the length; a viewer's 403 would hide that."""
    sends = {"viewer": [{"methods": ["GET"], "route": f"^{SEARCH}$"}], "admin": [{"methods": ["GET", "POST"], "route": f"^{SEARCH}$"}]}

    def site(method: str, target: str, authorization: str) -> Answer:
        return (415, "") if method == "POST" and who(authorization) == "anna" else hardened(method, target, authorization)

    assert len(found(run(shape.test_no_request_hides_in_another, site, roles=sends))) > 3


def test_a_default_login_is_found_and_a_missing_one_is_not() -> None:
    """A published login that is served is found; where nobody is asked for a login none is tried."""

    def site(method: str, target: str, authorization: str) -> Answer:
        known = authorization == "Basic " + base64.b64encode(b"demo:demo").decode()
        return (404, "") if known else hardened(method, target, authorization)

    assert found(run(credentials.test_no_default_login_works, site)) == ["the default login of demo (no declared user)"]
    assert run(credentials.test_no_default_login_works, hardened).status is Status.PASSED
    assert run(credentials.test_no_default_login_works, lambda *_: (200, "")).status is Status.NOT_TESTED
    assert run(credentials.test_no_default_login_works, to_sign_in).status is Status.NOT_TESTED


class Counting:
    """A site that counts wrong logins and answers them with one code until there were too many."""

    def __init__(self, wrong: int, most: int, then: int) -> None:
        self._wrong, self._most, self._then, self._seen = wrong, most, then, 0

    def __call__(self, method: str, target: str, authorization: str) -> Answer:
        """Answer as a hardened site; wrong logins by their count."""
        if self._seen >= self._most:
            return self._then, ""
        if authorization and not who(authorization):
            self._seen += 1
            return self._wrong, ""
        return hardened(method, target, authorization)


@pytest.mark.parametrize(
    ("site", "status"),
    [
        (Counting(401, 5, 429), Status.PASSED),
        # It locks the name and goes on saying 401: the right password then shows it.
        (Counting(401, 10, 401), Status.PASSED),
        (Counting(401, 1000, 429), Status.FOUND),
        # 403 from the first wrong password on is its way to say no, not a lock.
        (Counting(403, 1000, 429), Status.FOUND),
        (Counting(200, 1000, 429), Status.FOUND),
    ],
)
def test_guessing_is_judged_by_a_change(site: Site, status: Status) -> None:
    """Only an answer that changes after some guesses is a throttle; a wrong password that is served is a finding."""
    assert run(credentials.test_guessing_is_throttled, site).status is status


def test_a_user_who_is_told_from_nobody_is_found() -> None:
    """Other words for a wrong password of a known user than for an unknown one tell which users there are."""

    def site(method: str, target: str, authorization: str) -> Answer:
        known = b"vera" in base64.b64decode(authorization.partition(" ")[2]) if authorization else False
        named = authorization and b"zz" not in base64.b64decode(authorization.partition(" ")[2])
        return (401, "wrong password") if known and named and not who(authorization) else hardened(method, target, authorization)

    def users(pacs: Pacs, record: Record) -> None:
        leaks._users(pacs, record)

    assert found(run(users, site)) == ["answers to wrong logins"]
    assert run(users, hardened).status is Status.PASSED


@pytest.mark.parametrize(
    ("body", "headers", "telling"),
    [
        ("", {}, False),
        ("", {"Server": "gateway"}, True),
        ("", {"WWW-Authenticate": 'Basic realm="Orthanc Secure Area"'}, True),
        ("", {"Location": "https://keycloak.clinic.example/"}, False),
        ("<center>nginx/1.27</center>", {}, True),
        ("at org.jboss.Thing.run(Thing.java:12)", {}, True),
        ("You may express a preference.", {}, False),
    ],
)
def test_what_an_answer_tells_is_seen(body: str, headers: dict[str, str], telling: bool) -> None:  # noqa: FBT001 - the table's value
    """A product's name in a header or a body tells; where people are sent to sign in, and plain words, do not."""
    assert bool(found(run(leaks.test_answers_tell_no_product, lambda *_: (401, body, headers)))) is telling


@pytest.mark.parametrize(("value", "holds"), [("no-store", True), ("private, max-age=0", True), ("public", False), ("", False)])
def test_caches_are_told_by_the_answer_that_was_served(value: str, holds: bool) -> None:  # noqa: FBT001 - the table's value
    """Only no-store or private keeps shared caches from an answer."""
    record = run(answers.test_no_cache_keeps_it, lambda *_: (200, "", {"Cache-Control": value}))
    assert (record.status is Status.PASSED) is holds


def test_a_question_before_a_request_is_held_too() -> None:
    """An origin that is allowed in the answer to OPTIONS alone is found."""

    def site(method: str, target: str, authorization: str) -> Answer:
        return (204, "", {"Access-Control-Allow-Origin": "*"}) if method == "OPTIONS" else hardened(method, target, authorization)

    assert all("question before" in what for what in found(run(answers.test_no_foreign_origin_is_allowed, site)))
    assert len(found(run(answers.test_no_foreign_origin_is_allowed, site))) == 2
