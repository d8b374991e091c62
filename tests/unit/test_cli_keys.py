"""`securepacs rotate` and `revoke` where no engine is needed: what they refuse, and what they write."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from securepacs.cli import app
from securepacs.clinic import CONFIG_KEY
from securepacs.commands import keys
from unit.test_cli import EXAMPLE, run


@pytest.fixture
def config(tmp_path: Path, make_own_certificate: Callable[..., str]) -> Path:
    """The worked example with a peer that brought its certificate and one that knows no TLS."""
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    content["config"][CONFIG_KEY]["peers"] += [
        {"ae_title": "OW01", "verbs": ["echo"], "certificate": make_own_certificate("OW01")},
        {
            "ae_title": "XR01",
            "plaintext": {"reason": "its firmware knows no TLS", "until": "2099-12-31", "source": "192.0.2.7", "port": 11113},
        },
    ]
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def command(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the configuration."""
    return run(*words, "--config", str(config), folder=config.parent)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["rotate", "peer", "NOBODY"], 6, "peer 'NOBODY': got no such peer, expected one of CT01, MR01"),
        (["rotate", "person", "nobody"], 6, "person 'nobody': got no such person, expected one of anna, carl, vera"),
        (["rotate", "machine", "vera"], 6, "machine 'vera': got no such machine, expected one of none, there is none"),
        (["rotate", "peer", "OW01"], 3, "rotate peer OW01: got a peer with a certificate of its own"),
        (["rotate", "peer", "XR01"], 3, "rotate peer XR01: got a peer with no TLS"),
        (["rotate", "ca", "--finish"], 7, "rotate ca --finish: got no rotation that is under way"),
        (["revoke", "OW01"], 3, "revoke OW01: got a peer with a certificate of its own"),
        (["revoke", "NOBODY"], 6, "peer 'NOBODY': got no such peer"),
        (["revoke", "CT01", "--reason", "boredom"], 3, "--reason: got 'boredom', expected one of unspecified, keyCompromise"),
        (["revoke", "CT01"], 6, "stack 'dev': got no such stack"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(config: Path, words: list[str], status: int, told: str) -> None:
    """A wrong name, a peer whose key is its own, and a step out of order are refused, and the configuration stays."""
    before = config.read_bytes()
    answer = command(config, *words)
    assert answer.returncode == status, answer.stderr
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: {told}")
    assert config.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["rotate", "server"], {"rotations": {"server": 1}}),
        (["rotate", "login"], {"rotations": {"login": 1}}),
        (["rotate", "peer", "CT01"], {"rotations": {"peers": {"CT01": 1}}}),
        (["rotate", "person", "vera"], {"rotations": {"people": {"vera": 1}}}),
        (["rotate", "ca"], {"authority": {"generation": 2, "overlap": True}}),
    ],
)
def test_a_change_can_be_declared_and_left_to_a_later_run(config: Path, words: list[str], written: dict[str, object]) -> None:
    """With --declare-only a rotation is written into the configuration, and no engine is asked."""
    before = yaml.safe_load(config.read_text())["config"][CONFIG_KEY]
    answer = command(config, *words, "--declare-only")
    assert answer.returncode == 0, answer.stderr
    assert yaml.safe_load(config.read_text())["config"][CONFIG_KEY] == {**before, **written}


def test_an_engine_that_does_not_answer_ends_in_its_line(config: Path) -> None:
    """Without an engine nothing is written."""
    before = config.read_bytes()
    answer = command(config, "rotate", "server")
    assert answer.returncode == 4
    assert answer.stderr.startswith("error: Docker engine")
    assert config.read_bytes() == before


@pytest.mark.parametrize(("words", "asked"), [(["rotate", "server"], True), (["revoke", "CT01"], False)])
def test_a_revocation_waits_for_no_policy(
    config: Path, words: list[str], asked: bool, monkeypatch: pytest.MonkeyPatch  # noqa: FBT001 - a parameter of the test
) -> None:
    """`rotate` asks the policies before it writes, and again as it deploys; `revoke` asks them neither time."""
    calls: list[object] = []
    monkeypatch.setattr("securepacs.inventory.engine", lambda: None)
    monkeypatch.setattr(keys, "outputs_of", lambda _: {"certificates": {"peer CT01": {"serial": "1f"}}})
    monkeypatch.setattr(keys, "hold_before", lambda *_: calls.append("before"))
    monkeypatch.setattr(keys, "bring_up", lambda *_, heeding: calls.append(heeding))
    CliRunner().invoke(app, [*words, "--config", str(config)], catch_exceptions=False)
    assert calls == (["before", True] if asked else [False])
