"""Signing in in a browser, attacked: who gets a session, what ends it, and what it opens."""

from __future__ import annotations

import json
import re
import shlex
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployed.deployment import Stack, docker
from deployed.web import COOKIE, FETCHED, FOREIGN, NAVIGATED, SIGN_IN, Web, seconds_of, web
from securepacs_harness.canary import Instance
from securepacs_harness.probes import http
from securepacs_harness.reach import Pacs

#: People of clinic.yaml whose names or passwords these tests use up.
LOCKED, ROTATED = "lola", "rudi"
#: So long the gateway may believe what the sign-in said last of a session that is open (session_user.lua).
REMEMBERED_SECONDS = 2
PAGES = ("/", "/viewer?StudyInstanceUIDs=1.2.3", "/viewer", "/inline1.js", "/app-config.js", "/session", "/dicom-web/studies", "/system")


def opens(browser: Web) -> int:
    """Give the status of what everybody may read who is signed in."""
    return browser.ask("GET", "/dicom-web/studies?limit=1").status_code


@pytest.fixture
def vera(pacs: Pacs) -> Web:
    """A browser in which a viewer has signed in."""
    browser = web(pacs)
    assert browser.sign_in("vera", pacs.passwords["vera"]).status_code == 302
    return browser


def test_the_cookie_is_bound_to_this_host(pacs: Pacs) -> None:
    """A sign-in gives a cookie that only this host gets, only over TLS, that no script reads, and leads on to where it was asked for."""
    browser = web(pacs)
    answer = browser.sign_in("vera", pacs.passwords["vera"], to="/viewer?StudyInstanceUIDs=1.2.3")
    told = answer.headers["Set-Cookie"]
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/viewer?StudyInstanceUIDs=1.2.3"
    assert told.startswith(f"{COOKIE}=")
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in told.split(";")}
    assert "domain" not in told.lower()
    assert opens(browser) == 200
    assert browser.ask("GET", "/session").json() == {"user": "vera", "role": "viewer", "idle_minutes": 1}


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_sees_the_sign_in_and_nothing_more(pacs: Pacs, vera: Web, path: str) -> None:
    """Whoever is not signed in is led to the sign-in by every page, and told 401 for all that a page fetches, without a challenge."""
    stranger = web(pacs)
    assert vera.ask("GET", path).status_code in {200, 403}
    led, fetched = stranger.ask("GET", path, NAVIGATED), stranger.ask("GET", path)
    assert (led.status_code, led.headers["Location"].split("?")[0], led.content) == (302, SIGN_IN, b"")
    assert (fetched.status_code, fetched.headers.get("WWW-Authenticate")) == (401, None)
    assert vera.ask("GET", path).status_code in {200, 403}


def test_each_answer_says_what_a_browser_may(vera: Web) -> None:
    """Page, form, data and refusal each bear a policy or none of what it could allow, and none may be framed, sniffed, leaked or kept."""
    always = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    policies = {"/": "script-src 'self' 'wasm-unsafe-eval';", SIGN_IN: "default-src 'none'; style-src", "/dicom-web/studies": "; sandbox;"}
    for path in (*policies, "/session", "/statistics"):
        answer = vera.ask("GET", path)
        assert {name: answer.headers.get(name) for name in always} == always, path
        assert "camera=()" in answer.headers["Permissions-Policy"], path
        assert policies.get(path, "") in answer.headers.get("Content-Security-Policy", ""), path
        assert answer.headers["Cache-Control"] == ("private, no-cache" if path == "/" else "no-store"), path


def test_a_machine_is_asked_for_its_password_as_before(pacs: Pacs) -> None:
    """Whatever is no browser is answered with the challenge of HTTP Basic, and its password still opens the archive."""
    stranger = web(pacs)
    asked = stranger.ask("GET", "/dicom-web/studies", {})
    assert (asked.status_code, asked.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    assert stranger.ask("GET", "/dicom-web/studies?limit=1", {}, auth=("vera", pacs.passwords["vera"])).status_code == 200


def test_a_sign_out_ends_the_session_on_the_server(vera: Web) -> None:
    """After the sign-out the cookie opens nothing, whoever kept a copy of it."""
    assert opens(vera) == 200
    kept = Web(vera.base, vera.ca, vera.cookie)
    assert opens(kept) == 200
    left = vera.sign_out()
    assert (left.status_code, left.headers["Location"]) == (302, "/")
    assert opens(kept) == opens(vera) == 401


def test_another_site_signs_nobody_out_and_changes_nothing(pacs: Pacs, vera: Web) -> None:
    """What another site's page sends with the cookie is refused: a sign-out, a sign-in, a deletion, a store."""
    assert opens(vera) == 200
    assert vera.ask("GET", "/oauth2/sign_out", FOREIGN).status_code == 403
    assert Web(vera.base, vera.ca).sign_in("vera", pacs.passwords["vera"], FOREIGN).status_code == 403
    anna = web(pacs)
    anna.sign_in("anna", pacs.passwords["anna"])
    assert anna.ask("DELETE", "/studies/" + "-".join(["00000000"] * 5)).status_code == 404
    for method, path in (("DELETE", "/studies/" + "-".join(["00000000"] * 5)), ("POST", "/dicom-web/studies")):
        assert anna.ask(method, path, FOREIGN).status_code == 403
    assert opens(vera) == 200


@pytest.mark.parametrize("change", ["cut", "turned", "of another", "twice", "none"])
def test_a_changed_cookie_opens_nothing(pacs: Pacs, vera: Web, change: str) -> None:
    """A cookie that is not whole and as it was given is no session."""
    assert opens(vera) == 200
    other = web(pacs)
    other.sign_in("carl", pacs.passwords["carl"])
    value, signature = vera.cookie.rsplit("|", 1)
    thief = Web(vera.base, vera.ca)
    thief.cookie = {
        "cut": vera.cookie[:-1],
        "turned": ("B" if vera.cookie[0] != "B" else "C") + vera.cookie[1:],
        "of another": f"{value}|{other.cookie.rsplit('|', 1)[1]}",
        "twice": f"{vera.cookie}{vera.cookie}",
        "none": "x",
    }[change]
    assert signature
    assert opens(thief) == 401
    assert opens(vera) == 200


def test_a_cookie_that_the_sign_in_knows_and_the_gateway_does_not_opens_nothing(pacs: Pacs, vera: Web) -> None:
    """A cookie with a right signature, made without the gateway's sign-in, is no session: the gateway counts its own."""
    form = f"username=vera&password={pacs.passwords['vera']}"
    request = f"POST {SIGN_IN} HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n{form}"
    script = f"exec 3<>/dev/tcp/127.0.0.1/4180; printf %s {shlex.quote(request)} >&3; timeout 5 cat <&3"
    made = docker("exec", pacs.target.inside["sign-in"].removeprefix("docker://"), "bash", "-c", script)
    given = re.search(rf"{COOKIE}=([^;]+)", made)
    assert given, made[:300]
    thief = web(pacs)
    thief.cookie = given[1]
    assert opens(thief) == 401
    assert opens(vera) == 200


def test_a_role_has_its_routes_in_a_browser_too(pacs: Pacs, vera: Web, stored: Instance) -> None:
    """A viewer who is signed in deletes nothing and stores nothing by any method or route; an administrator may."""
    anna = web(pacs)
    anna.sign_in("anna", pacs.passwords["anna"])
    assert anna.ask("GET", "/statistics").status_code == 200
    found = anna.ask("GET", "/studies").json()
    assert stored
    assert found
    paths = (f"/studies/{found[0]}", "/dicom-web/studies", f"/studies/{found[0]}/anonymize", "/tools/execute-script", "/oauth2/auth")
    for method in ("DELETE", "POST", "PUT", "PATCH"):
        for path in paths:
            assert vera.ask(method, path).status_code in {403, 405}, (method, path)
            assert vera.ask(method, path, {**FETCHED, "X-HTTP-Method-Override": "DELETE"}).status_code in {400, 403, 405}, (method, path)
    assert anna.ask("GET", f"/studies/{found[0]}").status_code == 200


FORMS = {
    "the name a second time": "username=vera&username=lola&password={password}",
    "the name hidden": "user%6eame=vera&username=lola&password={password}",
    "a field more": "username=vera&password={password}&x=1",
    "the password first": "password={password}&username=vera",
    "no password": "username=vera&password=",
    "no name": "username=&password={password}",
    "a name with a blank": "username=ve%20ra&password={password}",
    "nothing": "",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_one_shape(pacs: Pacs, form: str) -> None:
    """A form that the gateway and the sign-in could read differently is refused before either does."""
    browser = web(pacs)
    body = FORMS[form].format(password=pacs.passwords["vera"])
    headers = {**FETCHED, "Content-Type": "application/x-www-form-urlencoded"}
    assert browser.ask("POST", SIGN_IN, headers, data=body).status_code == 400
    assert browser.ask("POST", SIGN_IN, headers, data=FORMS["a field more"] + "y" * 10_000).status_code in {400, 413}
    right = f"username=vera&password={pacs.passwords['vera']}"
    assert browser.ask("POST", SIGN_IN, {**headers, "Content-Type": "text/plain"}, data=right).status_code == 400
    assert browser.ask("POST", SIGN_IN, headers, data=right).status_code == 302


DOUBLE = {
    "two kinds of content": [("Content-Type", "text/plain"), ("Content-Type", "application/x-www-form-urlencoded")],
    "no length": [("Content-Type", "application/x-www-form-urlencoded"), ("Transfer-Encoding", "chunked")],
    "a query": [("Content-Type", "application/x-www-form-urlencoded")],
}


@pytest.mark.parametrize("trick", DOUBLE)
def test_a_form_is_read_by_both_or_by_none(pacs: Pacs, trick: str) -> None:
    """A form that only one of gateway and sign-in would look at is refused: another name in the address, a body without a length."""
    browser, form = web(pacs), f"username=nobody&password={pacs.passwords['vera']}"
    path = SIGN_IN if trick == "no length" else f"{SIGN_IN}?username=vera&password={pacs.passwords['vera']}"
    body = f"{len(form):x}\r\n{form}\r\n0\r\n\r\n" if trick == "no length" else form
    length = [] if trick == "no length" else [("Content-Length", str(len(form)))]
    assert browser.ask_exactly("POST", path, [*FETCHED.items(), *DOUBLE[trick], *length], body) in {400, 411}
    assert browser.sign_in("vera", pacs.passwords["vera"]).status_code == 302


def test_nobody_is_another_by_a_second_header(pacs: Pacs) -> None:
    """Of two passwords, or two cookies, none makes a person of another: not the right one of the one with the name of the other."""
    browser = web(pacs)
    names = ("vera", "anna")
    shown = {name: http.basic(name, pacs.passwords["vera"])["Authorization"] for name in names}
    assert browser.ask_exactly("GET", "/dicom-web/studies?limit=1", [("Authorization", shown["vera"])]) == 200
    for pair in (names, names[::-1]):
        both = [("Authorization", shown[name]) for name in pair]
        assert browser.ask_exactly("GET", "/statistics", both) == 400
    carl, gone = web(pacs), web(pacs)
    assert carl.sign_in("carl", pacs.passwords["carl"]).status_code == 302
    assert gone.sign_in("anna", pacs.passwords["anna"]).status_code == 302
    gone.sign_out()
    for first, second in ((gone.cookie, carl.cookie), (carl.cookie, gone.cookie)):
        one, other = f"{COOKIE}={first}", f"{COOKIE}={second}"
        for cookies in ([f"{one}; {other}"], [f'a="; {one}; b="; {other}'], [one, other]):
            sent = [*FETCHED.items(), *(("Cookie", cookie) for cookie in cookies)]
            assert browser.ask_exactly("GET", "/statistics", sent) in {400, 401, 403}
    assert opens(carl) == 200


def test_a_burst_does_not_outrun_the_count(pacs: Pacs) -> None:
    """Many wrong passwords for one name at once are told to wait but one; afterwards the right one still opens."""
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda number: web(pacs).sign_in("anna", f"burst{number}").status_code, range(20)))
    assert sorted(set(codes)) == [401, 429]
    assert codes.count(401) <= 2
    assert web(pacs).sign_in("anna", pacs.passwords["anna"]).status_code == 302


def test_a_link_elsewhere_does_not_end_a_session(vera: Web) -> None:
    """Whoever is led to the form by a link keeps the session: the form is shown without touching the cookie."""
    assert opens(vera) == 200
    led = vera.ask("GET", SIGN_IN, {**NAVIGATED, "Sec-Fetch-Site": "cross-site"})
    assert (led.status_code, led.headers.get("Set-Cookie")) == (200, None)
    assert opens(vera) == 200


def test_while_the_sign_in_does_not_answer_nobody_is_signed_out(pacs: Pacs, vera: Web) -> None:
    """When the sign-in is down, a session is believed for two seconds more, and is not taken for ended: 503, and afterwards it goes on."""
    part = pacs.target.inside["sign-in"].removeprefix("docker://")
    assert opens(vera) == 200
    docker("pause", part)
    try:
        time.sleep(REMEMBERED_SECONDS)
        assert opens(vera) == 503
        assert web(pacs).ask("GET", "/dicom-web/studies").status_code == 401
    finally:
        docker("unpause", part)
    assert opens(vera) == 200


def test_what_is_remembered_opens_no_session_that_was_ended(pacs: Pacs, vera: Web) -> None:
    """Of a session that a copy uses at that moment no request is answered after its sign-out, and another session is not disturbed."""
    other = web(pacs)
    assert other.sign_in("carl", pacs.passwords["carl"]).status_code == 302
    copy = web(pacs)
    copy.cookie = vera.cookie
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: opens(copy), range(16))) == {200}
        assert vera.sign_out().status_code == 302
        assert set(pool.map(lambda _: opens(copy), range(16))) == {401}
    assert opens(other) == 200


@pytest.mark.parametrize("to", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/%0d%0aSet-Cookie:x=1"])
def test_a_sign_in_leads_nowhere_else(pacs: Pacs, to: str) -> None:
    """Where a sign-in leads on to is a page of this clinic, whatever the form says."""
    answer = web(pacs).sign_in("vera", pacs.passwords["vera"], to=to)
    assert answer.status_code in {302, 400}
    assert not re.match(r"https?:|//|/\\", answer.headers.get("Location", "/"))
    assert "x=1" not in answer.headers.get("Set-Cookie", "")


def test_an_unknown_name_looks_like_a_known_one(pacs: Pacs) -> None:
    """A wrong password of a known name and any of an unknown one get the same answer, in the same time: the medians differ by noise."""
    browser, pages = web(pacs), set()
    times: dict[str, list[float]] = {"carl": [], "nobody": []}
    for _ in range(4):
        for name, taken in times.items():
            seconds, answer = seconds_of(browser, name, "not-the-password")
            assert answer.status_code == 401
            assert COOKIE not in answer.cookies or not answer.cookies[COOKIE]
            taken.append(seconds)
            pages.add(answer.text)
    assert len(pages) == 1
    medians = [statistics.median(taken) for taken in times.values()]
    assert abs(medians[0] - medians[1]) < 0.05, times
    assert min(min(taken) for taken in times.values()) > 0.9
    assert browser.sign_in("carl", pacs.passwords["carl"]).status_code == 302


def test_a_name_is_locked_for_one_source_after_wrong_passwords(pacs: Pacs) -> None:
    """After six wrong passwords the right one is refused too, from that address; other names go on from there."""
    browser = web(pacs)
    assert browser.sign_in(LOCKED, pacs.passwords[LOCKED]).status_code == 302
    codes = [browser.sign_in(LOCKED, f"wrong{number}").status_code for number in range(7)]
    assert codes == [401] * 6 + [429]
    assert browser.sign_in(LOCKED, pacs.passwords[LOCKED]).status_code == 429
    assert browser.sign_in("carl", pacs.passwords["carl"]).status_code == 302


def test_a_new_password_ends_the_sessions_of_that_person_only(pacs: Pacs, stack: Stack, vera: Web) -> None:
    """When a password is made anew, or the person removed, the open sessions are over at once; others, and a reload, are not felt."""
    rudi = web(pacs)
    assert rudi.sign_in(ROTATED, pacs.passwords[ROTATED]).status_code == 302
    assert opens(rudi) == 200
    stack.securepacs("rotate", "person", ROTATED, "--config", str(stack.config))
    assert opens(rudi) == 401
    assert opens(vera) == 200
    assert rudi.sign_in(ROTATED, pacs.passwords[ROTATED]).status_code == 401
    fresh = json.loads(stack.securepacs("password", ROTATED, "--json"))["password"]
    assert rudi.sign_in(ROTATED, fresh).status_code == 302


def test_an_idle_session_ends(pacs: Pacs) -> None:
    """A session of which nothing is heard for the declared time is over; one that works in the same time is not."""
    idle, works = web(pacs), web(pacs)
    for browser in (idle, works):
        assert browser.sign_in("vera", pacs.passwords["vera"]).status_code == 302
        assert opens(browser) == 200
    for _ in range(7):
        time.sleep(10)
        assert opens(works) == 200
    assert opens(idle) == 401


def test_no_name_of_a_patient_is_in_a_log(pacs: Pacs, vera: Web) -> None:
    """Whatever a browser asks for, the logs of gateway, sign-in and viewer hold neither path nor query."""
    marks = ("PATIENT4711", "1.2.3.4711")
    asked = (f"/dicom-web/studies?PatientName={marks[0]}", f"/viewer?StudyInstanceUIDs={marks[1]}", f"/{marks[0]}.js")
    for path in (*asked, f"{SIGN_IN}?rd={marks[0]}"):
        vera.ask("GET", path)
        web(pacs).ask("GET", path, NAVIGATED)
    logs = ""
    for part in ("gateway", "sign-in", "viewer"):
        logs += docker("logs", "--since", "5m", pacs.target.inside[part].removeprefix("docker://"))
    assert "user=vera" in logs
    assert not [mark for mark in marks if mark in logs]
