"""What a clinic with a viewer turns into: the sign-in's files, the gateway's rules, the resources, the target."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from securepacs.clinic import Images, parse_clinic
from securepacs.errors import ConfigurationError
from securepacs.gateway import gateway_files
from securepacs.routes import ROUTES, VIEWER_ROUTES, open_paths, routes_of
from securepacs.sign_in import COOKIE, FILE_NAMES, SignInSecrets, generation, sign_in_files
from securepacs.target import target
from securepacs.viewer import CONTENT_SECURITY_POLICY
from securepacs_harness.probes.sign_in import fields_of
from securepacs_harness.target import parse_target
from unit.noting_engine import NotingEngine
from unit.test_component import declare
from unit.test_gateway import configuration, secrets_for, section

ROOT = Path(__file__).parents[2]


@pytest.fixture
def declared(declared: dict[str, Any]) -> dict[str, Any]:
    """The small clinic, with a viewer."""
    return {**declared, "viewer": True}


@pytest.fixture
def engine() -> Iterator[NotingEngine]:
    """An engine of Pulumi's that only takes notes."""
    engine = NotingEngine()
    pulumi.runtime.set_mocks(engine, project="securepacs", stack="test")
    yield engine


def files_of(declared: dict[str, Any]) -> dict[str, str]:
    """Give the sign-in's files of a configuration."""
    clinic = parse_clinic(declared)
    return sign_in_files(clinic, SignInSecrets("c" * 32, {person.name: f"$2b$12$of-{person.name}" for person in clinic.people}))


def test_without_a_viewer_nothing_of_it_exists(declared: dict[str, Any], engine: NotingEngine) -> None:
    """One option turns it off: then neither containers, nor networks, nor routes, nor rules, nor slow hashes are there."""
    off = {**declared, "viewer": False}
    declare(off)
    assert set(engine.of("Container")) == {"pacs-archive", "pacs-gateway"}
    assert set(engine.of("Network")) == {"pacs-edge", "pacs-inner"}
    assert not any("slowHash" in made for made in engine.of("Password").values())
    text = configuration(off)
    assert not re.findall(r"oauth2|session_user|viewer_|sessions", text)
    assert [route.name for route in routes_of(parse_clinic(off), "admin")] == [route.name for route in ROUTES]
    assert "anonymous" not in target(parse_clinic(off), "CA")["https"]["roles"]


def test_the_target_file_says_how_people_sign_in(declared: dict[str, Any]) -> None:
    """The harness is told form, cookie and idle time as they are rendered, where there is a sign-in and nowhere else."""
    clinic = parse_clinic({**declared, "viewer": True, "sign_in": {"idle_minutes": 7}})
    told = parse_target(target(clinic, "CA")).https
    assert told is not None
    assert told.sign_in is not None
    assert (told.sign_in.cookie, told.sign_in.idle_minutes) == (COOKIE, 7)
    form = (ROOT / "infra" / "securepacs" / "images" / "sign-in" / "sign_in.html").read_text(encoding="utf-8")
    assert [name for name, _ in fields_of(form, told.sign_in.name_field, told.sign_in.password_field)] == ["rd", "username", "password"]
    assert told.sign_in.to_field == "rd"
    for path, methods in open_paths(clinic).items():
        assert all(told.allows("anonymous", method, path) for method in methods)
        assert path in {told.sign_in.path, told.sign_in.sign_out}
    assert told.allows("viewer", "GET", told.sign_in.check)
    assert told.allows("viewer", "GET", told.sign_in.page)
    assert "sign_in" not in target(parse_clinic({**declared, "viewer": False}), "CA")["https"]


def test_viewer_and_sign_in_reach_nobody_but_the_gateway(declared: dict[str, Any], engine: NotingEngine) -> None:
    """The two stand on one internal network of their own, publish nothing, and cannot look up a name outside it."""
    declare(declared)
    containers = engine.of("Container")
    assert engine.of("Network")["pacs-browser"]["internal"] is True
    for part in ("viewer", "sign-in"):
        made = containers[f"pacs-{part}"]
        assert [network["name"] for network in made["networks"]] == ["clinic-a-browser"]
        assert not made.get("ports")
        assert made["dns"] == ["127.0.0.1"]
        assert made["user"].split(":")[0] != "0"
    assert "clinic-a-browser" in [network["name"] for network in containers["pacs-gateway"]["networks"]]
    assert "clinic-a-browser" not in [network["name"] for network in containers["pacs-archive"]["networks"]]


def test_only_people_have_a_slow_hash(declared: dict[str, Any], engine: NotingEngine) -> None:
    """The hash that takes a quarter of a second is made for those who sign in, and for no password of a machine."""
    declare(declared)
    slow = {name for name, made in engine.of("Password").items() if made.get("slowHash")}
    assert slow == {f"pacs-person-{person['name']}" for person in declared["people"]}


def test_the_sign_in_knows_hashes_and_no_password(declared: dict[str, Any]) -> None:
    """Its files are those that are announced; the configuration is TOML, and holds neither the cookie's secret nor a hash."""
    files = files_of(declared)
    assert tuple(files) == FILE_NAMES
    settings = tomllib.loads(files["sign-in.cfg"])
    assert settings["cookie_name"] == COOKIE
    assert settings["cookie_secure"] is settings["cookie_httponly"] is True
    assert settings["cookie_expire"] == "10h"
    assert settings["request_logging"] is False
    assert "cccc" not in files["sign-in.cfg"]
    assert "$2b$" not in files["sign-in.cfg"]
    assert files["people"].splitlines() == [f"{person['name']}:$2b$12$of-{person['name']}" for person in declared["people"]]


def test_a_session_fits_one_password_of_one_person() -> None:
    """The number of a session follows from the password's hash; it is never 0, which says that a session was ended."""
    numbers = {generation(f"$6$salt{index}$hash") for index in range(2000)}
    assert len(numbers) == 2000
    assert min(numbers) > 0
    assert max(numbers) < 2**31


def test_a_removed_person_has_no_number(declared: dict[str, Any]) -> None:
    """The gateway knows the numbers of those who are declared, so that an open session of somebody who is not fits none."""
    clinic = parse_clinic({**declared, "people": declared["people"][1:]})
    numbers = gateway_files(clinic, secrets_for(clinic))["generations.map"].splitlines()
    assert [line.split()[0] for line in numbers] == [person.name for person in clinic.people]
    assert declared["people"][0]["name"] not in str(numbers)


def test_a_session_is_looked_at_before_anything_is_decided(declared: dict[str, Any]) -> None:
    """Who somebody is stands before what they may; a cookie counts only where the gateway opened it, and with the person's own number."""
    rules = section(configuration(declared), "frontend https")
    marks = ("lua.session_user", "} number_fits", "roles.map")
    position = {mark: index for index, rule in enumerate(rules) for mark in marks if mark in rule}
    decided = next(index for index, rule in enumerate(rules) if "txn.route) str(qido)" in rule)
    assert position["lua.session_user"] < position["} number_fits"] < position["roles.map"] < decided
    assert "http-request set-var(txn.user) var(txn.session_user) if { var(txn.number) -m found } number_fits" in rules
    (asks,) = (rule for rule in rules if "lua.session_user" in rule)
    assert asks.endswith("session_open")


def test_every_kind_of_guessing_has_its_limit(declared: dict[str, Any]) -> None:
    """A sign-in waits for the wrong ones of its source, of the name there and anywhere, for one at work, for tries that were left."""
    rules = section(configuration({**declared, "sign_in": {"wrong_passwords": 7, "wrong_passwords_per_name": 70}}), "frontend https")
    limits = {rule.split("{ ", 1)[1].rstrip(" }") for rule in rules if rule.startswith("http-request deny deny_status 429 if signing_in")}
    assert limits == {
        "sc0_gpc0_rate(sources) ge 20",
        "sc_conn_cur(1,names_of_sources) gt 1",
        "sc_gpc0_rate(1,names_of_sources) ge 7",
        "sc_gpc1_rate(1,names_of_sources) ge 140",
        "sc_gpc0_rate(3,names) ge 70",
    }
    assert "http-request sc-inc-gpc1(1) if signing_in" in rules
    answers = section(configuration(declared), "backend sign_in")
    assert {f"http-response sc-inc-gpc0({counter}) if wrong !{{ var(txn.opened) -m found }}" for counter in (0, 1, 3)} <= set(answers)


def test_every_route_of_the_viewer_needs_a_role(declared: dict[str, Any]) -> None:
    """No file of the viewer is public: each of its rules names the roles, and the sign-in alone stands outside the table."""
    rules = section(configuration(declared), "frontend https")
    for route in VIEWER_ROUTES:
        (rule,) = (rule for rule in rules if f"str({route.name}) if" in rule)
        assert "{ var(txn.role) -m str viewer clinician admin } { method GET }" in rule
    assert set(target(parse_clinic(declared), "CA")["https"]["roles"]["anonymous"][0]) == {"methods", "route"}


@pytest.mark.parametrize("path", ["/viewer/../system", "/assets", "/assets/", "/x.js.map", "/a/b.js", "/app.js/x", "/instances.js/1"])
def test_no_route_of_the_viewer_is_wider_than_its_files(path: str) -> None:
    """What is not a file of the viewer's by its form is no route of the viewer's."""
    assert not [route.name for route in VIEWER_ROUTES if re.fullmatch(route.pattern.strip("^$"), path)]


def test_no_page_runs_text_as_code() -> None:
    """The viewer's policy allows scripts of its own origin and WebAssembly; no inline script, no eval, no other origin, no frame."""
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["connect-src"] == "'self' blob: data:"
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"people": []}, "securepacs:clinic.people: got nobody; a clinic with a viewer declares who signs in"),
        ({"sign_in": {"idle_minutes": 60, "session_hours": 1}}, "securepacs:clinic.sign_in.idle_minutes: is less than session_hours"),
        ({"sign_in": {"idle_minutes": 0}}, "securepacs:clinic.sign_in.idle_minutes: got 0"),
        ({"viewer": "perhaps"}, "securepacs:clinic.viewer: got 'perhaps'"),
    ],
)
def test_what_cannot_be_is_told(declared: dict[str, Any], change: dict[str, Any], told: str) -> None:
    """A viewer for nobody, or a session that is never idle, is refused in one line."""
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        parse_clinic({**declared, **change})


def test_the_bootstrap_makes_the_images_that_a_clinic_asks_for() -> None:
    """The images' names in the clinic's defaults are those that the bootstrap gives."""
    script = f'tools=/nowhere here={ROOT}/bootstrap; . "$here/browser"; echo "$viewer_image $signin_image"'
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert told == [Images().viewer, Images().sign_in]
