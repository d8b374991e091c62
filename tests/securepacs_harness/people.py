"""Who signs in for a check over the web, and what each may and may not do."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping

from securepacs_harness.control import harmless_path
from securepacs_harness.observation import Attempt, Observation, Outcome
from securepacs_harness.probes import http, routes
from securepacs_harness.probes.http import Judge, Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

NO_WEB = "the target declares no HTTPS listener"
NOBODY = "nobody's password is at hand"
#: A role of this name declares what is served without signing in.
PUBLIC = "anonymous"
#: A path that no product has.
ABSENT = "/no-such-path-zz"


def no_web(pacs: Pacs, record: Record) -> bool:
    """Tell whether there is no web listener to test, and note it."""
    if pacs.target.https is None:
        record.not_tested("the web", NO_WEB)
    return pacs.target.https is None


def by_rights(pacs: Pacs) -> list[str]:
    """Give the people at hand, those whose role has the fewest rules first."""
    return sorted(pacs.people(), key=lambda user: len(pacs.https.roles[role_of(pacs, user)]))


def role_of(pacs: Pacs, user: str) -> str:
    """Give a declared person's role."""
    return pacs.https.users[user].role


def lowest(pacs: Pacs, record: Record) -> str | None:
    """Give the person at hand whose role has the fewest rules: whoever has the least shows the most. Note where there is nobody."""
    able = by_rights(pacs)
    if not able:
        record.not_tested("people", NOBODY)
    return able[0] if able else None


def one_of_each_role(pacs: Pacs, record: Record) -> dict[str, str]:
    """Give one person at hand for each role, user -> role; note the roles that have none."""
    roles = [role for role in pacs.https.roles if role != PUBLIC]
    able = {role: pacs.people(role) for role in roles}
    for role in roles:
        if not able[role]:
            record.not_tested(f"role {role}", "nobody of it has a password at hand")
    if not roles:
        record.not_tested("roles", "the target declares none")
    return {able[role][0]: role for role in roles if able[role]}


def allowed(pacs: Pacs, user: str, request: Request) -> bool:
    """Tell whether the declaration lets a person make a request."""
    return pacs.https.allows(role_of(pacs, user), request.method, routes.path_of(request))


def served_path(pacs: Pacs, user: str) -> str | None:
    """Give a path that a person is served, with an empty or a short answer; None where the role has none that is known."""
    return harmless_path(pacs.https, role_of(pacs, user))


def asking_path(pacs: Pacs, record: Record) -> str | None:
    """Give a path for which a stranger is asked to sign in; note where there is none, so that no wrong login would show anything."""
    seen = {path: record.look(http.ask(f"GET {path} without a login", pacs.web, Request("GET", path))) for path in _known_paths(pacs)}
    asking = next((path for path, answer in seen.items() if answer.code in {"401", "403"}), None)
    if not any(answer.code.isdigit() for answer in seen.values()):
        record.unknown("logins", f"the web listener gave no answer: {next(iter(seen.values()))}")
        return None
    if asking is None:
        record.not_tested("logins", "no route that is tried asks for HTTP Basic authentication; http.anonymous tells what is open")
    return asking


def _known_paths(pacs: Pacs) -> list[str]:
    """Give the paths that somebody is served, by the declaration; else one of each product."""
    paths = dict.fromkeys(path for user in pacs.https.users if (path := served_path(pacs, user)))
    return list(paths) or [f"/dicom-web/studies?StudyInstanceUID={routes.NO_UID}", "/system"]


def beyond(pacs: Pacs, user: str) -> Request | None:
    """Give a GET that is declared for somebody, and not for this person; None where there is none."""
    others = [role for role in pacs.https.roles if role != role_of(pacs, user)]
    reads = [request for request in routes.HARMLESS if request.method == "GET" and not allowed(pacs, user, request)]
    return next((read for read in reads for role in others if pacs.https.allows(role, "GET", routes.path_of(read))), None)


def asked(pacs: Pacs, request: Request, whom: str, judge: Judge = http.judge_status) -> Attempt:
    """Give an attempt of one request."""
    return http.ask(f"{request.method} {request.target} {whom}", pacs.web, request, judge)


def absent(pacs: Pacs, record: Record, login: dict[str, str], whom: str, method: str = "GET") -> Observation:
    """Give the answer for a path that cannot be there."""
    request = Request(method, ABSENT, login)
    return record.look(http.ask(f"{method} of a path that is not there, {whom}", pacs.web, request, http.judge_gate))


def judges_past(pacs: Pacs, record: Record, login: dict[str, str], whom: str) -> Mapping[str, Judge]:
    """Say by method how it shows that a request got past the gate, by the answer for a path that cannot be there.

    Where that is 404, then 404 elsewhere shows nothing; where it is a page, then the same page elsewhere shows nothing. HEAD and
    OPTIONS have answers of their own, of which a gate lets some through on purpose (the Fetch standard's question before a request).
    """
    seen = {method: absent(pacs, record, login, whom, method) for method in ("GET", "HEAD", "OPTIONS")}
    judges = {
        method: http.judge_served if there.code == "404" else judge_served_by(there, http.judge_gate) for method, there in seen.items()
    }
    return defaultdict(lambda: judges["GET"], judges)


def judge_served_by(seen: Observation, judge: Judge = http.judge_served) -> Judge:
    """Judge, but the page that a path gets which cannot be there is no answer of the archive's."""
    page = seen.payload[0] if seen.outcome is Outcome.ACCEPTED and seen.code.startswith("2") and seen.payload else None
    return http.judge_unlike(page, judge)


@dataclasses.dataclass(frozen=True)
class Declared:
    """A declared route, and a request for an example of it."""

    route: str
    request: Request


def declared_reads(pacs: Pacs, record: Record) -> list[Declared]:
    """Give a GET for each route that is declared, whatever its methods; note the routes that no plain path matches.

    Only GET: what another method does under a route of the owner's own nobody here can know.
    """
    found = []
    own = [machine.routes for machine in pacs.https.machines.values()]
    for route in dict.fromkeys(rule.route for rules in (*pacs.https.roles.values(), *own) for rule in rules):
        request = routes.example(route)
        if request is None:
            record.not_tested(f"route {route}", "no path of plain characters was found that it matches")
        else:
            found.append(Declared(route, request))
    return found


def undeclared(pacs: Pacs, record: Record, user: str | None) -> dict[str, Request]:
    """Give, by METHOD and path or route, what is tried and not declared for a person, nor for everybody; for None: for a stranger."""
    tried = {f"{request.method} {request.target}": request for request in routes.HARMLESS}
    tried |= {f"GET {declared.route}": declared.request for declared in declared_reads(pacs, record)}
    return {
        what: request
        for what, request in tried.items()
        if not (user and allowed(pacs, user, request)) and not pacs.https.allows(PUBLIC, request.method, routes.path_of(request))
    }
