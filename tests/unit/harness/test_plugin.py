from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from securepacs_harness import verify
from securepacs_harness.results import Status
from unit.harness.plugged import declared, run, statuses

pytest_plugins = ("pytester",)

#: The command, of the interpreter that runs these tests.
COMMAND = (sys.executable, "-m", "securepacs_harness")

#: A user's own checks, of which each ends otherwise.
CHECKS = '''
import pytest
from securepacs_harness import Layer, accepts, association, at, check, dimse


@check("own.refused", "A stranger is refused", controls=("peer-identity",))
def test_refused(control, stranger):
    """A stranger's echo is refused."""
    control("echo").refuses_all([(dimse.echo(stranger.caller()), at(Layer.ASSOCIATION))])


@check("own.granted", "A peer is served", tier="passive")
def test_granted(record, peer, target):
    """A peer's echo succeeds."""
    assert target.name == "standin"
    record.accepts(dimse.echo(peer("CT01")))


@check("own.found", "A find is refused", tier="safe", remedy="Take it away.")
def test_found(control, peer):
    """A find is refused, says this check; it is not."""
    control("echo").tries([(dimse.find(peer("CT01")), at(Layer.DIMSE))])


@check("own.left-out", "Nothing is looked at")
def test_left_out(record):
    """It says that it looks at nothing."""
    record.not_tested("everything", "there is nothing here")


@check("own.crash", "It breaks")
def test_crash(record):
    """It breaks by itself."""
    raise ValueError("a bug of the check's own")


@check("own.late", "It is of another tier", tier="load")
def test_late(record):
    """It does not run."""
    record.fact("x", expected="x", told="x", holds=True)


def test_plain_assertion(peer):
    """A test without an entry in the catalogue."""
    accepts(dimse.echo(peer("CT01")))
    assert 1 == 2, "one is not two"
'''


def test_each_check_ends_in_its_own_way(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - pynetdicom's server
    """A user's checks pass, find, leave out and break, each told as what it is; the run ends with 1 for its findings."""
    status, run_ = run(pytester, declared(served.server_address[1]), checks=CHECKS)
    assert statuses(run_) == {
        "own.granted": Status.PASSED,
        "own.refused": Status.PASSED,
        "own.found": Status.FOUND,
        "own.left-out": Status.NOT_TESTED,
        "own.crash": Status.INCONCLUSIVE,
        "own.late": Status.NOT_TESTED,
        "own.test-plain-assertion": Status.FOUND,
    }
    assert status == 1
    reasons = {check.id: check.reason for check in run_.checks}
    assert reasons["own.late"] == "it is of the tier load, this run goes up to safe"
    assert "a bug of the check's own" in reasons["own.crash"]
    assert "one is not two" in reasons["own.test-plain-assertion"]
    assert next(check.id for check in run_.checks) == "own.granted", "what only looks comes first"


def test_a_server_that_is_down_is_inconclusive(pytester: pytest.Pytester) -> None:
    """Where nothing listens no refusal counts, nothing is found, and the run ends with 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    status, run_ = run(pytester, declared(port), "-k", "refused or granted or found", checks=CHECKS)
    ended = {id: status for id, status in statuses(run_).items() if id in {"own.refused", "own.granted", "own.found"}}
    assert set(ended.values()) == {Status.INCONCLUSIVE}
    assert status == 2


def test_a_server_that_never_answers_is_inconclusive(pytester: pytest.Pytester) -> None:
    """Where everything is dropped nothing passes; the budget of seconds ends the run."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held: list[socket.socket] = []
        threading.Thread(target=_swallow, args=(silent, held), daemon=True).start()
        target = declared(silent.getsockname()[1], budget={"seconds": 3})
        status, run_ = run(pytester, target, "-k", "refused", checks=CHECKS)
    assert statuses(run_)["own.refused"] is Status.INCONCLUSIVE
    assert status == 2


def _swallow(silent: socket.socket, held: list[socket.socket]) -> None:
    while True:
        try:
            held.append(silent.accept()[0])
        except OSError:
            return


@pytest.mark.parametrize(
    ("until", "status", "code"), [("2099-12-31", Status.WAIVED, 0), ("2020-01-01", Status.FOUND, 1)], ids=["current", "expired"]
)
def test_a_waiver_ends_on_its_day(pytester: pytest.Pytester, served: Any, until: str, status: Status, code: int) -> None:  # noqa: ANN401 - as above
    """A finding is waived until the waiver's last day, with its owner in the words; afterwards it is a finding again."""
    waiver = {"what": "find", "check": "own.found", "reason": "old software", "owner": "Dr. B", "until": until}
    ended, run_ = run(pytester, declared(served.server_address[1], waivers=[waiver]), "-k", "found or granted", checks=CHECKS)
    assert (statuses(run_)["own.found"], ended) == (status, code)
    assert run_.waivers[0].used is (status is Status.WAIVED)


def test_the_target_says_at_which_layer(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """A refusal at another layer than the target declares is a finding."""
    checks = CHECKS.replace("at(Layer.ASSOCIATION))])", "record.expected(at(Layer.ASSOCIATION)))])")
    checks = checks.replace("(control, stranger)", "(control, stranger, record)")
    expects = {"own.refused": {"layers": ["tls"]}}
    _, run_ = run(pytester, declared(served.server_address[1], expects=expects), "-k", "refused", checks=checks)
    assert statuses(run_)["own.refused"] is Status.FOUND


def test_a_spent_budget_is_told(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """A run makes no connection beyond its budget, and what it could not try is inconclusive."""
    status, run_ = run(pytester, declared(served.server_address[1], budget={"connections": 1}), "-k", "granted or refused", checks=CHECKS)
    assert (run_.connections, run_.budget, status) == (1, 1, 2)
    assert statuses(run_)["own.refused"] is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "name: got ''"),
        ({"dicom": {"host": "192.0.2.1", "port": 104, "ae_title": "X", "tls": False}}, "is not this machine's own"),
    ],
)
def test_what_cannot_run_ends_with_three(pytester: pytest.Pytester, change: dict[str, Any], told: str) -> None:
    """A wrong target file, and a foreign host without authorisation, end pytest with status 3 and one line."""
    (pytester.path / "target.json").write_text(json.dumps({**declared(104), **change}), encoding="utf-8")
    done = pytester.runpytest_subprocess("--pacs-target", "target.json")
    assert int(done.ret) == 3
    assert told in str(done.stderr)
    assert "Traceback" not in str(done.stderr)


def test_several_processes_are_refused(pytester: pytest.Pytester) -> None:
    """With pytest-xdist's -n no run begins: it has one budget and one order."""
    pytester.makepyfile(xdist="def pytest_addoption(parser): parser.addoption('--numprocesses')")
    (pytester.path / "target.json").write_text(json.dumps(declared(104)), encoding="utf-8")
    pytester.syspathinsert()
    done = pytester.runpytest_subprocess("-p", "xdist", "--numprocesses", "2", "--pacs-target", "target.json")
    assert int(done.ret) == 3
    assert "expected one process" in str(done.stderr)


def test_without_a_target_it_is_not_there(pytester: pytest.Pytester) -> None:
    """Ordinary tests beside the harness run as they would without it."""
    pytester.makepyfile("def test_it(): assert True")
    assert int(pytester.runpytest_subprocess("-p", "no:cacheprovider").ret) == 0


def test_broken_checks_cannot_run(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """A file of checks that cannot be read ends with 3, and is no clean run."""
    pytester.makepyfile(test_own="import nothing_of_the_kind")
    (pytester.path / "target.json").write_text(json.dumps(declared(served.server_address[1])), encoding="utf-8")
    assert int(pytester.runpytest_subprocess("--pacs-target", "target.json").ret) == 3


def test_the_command_tells_it(pytester: pytest.Pytester, served: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """`pacs-verify` runs packaged checks and one's own, tells what was found and what was not tested, and ends with 1."""
    pytester.makepyfile(test_own=CHECKS)
    (pytester.path / "target.json").write_text(json.dumps(declared(served.server_address[1])), encoding="utf-8")
    out = tmp_path / "evidence"
    done = pytester.run(*COMMAND, "target.json", "--own", "test_own.py", "--only", "own.*,tls.required", "--out", str(out))
    told = str(done.stdout)
    assert int(done.ret) == 1
    assert "Not so: A find is refused  own.found" in told
    assert "Not so: DICOM and the web are reached over TLS only  tls.required" in told
    assert "the command line left it out" in told
    assert (out / "report.html").is_file()
    assert (out / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "TARGET: got nothing"),
        (["nowhere.toml"], "cannot be read"),
        (["target.json", "--bundles", "nowhere"], "is no folder"),
        (["target.json", "--passwords", "open.json"], "others may read"),
        (["target.json", "--own", "nowhere/test_x.py"], "it names a pytest file"),
        (["target.json", "--out", "."], "expected one for evidence alone"),
        (["target.json", "--out", "bundles/evidence"], "expected one for evidence alone"),
        (["target.json", "--only", "tls.*,tsl.*"], "got tsl.*, which matches no check"),
        (["target.json", "--out", "target.json"], "evidence cannot be written there"),
        (["target.json", "--sign", "target.json", "--out", "out"], "got no PEM private key"),
        (["target.json", "--authority", "nowhere"], "got no authority"),
        (["target.json", "--tier", "furious"], "furious"),
        (["--fly"], "No such option"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """Each mistake of a user's ends with status 3 and one line, without a traceback, before anything is tried."""
    monkeypatch.chdir(tmp_path)
    Path("target.json").write_text(json.dumps(declared(104)), encoding="utf-8")
    Path("bundles").mkdir()
    Path("open.json").write_text("{}", encoding="utf-8")
    Path("open.json").chmod(0o644)
    monkeypatch.setattr(sys, "argv", ["pacs-verify", *words])
    with pytest.raises(SystemExit) as ended:
        verify.main()
    assert ended.value.code == 3
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_bundle_is_held_against_its_manifest(pytester: pytest.Pytester, served: Any) -> None:  # noqa: ANN401 - as above
    """`pacs-verify --check-bundle` ends with 0 for a sound bundle and with 1 for a changed one."""
    run(pytester, declared(served.server_address[1]), "-k", "granted", checks=CHECKS)
    assert int(pytester.run(*COMMAND, "--check-bundle", "evidence").ret) == 0
    (pytester.path / "evidence" / "report.html").write_text("all is well", encoding="utf-8")
    assert int(pytester.run(*COMMAND, "--check-bundle", "evidence").ret) == 1


