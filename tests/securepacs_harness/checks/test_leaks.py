"""What a stranger learns from refusals and from answers."""

from __future__ import annotations

import re

from securepacs_harness import canary, people
from securepacs_harness.bracket import at
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import EndedError, Layer, Outcome
from securepacs_harness.probes import association, http, pdu, routes
from securepacs_harness.probes.http import Request
from securepacs_harness.probes.line import opened
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries, orthanc_id

#: Names of products in headers and error pages.
PRODUCTS = re.compile(
    r"orthanc|haproxy|nginx|apache|openresty|traefik|caddy|envoy|civetweb|mongoose|wildfly|jboss|undertow|jetty|tomcat|keycloak"
    r"|dcm4che|dcmtk|conquest|python/|werkzeug|gunicorn|uvicorn|php/",
    re.IGNORECASE,
)
#: Headers that tell nothing but the product.
TELLING = ("server", "x-powered-by", "via", "x-aspnet-version", "x-generator")
#: What only the inside of a program says: its stack, its files, its database.
INSIDE = re.compile(
    r"Traceback \(most recent|\bat [\w.$]+\([\w]+\.java:\d+\)|\b[A-Z]:\\|/usr/(lib|share)/|/var/lib/|SQLSTATE|sqlite|OrthancError",
    re.IGNORECASE,
)
#: Longer than any server takes a request line to be.
TOO_LONG = 70_000
NO_PASSWORD = "no-password-of-anybody"  # noqa: S105 - that it is none is its use
#: Headers that name other systems and pages on purpose.
_ELSEWHERE = ("location",)

#: Requests of a stranger that are refused, each by another part of a server.
REFUSED_REQUESTS = {
    "an anonymous request": Request("GET", "/system"),
    "an anonymous request for what is not there": Request("GET", "/no-such-path-zz"),
    "a malformed path": Request("GET", "//x"),
    "a method that nobody knows": Request("ZZZZ", "/"),
    "a foreign host name": Request("GET", "/", {"Host": "evil.example"}),
    "a false length": Request("POST", "/", {"Content-Length": "x"}, b"x"),
    "a request line that is too long": Request("GET", f"/{'x' * TOO_LONG}"),
}


@check(
    "leaks.http",
    "Answers tell no product and no version",
    controls=("information-leaks",),
    remedy="Take the Server header and its like out of every response, and give error pages of one's own.",
)
def test_answers_tell_no_product(pacs: Pacs, record: Record) -> None:
    """Neither headers nor bodies of refused requests name the product, or what is inside it; nor do headers of served ones."""
    if people.no_web(pacs, record):
        return
    for what, request in REFUSED_REQUESTS.items():
        answered = _looked_at(pacs, record, what, request)
        if answered is not None:
            named = sorted({found[0].lower() for mark in (PRODUCTS, INSIDE) for found in mark.finditer(answered.text)})
            record.fact(f"body of {what}", expected="no product", told=", ".join(named) or "none", holds=not named)
    user = next(iter(people.by_rights(pacs)), None)
    path = people.served_path(pacs, user) if user else None
    if user and path:
        _looked_at(pacs, record, "a served request", Request("GET", path, pacs.login(user)))


def _looked_at(pacs: Pacs, record: Record, what: str, request: Request) -> http.Answer | None:
    """Note what the headers of an answer tell; give the answer, None where the connection was closed without one."""
    try:
        answered = http.answer(pacs.web, request)
    except EndedError as ended:
        if ended.seen.layer is Layer.HTTP and ended.seen.outcome is Outcome.REFUSED:
            record.fact(f"headers of {what}", expected="no product", told="closed without an answer", holds=True)
        else:
            record.unknown(f"headers of {what}", str(ended.seen))
        return None
    telling = [f"{name}: {answered.headers[name][:40]}" for name in TELLING if answered.headers.get(name)]
    others = {name: value for name, value in answered.headers.items() if name not in (*TELLING, *_ELSEWHERE)}
    telling += [f"{name}: {value[:40]}" for name, value in others.items() if PRODUCTS.search(value)]
    record.fact(f"headers of {what}", expected="no product", told="; ".join(telling) or "none", holds=not telling)
    return answered


@check(
    "leaks.reject-reasons",
    "A rejection does not tell which AE titles and which users there are",
    controls=("information-leaks",),
    remedy="Reject a known AE title with another's certificate, and a known user with a wrong password, exactly as unknown ones.",
)
def test_known_and_unknown_names_look_the_same(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """Under a peer's certificate or none, a declared AE title and an unknown one get the same answer; so do two wrong logins."""
    _titles(pacs, record, stranger)
    _users(pacs, record)


def _served(pacs: Pacs, record: Record, when: str) -> bool:
    """Tell whether an honest echo succeeds, and note where it does not: who answers nobody keeps no secret by it."""
    seen = record.look(pacs.echo_control().named(f"an honest echo {when}"))
    if seen.outcome is not Outcome.ACCEPTED:
        record.unknown(f"answers {when}", f"an honest echo did not succeed {when}: {seen}")
    return seen.outcome is Outcome.ACCEPTED


def _titles(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    able = pacs.with_verb("echo")
    others = [name for name, peer in pacs.target.peers.items() if name not in able[:1] and not peer.plaintext]
    if not able or not others:
        record.not_tested("AE titles", "there are not two declared peers to compare")
        return
    if not _served(pacs, record, "before AE titles are compared"):
        return
    lines = {f"with the certificate of {able[0]}": pacs.caller(able[0]).line, "without a certificate": stranger.line}
    for how, line in lines.items():
        known = record.look(association.echo(f"a declared AE title {how}", line, stranger.called, others[0]))
        unknown = record.look(association.echo(f"an unknown AE title {how}", line, stranger.called, stranger.ae_title))
        told = f"known: {known.layer} {known.code}; unknown: {unknown.layer} {unknown.code}"
        same = (known.layer, known.code) == (unknown.layer, unknown.code)
        if same and known.outcome in {Outcome.TIMEOUT, Outcome.INCONCLUSIVE}:
            record.unknown(f"answers {how}", f"neither was answered: {told}")
        else:
            record.fact(f"answers {how}", expected="the same", told=told, holds=same)
    _served(pacs, record, "after AE titles were compared")


def _users(pacs: Pacs, record: Record) -> None:
    """Two wrong logins: few, because they count towards a lock-out."""
    if pacs.target.https is None or not pacs.https.users:
        record.not_tested("users", people.NO_WEB if pacs.target.https is None else "the target declares no users")
        return
    path = people.asking_path(pacs, record)
    if path is None:
        return
    user = next(iter(pacs.https.users))
    attempts = [
        http.ask(f"{who} with a wrong password", pacs.web, Request("GET", path, http.basic(name, NO_PASSWORD)), http.judge_gate)
        for who, name in (("a declared user", user), ("an unknown user", f"zz{user}"))
    ]
    refused = at(Layer.HTTP, {"401", "403", "429"})
    known, unknown = record.bracket(person_control(pacs)).tries([(attempt, refused) for attempt in attempts])
    if "429" in {known.seen.code, unknown.seen.code}:
        record.not_tested("answers to wrong logins", "this machine was told to wait: too many wrong logins of earlier runs")
        return
    same = (known.seen.code, known.seen.payload) == (unknown.seen.code, unknown.seen.payload)
    # How long each took is told and not judged: two samples over a network prove nothing.
    took = f"{known.seen.seconds * 1000:.0f} ms and {unknown.seen.seconds * 1000:.0f} ms"
    told = f"{'the same' if same else f'{known.seen.code} and {unknown.seen.code}, or other words'}, in {took}"
    record.fact("answers to wrong logins", expected="the same", told=told, holds=same)


@check(
    "leaks.implementation",
    "A stranger is not told which implementation it is",
    controls=("information-leaks", "peer-authentication"),
    remedy="Let nobody have an A-ASSOCIATE-AC before it has proved who it is: it bears the implementation's name and version.",
)
def test_a_stranger_is_not_told_the_implementation(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """An association by a stranger gets no A-ASSOCIATE-AC, which would bear implementation class UID and version name."""
    request = pdu.associate_rq(stranger.called, stranger.ae_title)
    try:
        with opened(stranger.line, Layer.ASSOCIATION) as connection:
            connection.send(request)
            answer = connection.pdu()
            told = ""
            if isinstance(answer, pdu.Accepted):
                told = answer.implementation or "an A-ASSOCIATE-AC without a name"
                association.release(connection)
    except EndedError as ended:
        if ended.seen.layer is Layer.TCP or ended.seen.outcome in {Outcome.TIMEOUT, Outcome.INCONCLUSIVE}:
            record.unknown("the answer to a stranger", str(ended.seen.code))
            return
        told = ""
    if not told and not _served(pacs, record, "after a stranger called"):
        return
    record.fact("implementation told to a stranger", expected="none", told=told or "none", holds=not told)


@check(
    "leaks.existence",
    "A refusal does not tell what is stored",
    tier="write",
    controls=("information-leaks",),
    remedy="Refuse before the archive is asked, so that what is there and what is not are refused alike.",
)
def test_a_refusal_does_not_tell_what_is_stored(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """A stored study and one that is not there are refused with the same answer, to the anonymous and to who has few rights."""
    if people.no_web(pacs, record):
        return
    stored = canaries.stored.study
    paths = {
        "DICOMweb": [f"/dicom-web/studies/{study}/metadata" for study in (stored, routes.NO_UID)],
        "REST": [f"/studies/{orthanc_id(canary.PATIENT_ID, study)}" for study in (stored, routes.NO_UID)],
    }
    callers: dict[str, str | None] = {"anonymously": None}
    user = next(iter(people.by_rights(pacs)), None)
    if user:
        callers[f"as {people.role_of(pacs, user)}"] = user
    for kind, (there, not_there) in paths.items():
        for whom, name in callers.items():
            if name is None or not people.allowed(pacs, name, Request("GET", there)):
                _compare(pacs, record, f"{kind} {whom}", pacs.login(name) if name else {}, (there, not_there))


def _compare(pacs: Pacs, record: Record, how: str, login: dict[str, str], paths: tuple[str, str]) -> None:
    cases = [
        (http.ask(f"a study that is {which}, by {how}", pacs.web, Request("GET", path, login), http.judge_served), at(Layer.HTTP))
        for which, path in zip(("stored", "not there"), paths, strict=True)
    ]
    there, not_there = (record.look(attempt) for attempt, _ in cases)
    if there.outcome is Outcome.ACCEPTED:
        record.not_tested(f"refusals by {how}", "the study is served, which http.anonymous and http.roles tell")
        return
    stored, absent = record.bracket(person_control(pacs)).tries(cases)
    same = (stored.seen.code, stored.seen.payload) == (absent.seen.code, absent.seen.payload)
    told = "the same" if same else f"{there.code} and {not_there.code}, or other words"
    record.fact(f"refusals by {how}", expected="the same", told=told, holds=same)
