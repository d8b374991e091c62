"""Logins: no default opens anything, guessing is throttled, passwords are stored as slow hashes, and the archive itself asks too."""

from __future__ import annotations

from securepacs_harness import people
from securepacs_harness.bracket import at
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Layer, Observation, Outcome
from securepacs_harness.probes import http, logins
from securepacs_harness.probes.configuration import configured
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

#: 429 says that too many were tried already.
REFUSED = at(Layer.HTTP, {"401", "403", "429"})
#: What a throttled guess is answered with, where an unthrottled one was not.
THROTTLED = frozenset({"403", "423", "429", "503", "closed", "reset"})

#: How many wrong passwords are tried at most; NIST SP 800-63B section 5.2.2 allows 100 for an account.
MOST_GUESSES = 40
#: Ports on which an archive's own web interface listens inside.
WEB_PORTS = frozenset({80, 8042, 8080})


@check(
    "credentials.defaults",
    "No default login opens anything",
    controls=("credential-strength", "person-authentication"),
    remedy="Take out logins that a product ships with or that are published in its examples.",
)
def test_no_default_login_works(pacs: Pacs, record: Record) -> None:
    """Each of a short list of published logins is refused, between two requests with a right one."""
    if people.no_web(pacs, record):
        return
    path = people.asking_path(pacs, record)
    if path is None:
        return
    declared = set(pacs.https.users)
    cases = []
    for user, password in logins.DEFAULT_LOGINS:
        whom = "a declared user" if user in declared else "no declared user"
        request = Request("GET", path, http.basic(user, password))
        attempt = http.ask(f"the default login of {user} ({whom})", pacs.web, request, http.judge_gate)
        cases.append((attempt, record.expected(REFUSED)))
    record.bracket(person_control(pacs)).tries(cases)


@check(
    "credentials.guessing",
    "Guessing passwords is throttled",
    tier="load",
    controls=("credential-strength",),
    remedy="Answer 429 after some wrong passwords of one source, and lock the name for a while.",
)
def test_guessing_is_throttled(pacs: Pacs, record: Record) -> None:
    """After at most so many wrong passwords the next one is answered otherwise than the first, or the right one is refused too."""
    if people.no_web(pacs, record):
        return
    able = people.lowest(pacs, record)
    path = people.served_path(pacs, able) if able else None
    if able is None or path is None:
        return
    right = http.ask("the right password", pacs.web, Request("GET", path, pacs.login(able)), http.judge_gate)
    if record.look(right).outcome is not Outcome.ACCEPTED:
        record.unknown("guessing", "the right password was refused before the first wrong one: this machine may be locked out already")
        return
    expected = f"throttled after {MOST_GUESSES} at most"
    first: Observation | None = None
    for count in range(1, MOST_GUESSES + 1):
        guess = Request("GET", path, http.basic(able, f"wrong-{count}"))
        seen = record.look(http.ask(f"wrong password {count}", pacs.web, guess, http.judge_gate))
        if seen.outcome is Outcome.ACCEPTED:
            record.fact("wrong passwords", expected="refused", told=f"number {count} was served ({seen.code})", holds=False)
            return
        if seen.outcome is not Outcome.REFUSED:
            record.unknown("wrong passwords", f"the answer to number {count} was {seen.outcome}: {seen.code}")
            return
        first = first or seen
        if seen.code in THROTTLED and (seen.code != first.code or seen.code == "429"):
            told = f"{seen.code} after {count}; this machine stays locked out for a while"
            record.fact("wrong passwords", expected=expected, told=told, holds=True)
            return
    # Some lock the name and go on answering as if nothing had happened: then the right password fails as well.
    locked = record.look(right.named("the right password after them")).outcome is Outcome.REFUSED
    told = f"after {MOST_GUESSES} the right one is refused too" if locked else f"all {MOST_GUESSES} were judged"
    record.fact("wrong passwords", expected=expected, told=told, holds=locked)


@check(
    "credentials.weak-hashes",
    "Passwords are stored as slow hashes",
    tier="passive",
    controls=("credential-strength",),
    remedy="Store passwords of people with yescrypt, bcrypt or SHA-512-crypt; give machines long random ones.",
)
def test_passwords_are_stored_as_slow_hashes(verification: Verification, record: Record) -> None:
    """In each configuration that lists users here, each password is a slow hash, or long and random where the product knows no hash."""
    seen = False
    for part in verification.target.inside:
        for found in configured(verification.inside(part)):
            read = logins.STORED.get(found.product)
            for path, text in found.files.items() if read else ():
                if not text:
                    record.unknown(f"{path} in {part}", "it cannot be read")
                for user, weakness in read(text).items() if read else ():
                    seen = True
                    what = f"password of {user} in {part} ({found.product})"
                    record.fact(what, expected="a slow hash, or random", told=weakness or "it is", holds=not weakness)
    if not seen and not record.cases:
        why = "no configuration that is known here lists users" if verification.target.inside else "inside is not declared"
        record.not_tested("stored passwords", why)


@check(
    "credentials.backend",
    "The archive asks for a login where the gateway is passed",
    controls=("credential-strength", "network-segmentation"),
    remedy="Turn the archive's own login on, though only the gateway reaches it.",
)
def test_the_archive_asks_for_a_login_itself(verification: Verification, record: Record) -> None:
    """From inside the archive its own web port answers a request without a login with 401."""
    if "archive" not in verification.target.inside:
        record.not_tested("the archive's own web port", "the target does not say how to look inside the archive (inside.archive)")
        return
    inside = verification.inside("archive")
    ports = sorted({listener.port for listener in inside.listeners()} & WEB_PORTS)
    if not ports:
        record.not_tested("the archive's own web port", "none of the usual ones listens inside")
    for port in ports:
        # The first path that the product has says it: one that is not there is answered with 404, with a login or without.
        answers = {path: inside.http_status(port, path) for path in ("/system", "/dcm4chee-arc/aets")}
        told = next(((path, status) for path, status in answers.items() if status not in {None, 404}), None)
        what = f"port {port} inside, without a login"
        if told is not None:
            path, status = told
            record.fact(what, expected="401 or 403", told=f"{status} for {path}", holds=status in {401, 403})
        elif None in answers.values():
            record.unknown(what, "it gave no answer to a request")
        else:
            record.not_tested(what, f"it has none of {', '.join(answers)}")
