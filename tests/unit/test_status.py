"""The status: what the gateway is told and counts, and what `securepacs status` makes of it."""

from __future__ import annotations

import datetime
import io
import json
import re
from typing import Any, cast, get_args

import docker
import pytest
from docker.errors import NotFound
from rich.console import Console

from securepacs import inventory
from securepacs.clinic import parse_clinic
from securepacs.commands.status import backup_seen, facts, lasting, shown
from securepacs.gateway import gateway_files
from securepacs.roles import Role
from securepacs.routes import routes, routes_of
from securepacs.status import REFUSALS, questions, told_to_gateway
from unit.test_gateway import configuration, secrets_for, section

NOW = datetime.datetime(2026, 11, 28, 9, 0, tzinfo=datetime.UTC)
RUNNING = inventory.Running("clinic-a-gateway", "running", "healthy", "sha256:1", "2026-11-28T08:00:00.1Z")
CERTIFICATES = {"server": {"serial": "a1", "notAfter": "2026-12-01T08:00:00Z"}}
OF_GATEWAY: dict[str, Any] = {
    "name": "clinic-a",
    "at": "2026-11-28T09:00:00Z",
    "parts": {"gateway": True, "archive": True},
    "peers": {"[red]CT": {"lastSeen": "2026-11-28T08:59:00Z", "associationsOfDay": 3}, "WS01": {"lastSeen": None, "associationsOfDay": 0}},
    "refusals": {refusal.name: place for place, refusal in enumerate(REFUSALS)},
    "countedSince": "2026-11-28T08:00:03Z",
    "storage": {"usedMb": 12, "limitMb": 500, "studies": 2, "images": 40},
    "backup": {"by": "restic", "to": "elsewhere", "hours": 26},
}
WAIVER = {"reason": "its firmware knows no TLS", "until": "2099-12-31", "source": "192.0.2.7", "port": 11113}


@pytest.fixture
def whole(declared: dict[str, Any]) -> dict[str, Any]:
    """The small clinic with a viewer and a peer without TLS."""
    return {**declared, "viewer": True, "peers": [*declared["peers"], {"ae_title": "XR01", "verbs": ["store"], "plaintext": WAIVER}]}


@pytest.mark.parametrize("viewer", [True, False])
def test_the_page_is_an_administrators(declared: dict[str, Any], *, viewer: bool) -> None:
    """With a viewer and without one the route exists, for the role admin and the method GET."""
    clinic = parse_clinic({**declared, "viewer": viewer})
    (route,) = [route for route in routes(clinic) if route.backend == "gateway" and route.name == "status"]
    assert [role for role in get_args(Role) if route in routes_of(clinic, role)] == ["admin"]
    assert route.methods == ("GET",)
    near = ("/status", "/status.json", "/statusx", "/status/", "/status.json/", "/x/status")
    assert [path for path in near if re.search(route.pattern, path)] == ["/status", "/status.json"]


def test_the_gateway_is_told_no_secret(whole: dict[str, Any]) -> None:
    """Its status.json has names, days and limits; peers stand with the name that its tables have, and nothing of the secrets is there."""
    clinic = parse_clinic({**whole, "backup": {"by": "restic", "to": "elsewhere", "hours": 26, "newest": "secret-command"}})
    secrets = secrets_for(clinic)
    text = gateway_files(clinic, secrets)["status.json"]
    told = json.loads(text)
    assert told["peers"] == {"CT01": "CT01", "WS01": "WS01", "XR01": "plaintext-XR01"}
    assert told["certificates"] == {"server": int(datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC).timestamp())}
    assert told["storage_mb"] == clinic.limits.storage_mb
    assert (told["backup"], told["backup_is_seen"]) == ({"by": "restic", "to": "elsewhere", "hours": 26}, True)
    assert not re.search(r"PEM|\$6\$|Basic|secret-command", text)


def test_the_parts_are_those_that_the_clinic_has(declared: dict[str, Any]) -> None:
    """The gateway asks those that it reaches; a database stands with the archive, which alone reaches it."""
    for change, parts, behind in (
        ({}, ["archive"], []),
        ({"viewer": True}, ["archive", "viewer", "sign-in"], []),
        ({"database": "postgresql"}, ["archive"], ["database"]),
    ):
        told = told_to_gateway(parse_clinic({**declared, **change}), {}, {})
        assert (told["parts"], told["behind_archive"]) == (parts, behind)


def test_every_reason_is_counted_in_its_place(whole: dict[str, Any]) -> None:
    """Each row of the table has a counter of its own, and a rule that counts it; no rule counts what is in no row."""
    text = configuration(whole)
    counted = {int(place) for place in re.findall(r"sc[-_]inc[-_]gpc\((\d+),4\)", text)}
    assert counted == set(range(len(REFUSALS)))
    assert len({refusal.name for refusal in REFUSALS}) == len(REFUSALS)
    assert f"store gpt0,gpc({len(REFUSALS)}) peers tables" in section(text, "backend refusals")[0]


def test_what_is_refused_is_counted_before(whole: dict[str, Any]) -> None:
    """A rule that ends a connection or a request would let no later one count it: the count stands before it, under the same condition."""
    text = configuration(whole)
    for place, name in enumerate(refusal.name for refusal in REFUSALS):
        for found in re.finditer(rf"^  (?:tcp|http)-request .*?sc-inc-gpc\({place},4\) (.*)$", text, re.MULTILINE):
            ended = text[found.end() :].split("\n")[1:4]
            assert any(re.search(r"reject|use-service|deny|txn.rest", line) for line in ended), (name, ended)


def test_no_key_of_the_counts_is_a_strangers(whole: dict[str, Any]) -> None:
    """Keys are the hour, and the peer's name after its certificate and its AE title were held against each other."""
    text = configuration(whole)
    keys = set(re.findall(r"track-sc\d (\S+) table (?:refusals|seen|associations)", text))
    assert keys == {"date,div(3600)", "int(0)", "var(sess.peer)", "var(sess.hour),concat(/,sess.peer)"}
    assert "set-var(sess.hour) date,div(3600)" in text
    for frontend in ("frontend dicom", "frontend plaintext_XR01"):
        rules = section(text, frontend)
        held = next(index for index, rule in enumerate(rules) if "lua.associate_rj_called" in rule)
        assert all(index > held for index, rule in enumerate(rules) if re.search("table (seen|associations)", rule))


def test_the_gateways_own_way_is_loopbacks_and_closed_but_for_its_questions(whole: dict[str, Any]) -> None:
    """It listens on 127.0.0.1, and what is not one of the questions is denied; without a viewer nobody asks for one."""
    rules = section(configuration(whole), "frontend status")
    assert [rule for rule in rules if rule.startswith("bind")] == ["bind 127.0.0.1:8408"]
    asked = [rule for rule in rules if "set-var(txn.part)" in rule]
    assert [re.findall(r"path -m str (\S+) }", rule) for rule in asked] == [["/archive"], ["/viewer"], ["/sign-in"]]
    assert rules.index("http-request deny unless { var(txn.part) -m found }") < min(rules.index(r) for r in rules if "set-path" in r)
    assert "default_backend" not in " ".join(rules)
    assert [question.part for question in questions(parse_clinic({**whole, "viewer": False}))] == ["archive"]


def known(gateway: dict[str, Any] | None = OF_GATEWAY, backup: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give the facts of a clinic."""
    return facts("clinic-a", [RUNNING], lasting(CERTIFICATES, NOW), 12, gateway, backup)


def text_of(facts_: dict[str, Any]) -> str:
    """Give what a person reads."""
    console = Console(file=io.StringIO(), width=200)
    for part in shown(facts_, NOW):
        console.print(part, highlight=False)
    return cast("io.StringIO", console.file).getvalue()


def test_json_keeps_its_keys_and_has_the_gateways(declared: dict[str, Any]) -> None:
    """The keys that are documented stay, and what the gateway counted stands beside them as it told it."""
    assert declared["name"] == "clinic-a"
    told = json.loads(json.dumps(known(backup=backup_seen({"max_age_hours": 26.0}, "2026-11-28T07:30:00+00:00"))))
    assert told["name"] == "clinic-a"
    assert told["containers"] == [vars(RUNNING)]
    assert told["certificates"] == {"server": {**CERTIFICATES["server"], "daysLeft": 2}}
    assert told["storedMb"] == 12
    assert {key: told[key] for key in ("parts", "peers", "refusals", "countedSince", "storage")} == {
        key: OF_GATEWAY[key] for key in ("parts", "peers", "refusals", "countedSince", "storage")
    }
    assert told["backup"] == {"by": "restic", "to": "elsewhere", "hours": 26, "newest": "2026-11-28T07:30:00+00:00"}


def test_a_person_reads_the_same() -> None:
    """Every peer, reason and count is there; an AE title that looks like markup is shown as it is."""
    text = text_of(known(backup=backup_seen({"max_age_hours": 26}, "2026-11-28T07:30:00+00:00")))
    assert re.search(r"\[red\]CT +│ 2026-11-28T08:59:00Z +│ 3 ", text)
    assert re.search(r"WS01 +│ not yet +│ 0 ", text)
    for place, refusal in enumerate(REFUSALS):
        assert re.search(rf"{refusal.name} +│ {place} +│ {re.escape(refusal.told)}", text)
    assert "counted since: 2026-11-28T08:00:03Z" in text
    assert "stored: 12 MB of 500 MB" in text
    assert "backup: by restic, to elsewhere; the newest may be 26 hours old, and is 1.5 (2026-11-28T07:30:00+00:00)" in text


def test_where_the_gateway_does_not_answer_it_is_unknown() -> None:
    """Without the gateway nothing is said to be zero: what it alone knows is null, and unknown."""
    told = known(None)
    assert {key: told[key] for key in ("parts", "peers", "refusals", "countedSince", "storage", "backup")} == dict.fromkeys(
        ("parts", "peers", "refusals", "countedSince", "storage", "backup")
    )
    text = text_of(told)
    assert text.count("unknown, the gateway does not answer") == 3
    assert "stored: 12 MB\n" in text


@pytest.mark.parametrize(
    ("gateway", "backup", "line"),
    [
        ({**OF_GATEWAY, "backup": None}, None, "backup: nobody is declared to copy the studies"),
        (OF_GATEWAY, None, "the newest may be 26 hours old; how it is seen is not declared (backup.newest)"),
        (OF_GATEWAY, {"hours": 26, "newest": None}, "the newest may be 26 hours old; unknown, its command failed or told no time"),
        (None, {"hours": 26, "newest": "2026-11-28T08:00:00+00:00"}, "backup: the newest may be 26 hours old, and is 1.0 ("),
    ],
)
def test_what_is_known_of_the_backup_is_told(gateway: dict[str, Any] | None, backup: dict[str, Any] | None, line: str) -> None:
    """Nobody, somebody unseen, a command that fails, and a copy that is seen are four things."""
    assert line in text_of(known(gateway, backup))


class Answering:
    """Stands for the engine: a container that prints one text, and nothing else."""

    def __init__(self, name: str, output: bytes, exit_code: int = 0) -> None:
        self.containers = self
        self.name, self.output, self.exit_code = name, output, exit_code
        self.asked: list[list[str]] = []

    def get(self, name: str) -> Answering:
        """Give the container. Raises NotFound for another name."""
        if name != self.name:
            raise NotFound(name)
        return self

    def exec_run(self, command: list[str], *, stderr: bool) -> Answering:
        """Note the command."""
        assert not stderr
        self.asked.append(command)
        return self


def engine_with(name: str, output: bytes, exit_code: int = 0) -> docker.DockerClient:
    """Give an engine whose one container answers so."""
    return cast("docker.DockerClient", Answering(name, output, exit_code))


@pytest.mark.parametrize(
    ("output", "exit_code", "newest"),
    [
        (b"looking\n2026-11-28T07:30:00Z snapshot\n\n", 0, "2026-11-28T07:30:00+00:00"),
        (b"2026-11-28T07:30:00", 0, "2026-11-28T07:30:00+00:00"),
        (b"2026-11-28T07:30:00Z", 1, None),
        (b"yesterday", 0, None),
        (b"", 0, None),
    ],
)
def test_the_newest_backup_is_what_the_last_line_begins_with(output: bytes, exit_code: int, newest: str | None) -> None:
    """As the harness reads it: the last line's first word, where the command succeeded and it is a time."""
    assert inventory.newest_backup(engine_with("clinic-a-archive", output, exit_code), "clinic-a", "told") == newest


@pytest.mark.parametrize(("newest", "made"), [("2026-11-28T07:30:00+00:00", "1795851000"), (None, "0")])
def test_the_gateway_is_told_of_the_newest_backup_in_seconds(newest: str | None, made: str) -> None:
    """The gateway's script gets two numbers, 0 where no time is known; a gateway that does not run is no error."""
    engine = Answering("clinic-a-gateway", b"", 0)
    inventory.tell_backup(cast("docker.DockerClient", engine), "clinic-a", newest, NOW)
    assert engine.asked == [["timeout", "50", "/usr/share/securepacs/backup-seen", made, str(int(NOW.timestamp()))]]
    inventory.tell_backup(engine_with("other", b""), "clinic-a", newest, NOW)


def test_what_does_not_run_is_no_error() -> None:
    """A container that is not there, and a command that fails, give nothing."""
    assert inventory.gateway_status(engine_with("clinic-a-archive", b"{}"), "clinic-a") is None
    assert inventory.gateway_status(engine_with("clinic-a-gateway", b"", 127), "clinic-a") is None
    assert inventory.gateway_status(engine_with("clinic-a-gateway", b'{"name": "clinic-a"}'), "clinic-a") == {"name": "clinic-a"}
    assert inventory.stored_mb(engine_with("clinic-a-archive", b"12\t/var/lib/archive/db\n"), "clinic-a") == 12
    assert inventory.stored_mb(engine_with("other", b"12"), "clinic-a") is None


@pytest.mark.parametrize("viewer", [True, False])
def test_no_count_holds_an_association_up(declared: dict[str, Any], *, viewer: bool) -> None:
    """No key of a count is the time itself: HAProxy would wait for it to change until the inspection's delay is over."""
    text = configuration({**declared, "viewer": viewer})
    tracked = [line for line in text.splitlines() if line.strip().startswith("tcp-request content track-sc")]
    assert tracked
    assert not [line for line in tracked if " date" in line]
