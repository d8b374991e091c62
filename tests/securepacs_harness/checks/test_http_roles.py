"""Who may do what over the web: every route by every role (PS3.18)."""

from __future__ import annotations

from securepacs_harness import people
from securepacs_harness.bracket import at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Layer
from securepacs_harness.probes import http, routes
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

#: 405 and 501 say that nobody may use the method; a redirect leads to a page to sign in at.
_NOTHING = {"403", "404", "405", "501", "301", "302", "303", "307", "308", http.SIGN_IN, http.SAME_PAGE}
NOT_SIGNED_IN = at(Layer.HTTP, {"401", *_NOTHING})
NOT_ALLOWED = at(Layer.HTTP, _NOTHING)
#: What says that a request did not get past the gate.
NOT_PAST = frozenset({"401", "403", "405"})


@check(
    "http.anonymous",
    "Nothing is served without signing in",
    controls=("person-authentication",),
    remedy="Ask for a login on every route, before anything else is looked at.",
)
def test_nothing_is_served_to_the_anonymous(pacs: Pacs, record: Record) -> None:
    """Each route of REST and DICOMweb, and each that the target declares, is refused without a login, between two requests with one."""
    if people.no_web(pacs, record):
        return
    judges = people.judges_past(pacs, record, {}, "anonymously")
    expected = record.expected(NOT_SIGNED_IN)
    cases = [
        (http.ask(f"{what} anonymously", pacs.web, request, judges[request.method]), expected)
        for what, request in people.undeclared(pacs, record, None).items()
    ]
    record.bracket(person_control(pacs)).tries(cases, workers=PARALLEL)


@check(
    "http.granted",
    "A role may do what is declared for it",
    controls=("person-rights",),
    remedy="Let the role have the route, or take it out of the declaration.",
)
def test_declared_routes_work(pacs: Pacs, record: Record) -> None:
    """Each declared route that is tried gets past the gate, for each role with somebody whose password is at hand."""
    if people.no_web(pacs, record):
        return
    for user, role in people.one_of_each_role(pacs, record).items():
        granted = [request for request in routes.HARMLESS if people.allowed(pacs, user, request)]
        for request in granted:
            attempt = people.asked(pacs, routes.as_person(request, pacs.login(user)), f"as {role}")
            record.answers(attempt, refusals=NOT_PAST)
        examples = [declared for declared in people.declared_reads(pacs, record) if people.allowed(pacs, user, declared.request)]
        for declared in examples:
            attempt = people.asked(pacs, routes.as_person(declared.request, pacs.login(user)), f"as {role}")
            record.answers(attempt.named(f"GET {declared.route} as {role}"), refusals=NOT_PAST)
        if not granted and not examples:
            record.not_tested(f"routes of {role}", "none of those that are tried is declared for it")


@check(
    "http.roles",
    "A role may do nothing that is not declared for it",
    controls=("person-rights",),
    remedy="Hold role, method and route against one table, and refuse what does not stand in it.",
)
def test_undeclared_routes_are_refused(pacs: Pacs, record: Record) -> None:
    """Each route and method that is not declared for a role is refused to it, between two requests of the same person."""
    if people.no_web(pacs, record):
        return
    expected = record.expected(NOT_ALLOWED)
    for user, role in people.one_of_each_role(pacs, record).items():
        judges = people.judges_past(pacs, record, pacs.login(user), f"as {role}")
        cases = [
            (http.ask(f"{what} as {role}", pacs.web, routes.as_person(request, pacs.login(user)), judges[request.method]), expected)
            for what, request in people.undeclared(pacs, record, user).items()
        ]
        record.bracket(person_control(pacs, user=user)).tries(cases, workers=PARALLEL)
