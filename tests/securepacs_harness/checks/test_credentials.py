"""Logins: no default opens anything, guessing is throttled, and the archive itself asks too."""

from __future__ import annotations

from securepacs_harness.bracket import at
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Layer, Outcome
from securepacs_harness.probes import http, routes
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

#: 429 says that too many were tried already.
REFUSED = at(Layer.HTTP, {"401", "403", "429"})

#: How many wrong passwords are tried at most; NIST SP 800-63B section 5.2.2 allows 100 for an account.
MOST_GUESSES = 40

SERVED = f"/dicom-web/studies?StudyInstanceUID={routes.NO_UID}"

NO_WEB = "the target declares no HTTPS listener"


@check(
    "credentials.defaults",
    "No default login opens anything",
    controls=("credential-strength", "person-authentication"),
    remedy="Take out logins that a product ships with or that are published in its examples.",
)
def test_no_default_login_works(pacs: Pacs, record: Record) -> None:
    """Each of a short list of published logins is refused, between two requests with a right one."""
    if pacs.target.https is None:
        record.not_tested("default logins", NO_WEB)
        return
    anonymous = record.look(http.ask("a request without a login", pacs.web, Request("GET", SERVED), http.judge_served))
    if anonymous.outcome is Outcome.ACCEPTED:
        record.not_tested("default logins", "nobody is asked for a login, which http.anonymous tells")
        return
    declared = set(pacs.target.https.users)
    cases = []
    for user, password in routes.DEFAULT_LOGINS:
        whom = "a declared user" if user in declared else "no declared user"
        request = Request("GET", SERVED, http.basic(user, password))
        cases.append((http.ask(f"the default login of {user} ({whom})", pacs.web, request, http.judge_served), record.expected(REFUSED)))
    record.bracket(person_control(pacs)).tries(cases)


@check(
    "credentials.guessing",
    "Guessing passwords is throttled",
    tier="load",
    controls=("credential-strength",),
    remedy="Answer 429 after some wrong passwords of one source, and lock the name for a while.",
)
def test_guessing_is_throttled(pacs: Pacs, record: Record) -> None:
    """After at most so many wrong passwords for one name the next is answered with 429, 403 or not at all, right or wrong."""
    if pacs.target.https is None or not pacs.target.https.users:
        record.not_tested("guessing", NO_WEB if pacs.target.https is None else "the target declares no users")
        return
    user = next(iter(pacs.target.https.users))
    first = record.look(person_control(pacs))
    for count in range(1, MOST_GUESSES + 1):
        guess = Request("GET", SERVED, http.basic(user, f"wrong-{count}"))
        seen = record.look(http.ask(f"wrong password {count}", pacs.web, guess))
        if seen.code in {"429", "403"}:
            told = f"{seen.code} after {count}; this machine stays locked out for a while"
            record.fact("wrong passwords", expected=f"throttled after {MOST_GUESSES} at most", told=told, holds=True)
            return
        if seen.code != "401":
            record.unknown("wrong passwords", f"the answer to number {count} was {seen.code}, the one before them {first.code}")
            return
    record.fact("wrong passwords", expected=f"throttled after {MOST_GUESSES} at most", told=f"all {MOST_GUESSES} were judged", holds=False)


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
    ports = sorted({listener.port for listener in inside.listeners()} & {8042, 8080, 80})
    if not ports:
        record.not_tested("the archive's own web port", "none of the usual ones listens inside")
        return
    for port in ports:
        status = inside.http_status(port, "/system")
        if status is None:
            record.unknown(f"port {port} inside", "it gave no answer to a request")
        else:
            record.fact(f"port {port} inside, without a login", expected="401", told=str(status), holds=status in {401, 403})
