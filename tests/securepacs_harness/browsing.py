"""Who signs in in a browser for a check, and what shows that a session is open."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from securepacs_harness import people
from securepacs_harness.errors import NoSessionError
from securepacs_harness.observation import Attempt, EndedError, Layer, Observation, Outcome
from securepacs_harness.probes import http, sign_in
from securepacs_harness.probes.http import Answer, Judge, Request
from securepacs_harness.probes.sign_in import NAVIGATED, Form, Session
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.target import SignIn

NO_SIGN_IN = "the target does not say how people sign in in a browser (https.sign_in)"
NO_PASSWORD = "nobody's password is at hand, to fill the form with"  # noqa: S105 - it says that there is none
#: Code of an answer that does not say the name of who is signed in.
NOBODY = "nobody"


def no_sign_in(pacs: Pacs, record: Record) -> bool:
    """Tell whether there is no sign-in in a browser to test, and note it."""
    if people.no_web(pacs, record):
        return True
    if pacs.https.sign_in is None:
        record.not_tested("sessions", NO_SIGN_IN)
    return pacs.https.sign_in is None


def declared(pacs: Pacs) -> SignIn:
    """Give the declared sign-in. Raises NoSessionError where there is none."""
    if pacs.https.sign_in is None:
        raise NoSessionError(NO_SIGN_IN)
    return pacs.https.sign_in


def able(pacs: Pacs) -> list[str]:
    """Give the people who can fill the form, those of the fewest rights first; a token of an identity provider is no password."""
    return [user for user in people.by_rights(pacs) if not pacs.passwords[user].startswith("Bearer ")]


def somebody(pacs: Pacs, record: Record) -> str | None:
    """Give who signs in where it does not matter who: of the fewest rights. Note where there is no sign-in, or nobody."""
    if no_sign_in(pacs, record):
        return None
    found = able(pacs)
    if not found:
        record.not_tested("sessions", NO_PASSWORD)
    return found[0] if found else None


def session_from(pacs: Pacs, user: str, form: Form, answered: Answer) -> Session | None:
    """Give the session that an answer to the form opens; None where it opens none."""
    cookie = sign_in.cookie_named(answered, declared(pacs).cookie)
    others = {name: value for name, value in form.cookies.items() if name != declared(pacs).cookie}
    others |= {other.name: other.value for other in map(sign_in.cookie_of, answered.cookies) if other.value}
    return Session(user, cookie, others) if cookie else None


def opened(pacs: Pacs, user: str, held: Mapping[str, str] | None = None) -> Session:
    """Sign a person in with the right password, in a browser that holds cookies already or none.

    Raises NoSessionError where that opens no session, EndedError where there is no answer.
    """
    form = sign_in.form_of(pacs.web, declared(pacs), held)
    answered = sign_in.submit(pacs.web, declared(pacs), form, user, pacs.passwords[user])
    session = session_from(pacs, user, form, answered)
    if session is None:
        told = f"the answer was {answered.status}, without the cookie '{declared(pacs).cookie}'"
        raise NoSessionError(f"https.sign_in: {user} was not signed in with the right password: {told}")
    return session


def tells(user: str) -> Judge:
    """Judge an answer of `check`: it is a session's only where it says the person's name."""
    name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(user)}(?![A-Za-z0-9])".encode())

    def judged(status: int, reason: str = "", body: bytes = b"") -> Observation:
        seen = http.judge_gate(status, reason, body)
        if seen.outcome is Outcome.ACCEPTED and not name.search(body):
            return Observation(Layer.HTTP, Outcome.REFUSED, NOBODY, f"{status}, without the name of who is signed in", payload=(body,))
        return seen

    return judged


def asked(pacs: Pacs, session: Session, whom: str = "") -> Attempt:
    """Give the question whether a session is open."""
    path = declared(pacs).check
    return http.ask(
        f"GET {path} {whom or f'in a session of {session.user}'}", pacs.web, Request("GET", path, session.sends()), tells(session.user)
    )


def signing_in_anew(pacs: Pacs, user: str) -> Attempt:
    """Give a control that needs no session to stay open: the person signs in, and the new session is asked for."""

    def observe() -> Observation:
        try:
            session = opened(pacs, user)
        except NoSessionError as error:
            return Observation(Layer.HTTP, Outcome.INCONCLUSIVE, NOBODY, str(error))
        answered = http.answer(pacs.web, Request("GET", declared(pacs).check, session.sends()))
        return tells(user)(answered.status, "", answered.body)

    return _ended(f"a new session of {user}", observe)


def trying(pacs: Pacs, what: str, user: str, password: str, *, how: Mapping[str, str] = NAVIGATED, form: Form | None = None) -> Attempt:
    """Give an attempt to sign in: a session is acceptance, whatever the status; none is a refusal, but where the server failed.

    Its duration is that of form and answer, or of the answer alone where the form is given.
    """

    def observe() -> Observation:
        page = form or sign_in.form_of(pacs.web, declared(pacs))
        answered = sign_in.submit(pacs.web, declared(pacs), page, user, password, how=how)
        outcome = Outcome.INCONCLUSIVE if answered.status >= 500 else Outcome.REFUSED
        if session_from(pacs, user, page, answered):
            outcome = Outcome.ACCEPTED
        return Observation(Layer.HTTP, outcome, str(answered.status), payload=(answered.body,))

    return _ended(what, observe)


def _ended(what: str, observe: Callable[[], Observation]) -> Attempt:
    def whole() -> Observation:
        try:
            return observe()
        except EndedError as ended:
            return ended.seen

    return Attempt(what, whole)


def leaving(pacs: Pacs, session: Session, how: Mapping[str, str] = NAVIGATED) -> Attempt:
    """Give the sign-out of a session."""
    form = declared(pacs)
    request = Request(form.sign_out_method, form.sign_out, session.sends(how))
    return http.ask(f"{form.sign_out_method} {form.sign_out} in a session of {session.user}", pacs.web, request)
