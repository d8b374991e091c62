"""The checks of sessions on a sign-in of another make: sound it is clean, and each defect is found by its check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from securepacs_harness.canary import write_canary
from securepacs_harness.checks import test_http_pages as pages
from securepacs_harness.checks import test_session as sessions
from securepacs_harness.checks import test_session_passwords as passwords
from securepacs_harness.checks import test_session_rights as rights
from securepacs_harness.errors import NoSessionError
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from unit.harness.standin_sign_in import ROLES, SIGN_IN, Gate
from unit.harness.standin_web import pacs_of, serving_whole

Check = Callable[[Pacs, Record], None]

COOKIE, ENDED, FORGED = (
    sessions.test_the_cookie_is_bound_and_a_secret,
    sessions.test_a_sign_out_ends_the_session,
    sessions.test_a_forged_cookie_is_no_session,
)
IDLE = sessions.test_an_idle_session_ends
RIGHTS, CREDENTIALS, FOREIGN = (
    rights.test_undeclared_routes_are_refused_in_a_session,
    rights.test_two_credentials_are_no_more_than_one,
    rights.test_another_site_does_nothing,
)
GUESSING, UNKNOWN = passwords.test_guessing_at_the_form_is_throttled, passwords.test_an_unknown_name_is_answered_as_a_known_one
PAGES = pages.test_pages_are_confined
#: Every check that needs a session, but the one that waits and the one that stores.
CHECKS = (COOKIE, ENDED, FORGED, RIGHTS, CREDENTIALS, FOREIGN, GUESSING, UNKNOWN, PAGES)


def run(check: Check, gate: Gate, **declared: object) -> Record:
    """Make a check of a gate and give its record."""
    record = Record()
    with serving_whole(gate) as base_url:
        check(pacs_of(base_url, **{"roles": ROLES, "sign_in": SIGN_IN, **declared}), record)  # type: ignore[arg-type] # sections of a target file
    return record


def found(record: Record) -> list[str]:
    """Give what was found wanting."""
    return [case.what for case in record.cases if case.status is Status.FOUND]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sound_sign_in_is_clean(check: Check) -> None:
    """A sign-in of another make, with a field of its own in its form, passes each check."""
    record = run(check, Gate())
    assert (record.status, found(record)) == (Status.PASSED, [])


@pytest.mark.parametrize(
    ("check", "defect", "told"),
    [
        (COOKIE, "flags", "HttpOnly of the session's cookie"),
        (COOKIE, "guessable", "cookies of two sign-ins"),
        (ENDED, "kept", "GET /me with the cookie of before the sign-out"),
        (FORGED, "half believed", "GET /me as vera, with a cookie: without its last characters"),
        (FORGED, "name believed", "GET /me as anna, with a cookie: the name of anna"),
        (RIGHTS, "session deletes", "DELETE /studies/00000000-00000000-00000000-00000000-00000000 in a session of viewer"),
        (CREDENTIALS, "second believed", "GET /system with the password of vera, then the name of anna"),
        (CREDENTIALS, "name beside a session", "GET /system with a session of vera and the name of anna"),
        (CREDENTIALS, "name believed", "GET /system with a cookie of anna's name after the session's"),
        (FOREIGN, "foreign form", "the sign-in as another site's form"),
        (FOREIGN, "foreign sign-out", "GET /me after a sign-out as another site's form"),
        (FOREIGN, "leads away", "a sign-in that is to lead to '//elsewhere.example/'"),
        (GUESSING, "unthrottled", "wrong passwords"),
        (UNKNOWN, "name told", "answers to wrong passwords"),
        (UNKNOWN, "known slower", "seconds until they came"),
        (PAGES, "page", "referrer-policy of the sign-in"),
    ],
)
def test_each_defect_is_found(check: Check, defect: str, told: str) -> None:
    """One defect is found by the check that is made for it, and in the case that shows it."""
    record = run(check, Gate(defect))
    assert record.status is Status.FOUND
    assert told in found(record)


def test_a_change_from_elsewhere_is_found() -> None:
    """A deletion that another site's page sends in a session is found where it gets past the gate."""
    told = found(run(FOREIGN, Gate("foreign change")))
    assert len(told) == 2
    assert all(what.startswith("DELETE /") and "anna" in what for what in told)


@pytest.mark.parametrize(("defects", "status"), [((), Status.PASSED), (("never idle",), Status.FOUND)])
def test_an_idle_session_is_waited_for(monkeypatch: pytest.MonkeyPatch, defects: tuple[str, ...], status: Status) -> None:
    """A session that is left alone for the declared minutes is asked again, beside one that works all the while."""
    clock = [0.0]
    fake = SimpleNamespace(monotonic=lambda: clock[0], sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    monkeypatch.setattr(sessions, "time", fake)
    record = run(IDLE, Gate(*defects, now=lambda: clock[0]))
    assert record.status is status, record.reason
    assert clock[0] >= 60


@pytest.mark.parametrize("idle_minutes", [None, 15])
def test_a_long_idle_time_is_not_called_kept(idle_minutes: int | None) -> None:
    """An idle time that is not declared, or too long to be waited for, is told as not tested."""
    record = run(IDLE, Gate(), sign_in={**SIGN_IN, "idle_minutes": idle_minutes})
    assert record.status is Status.NOT_TESTED
    assert "minutes" in record.reason


@pytest.mark.parametrize("check", [check for check in (*CHECKS, IDLE) if check is not CREDENTIALS], ids=lambda check: check.__name__)
def test_without_a_declared_sign_in_nothing_is_shown(check: Check) -> None:
    """A target that declares no sign-in, or nobody's password, is told as not tested; nothing is asked of it."""
    gate = Gate()
    lacking: tuple[dict[str, object], ...] = ({"sign_in": None}, {"passwords": {}}, {"passwords": {"vera": "Bearer abc"}})
    for declared in lacking:
        record = run(check, gate, **declared)
        assert record.status is (Status.PASSED if check is PAGES and "sign_in" not in declared else Status.NOT_TESTED)
    assert [asked.target for asked in gate.asked if asked.method == "POST"] == []


def test_two_passwords_are_tried_without_a_form() -> None:
    """Two Authorization headers need no sign-in in a browser; what needs one is told as not tested beside them."""
    record = run(CREDENTIALS, Gate(), sign_in=None)
    assert record.status is Status.PASSED
    assert [case.what for case in record.cases if case.status is Status.NOT_TESTED] == ["sessions"]
    assert found(run(CREDENTIALS, Gate("second believed"), sign_in=None)) != []


@pytest.mark.parametrize("check", [COOKIE, ENDED, FORGED, RIGHTS, CREDENTIALS], ids=lambda check: check.__name__)
def test_who_lets_nobody_in_is_not_secure(check: Check) -> None:
    """Where the right password opens no session nothing is claimed: the check ends with the reason, which makes it inconclusive."""
    with pytest.raises(NoSessionError, match=r"was not signed in with the right password: the answer was 401"):
        run(check, Gate("nobody signs in"))


@pytest.mark.parametrize(("defects", "status"), [((), Status.PASSED), (("images kept",), Status.FOUND), (("nobody signs in",), None)])
def test_an_image_that_a_browser_keeps_is_found(tmp_path: Path, defects: tuple[str, ...], status: Status | None) -> None:
    """A synthetic image is looked at in a session of somebody who may: `private` is not enough, no-store among other words is."""
    canaries: Any = SimpleNamespace(stored=write_canary(tmp_path))
    shown = {"methods": ["GET"], "route": "^/dicom-web/studies/.+/(rendered|metadata)$"}
    record = Record()

    def check(pacs: Pacs, record: Record) -> None:
        rights.test_no_image_stays_in_a_browser(pacs, record, canaries)

    with serving_whole(Gate(*defects)) as base_url:
        pacs = pacs_of(base_url, roles={**ROLES, "viewer": [*ROLES["viewer"], shown]}, sign_in=SIGN_IN)
        if status is None:
            with pytest.raises(NoSessionError):
                check(pacs, record)
        else:
            check(pacs, record)
            assert record.status is status
            assert len(record.cases) == 2
    assert run(check, Gate()).status is Status.NOT_TESTED


def test_no_cookie_and_no_password_stands_in_a_record() -> None:
    """What the checks keep of a session names neither its cookie nor a password."""
    gate = Gate()
    kept = "".join(str(run(check, gate).cases) for check in CHECKS)
    secret = [*gate.sessions, "right-of-vera", "right-of-anna"]
    assert len(secret) > 20
    assert [word for word in secret if word in kept] == []


def test_nobody_is_locked_out_by_the_guesses() -> None:
    """Names are guessed at that nobody has, and a declared one three times at most."""
    gate = Gate("known slower", "unthrottled")
    run(GUESSING, gate)
    run(UNKNOWN, gate)
    assert {name: count for name, count in gate.wrong.items() if not name.startswith("zz")} == {"vera": 2, "anna": 1}


def test_a_name_that_waits_is_passed_over() -> None:
    """A name that was told to wait is left out of the comparison; where every name waits nothing is shown."""
    gate = Gate()
    gate.wrong["anna"] = 9
    assert run(UNKNOWN, gate).status is Status.PASSED
    gate.wrong["vera"] = 9
    assert run(UNKNOWN, gate).status is Status.INCONCLUSIVE
    assert run(GUESSING, gate).status is Status.INCONCLUSIVE
