"""The administrator's status: what was refused and who came is counted, is told to the role admin alone, and outlives a reload."""

from __future__ import annotations

import datetime
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from deployed.chromium import chromium
from deployed.deployment import PLAIN_PEER, CommandError, Stack, docker
from deployed.elsewhere import Elsewhere, address_of, relays
from deployed.test_browser import shoot
from deployed.test_browser import sign_in as sign_in_browser
from deployed.test_limits import PER_PEER, held
from deployed.web import FOREIGN, NAVIGATED, SIGN_IN, web
from securepacs.status import REFUSALS
from securepacs_harness.bracket import Bracket, Expected, accepts, at
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, dimse, http
from securepacs_harness.probes.inside import Inside
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

STATUS_PORT = 8408
#: Connections of one address that the clinic takes, by clinic.yaml.
PER_SOURCE = 500
#: Widths of small screens.
PHONES = (320, 360)
MARKUP = "<script>x</script>"

ENDED = {"closed", "reset", "not-dicom"}


def told(pacs: Pacs) -> dict[str, Any]:
    """Give the status as the administrator's program gets it."""
    answer = web(pacs).ask("GET", "/status.json", {}, auth=("anna", pacs.passwords["anna"]))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    known: dict[str, Any] = answer.json()
    return known


def page(pacs: Pacs) -> str:
    """Give the page's HTML."""
    return web(pacs).ask("GET", "/status", {}, auth=("anna", pacs.passwords["anna"])).text


def grown(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """Give by how much each reason's count has grown, where it has."""
    return {name: after["refusals"][name] - count for name, count in before["refusals"].items() if after["refusals"][name] != count}


def gateway(pacs: Pacs) -> str:
    """Name the gateway's container."""
    return pacs.target.inside["gateway"].removeprefix("docker://")


@pytest.fixture(scope="module")
def elsewhere(pacs: Pacs, dcmtk_image: str) -> Iterator[Elsewhere]:
    """Another address on the edge network."""
    waiver = pacs.target.peers[PLAIN_PEER].plaintext
    assert waiver is not None
    with relays(pacs, dcmtk_image, "deptest-test-relay-status", (waiver.port,)) as there:
        yield there


def _guess(pacs: Pacs, name: str, path: str = "/dicom-web/studies", password: str = "wrong") -> Attempt:  # noqa: S107 - a wrong one
    return http.ask(f"{path} by {name}", pacs.web, http.Request("GET", path, http.basic(name, password)))


#: Reason -> an attempt that is refused for it, with a certificate, a request or a password that is wrong in this one thing.
WRONG: dict[str, tuple[Callable[[Pacs], Attempt], Expected]] = {
    "tls": (lambda pacs: association.echo("no certificate", pacs.line(None), pacs.target.dicom.ae_title, "CT01"), at(Layer.TLS)),
    "malformed": (
        lambda pacs: association.associate("no request", pacs.caller("CT01").line, b"GET / HTTP/1.0\r\n\r\n"),
        at({Layer.ASSOCIATION, Layer.HTTP}, ENDED),
    ),
    "calling-ae": (
        lambda pacs: association.echo("another's name", pacs.caller("CT01").line, pacs.target.dicom.ae_title, MARKUP[:16]),
        at(Layer.ASSOCIATION, "1/1/3"),
    ),
    "called-ae": (
        lambda pacs: association.echo("another archive", pacs.caller("CT01").line, MARKUP[:16], "CT01"),
        at(Layer.ASSOCIATION, "1/1/7"),
    ),
    "password": (lambda pacs: _guess(pacs, "vera"), at(Layer.HTTP, "401")),
    "role": (lambda pacs: _guess(pacs, "vera", "/status", pacs.passwords["vera"]), at(Layer.HTTP, "403")),
}


@pytest.mark.parametrize("reason", WRONG)
def test_a_refusal_is_counted_once_and_by_its_reason(pacs: Pacs, claim: Claim, reason: str) -> None:
    """One refused attempt between two echoes counts one for its reason, and nothing for any other."""
    attempt, expected = WRONG[reason]
    before = told(pacs)
    claim(dimse.echo(pacs.caller("WS01"))).refuses_all([(attempt(pacs), expected)])
    after = told(pacs)
    assert grown(before, after) == {reason: 1}
    assert after["countedSince"] == before["countedSince"] is not None


def test_a_wrong_password_in_a_browser_is_counted(pacs: Pacs) -> None:
    """The sign-in's form counts a wrong password as HTTP Basic does, and a right one not."""
    before = told(pacs)
    assert web(pacs).sign_in("anna", pacs.passwords["anna"]).status_code == 302
    assert web(pacs).sign_in("anna", "wrong").status_code == 401
    assert web(pacs).sign_in("anna", pacs.passwords["anna"]).status_code == 302
    assert grown(before, told(pacs)) == {"password": 1}


def test_an_association_too_many_is_counted(pacs: Pacs, claim: Claim) -> None:
    """With its limit held open a peer's next association counts as one too many; those below the limit do not."""
    attempt = association.echo("one too many", pacs.caller("CT01").line, pacs.target.dicom.ae_title, "CT01")
    before = told(pacs)
    with held(pacs.caller("CT01"), PER_PEER):
        claim(dimse.echo(pacs.caller("WS01"))).refuses(attempt, layer=Layer.ASSOCIATION, code="2/3/2").require()
    assert grown(before, told(pacs)) == {"limit": 1}


def test_another_address_at_a_waivers_port_is_counted(pacs: Pacs, claim: Claim, elsewhere: Elsewhere) -> None:
    """Who comes to the listener of a peer without TLS from elsewhere counts as that; the peer itself does not."""
    caller = pacs.caller(PLAIN_PEER)
    attempt = association.echo("from elsewhere", elsewhere.line(caller.line, caller.line.port), pacs.target.dicom.ae_title, PLAIN_PEER)
    before = told(pacs)
    claim(dimse.echo(caller)).refuses(attempt, layer=Layer.ASSOCIATION, code=ENDED).require()
    assert grown(before, told(pacs)) == {"source": 1}


def test_connections_too_many_are_counted(pacs: Pacs) -> None:
    """Each connection of an address beyond its limit is ended and counted, and those before it are not; then the address is served."""
    place, before, extra = (address_of(gateway(pacs), "edge"), 2762), told(pacs), 7
    accepts(dimse.echo(pacs.caller("WS01")), code="0x0000")
    crowd = [socket.create_connection(place, timeout=5) for _ in range(PER_SOURCE + extra)]
    time.sleep(1)
    ended = 0
    for one in crowd:
        one.setblocking(False)  # noqa: FBT003 - the socket's own
        try:
            ended += not one.recv(1)
        except BlockingIOError:
            continue
        except ConnectionResetError:
            ended += 1
    for one in crowd:
        one.close()
    time.sleep(1)
    accepts(dimse.echo(pacs.caller("WS01")), code="0x0000")
    assert extra <= ended < 2 * extra
    assert grown(before, told(pacs)) == {"connections": ended}


def test_it_is_seen_when_a_peer_came_last(pacs: Pacs, claim: Claim) -> None:
    """An echo moves the peer's time and count, and nobody else's; a refused one under the peer's name moves nothing."""
    accepts(dimse.echo(pacs.caller("SC01")), code="0x0000")
    before = told(pacs)["peers"]
    time.sleep(1.1)
    false = association.echo("another's certificate", pacs.caller("CT01").line, pacs.target.dicom.ae_title, "SC01")
    claim(dimse.echo(pacs.caller("WS01"))).refuses(false, layer=Layer.ASSOCIATION, code="1/1/3").require()
    assert told(pacs)["peers"]["SC01"] == before["SC01"]
    accepts(association.echo("an echo", pacs.caller("SC01").line, pacs.target.dicom.ae_title, "SC01"))
    after = told(pacs)["peers"]
    assert set(after) == set(pacs.target.peers)
    assert after["SC01"]["lastSeen"] > before["SC01"]["lastSeen"]
    assert after["SC01"]["associationsOfDay"] == before["SC01"]["associationsOfDay"] + 1
    assert {name: seen for name, seen in after.items() if name not in {"SC01", "WS01"}} == {
        name: seen for name, seen in before.items() if name not in {"SC01", "WS01"}
    }


def test_a_peer_without_tls_is_seen_too(pacs: Pacs) -> None:
    """The peer with a waiver stands among the others, under its AE title."""
    before = told(pacs)["peers"][PLAIN_PEER]["associationsOfDay"]
    accepts(association.echo("without TLS", pacs.caller(PLAIN_PEER).line, pacs.target.dicom.ae_title, PLAIN_PEER))
    assert told(pacs)["peers"][PLAIN_PEER]["associationsOfDay"] == before + 1


def test_counts_outlive_a_reload(pacs: Pacs, stack: Stack) -> None:
    """After a reload of the gateway every count and time is as before, the backup's too, and the next refusal counts on."""
    accepts(dimse.echo(pacs.caller("WS01")), code="0x0000")
    stack.securepacs("status", "--json")
    kept = ("refusals", "peers", "countedSince", "backup")
    before = told(pacs)
    docker("exec", gateway(pacs), "/usr/share/securepacs/reload")
    time.sleep(1)
    after = told(pacs)
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert WRONG["password"][0](pacs)._run().code == "401"
    assert grown(before, told(pacs)) == {"password": 1}


def test_the_page_tells_what_the_command_saw_of_the_newest_backup(pacs: Pacs, stack: Stack) -> None:
    """The page has the time that `securepacs status` saw, and when; one that is too old, or none, is marked."""
    seen = json.loads(stack.securepacs("status", "--json"))["backup"]
    assert seen == told(pacs)["backup"]
    newest = datetime.datetime.fromisoformat(seen["newest"])
    assert (newest.minute, newest.second) == (0, 0)  # as clinic.yaml's command tells it
    looked = datetime.datetime.fromisoformat(seen["seen"])
    assert newest <= looked <= datetime.datetime.now(datetime.UTC) < looked + datetime.timedelta(minutes=5)
    fresh = f"The newest is of {newest:%Y-%m-%d %H:%M} UTC, as seen on "
    assert re.search(re.escape(fresh) + r"\S+ \S+ UTC\.<", page(pacs))
    now = int(time.time())
    tell = ("exec", gateway(pacs), "/usr/share/securepacs/backup-seen")
    docker(*tell, str(now - 25 * 3600), str(now))
    assert re.search(r"The newest is of [^<]* UTC\. ⚠<", page(pacs))
    docker(*tell, "0", str(now))
    assert re.search(r"On [^<]* none was seen\. ⚠<", page(pacs))
    assert told(pacs)["backup"]["newest"] is None
    for wrong in (("<b>", str(now)), (str(now), "1; show env"), (str(now), "")):
        with pytest.raises(CommandError):
            docker(*tell, *wrong)
    stack.securepacs("status")
    assert told(pacs)["backup"]["newest"] == seen["newest"]


@pytest.mark.parametrize("path", ["/status", "/status.json"])
def test_nobody_but_an_administrator_sees_it(pacs: Pacs, claim: Claim, path: str) -> None:
    """A stranger is asked to sign in; a viewer and a clinician, and whoever tries another method, are refused."""
    control = http.ask("the administrator", pacs.web, http.Request("GET", path, pacs.login("anna")))
    unknown, unfit, no_method = at(Layer.HTTP, "401"), at(Layer.HTTP, "403"), at(Layer.HTTP, {"403", "405"})
    cases = [
        (http.ask("a stranger", pacs.web, http.Request("GET", path)), unknown),
        (_guess(pacs, "anna", path), unknown),
        *((_guess(pacs, name, path, pacs.passwords[name]), unfit) for name in ("vera", "carl")),
        *((http.ask(verb, pacs.web, http.Request(verb, path, pacs.login("anna"))), no_method) for verb in ("POST", "PUT")),
    ]
    claim(control).refuses_all(cases)


def test_in_a_browser_it_takes_a_session_of_an_administrators(pacs: Pacs) -> None:
    """A stranger is led to the sign-in and back, a viewer's session gets 403, and an administrator's the page."""
    stranger, vera, anna = web(pacs), web(pacs), web(pacs)
    led = stranger.ask("GET", "/status", NAVIGATED)
    assert (led.status_code, led.headers["Location"]) == (302, f"{SIGN_IN}?rd=%2Fstatus")
    vera.sign_in("vera", pacs.passwords["vera"])
    assert vera.ask("GET", "/status", NAVIGATED).status_code == 403
    assert anna.sign_in("anna", pacs.passwords["anna"], to="/status").headers["Location"] == "/status"
    answer = anna.ask("GET", "/status", NAVIGATED)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[^']{44}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        answer.headers["Content-Security-Policy"],
    )
    assert anna.ask("POST", "/status", FOREIGN).status_code == 403


def test_no_text_of_a_callers_or_a_declarations_is_markup(pacs: Pacs) -> None:
    """What a refused caller called itself stands nowhere on the page or in the JSON; what the clinic declares is escaped."""
    for kind in ("calling-ae", "called-ae"):
        WRONG[kind][0](pacs)._run()
    known, html = told(pacs), page(pacs)
    assert "script" not in json.dumps(known).lower()
    assert "script" not in html.lower()
    assert known["backup"]["by"] == "nobody: <b>the studies</b> of tests are made up"
    assert "&lt;b&gt;the studies&lt;/b&gt; of tests" in html
    assert "<b>" not in html


def test_the_command_line_tells_the_same(pacs: Pacs, stack: Stack) -> None:
    """`securepacs status --json` has what the page has, with what the engine knows beside it; the table has all reasons and peers."""
    accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")
    by_command, known = json.loads(stack.securepacs("status", "--json")), told(pacs)
    same = ("name", "parts", "peers", "refusals", "countedSince", "storage", "backup")
    assert {key: by_command[key] for key in same} == {key: known[key] for key in same}
    assert {what: it["notAfter"] for what, it in by_command["certificates"].items()} == {
        what: it["notAfter"] for what, it in known["certificates"].items()
    }
    assert {container["name"].removeprefix("deptest-") for container in by_command["containers"]} == set(known["parts"])
    assert set(known["parts"].values()) == {True}
    assert by_command["storedMb"] >= 0
    table = stack.securepacs("status")
    assert all(refusal.name in table for refusal in REFUSALS)
    assert all(peer in table for peer in pacs.target.peers)


def test_the_way_inside_is_the_containers_own_and_asks_nothing_else(pacs: Pacs) -> None:
    """On its loopback the gateway tells its status and asks three questions; no other path gets past, and from outside nothing answers."""
    inside = Inside(pacs.target.inside["gateway"])
    served = {path: inside.http_status(STATUS_PORT, path) for path in ("/status.json", "/archive", "/viewer", "/sign-in")}
    assert served == {"/status.json": 200, "/archive": 200, "/viewer": 204, "/sign-in": 200}
    for path in ("/", "/studies", "/archive/studies", "/archive/../studies", "/statistics", "/status", "/oauth2/sign_in", "/ping"):
        assert inside.http_status(STATUS_PORT, path) == 403, path
    assert {listener.loopback for listener in inside.listeners() if listener.port == STATUS_PORT} == {True}
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((address_of(gateway(pacs), "edge"), STATUS_PORT), timeout=5)


def test_a_part_that_does_not_answer_is_told(pacs: Pacs) -> None:
    """While the viewer stands still the page comes nevertheless, within seconds, and says so; then it answers again."""
    viewer = pacs.target.inside["viewer"].removeprefix("docker://")
    docker("pause", viewer)
    try:
        began = time.monotonic()
        known = told(pacs)
        assert time.monotonic() - began < 5
        assert known["parts"] == {"gateway": True, "archive": True, "viewer": False, "sign-in": True}
        assert "does not answer" in page(pacs)
    finally:
        docker("unpause", viewer)
    assert told(pacs)["parts"]["viewer"] is True


@pytest.fixture(scope="module")
def browser(pacs: Pacs) -> Iterator[Browser]:
    """Debian's Chromium, which trusts the clinic's authority."""
    with chromium(pacs.target.ca) as running:
        yield running


@pytest.fixture
def sheet(browser: Browser) -> Iterator[Page]:
    """A page of a browser that nobody has used."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def test_an_administrator_reads_it_on_a_phone(pacs: Pacs, sheet: Page) -> None:
    """From the viewer a link leads to the page; on a phone nothing is cut off, by day or night, and it breaks none of axe's rules."""
    complaints: list[str] = []
    sign_in_browser(sheet, pacs, "anna")
    sheet.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    sheet.get_by_role("link", name="Status").click()
    expect(sheet.get_by_role("heading", name="Refused")).to_be_visible()
    assert Axe().run(sheet).response["violations"] == []
    for width in PHONES:
        sheet.set_viewport_size({"width": width, "height": 760})
        assert sheet.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
    sheet.emulate_media(color_scheme="dark")
    assert Axe().run(sheet).response["violations"] == []
    sheet.set_viewport_size({"width": 760, "height": 1120})
    shoot(sheet, "status")
    assert [text for text in complaints if "favicon" not in text] == []


def test_the_viewer_leads_nobody_else_to_it(pacs: Pacs, sheet: Page) -> None:
    """A clinician's viewer has the way out, and no link to the status."""
    sign_in_browser(sheet, pacs, "carl")
    assert sheet.get_by_role("link", name="Status").count() == 0


def test_the_page_runs_nothing(pacs: Pacs) -> None:
    """The page is one file without script, frame, picture or address of another site."""
    html = page(pacs)
    assert not re.findall(r"<(script|iframe|img|link|object|form)\b|https?:|\bon[a-z]+=", html)
    assert html.count("<style>") == 1
