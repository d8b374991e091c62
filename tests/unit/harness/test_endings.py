"""However a test ends, there is a result of it: no run is clean because something was lost on its way."""

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

from securepacs_harness.results import Status
from unit.harness.plugged import declared, run, statuses

pytest_plugins = ("pytester",)

#: Before each: a check that passes, so that a run which loses the other one would be clean.
PASSES = '''
import time, unittest, pytest
from pytest import mark, skip
from securepacs_harness import check, dimse
from securepacs_harness.errors import BundleError

@check("own.a-pass", "A peer is served", tier="passive")
def test_pass(record, peer):
    """A peer's echo succeeds."""
    record.accepts(dimse.echo(peer("CT01")))

def holds(record, holds=True):
    record.fact("a thing", expected="so", told="so it is", holds=holds)

'''

#: How a test can end -> its text, the status of `own.test-it`, words of its reason, the run's exit status.
ENDINGS = {
    "set-up breaks": (
        "@pytest.fixture\ndef broken():\n    raise RuntimeError('no table')\n\ndef test_it(broken, record):\n    holds(record)\n",
        (Status.INCONCLUSIVE, "it could not begin: RuntimeError: no table", 2),
    ),
    "a bundle is missing": (
        "@pytest.fixture\ndef lent():\n    raise BundleError('no bundle')\n\ndef test_it(lent, record):\n    holds(record)\n",
        (Status.INCONCLUSIVE, "the check: expected to be seen; no bundle", 2),
    ),
    "clearing up breaks": (
        "@pytest.fixture\ndef broken():\n    yield\n    raise OSError('no table')\n\ndef test_it(broken, record):\n    holds(record)\n",
        (Status.INCONCLUSIVE, "it did not clear up: OSError: no table", 2),
    ),
    "a finding, and clearing up breaks": (
        "@pytest.fixture\ndef broken():\n    yield\n    raise RuntimeError\n\ndef test_it(broken, record):\n    holds(record, False)\n",
        (Status.FOUND, "a thing", 1),
    ),
    "pytest.fail": ("def test_it(record):\n    pytest.fail('no table')\n", (Status.INCONCLUSIVE, "no table", 2)),
    "leaves itself out": ("def test_it(record):\n    skip('no reader here')\n", (Status.NOT_TESTED, "no reader here", 0)),
    "a finding, then leaves itself out": (
        "def test_it(record):\n    holds(record, False)\n    skip('no reader here')\n",
        (Status.FOUND, "a thing", 1),
    ),
    "marked to skip": (
        "@mark.skip(reason='no reader here')\ndef test_it(record):\n    holds(record, False)\n",
        (Status.NOT_TESTED, "no reader here", 0),
    ),
    "marked to fail": ("@pytest.mark.xfail\ndef test_it(record):\n    holds(record, False)\n", (Status.FOUND, "a thing", 1)),
    "python ends": ("def test_it(record):\n    holds(record)\n    raise SystemExit(0)\n", (Status.INCONCLUSIVE, "SystemExit", 2)),
    "pytest ends": ("def test_it(record):\n    holds(record)\n    pytest.exit('stop')\n", (Status.INCONCLUSIVE, "stop", 3)),
    "unittest": (
        "class TestIt(unittest.TestCase):\n    def test_it(self):\n        self.assertTrue(False)\n",
        (Status.INCONCLUSIVE, "the check tried nothing", 2),
    ),
    "a coroutine": ("async def test_it(record):\n    holds(record, False)\n", (Status.INCONCLUSIVE, "async def", 2)),
    "too slow": (
        "@pytest.mark.timeout(1)\ndef test_it(record):\n    holds(record)\n    time.sleep(9)\n",
        (Status.INCONCLUSIVE, "Timeout", 2),
    ),
    "one name twice": (
        "def test_it(record):\n    holds(record, False)\n\nclass TestB:\n    def test_it(self, record):\n        holds(record)\n",
        (Status.FOUND, "a thing", 1),
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_test_is_lost(pytester: pytest.Pytester, served: Any, ending: str) -> None:  # noqa: ANN401 - pynetdicom's server
    """A test that ends in any way has a result that says so, and the run is clean only where nothing is wrong."""
    text, (status, reason, code) = ENDINGS[ending]
    ended, done = run(pytester, declared(served.server_address[1]), checks=PASSES + text, apart=False)
    assert statuses(done) == {"own.a-pass": Status.PASSED, "own.test-it": status}
    assert reason in done.checks[1].reason
    assert ended == code == done.exit_code


def test_each_parameter_counts(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """A check with parameters has one result, the worst, and its cases say of which parameter they are."""
    text = "@pytest.mark.parametrize('n', [1, 2, 3])\n@check('own.each', 'Each is so')\ndef test_each(n, record):\n"
    text += "    if n == 3:\n        skip('no third')\n    holds(record, n != 1)\n"
    ended, done = run(pytester, declared(served.server_address[1]), checks=PASSES + text)
    (each,) = (check for check in done.checks if check.id == "own.each")
    assert {case.what: case.status for case in each.cases} == {
        "a thing [1]": Status.FOUND,
        "a thing [2]": Status.PASSED,
        "Each is so": Status.NOT_TESTED,
    }
    assert each.cases[-1].told == "no third [3]"
    assert (each.status, ended) == (Status.FOUND, 1)


def test_what_comes_after_the_last_failure_is_told(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """A run that stops at its first finding (-x) names what it did not come to."""
    text = "def test_it(record):\n    holds(record, False)\n\ndef test_that(record):\n    holds(record, False)\n"
    ended, done = run(pytester, declared(served.server_address[1]), "-x", checks=PASSES + text)
    assert statuses(done)["own.test-that"] is Status.NOT_TESTED
    assert done.checks[-1].reason == "the run was ended before it"
    assert ended == 1


def test_a_file_that_cannot_be_read_leaves_the_run_unfinished(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """Checks that pass do not make a run clean whose other checks could not be read."""
    pytester.makepyfile(test_other="import nothing_of_the_kind")
    ended, done = run(pytester, declared(served.server_address[1]), "--continue-on-collection-errors", checks=PASSES)
    assert (ended, done.exit_code, statuses(done)) == (3, 3, {"own.a-pass": Status.PASSED})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_clears_up_and_says_so(pytester: pytest.Pytester, served: Any, number: int) -> None:  # noqa: ANN401 - as above
    """Ctrl-C, and a CI system's request to end, leave evidence of what was done that is no clean run, and no file of the run."""
    marker, places = pytester.path / "waits", pytester.path / "places"
    places.mkdir()
    text = f"def test_it(record):\n    open({str(marker)!r}, 'w').close()\n    time.sleep(60)\n\n"
    pytester.makepyfile(test_own=PASSES + text + "def test_that(record):\n    holds(record)\n")
    (pytester.path / "target.json").write_text(json.dumps(declared(served.server_address[1])), encoding="utf-8")
    command = [sys.executable, "-m", "securepacs_harness", "target.json", "--own", "test_own.py", "--only", "own.*", "--out", "evidence"]
    environment = {**os.environ, "TMPDIR": str(places)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=pytester.path, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        _wait_for(marker)
        process.send_signal(number)
        told, _ = process.communicate(timeout=30)
    results = json.loads((pytester.path / "evidence" / "results.json").read_text(encoding="utf-8"))
    ended = {check["id"]: (check["status"], check["reason"]) for check in results["checks"]}
    assert process.returncode == 3, told
    assert json.loads((pytester.path / "evidence" / "manifest.json").read_text(encoding="utf-8"))["exit_code"] == 3
    assert "error: interrupted" in told
    assert "The run was ended before its end" in told
    assert ended["own.a-pass"][0] == "passed"
    assert "it was ended before it was done" in ended["own.test-it"][1]
    assert ended["own.test-that"] == ("not tested", "the run was ended before it")
    assert list(places.glob("pacs-verify-*")) == []


def _wait_for(marker: Path) -> None:
    until = time.monotonic() + 30
    while not marker.exists():
        assert time.monotonic() < until, "the run did not come to its test"
        time.sleep(0.05)


def test_another_projects_options_change_nothing(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """PYTEST_ADDOPTS, which is meant for one's own tests, does not reach the command."""
    (pytester.path / "target.json").write_text(json.dumps(declared(served.server_address[1])), encoding="utf-8")
    command = [sys.executable, "-m", "securepacs_harness", "target.json", "--only", "tls.required"]
    environment = {**os.environ, "PYTEST_ADDOPTS": "--collect-only", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=pytester.path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Not so: DICOM and the web are reached over TLS only" in done.stdout
