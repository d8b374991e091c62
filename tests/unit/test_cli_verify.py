"""`securepacs verify` where no clinic is needed: what it hands over, how it ends, and what is left when somebody ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from securepacs.commands import verify as command
from securepacs.errors import HostError
from unit.test_cli import run

#: Calls the command with a clinic that is told, not deployed.
CALLER = """
import sys, typer
from securepacs.commands import verify as command
files = {"cert.pem": "a certificate", "key.pem": "a key", "ca.pem": "an authority"}
words = {"passwords": {"vera": "correct horse"}, "tokens": {"sender": "battery staple"}}
command.outputs_of = lambda stack: {"target": {"version": 1}, "bundles": {"CT01": files}, **words}
command.workspace = lambda stack: None
command._authority = lambda place: {"cert.pem": "a certificate", "key.pem": "a key"}
try:
    command.verify(tier="write", vantage="the ward", **eval(sys.argv[1]))
except typer.Exit as ended:
    sys.exit(ended.exit_code)
"""

#: Stands in for the harness: notes what it was given, and ends as it is told to, or when it is asked to.
HARNESS = """
import json, os, pathlib, signal, sys, time
here = pathlib.Path.cwd()
def asked(number, frame):
    signal.signal(number, signal.SIG_IGN)
    time.sleep(0.5)
    (here / "cleared").touch()
    sys.exit(3)
signal.signal(signal.SIGTERM, asked)
signal.signal(signal.SIGINT, lambda number, frame: os._exit(99))
folder = pathlib.Path(sys.argv[1]).parent
modes = {str(path.relative_to(folder)): oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()}
told = {"words": sys.argv[1:], "folder": str(folder), "files": modes, "variables": dict(os.environ)}
told["mode"] = oct(folder.stat().st_mode & 0o777)
(here / "told.new").write_text(json.dumps(told))
(here / "told.new").rename(here / "told.json")
if os.environ["STANDIN"] == "waits":
    time.sleep(60)
sys.exit(int(os.environ["STANDIN"]))
"""


def begin(place: Path, standin: str, more: str = "{}") -> subprocess.Popen[str]:
    """Begin the command in a session of its own, with the stand-in in the harness's place."""
    (place / "fake" / "securepacs_harness").mkdir(parents=True)
    (place / "fake" / "securepacs_harness" / "__init__.py").touch()
    (place / "fake" / "securepacs_harness" / "__main__.py").write_text(HARNESS, encoding="utf-8")
    (place / "temporary").mkdir()
    variables = {**os.environ, "PYTHONPATH": str(place / "fake"), "TMPDIR": str(place / "temporary"), "STANDIN": standin}
    words = [sys.executable, "-c", CALLER, more]
    return subprocess.Popen(words, cwd=place, env=variables, stderr=subprocess.PIPE, text=True, start_new_session=True)


def told_to(place: Path) -> dict[str, Any]:
    """Wait until the stand-in has begun, and give what it was given."""
    until = time.monotonic() + 30
    while not (place / "told.json").exists():
        assert time.monotonic() < until, "the harness was not begun"
        time.sleep(0.05)
    told: dict[str, Any] = json.loads((place / "told.json").read_text(encoding="utf-8"))
    return told


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_the_harness_says_how_it_ends(tmp_path: Path, status: int) -> None:
    """The exit status is the harness's, whichever it is."""
    with begin(tmp_path, str(status)) as process:
        assert process.wait(30) == status


def test_secrets_are_handed_over_in_files(tmp_path: Path) -> None:
    """Target, bundles, passwords and authority lie in a folder of mode 0700, secrets 0600; no word or variable holds one, and it goes."""
    with begin(tmp_path, "0", '{"out": "evidence", "only": "tls.*", "own": ["a.py", "b.py"]}') as process:
        told = told_to(tmp_path)
        assert process.wait(30) == 0
    assert told["mode"] == "0o700"
    secret = {"passwords.json", "bundles/CT01/key.pem", "authority/key.pem"}
    assert {told["files"][name] for name in secret} == {"0o600"}
    words = told["words"][1:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given["--authority"] == f"{told['folder']}/authority"
    assert (given["--out"], given["--only"], given["--tier"], given["--vantage"]) == ("evidence", "tls.*", "write", "the ward")
    assert [words[at + 1] for at, word in enumerate(words) if word == "--own"] == ["a.py", "b.py"]
    assert not [word for word in ("correct horse", "battery staple") if word in json.dumps([told["words"], told["variables"]])]
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_harness_is_waited_for(tmp_path: Path, number: int) -> None:
    """Ctrl-C (to all of the terminal's processes, and twice), or a request to end, lets the harness clear up, and removes the keys."""
    with begin(tmp_path, "waits") as process:
        told_to(tmp_path)
        for _ in range(2):
            os.killpg(process.pid, number)
            time.sleep(0.1)
        assert process.wait(30) == 3
    assert (tmp_path / "cleared").exists()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_no_clinic_could_not_be_verified(tmp_path: Path) -> None:
    """Where there is no such clinic the status is the harness's 3, with one line, and not that of the other commands."""
    done = run("verify", "--stack", "nowhere", folder=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_missing_harness_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the harness's own dependencies one line says what to install."""
    monkeypatch.setattr(command, "_NEEDED", ("securepacs", "no_such_package"))
    with pytest.raises(HostError) as told:
        command._verified("dev", [])
    assert str(told.value) == "securepacs verify: got no no_such_package, expected the harness; pip install 'securepacs[harness]'"
