"""People who sign in at a real identity provider: who gets in, as what, until when; and what an attacker gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml
from playwright.sync_api import expect

from deployed import keycloak
from deployed.chromium import chromium
from deployed.deployment import CLINIC_KEY, Stack, docker, remove_left_overs
from deployed.keycloak import HOST, PORT, Keycloak
from deployed.provided import BACK, Person
from deployed.test_browser import SHOTS
from lifecycle.failure.killing import ROOT, alone, ask
from securepacs_harness.target import load_target

NAME, HTTPS_PORT = "depidp", 18444
#: This host's own address in the clinic's outer network.
EDGE = "10.231.248.1"
BASE = f"https://localhost:{HTTPS_PORT}"


@dataclass
class Clinic:
    """The clinic whose people a provider knows, and that provider."""

    stack: Stack
    provider: Keycloak
    ca: Path

    def person(self) -> Person:
        """Give a browser that has not been here before."""
        return Person(BASE, self.ca, self.provider)

    def declare(self, **changes: object) -> None:
        """Write its configuration, with changes to the section of the provider, and bring it up."""
        whole = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
        whole["config"][CLINIC_KEY].update(
            name=NAME,
            dicom={"addresses": ["127.0.0.1"], "port": 12764},
            https={"addresses": ["127.0.0.1"], "port": HTTPS_PORT},
            network={"edge_subnet": f"{EDGE[:-1]}0/24"},
            viewer=True,
            people=[{"name": "olga", "role": "viewer"}],
            sign_in={"idle_minutes": 15, "oidc": {**self.provider.section(), **changes}},
        )
        self.stack.config.write_text(yaml.safe_dump(whole), encoding="utf-8")
        answer = ask(self.stack, "up", "--config", str(self.stack.config), seconds=600)
        assert answer.status == 0, answer.err
        assert f"as anybody with a role at {HOST}" in answer.out


@contextmanager
def provided_clinic(folder: Path) -> Iterator[Clinic]:
    """Bring the clinic up, and take it down in the end; its provider need not be there."""
    keycloak.stop()
    remove_left_overs(NAME)
    made = Clinic(alone(NAME, folder / "stack"), keycloak.prepare(folder / "provider", BASE), folder / "ca.pem")
    try:
        made.declare()
        made.stack.securepacs("target", "--out", str(folder / "target.json"))
        made.ca.write_text(load_target(folder / "target.json").ca, encoding="ascii")
        yield made
    finally:
        ask(made.stack, "down", "--config", str(made.stack.config), "--delete-data", NAME, "--yes")
        remove_left_overs(NAME)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """The clinic and its provider, both up."""
    with (
        provided_clinic(tmp_path_factory.mktemp("provided")) as made,
        keycloak.known_here(),
        keycloak.running(made.provider, f"{NAME}-edge"),
    ):
        yield made


@pytest.mark.parametrize(("name", "role"), [("otto", "viewer"), ("olga", "clinician"), ("oda", "admin")])
def test_the_providers_word_is_a_role(clinic: Clinic, name: str, role: str) -> None:
    """Whoever has a value of the claim has its role, the highest of several; a namesake who is declared here gives none of hers."""
    person = clinic.person()
    answer = person.sign_in(name, "/viewer?StudyInstanceUIDs=1.2.3")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/viewer?StudyInstanceUIDs=1.2.3")
    assert person.who() == (name, role)
    cookies = answer.raw.headers.getlist("Set-Cookie")
    (cookie,) = [sent for sent in cookies if sent.startswith("__Host-securepacs=")]
    assert all(flag in cookie for flag in ("Path=/", "HttpOnly", "Secure", "SameSite=Lax"))
    assert person.ask("/tools/reset", method="POST").status_code in {403, 405}
    assert person.ask("/statistics").status_code == (200 if role == "admin" else 403)


@pytest.mark.parametrize("name", ["nora", "comma"])
def test_without_a_role_nothing_is_shown(clinic: Clinic, name: str) -> None:
    """Who has no value of the claim is told so and sees nothing, and a value with a comma is one value; others go in before and after."""
    before, stranger, after = clinic.person(), clinic.person(), clinic.person()
    assert before.sign_in("oda").status_code == 302
    assert before.who() == ("oda", "admin")
    stranger.sign_in(name)
    assert stranger.session
    for path in ("/", "/session", "/dicom-web/studies", "/statistics"):
        answer = stranger.ask(path)
        assert answer.status_code == 403
        assert "no role in this archive" in answer.text
    assert after.sign_in("otto").status_code == 302
    assert after.who() == ("otto", "viewer")


def test_too_long_a_claim_is_told(clinic: Clinic) -> None:
    """Where the provider says more than a cookie can hold the browser is told, gets no session, and is not sent around for ever."""
    person = clinic.person()
    answer = person.sign_in("many")
    assert answer.status_code == 403
    assert "too much of you for a cookie" in answer.text
    assert person.who() == 401


def test_the_question_carries_what_binds_its_answer(clinic: Clinic) -> None:
    """The provider is asked for a code, with a state, a nonce and a challenge by S256 (RFC 7636), each new every time; and to ask again."""
    asked = [parse_qs(urlsplit(clinic.person().begin()).query) for _ in range(2)]
    for question in asked:
        assert (question["response_type"], question["code_challenge_method"]) == (["code"], ["S256"])
        assert (question["prompt"], question["redirect_uri"]) == (["login"], [f"{BASE}{BACK}"])
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


def _stolen(victim: Person, _attacker: Person) -> str:
    return victim.prove(victim.page(victim.begin()), "oda")


def _given(victim: Person, attacker: Person) -> str:
    """The attacker's own code and state, which the victim's browser is led to: it would work in the attacker's name (login CSRF)."""
    victim.begin()
    return attacker.prove(attacker.page(attacker.begin()), "otto")


def _mixed(victim: Person, attacker: Person) -> str:
    """The victim's code with the attacker's own state."""
    code = parse_qs(urlsplit(_stolen(victim, attacker)).query)["code"][0]
    own = attacker.prove(attacker.page(attacker.begin()), "otto")
    return re.sub(r"code=[^&]+", f"code={code}", own)


#: Who follows the address -> how the address came about.
THEFTS: dict[str, tuple[str, Callable[[Person, Person], str]]] = {
    "a stolen code in another browser": ("attacker", _stolen),
    "another's code with one's own state": ("attacker", _mixed),
    "a link that signs the victim in as the attacker": ("victim", _given),
}


@pytest.mark.parametrize("theft", THEFTS)
def test_a_code_serves_the_browser_that_asked(clinic: Clinic, theft: str) -> None:
    """A code that another browser asked for opens no session; the same steps in one browser do, before and after."""
    who, make = THEFTS[theft]
    for control in (clinic.person(), None, clinic.person()):
        if control:
            assert control.sign_in("otto").status_code == 302
            assert control.who() == ("otto", "viewer")
            continue
        people = {"victim": clinic.person(), "attacker": clinic.person()}
        address = make(people["victim"], people["attacker"])
        answer = people[who].come_back(address)
        assert answer.status_code in {403, 500}
        assert not people[who].session
        assert people[who].who() == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/oauth2/start?rd=https%3A%2F%2Fevil.example%2F", 400),
        ("/oauth2/start?rd=%2F%2Fevil.example", 400),
        ("/oauth2/start?rd=%2F&prompt=none", 400),
        ("/oauth2/callback?code=abc", 400),
        ("/oauth2/callback?code=abc&state=def%3A%2F", 403),
        ("/oauth2/callback?code=%0d%0aSet-Cookie:x&state=def%3A%2F", 403),
        (f"/oauth2/callback?state=a&code={'a' * 5000}", 400),
        ("/oauth2/callback?state=a&code='script'", 400),
        ("/oauth2/sign_in?rd=javascript%3Aalert(1)", 400),
        ("/oauth2/auth", 401),
        ("/oauth2/userinfo", 401),
    ],
)
def test_what_leads_astray_is_refused(clinic: Clinic, path: str, status: int) -> None:
    """The ways to the provider and back take what they need and nothing else; what else oauth2-proxy could answer has no route."""
    assert clinic.person().ask(path, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "cors"}).status_code == status


def test_nobody_signs_in_with_a_form_here(clinic: Clinic) -> None:
    """Where a provider knows the people the clinic's own form does not exist; a declared person's password is still good for a machine."""
    form = {"rd": "/", "username": "olga", "password": "x"}
    answer = requests.post(f"{BASE}/oauth2/sign_in", data=form, verify=str(clinic.ca), timeout=30)
    assert answer.status_code == 405
    password = json.loads(clinic.stack.securepacs("password", "olga", "--json"))["password"]
    told = requests.get(f"{BASE}/dicom-web/studies", auth=("olga", password), verify=str(clinic.ca), timeout=30)
    assert told.status_code in {200, 204}


def test_a_forged_session_is_none(clinic: Clinic) -> None:
    """A cookie that was altered, or whose session was ended, opens nothing; the true one does before and another after."""
    person = clinic.person()
    person.sign_in("otto")
    assert person.who() == ("otto", "viewer")
    held = person.session
    assert _with_cookie(clinic, held).status_code == 200
    assert _with_cookie(clinic, ("A" if held[0] != "A" else "B") + held[1:]).status_code == 401
    out = person.sign_out()
    assert out.status_code == 302
    assert _with_cookie(clinic, held).status_code == 401
    again = clinic.person()
    again.sign_in("otto")
    assert _with_cookie(clinic, again.session).status_code == 200


def _with_cookie(clinic: Clinic, value: str) -> requests.Response:
    sent = {"Cookie": f"__Host-securepacs={value}", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    return requests.get(f"{BASE}/session", headers=sent, verify=str(clinic.ca), timeout=30)


def test_the_sign_out_goes_on_to_the_provider(clinic: Clinic) -> None:
    """Whoever signs out is led to end the session at the provider too, and from there back to this clinic."""
    person = clinic.person()
    person.sign_in("otto")
    parts = urlsplit(person.sign_out().headers["Location"])
    assert parts.netloc == f"{HOST}:{PORT}"
    assert parse_qs(parts.query) == {"client_id": ["securepacs"], "post_logout_redirect_uri": [f"{BASE}/"]}
    shown = person.cookies.get(parts.geturl(), verify=str(clinic.provider.folder / "ca.pem"), timeout=30)
    assert shown.status_code == 200
    assert person.who() == 401


def test_new_keys_of_the_provider_are_fetched(clinic: Clinic) -> None:
    """When the provider signs with a key that it has just made, people sign in as before, and nothing is restarted."""
    realm = clinic.provider.ask("GET", "")["id"]
    made = {
        "name": "newer",
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm,
        "config": {"priority": ["500"], "enabled": ["true"], "active": ["true"], "keySize": ["2048"], "algorithm": ["RS256"]},
    }
    before = clinic.provider.ask("GET", "/keys")["active"]["RS256"]
    clinic.person().sign_in("otto")
    clinic.provider.ask("POST", "/components", made)
    assert clinic.provider.ask("GET", "/keys")["active"]["RS256"] != before
    person = clinic.person()
    assert person.sign_in("otto").status_code == 302
    assert person.who() == ("otto", "viewer")


def test_while_the_provider_is_away(clinic: Clinic) -> None:
    """Sessions that are open stay so, even past a restart of the sign-in; nobody new gets in; when it is back, people do."""
    inside, late = clinic.person(), clinic.person()
    inside.sign_in("olga")
    address = late.prove(late.page(late.begin()), "otto")
    keycloak.away()
    try:
        assert inside.who() == ("olga", "clinician")
        assert late.come_back(address).status_code == 500
        assert late.who() == 401
        docker("restart", f"{NAME}-sign-in")
        end = time.monotonic() + 60
        while inside.who() == 503 and time.monotonic() < end:
            time.sleep(0.5)
        assert inside.who() == ("olga", "clinician")
        assert inside.ask("/statistics").status_code == 403
        assert late.begin().startswith(f"https://{HOST}:{PORT}/")
    finally:
        keycloak.back(clinic.provider)
    assert late.sign_in("otto").status_code == 302
    assert late.who() == ("otto", "viewer")


def test_its_way_out_leads_to_the_provider_alone(clinic: Clinic) -> None:
    """From where the sign-in stands the gateway carries TLS to the provider's name; to another name, or without one, to nobody."""
    (pid,) = docker("inspect", "-f", "{{.State.Pid}}", f"{clinic.stack.name}-sign-in").split()
    address = json.loads(docker("inspect", f"{NAME}-gateway"))[0]["NetworkSettings"]["Networks"][f"{NAME}-browser"]["IPAddress"]

    def reached(name: str, port: int = PORT) -> bool:
        words = ["nsenter", "-t", pid, "-n", "openssl", "s_client", "-connect", f"{address}:{port}"]
        asked = ["-servername", name] if name else ["-noservername"]
        done = subprocess.run([*words, *asked], input="", capture_output=True, text=True, timeout=30, check=False)
        return "BEGIN CERTIFICATE" in done.stdout

    assert reached(HOST)
    assert not reached("elsewhere.example")
    assert not reached("")
    assert reached(HOST)


def test_who_is_locked_out_leaves_at_once(clinic: Clinic) -> None:
    """With the next `up` a person who is locked out has no session any more and gets none, whatever the provider says; others stay."""
    otto, olga = clinic.person(), clinic.person()
    otto.sign_in("otto")
    olga.sign_in("olga")
    assert (otto.who(), olga.who()) == (("otto", "viewer"), ("olga", "clinician"))
    clinic.declare(locked_out=["Otto"])
    assert (otto.who(), olga.who()) == (401, ("olga", "clinician"))
    again = clinic.person()
    again.sign_in("otto")
    assert again.who() == 401
    clinic.declare()
    after = clinic.person()
    after.sign_in("otto")
    assert after.who() == ("otto", "viewer")


def test_in_a_real_browser(clinic: Clinic) -> None:
    """A clinician follows the link, proves herself at the provider, sees the list of studies, and signs out at both."""
    with chromium(clinic.ca.read_text(encoding="ascii"), clinic.provider.authority, hosts=f"MAP {HOST} 127.0.0.1") as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{BASE}/")
        link = page.get_by_role("link", name="Sign in")
        expect(link).to_be_visible()
        if os.environ.get(SHOTS):
            page.screenshot(path=f"{os.environ[SHOTS]}/sign-in-provider.png")
        link.click()
        page.fill("#username", "olga")
        page.fill("#password", clinic.provider.passwords["olga"])
        page.click("#kc-login")
        page.wait_for_url(f"{BASE}/")
        expect(page.locator("#session")).to_contain_text("olga")
        page.get_by_role("link", name="Sign out").click()
        page.wait_for_url(re.compile(rf"https://{re.escape(HOST)}:{PORT}/.*"))
        page.goto(f"{BASE}/")
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
