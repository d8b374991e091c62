"""What the form of a request must not be able to say: another path, person or method, or a second request (RFC 9110, RFC 9112)."""

from __future__ import annotations

from securepacs_harness import people
from securepacs_harness.bracket import Expected, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import http, tricks
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries

NOT_SERVED = at(Layer.HTTP)
#: Where tricks with paths lead.
GOAL = Request("GET", "/system")
STOW = Request("POST", "/dicom-web/studies")


@check(
    "http.paths",
    "No spelling of a path opens another",
    controls=("person-rights", "web-hardening"),
    remedy="Refuse a raw path with anything but plain characters in it, or with empty, dot or dot-dot segments; never mend it.",
)
def test_no_spelling_opens_another_route(pacs: Pacs, record: Record) -> None:
    """Dots, slashes, encodings, parameters, absolute forms and case lead nowhere new, signed in with few rights or not at all."""
    if people.no_web(pacs, record):
        return
    user = people.lowest(pacs, record)
    if user is None:
        return
    callers: list[tuple[str, dict[str, str]]] = [("anonymously", {})]
    if people.allowed(pacs, user, GOAL):
        record.not_tested(f"paths as {people.role_of(pacs, user)}", f"the role may GET {GOAL.target}, to which they lead")
    else:
        callers.append((f"as {people.role_of(pacs, user)}", pacs.login(user)))
    for whom, login in callers:
        requests = [Request("GET", trick, login) for trick in tricks.TRICKS]
        judge = people.judge_served_by(people.absent(pacs, record, login, whom))
        cases = [
            (people.asked(pacs, request, whom, judge), record.expected(NOT_SERVED))
            for request in requests
            if not (login and people.allowed(pacs, user, request))
        ]
        record.bracket(person_control(pacs, user=user)).tries(cases, workers=PARALLEL)


@check(
    "http.forged-headers",
    "No header makes another person of the one who asks",
    controls=("person-rights", "web-hardening"),
    remedy="Drop every header by which a proxy speaks for a person, before the request is passed on; know your own host names.",
)
def test_no_header_makes_another_person(pacs: Pacs, record: Record) -> None:
    """Headers that a proxy would set, cookies and foreign host names open nothing, signed in or not."""
    if people.no_web(pacs, record):
        return
    user = people.lowest(pacs, record)
    if user is None:
        return
    served, more = people.served_path(pacs, user), people.beyond(pacs, user)
    highest = max(pacs.https.users, key=lambda name: len(pacs.https.roles[people.role_of(pacs, name)]))
    forged = [{name: value.format(user=highest) for name, value in headers.items()} for headers in tricks.FORGED_HEADERS]
    told = {", ".join(headers): headers for headers in forged} | {f"Host '{name}'": {"Host": name} for name in tricks.HOSTS}
    cases: list[tuple[Attempt, Expected]] = []
    for what, headers in told.items():
        requests = {}
        if served:
            requests["anonymously"] = Request("GET", served, headers)
        if more:
            requests[f"as {people.role_of(pacs, user)}"] = Request("GET", more.target, {**pacs.login(user), **headers})
        cases += [
            (http.ask(f"GET {request.target} with {what} {whom}", pacs.web, request, http.judge_served), record.expected(NOT_SERVED))
            for whom, request in requests.items()
        ]
    if more is None:
        record.not_tested(f"another's rights for {people.role_of(pacs, user)}", "no route that is tried is declared for others alone")
    record.bracket(person_control(pacs, user=user)).tries(cases, workers=PARALLEL)


@check(
    "http.method-override",
    "No method stands for another",
    tier="write",
    controls=("person-rights", "web-hardening"),
    remedy="Refuse _method in a query, however it is encoded, and the headers that override a method.",
)
def test_no_method_stands_for_another(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """No override in query or header turns a GET or POST of a synthetic study into its removal, for anybody who may read it."""
    if people.no_web(pacs, record):
        return
    path = canaries.path(canaries.stored)
    able = [user for user in pacs.people() if people.allowed(pacs, user, Request("GET", path))]
    if not able:
        record.not_tested("overrides", f"nobody whose password is at hand may GET {path.rpartition('/')[0]}/…")
        return
    login = pacs.login(able[0])
    read = http.ask("GET of the synthetic study", pacs.web, Request("GET", path, login), http.judge_served)
    record.accepts(read.named("the synthetic study before"))
    for method in ("GET", "POST"):
        for query, headers in tricks.OVERRIDES:
            request = Request(method, f"{path}{query}", {**login, **headers})
            record.look(http.ask(f"{method} with {query or ', '.join(headers)}", pacs.web, request))
        record.accepts(read.named(f"the synthetic study after {method}s that say DELETE"))


@check(
    "http.framing",
    "No request hides in another",
    controls=("web-hardening",),
    remedy="Refuse a request whose length is said twice or wrongly, and close the connection (RFC 9112 section 6.1, 6.3).",
)
def test_no_request_hides_in_another(pacs: Pacs, record: Record) -> None:
    """A body with a false length or coding is refused, and what hides in it gets no answer of its own."""
    if people.no_web(pacs, record):
        return
    able = people.by_rights(pacs)
    if not able:
        record.not_tested("people", people.NOBODY)
        return
    # Whoever may send a body is refused for its form alone; anybody else would be refused for their rights.
    senders = [user for user in able if people.allowed(pacs, user, STOW)]
    user = (senders or able)[0]
    judge = http.judge_status if senders else http.judge_served
    hidden = b"0\r\n\r\nGET /system HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    cases = []
    for framing in tricks.FRAMINGS:
        told = ", ".join(f"{name}: {value}" for name, value in framing.items())
        request = Request(STOW.method, STOW.target, {**pacs.login(user), **framing}, hidden)
        cases.append((http.ask(f"a body with {told!r}", pacs.web, request, judge), record.expected(NOT_SERVED)))
    record.bracket(person_control(pacs, user=user)).tries(cases, workers=PARALLEL)
    # Chunks count, not the length; and the connection ends behind them, though the client would keep it.
    both = {"Content-Length": "5", "Transfer-Encoding": "chunked", "Content-Type": "application/dicom", "Connection": "keep-alive"}
    answers = http.answers_to(pacs.web, Request(STOW.method, STOW.target, {**pacs.login(user), **both}, hidden))
    what = "a body with a length and chunks, and a request behind it"
    record.fact(what, expected="one answer", told=f"{len(answers)} answers", holds=len(answers) == 1)
