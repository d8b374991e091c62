"""Machines over HTTPS: what a token opens, what resembles one and opens nothing, and when it ends."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pydicom
import pytest
import requests
import yaml
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import add_certs_to_session, create_session

from deployed.deployment import CLINIC_KEY, Stack, docker, forget_wrong_words
from deployed.elsewhere import Elsewhere, relays
from deployed.web import COOKIE, NAVIGATED, web
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import http as probe
from securepacs_harness.probes import routes
from securepacs_harness.probes.http import Request, bearer
from securepacs_harness.reach import Pacs
from securepacs_harness.target import permits

Claim = Callable[[Attempt], Bracket]

#: Machines of clinic.yaml: one of a clinician's rights and four routes, one that has ended, one of a single address.
SENDER, PAST, NEAR = "sender", "past", "near"
#: Those whose tokens these tests use up.
TURNED, GONE = "turned", "gone"
SEARCH = "/dicom-web/studies?limit=1"
WRONG = at(Layer.HTTP, "401")
#: `limits.wrong_passwords` of clinic.yaml.
WRONG_PASSWORDS = 60


@pytest.fixture(scope="module", autouse=True)
def _unlocked(pacs: Pacs) -> None:
    """Nothing wrong has been tried yet: other tests have given wrong passwords from these addresses."""
    forget_wrong_words(pacs.target.name)


@pytest.fixture(scope="module")
def elsewhere(pacs: Pacs, dcmtk_image: str) -> Iterator[Elsewhere]:
    """Another address on the edge network, whose lock-out locks out nobody else."""
    with relays(pacs, dcmtk_image, "deptest-test-relay-machines", (8443,)) as there:
        yield there


def _ask(pacs: Pacs, what: str, headers: dict[str, str], target: str = SEARCH, method: str = "GET") -> Attempt:
    return probe.ask(what, pacs.web, Request(method, target, headers))


def _control(pacs: Pacs, name: str = SENDER) -> Attempt:
    return _ask(pacs, f"control by {name}", pacs.login(name))


def _client(pacs: Pacs, token: str) -> DICOMwebClient:
    """Give the client that people's programs use, with a token."""
    session = add_certs_to_session(create_session(), ca_bundle=str(web(pacs).ca))
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    return DICOMwebClient(f"{web(pacs).base}/dicom-web", session=session)


def test_a_program_searches_stores_and_fetches_with_a_token(pacs: Pacs, image: Instance) -> None:
    """dicomweb-client with a machine's token does STOW-RS, QIDO-RS and WADO-RS; what it fetches is what it stored."""
    client = _client(pacs, pacs.passwords[SENDER])
    mine = pydicom.dcmread(image.path)
    client.store_instances([mine])
    (found,) = client.search_for_studies(search_filters={"StudyInstanceUID": image.study})
    assert found["0020000D"]["Value"] == [image.study]
    fetched = client.retrieve_instance(image.study, str(mine.SeriesInstanceUID), image.sop_instance)
    assert fetched == mine
    with pytest.raises(requests.HTTPError, match="403"):
        client.retrieve_study_metadata(image.study)
    with pytest.raises(requests.HTTPError, match="401"):
        _client(pacs, pacs.passwords[SENDER][:-1]).search_for_studies(limit=1)


def test_a_token_opens_its_own_routes_and_nothing_else(pacs: Pacs, claim: Claim) -> None:
    """Of all routes and methods a machine has those that are declared for it, not those of its role, nor the viewer's pages."""
    own = pacs.https.machines[SENDER].routes
    cases, granted = [], []
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        for path in (*routes.PATHS, "/", "/viewer", "/session", "/app.js", "/oauth2/sign_in", "/oauth2/sign_out"):
            attempt = _ask(pacs, f"{method} {path}", pacs.login(SENDER), path, method)
            if permits(own, method, path):
                granted.append(attempt)
            else:
                cases.append((attempt, at(Layer.HTTP, {"403", "405", "400"})))
    claim(_control(pacs)).refuses_all(cases, workers=4)
    assert len(granted) >= 4
    for attempt in granted:
        accepts(attempt)


def test_what_resembles_a_token_opens_nothing(pacs: Pacs, claim: Claim) -> None:
    """Only the whole token, after `Bearer` and one blank, in the one Authorization header, says who asks."""
    token = pacs.passwords[SENDER]
    headers = {
        "but for its end": bearer(token[:-1]),
        "with more": bearer(token + "A"),
        "in the other case": bearer(token.swapcase()),
        "empty": {"Authorization": "Bearer"},
        "behind two blanks": {"Authorization": f"Bearer  {token}"},
        "behind a tabulator": {"Authorization": f"Bearer\t{token}"},
        "in a list": {"Authorization": f"Bearer {token}, Basic x"},
        "thirty thousand characters": bearer("a" * 30_000),
        "another scheme": {"Authorization": f"Token {token}"},
        "no scheme": {"Authorization": token},
        "its digest": bearer("0" * 64),
        "as a password": probe.basic(SENDER, token),
        "as a password of what the log calls it": probe.basic(f"machine:{SENDER}", token),
        "a person's password": bearer(pacs.passwords["vera"]),
        "of a proxy": {"Proxy-Authorization": f"Bearer {token}"},
        "as a cookie": {"Cookie": f"{COOKIE}={token}; access_token={token}"},
    }
    cases = [(_ask(pacs, f"a token {what}", given), WRONG) for what, given in headers.items()]
    cases.append((_ask(pacs, "a token in the query", {}, f"{SEARCH}&access_token={token}"), WRONG))
    cases.append((_ask(pacs, "a token longer than any request", bearer("a" * 70_000)), at(Layer.HTTP, {"400", "431", "401"})))
    claim(_control(pacs)).refuses_all(cases)
    for scheme in ("bearer", "BEARER"):  # RFC 9110 section 11.1: a scheme's name has no case
        accepts(_ask(pacs, f"the scheme as {scheme}", {"Authorization": f"{scheme} {token}"}), code="200")


def test_two_headers_say_nothing(pacs: Pacs) -> None:
    """Of two Authorization headers none is chosen, whichever is right and whichever comes first."""
    browser = web(pacs)
    right, wrong = ("Authorization", f"Bearer {pacs.passwords[SENDER]}"), ("Authorization", "Bearer wrong")
    assert browser.ask_exactly("GET", SEARCH, [right]) == 200
    for both in ([right, wrong], [wrong, right], [right, right]):
        assert browser.ask_exactly("GET", SEARCH, both) == 400
    assert browser.ask_exactly("GET", SEARCH, [right]) == 200


def test_a_token_and_a_cookie_are_decided_by_the_token(pacs: Pacs) -> None:
    """Beside a token a session's cookie counts for nothing: not with a wrong token, and not for the rights of the person."""
    anna = web(pacs)
    assert anna.sign_in("anna", pacs.passwords["anna"]).status_code == 302
    assert anna.ask("GET", "/system").status_code == 200
    assert anna.ask("GET", "/system", bearer(pacs.passwords[SENDER])).status_code == 403
    assert anna.ask("GET", "/system", bearer("wrong")).status_code == 401
    assert anna.ask("GET", SEARCH, bearer(pacs.passwords[PAST])).status_code == 401
    assert anna.ask("GET", "/system").status_code == 200


def test_the_rules_for_browsers_do_not_disturb_machines(pacs: Pacs) -> None:
    """Node's fetch names a mode and no site: its STOW-RS gets past the gate; a wrong token is told 401, not sent to the sign-in."""
    client, right, wrong = web(pacs), bearer(pacs.passwords[SENDER]), bearer("wrong")
    body = {"Content-Type": "application/dicom"}
    node = {"Sec-Fetch-Mode": "cors"}
    assert client.ask("GET", SEARCH, {**right, **node}).status_code == 200
    assert client.ask("POST", "/dicom-web/studies", {**right, **node, **body}, data=b"x").status_code == 415
    assert client.ask("POST", "/dicom-web/studies", {**wrong, **node, **body}, data=b"x").status_code in {401, 403}
    assert client.ask("GET", SEARCH, {**wrong, **NAVIGATED}).status_code == 401
    assert client.ask("GET", SEARCH, wrong).status_code == 401


def test_a_wrong_token_is_answered_as_a_wrong_password(pacs: Pacs, elsewhere: Elsewhere) -> None:
    """Unknown, ended and elsewhere used tokens get the very answer of a wrong password, after the same time."""
    accepts(_control(pacs, NEAR), code="200")
    line = elsewhere.line(pacs.web, 8443)
    accepts(probe.ask("from the other address", line, Request("GET", SEARCH, pacs.login(SENDER))), code="200")
    given = {"unknown": bearer("wrong"), "ended": pacs.login(PAST), "elsewhere": pacs.login(NEAR), "password": probe.basic("vera", "wrong")}
    answers, seconds = {}, {}
    for what, login in given.items():
        began = time.monotonic()
        answers[what] = probe.answer(line, Request("GET", SEARCH, login))
        seconds[what] = time.monotonic() - began
    assert {answer.status for answer in answers.values()} == {401}
    assert len({(tuple(sorted(answer.headers.items())), answer.body) for answer in answers.values()}) == 1
    assert min(seconds.values()) > 0.1, seconds
    accepts(_control(pacs, NEAR), code="200")


def test_wrong_tokens_count_and_right_ones_are_served_all_the_same(pacs: Pacs, elsewhere: Elsewhere) -> None:
    """After so many wrong tokens the address is told to wait, with right passwords too; a right token, which nobody finds, is served."""
    line = elsewhere.line(pacs.web, 8443)
    told = [probe.answer(line, Request("GET", SEARCH, bearer(f"guess-{number}"))).status for number in range(WRONG_PASSWORDS + 1)]
    assert (told[0], told[-1]) == (401, 429)
    assert probe.answer(line, Request("GET", SEARCH, pacs.login("vera"))).status == 429
    accepts(probe.ask("a token", line, Request("GET", SEARCH, pacs.login(SENDER))), code="200")
    accepts(_control(pacs, "vera"), code="200")


def test_the_log_names_the_machine_and_holds_no_token(pacs: Pacs) -> None:
    """A granted request stands under `machine:NAME`; one with an ended token says whose it was; no token stands in any log."""
    since = int(time.time())
    accepts(_control(pacs), code="200")
    probe.answer(pacs.web, Request("GET", SEARCH, pacs.login(PAST)))
    time.sleep(0.5)
    log = docker("logs", "--since", str(since), "deptest-gateway")
    assert f" user=machine:{SENDER} role=clinician route=qido " in log
    assert f" user=- role=- route=- claimed=machine:{PAST} method=GET status=401 " in log
    whole = docker("logs", "deptest-gateway") + docker("logs", "deptest-archive")
    assert not [name for name in pacs.https.machines if pacs.passwords[name] in whole]


def test_the_gateway_holds_no_token(pacs: Pacs) -> None:
    """Its files hold digests; no environment, argument or label of a container holds a token either."""
    held = docker("exec", "deptest-gateway", "sh", "-c", "cat /etc/gateway/*; cat /proc/1/cmdline /proc/1/environ")
    held += docker("inspect", "deptest-gateway", "deptest-archive")
    assert f"machine:{SENDER}" in held
    assert not [name for name in pacs.https.machines if pacs.passwords[name] in held]


def test_a_token_ends_at_its_moment(pacs: Pacs, claim: Claim) -> None:
    """The last day is held against the clock on each request: no reload, no deployment is needed for the token to end."""

    def last(seconds: int) -> None:
        command = f"@1 set map /etc/gateway/token-ends.map machine:{NEAR} {seconds}"
        docker("exec", "deptest-gateway", "sh", "-c", f"echo '{command}' | socat - UNIX-CONNECT:/run/gateway/master.sock")

    now = int(time.time())
    try:
        last(now + 3)
        accepts(_control(pacs, NEAR), code="200")
        time.sleep(max(0.0, now + 3.1 - time.time()))
        claim(_control(pacs)).refuses(_control(pacs, NEAR), layer=Layer.HTTP, code="401").require()
    finally:
        last(now + 86_400)
    accepts(_control(pacs, NEAR), code="200")


def _kept(pacs: Pacs) -> http.client.HTTPSConnection:
    parts, ca = urlsplit(web(pacs).base), web(pacs).ca
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=30, context=ssl.create_default_context(cafile=str(ca)))


def _status(connection: http.client.HTTPSConnection, token: str) -> int:
    connection.request("GET", SEARCH, headers=bearer(token))
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_new_token_ends_the_old_one(pacs: Pacs, stack: Stack, claim: Claim) -> None:
    """After `rotate machine` the old token opens nothing, on a connection that was open too; the new one does, and others go on."""
    old, kept = pacs.passwords[TURNED], _kept(pacs)
    assert _status(kept, old) == 200
    stack.securepacs("rotate", "machine", TURNED, "--config", str(stack.config))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
        assert _status(kept, old) == 200
    claim(_control(pacs)).refuses(_ask(pacs, "the old token", bearer(old)), layer=Layer.HTTP, code="401").require()
    fresh = Path(stack.config).with_name("turned.token")
    stack.securepacs("token", TURNED, "--out", str(fresh))
    assert fresh.stat().st_mode & 0o777 == 0o600
    accepts(_ask(pacs, "the new token", bearer(fresh.read_text().strip())), code="200")
    accepts(_control(pacs), code="200")


def test_a_machine_that_is_taken_out_is_refused(pacs: Pacs, stack: Stack, claim: Claim) -> None:
    """Without its lines in the configuration a machine's token opens nothing after the next `up`; others go on."""
    accepts(_control(pacs, GONE), code="200")
    whole = yaml.safe_load(stack.config.read_text(encoding="utf-8"))
    clinic = whole["config"][CLINIC_KEY]
    clinic["machines"] = [machine for machine in clinic["machines"] if machine["name"] != GONE]
    stack.config.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    stack.up()
    claim(_control(pacs)).refuses(_control(pacs, GONE), layer=Layer.HTTP, code="401").require()
