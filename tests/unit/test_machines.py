"""Machines: what one may declare, and what the gateway, the target and the command line make of it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from typer.testing import CliRunner

from securepacs.cli import app
from securepacs.clinic import parse_clinic
from securepacs.commands import token as command
from securepacs.errors import ConfigurationError
from securepacs.gateway import gateway_files
from securepacs.machines import TOKEN_LENGTH, Machine, routes_of_role, token_hash
from securepacs.provider.password import ALPHABET
from securepacs.routes import ROUTES, VIEWER_ROUTES
from securepacs.target import target
from unit.noting_engine import NotingEngine
from unit.test_component import declare
from unit.test_gateway import configuration, secrets_for, section

SENDER = {"name": "sender", "role": "clinician", "routes": ["qido", "stow"], "until": "2027-06-30", "sources": ["192.0.2.0/24", "::1"]}
PAST = {"name": "past", "role": "viewer", "until": "2020-01-31"}
TOKENS = {"sender": "token-of-sender", "past": "token-of-past"}


@pytest.fixture
def declared(declared: dict[str, Any]) -> dict[str, Any]:
    """The small clinic, with two machines."""
    return {**declared, "machines": [SENDER, PAST]}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": "vera"}, "machines: got 'vera', which is a person's name"),
        ({"name": "past"}, "machines: the name 'past' stands more than once"),
        ({"name": "machine:x"}, "machines[0].name: got 'machine:x'; allowed is text that matches"),
        ({"role": "root"}, "machines[0].role: got 'root'"),
        ({"role": "viewer"}, "machines[0]: routes: got 'stow'; a machine of the role viewer has some of qido, "),
        ({"routes": ["viewer_page"]}, "machines[0]: routes: got 'viewer_page'"),
        ({"routes": []}, "machines[0].routes: got []"),
        ({"until": "soon"}, "machines[0].until: got 'soon'"),
        ({"until": None}, "machines[0].until: got None"),
        ({"sources": ["0.0.0.0/0"]}, "machines[0].sources[0]: got '0.0.0.0/0'; a source is some network"),
        ({"sources": ["192.0.2.1/24"]}, "machines[0].sources[0]: got '192.0.2.1/24'"),
        ({"sources": []}, "machines[0].sources: got []"),
        ({"token": "mine"}, "machines[0].token: there is no such key"),
    ],
)
def test_what_a_machine_cannot_be_is_one_line(declared: dict[str, Any], changed: dict[str, Any], told: str) -> None:
    """A name that is taken, a route that the role has not, no last day and a source that is everywhere are refused, each in its line."""
    with pytest.raises(ConfigurationError) as refused:
        parse_clinic({**declared, "viewer": True, "machines": [{**SENDER, **changed}, PAST]})
    assert str(refused.value).startswith(f"securepacs:clinic.{told}")
    assert len(str(refused.value).splitlines()) == 1


def test_a_machine_has_a_last_day(declared: dict[str, Any]) -> None:
    """Without `until` there is no machine; a rotation of one that is not declared is refused too."""
    without = {key: value for key, value in SENDER.items() if key != "until"}
    with pytest.raises(ConfigurationError, match=r"machines\[0\]\.until: got nothing; it is required"):
        parse_clinic({**declared, "machines": [without]})
    with pytest.raises(ConfigurationError, match=r"rotations\.machines: got 'nobody', allowed are the names that machines declares"):
        parse_clinic({**declared, "rotations": {"machines": {"nobody": 1}}})


def test_an_ended_token_stops_no_deployment(declared: dict[str, Any]) -> None:
    """A clinic whose machine has ended is one that can be deployed, and whose other keys can be revoked; the gateway refuses the token."""
    files = gateway_files(clinic := parse_clinic(declared), secrets_for(clinic))
    ends = dict(line.split() for line in files["token-ends.map"].splitlines())
    assert datetime.datetime.fromtimestamp(int(ends["machine:past"]), datetime.UTC) == datetime.datetime(2020, 2, 1, tzinfo=datetime.UTC)


def test_the_last_day_is_the_whole_day() -> None:
    """A token ends with the first second after its last day, in UTC, also on the last day that there is."""
    machine = Machine(name="m", role="viewer", until=datetime.date(2027, 6, 30))
    assert datetime.datetime.fromtimestamp(machine.ends, datetime.UTC).isoformat() == "2027-07-01T00:00:00+00:00"
    assert Machine(name="m", role="viewer", until=datetime.date.max).ends == 253402300800


def test_a_token_cannot_be_guessed() -> None:
    """A token has 256 bits, which is why a fast digest keeps it."""
    assert len(ALPHABET) ** TOKEN_LENGTH >= 2**256


def test_the_gateway_knows_digests_and_no_token(declared: dict[str, Any]) -> None:
    """Its files hold the SHA-256 of a token with the machine's name, and the token nowhere."""
    files = gateway_files(clinic := parse_clinic(declared), secrets_for(clinic))
    assert files["tokens.map"] == "".join(f"{token_hash(token)} machine:{name}\n" for name, token in TOKENS.items())
    assert not any(token in text for token in TOKENS.values() for text in files.values())
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4's own example


def test_a_machine_has_its_own_routes(declared: dict[str, Any]) -> None:
    """A machine has the routes that it names; without a word those of its role that lead to the archive, and none of the viewer's."""
    files = gateway_files(clinic := parse_clinic({**declared, "viewer": True}), secrets_for(clinic))
    held = files["token-routes.list"].splitlines()
    assert [line for line in held if line.startswith("machine:sender/")] == ["machine:sender/qido", "machine:sender/stow"]
    assert [line.partition("/")[2] for line in held if line.startswith("machine:past/")] == routes_of_role("viewer")
    assert not {route.name for route in VIEWER_ROUTES} & {line.partition("/")[2] for line in held}


def test_no_two_rows_of_the_table_name_one_route() -> None:
    """A machine's routes are names, so each row has a name of its own."""
    names = [route.name for route in (*ROUTES, *VIEWER_ROUTES)]
    assert len(names) == len(set(names))


def test_a_token_counts_in_time_and_from_its_place(declared: dict[str, Any]) -> None:
    """Nothing makes a machine of a request but its line, which asks for the last day and, where they are declared, for the addresses."""
    lines = section(configuration(declared), "frontend https")
    begins = "http-request set-var(txn.machine) "
    assert [line.removeprefix(begins) for line in lines if line.startswith(begins)] == [
        "var(txn.claimed) if in_time { var(txn.claimed) -m str machine:sender } { src 192.0.2.0/24 ::1/128 }",
        "var(txn.claimed) if in_time { var(txn.claimed) -m str machine:past }",
    ]
    assert "acl in_time date,neg,add(txn.ends) gt 0" in lines


def test_people_and_machines_stand_apart_in_the_table_of_roles(declared: dict[str, Any]) -> None:
    """A machine's row bears a colon, which no person's name has."""
    files = gateway_files(clinic := parse_clinic(declared), secrets_for(clinic))
    assert files["roles.map"].splitlines() == ["vera viewer", "anna admin", "machine:sender clinician", "machine:past viewer"]
    with pytest.raises(ConfigurationError, match=r"people\[0\]\.name"):
        parse_clinic({**declared, "people": [{"name": "machine:sender", "role": "admin"}]})


def test_each_machine_has_a_password_of_256_bits(declared: dict[str, Any]) -> None:
    """The component makes one random word for each machine; a rotation changes what it is kept by."""
    engine = NotingEngine()
    pulumi.runtime.set_mocks(engine, project="securepacs", stack="test")
    declare({**declared, "rotations": {"machines": {"sender": 2}}})
    made = engine.of("Password")
    assert {name: word["length"] for name, word in made.items() if "-machine-" in name} == dict.fromkeys(
        ("pacs-machine-sender", "pacs-machine-past"), TOKEN_LENGTH
    )
    assert made["pacs-machine-sender"].get("keepers") != made["pacs-machine-past"].get("keepers")


def test_the_target_tells_what_a_token_opens(declared: dict[str, Any]) -> None:
    """The harness hears of each machine its role, its last day, its addresses and its rows of the table; nothing where there is none."""
    told = target(parse_clinic(declared), "CA")["https"]["machines"]
    assert told["sender"] == {
        "role": "clinician",
        "until": "2027-06-30",
        "routes": [{"methods": list(route.methods), "route": route.pattern} for route in ROUTES if route.name in {"qido", "stow"}],
        "sources": ["192.0.2.0/24", "::1/128"],
    }
    assert "sources" not in told["past"]
    assert "machines" not in target(parse_clinic({**declared, "machines": []}), "CA")["https"]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack whose outputs are told."""
    monkeypatch.setattr(command, "outputs_of", lambda _: {"tokens": TOKENS})


@pytest.mark.usefixtures("deployed")
def test_a_token_is_shown_or_written_for_its_owner(tmp_path: Path) -> None:
    """`securepacs token` prints the token, or writes it into a file of mode 0600 in the place of what was there, and prints the name."""
    out = tmp_path / "sender.token"
    out.write_text("an older one")
    out.chmod(0o644)
    assert CliRunner().invoke(app, ["token", "sender"]).stdout == "token-of-sender\n"
    told = CliRunner().invoke(app, ["token", "sender", "--json"]).stdout
    assert json.loads(told) == {"machine": "sender", "token": "token-of-sender"}
    answer = CliRunner().invoke(app, ["token", "sender", "--out", str(out)], catch_exceptions=False)
    assert "token-of-sender" not in answer.stdout
    assert (out.read_text(), out.stat().st_mode & 0o777) == ("token-of-sender\n", 0o600)


@pytest.mark.usefixtures("deployed")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the place of the file is replaced; what it names stays as it is."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "sender.token"
    elsewhere.write_text("untouched")
    out.symlink_to(elsewhere)
    CliRunner().invoke(app, ["token", "sender", "--out", str(out)], catch_exceptions=False)
    assert (elsewhere.read_text(), out.is_symlink()) == ("untouched", False)


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nobody"], "machine 'nobody': got no such machine, expected one of past, sender"),
        (["sender", "--out", "."], "--out: got .: a folder, expected a file"),
        (["sender", "--out", "no/such/folder/x"], "no/such/folder/x: got No such file or directory"),
    ],
)
def test_what_cannot_be_shown_is_one_line(words: list[str], told: str) -> None:
    """A machine that is not there, and a place that is no file, are told in one line without a token in it."""
    answer = CliRunner().invoke(app, ["token", *words])
    assert str(answer.exception).startswith(told)
    assert "token-of" not in str(answer.exception)
