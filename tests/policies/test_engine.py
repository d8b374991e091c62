"""The pack with the real engine: nothing is made of a program that breaks a rule."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pulumi
import pytest

from policies.cases import CASES, PROGRAMS, Case
from policies.engine import ROOT, Engine, register
from policies.own_program import own
from policies.programs.declared import Declared, changed
from policies.programs.on_own import IN_A_MONTH, OWN
from policies.test_rules import broken

FIRST = list({case.rule: case for case in reversed(CASES)}.values())
DOCKER = PROGRAMS["docker"]
ANSWERED = {"reason": "its maker asks for it", "owner": "it@clinic-a.example", "until": IN_A_MONTH}


@pytest.mark.parametrize("dialect", ["docker", "kubernetes"])
def test_a_sound_program_is_made(own_engine: Engine, dialect: str) -> None:
    """A program that keeps every rule is previewed and brought up, and told nothing, not even as advice."""
    for up in (False, True):
        ended = own_engine.run(lambda: register(PROGRAMS[dialect]), up=up)
        assert (ended.refused, ended.advised, ended.failure) == ([], [], "")
    assert len(ended.made) == len(PROGRAMS[dialect])


def test_our_own_clinic_is_sound(engine: Engine) -> None:
    """A clinic of our component, a waived peer included, is previewed without a word of the policies."""
    ended = engine.run(own())
    assert (ended.refused, ended.advised, ended.failure) == ([], [], "")


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.name)
def test_one_changed_line_is_refused_before_anything_is_made(engine: Engine, case: Case) -> None:
    """The preview fails, the rule is named, the message says where and how to mend it, and no container was made."""
    change = own(case) if case.dialect == "own" else lambda: register(broken(case))
    ended = engine.run(change)
    assert case.rule in ended.rules
    assert ended.failure
    assert ended.made == []
    message = next(event.message for event in ended.refused if event.policy_name == case.rule)
    for word in ("rule", "where", "control", "mend", f"docs/rules/{case.rule}.md"):
        assert word in message
    assert case.resource.removeprefix("pacs-") in message


def test_an_unknown_value_waits_and_is_refused_when_it_is_known(tmp_path: Path) -> None:
    """A value that only the run tells is no finding and no advice in the preview; in the run its container is not made."""
    command = [sys.executable, "-m", "policies.late_value", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True, stdin=subprocess.DEVNULL)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["preview"] == {"rules": [], "advised": [], "made": [], "failed": False}
    up = told["up"]
    assert (up["rules"], up["failed"]) == (["host-network"], True)
    assert "standin:index:Later later" in up["made"]
    assert "docker:index/container:Container archive" not in up["made"]


def test_a_secret_is_seen_though_it_looks_like_none(engine: Engine) -> None:
    """What a program marks as secret is refused in an environment, whatever its name and its value."""

    def program() -> None:
        declared = changed(DOCKER["worker"], ("envs",), [pulumi.Output.secret("GREETING=good morning")])
        register({"worker": declared, "inner": DOCKER["inner"]})

    ended = engine.run(program)
    assert ended.rules == {"secret-in-environment"}
    assert "good morning" not in ended.refused[0].message


def test_an_exception_with_an_end_is_advice(engine: Engine) -> None:
    """A rule that somebody answers for until a day refuses nothing, and is still told with reason, owner and day."""
    privileged = {**DOCKER, "archive": changed(DOCKER["archive"], ("privileged",), True)}  # noqa: FBT003 - a property's value
    ended = engine.run(lambda: register(privileged), asked={"privileged": {"exceptions": [{**ANSWERED, "resources": ["arch*"]}]}})
    assert (ended.refused, ended.failure) == ([], "")
    [told] = ended.advised
    assert f"until {IN_A_MONTH} by it@clinic-a.example: its maker asks for it" in told.message
    elsewhere = engine.run(lambda: register(privileged), asked={"privileged": {"exceptions": [{**ANSWERED, "resources": ["gateway"]}]}})
    assert elsewhere.rules == {"privileged"}


@pytest.mark.parametrize(
    "asked",
    [
        {"privileged": "disabled"},
        {"all": "disabled"},
        {"privileged": {"enforcementLevel": "advisory", "exceptions": [{**ANSWERED, "resources": ["gateway"]}]}},
        {"privileged": {"exceptions": [{**ANSWERED, "until": "2026-01-31"}]}},
        {"privileged": {"exceptions": [{**ANSWERED, "until": "2036-01-31"}]}},
    ],
    ids=["off", "all-off", "for-another-resource", "ended", "for-ten-years"],
)
def test_a_rule_is_not_turned_off_without_an_end(engine: Engine, asked: dict[str, object]) -> None:
    """A rule that is turned off without reason, owner and day, or for too long, refuses as before, and that is told as well."""
    privileged = {**DOCKER, "archive": changed(DOCKER["archive"], ("privileged",), True)}  # noqa: FBT003 - a property's value
    ended = engine.run(lambda: register(privileged), asked=asked)
    assert ended.rules == {"privileged", "exception-without-end"}


def test_a_rule_is_turned_off_by_who_answers_for_it(engine: Engine) -> None:
    """The standard level `disabled` beside an exception for every resource is silent."""
    privileged = {**DOCKER, "archive": changed(DOCKER["archive"], ("privileged",), True)}  # noqa: FBT003 - a property's value
    ended = engine.run(lambda: register(privileged), asked={"privileged": {"enforcementLevel": "disabled", "exceptions": [ANSWERED]}})
    assert (ended.refused, ended.advised, ended.failure) == ([], [], "")


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"priviledged": "advisory"}, "no rule is called 'priviledged'"),
        ({"privileged": {"exceptions": [{"reason": "because"}]}}, "owner"),
        ({"certificate-lifetime": {"longest_days": "long"}}, "longest_days"),
    ],
    ids=["misspelt", "without-owner", "of-another-type"],
)
def test_a_mistake_in_the_configuration_ends_the_run(engine: Engine, asked: dict[str, object], word: str) -> None:
    """A name that no rule has, or a value of another type, is told by name; nothing is previewed as if it had counted."""
    ended = engine.run(lambda: register(DOCKER), asked=asked)
    assert word in ended.failure
    assert ended.made == []


def test_a_parameter_changes_the_measure(engine: Engine) -> None:
    """A longer certificate is let through where the configuration allows it."""
    longer = {**DOCKER, "certificate": changed(DOCKER["certificate"], ("validityPeriodHours",), 500 * 24)}
    assert engine.run(lambda: register(longer)).rules == {"certificate-lifetime"}
    allowed = engine.run(lambda: register(longer), asked={"certificate-lifetime": {"longest_days": 825}})
    assert (allowed.refused, allowed.failure) == ([], "")


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    """A state that anybody opens is refused, whatever it is of."""
    with_none = Engine(tmp_path, PULUMI_CONFIG_PASSPHRASE="")
    del with_none.environment["PULUMI_CONFIG_PASSPHRASE_FILE"]
    ended = with_none.run(lambda: register({"inner": DOCKER["inner"]}))
    assert ended.rules == {"state-passphrase"}
    assert "is empty" in ended.refused[0].message.lower()


def _shim(folder: Path) -> str:
    """Make what the official CLI brings for directory packs in Python; give a PATH with it."""
    folder.mkdir()
    shim = folder / "pulumi-analyzer-policy-python"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u -m pulumi.policy "$@"\n', encoding="utf-8")
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize("way", ["analyzer", "language-host"])
def test_the_folder_is_a_pack_for_the_official_cli(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--policy-pack policies/securepacs_policies` runs the same rules, started as either of the CLI's two ways starts a Python pack."""
    host = ROOT / "tests" / "deployed" / "langhost"
    path = _shim(tmp_path / "shim") if way == "analyzer" else f"{host}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("LANGHOST_PYTHON", sys.executable)
    monkeypatch.setenv("PULUMI_PYTHON_EXEC", str(ROOT / ".tools" / "bin" / "pulumi-language-python-exec"))
    folder = tmp_path / "engine"
    folder.mkdir()
    engine = Engine(folder)
    open_network = {"inner": DOCKER["inner"], "archive": changed(DOCKER["archive"], ("networkMode",), "host")}
    ended = engine.run(lambda: register(open_network), pack=ROOT / "policies" / "securepacs_policies")
    assert "host-network" in ended.rules, ended.failure


def test_the_table_of_our_own_program_names_real_resources(engine: Engine) -> None:
    """The names and types by which the tests' own program is changed are those that the component declares."""
    seen: set[tuple[str, str]] = set()
    engine.run(own(seen=seen))
    declared: set[tuple[str, str]] = {(one.type, one.name) for one in OWN.values() if isinstance(one, Declared)}
    assert declared <= seen
