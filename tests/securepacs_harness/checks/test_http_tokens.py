"""Tokens of machines: a forged or ended one opens nothing, and a right one nothing but its own routes (RFC 6750)."""

from __future__ import annotations

import base64
import datetime
import json
import secrets

from securepacs_harness import people
from securepacs_harness.bracket import at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.checks.test_http_roles import NOT_ALLOWED, NOT_PAST
from securepacs_harness.control import harmless_among, person_control
from securepacs_harness.observation import Attempt, Layer, Outcome
from securepacs_harness.probes import http, routes
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.target import Machine, permits

#: 429 says that too many were tried already; a redirect leads to a page to sign in at.
REFUSED = at(Layer.HTTP, {"400", "401", "403", "429", "301", "302", "303", "307", "308", http.SIGN_IN, http.SAME_PAGE})
NO_MACHINE = "the target declares no machine whose token is in date and at hand"


def in_date(machine: Machine) -> bool:
    """Tell whether a machine's token is declared to open something today."""
    return machine.until >= datetime.datetime.now(datetime.UTC).date()


def answering(pacs: Pacs, record: Record) -> list[tuple[str, str]]:
    """Give each machine at hand that this machine may ask as, with a path that is served to it; note the others."""
    found = []
    for name in pacs.machines():
        machine = pacs.https.machines[name]
        path = harmless_among(machine.routes)
        if not in_date(machine):
            continue
        if path is None:
            record.not_tested(f"token of {name}", "none of its routes is known to be harmless")
        elif machine.sources and record.look(_read(pacs, name, path)).outcome is not Outcome.ACCEPTED:
            record.not_tested(f"token of {name}", f"it counts from {', '.join(machine.sources)}, and was refused from here")
        else:
            found.append((name, path))
    return found


def _read(pacs: Pacs, name: str, path: str) -> Attempt:
    return http.ask(f"GET {path} with the token of {name}", pacs.web, Request("GET", path, pacs.login(name)), http.judge_gate)


def _unsigned() -> str:
    """Make a JSON Web Token that says of itself that it is not signed (RFC 8725 section 2.1)."""
    claims = ({"alg": "none", "typ": "JWT"}, {"sub": "admin", "role": "admin", "exp": 4102444800})
    return "".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") + "." for part in claims)


def _forged(token: str, path: str) -> dict[str, Request]:
    """Give requests with what resembles a right token. Few are counted as guesses: who tries too many is locked out."""
    query = f"{path}{'&' if '?' in path else '?'}access_token={token}"
    end = "A" if token[-1] != "A" else "B"
    return {
        "a token that says it is not signed": Request("GET", path, http.bearer(_unsigned())),
        "a right token but for its end": Request("GET", path, http.bearer(token[:-1] + end)),
        "no token": Request("GET", path, {"Authorization": "Bearer"}),
        "a right token under another scheme": Request("GET", path, {"Authorization": f"Token {token}"}),
        "a right token without a scheme": Request("GET", path, {"Authorization": token}),
        # RFC 6750 section 2.3: what stands in a query stands in logs and histories.
        "a right token in the query": Request("GET", query),
        "a right token as a cookie": Request("GET", path, {"Cookie": f"token={token}; access_token={token}"}),
    }


@check(
    "http.token",
    "A token that is not right, or has ended, opens nothing",
    controls=("person-authentication", "credential-strength"),
    remedy="Compare the whole token (or its digest) with those that were given out, and its last day with the clock, on each request.",
)
def test_only_a_right_token_in_date_opens_anything(pacs: Pacs, record: Record) -> None:
    """Forged tokens, right ones in other places, and those whose last day is over are refused, between two requests by who may."""
    if people.no_web(pacs, record):
        return
    able = answering(pacs, record)
    control = _read(pacs, *able[0]) if able else person_control(pacs)
    path = able[0][1] if able else people.asking_path(pacs, record)
    if path is None:
        return
    if not able:
        record.not_tested("a machine's token", NO_MACHINE)
    forged = _forged(pacs.passwords[able[0][0]].removeprefix("Bearer ") if able else secrets.token_urlsafe(33), path)
    expected = record.expected(REFUSED)
    cases = [(http.ask(f"{what}: GET {path}", pacs.web, request, http.judge_gate), expected) for what, request in forged.items()]
    for name, machine in pacs.https.machines.items():
        if in_date(machine):
            continue
        own = harmless_among(machine.routes)
        if name not in pacs.machines() or own is None:
            record.not_tested(f"the ended token of {name}", "it is not at hand" if own else "none of its routes is known to be harmless")
        else:
            cases.append((_read(pacs, name, own).named(f"the token of {name}, which ended on {machine.until}"), expected))
    record.bracket(control).tries(cases)


@check(
    "http.token-routes",
    "A token opens its own routes and no others",
    controls=("person-rights",),
    remedy="Hold each request against the routes of the machine whose token it bears, not only against its role.",
)
def test_a_token_opens_its_own_routes_alone(pacs: Pacs, record: Record) -> None:
    """For each machine at hand: what is declared for it gets past the gate, all else is refused between two of its own requests."""
    if people.no_web(pacs, record):
        return
    able = answering(pacs, record)
    if not able:
        record.not_tested("a machine's token", NO_MACHINE)
    declared = people.declared_reads(pacs, record) if able else []
    tried = {f"{request.method} {request.target}": request for request in routes.HARMLESS}
    tried |= {f"GET {one.route}": one.request for one in declared}
    for name, path in able:
        rules, login = pacs.https.machines[name].routes, pacs.login(name)
        judges = people.judges_past(pacs, record, login, f"with the token of {name}")
        cases = []
        for what, request in tried.items():
            attempt = f"{what} with the token of {name}"
            if permits(rules, request.method, routes.path_of(request)):
                record.answers(http.ask(attempt, pacs.web, routes.as_person(request, login)), refusals=NOT_PAST)
            elif not pacs.https.allows(people.PUBLIC, request.method, routes.path_of(request)):
                sent = routes.as_person(request, login)
                cases.append((http.ask(attempt, pacs.web, sent, judges[request.method]), record.expected(NOT_ALLOWED)))
        record.bracket(_read(pacs, name, path)).tries(cases, workers=PARALLEL)
