"""The verdict of the matrix: what counts as caught, missed and falsely alarmed; without an engine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from mutants import matrix
from mutants.base import HARDENED, LOADED
from mutants.blueprint import Blueprint, MutationError
from mutants.lab import Slot
from mutants.matrix import Outcome, document, due, remembered, selected, tried
from mutants.mutant import Mutant, unchanged
from securepacs_harness.results import Status

PASSED, FOUND, OPEN, LEFT = Status.PASSED, Status.FOUND, Status.INCONCLUSIVE, Status.NOT_TESTED
CLEAN = dict.fromkeys(due(HARDENED), PASSED)
DEFECT = Mutant("old-tls", "TLS 1.0 is taken", ("tls.versions",), unchanged)
DEAD = Mutant("dead", "nothing runs", ("mtls.anonymous",), unchanged, conclusive=False, dead=("mtls", "tls"), alive=("tls.required",))


@pytest.mark.parametrize(
    ("mutant", "statuses", "exit_code", "problem"),
    [
        (HARDENED, {**CLEAN, "recovery.backup": LEFT}, 0, ""),
        (HARDENED, {**CLEAN, "tls.versions": FOUND}, 1, "false alarm: tls.versions"),
        (HARDENED, {**CLEAN, "tls.versions": OPEN}, 2, "false alarm: tls.versions"),
        (HARDENED, CLEAN, 3, "false alarm: the run ended with 3"),
        (HARDENED, {**CLEAN, "tls.versions": LEFT}, 0, "not shown: tls.versions"),
        (HARDENED, {}, 0, "not shown: "),
        (LOADED, CLEAN, 0, "not shown: availability.silent"),
        (DEFECT, {"tls.versions": FOUND}, 1, ""),
        (DEFECT, {"tls.versions": PASSED, "tls.weak-suites": FOUND}, 1, "missed: tls.versions passed"),
        (DEFECT, {"tls.versions": OPEN}, 2, "missed: tls.versions inconclusive"),
        (DEFECT, {"tls.versions": LEFT}, 0, "missed: tls.versions not tested"),
        (DEFECT, {}, 3, "missed: tls.versions did not run"),
        (DEFECT, {"tls.versions": FOUND}, 0, "the run ended with 0"),
        (DEAD, {"mtls.anonymous": OPEN, "tls.required": PASSED, "secrets.files": PASSED}, 2, ""),
        (DEAD, {"mtls.anonymous": OPEN, "mtls.forged": PASSED}, 2, "passed on a dead system: mtls.forged"),
        (DEAD, {"mtls.anonymous": PASSED}, 0, "missed: mtls.anonymous passed"),
    ],
)
def test_each_outcome_has_its_verdict(mutant: Mutant, statuses: dict[str, Status], exit_code: int, problem: str) -> None:
    """Only the check made for a defect catches it; what is open catches nothing but a dead system, and is an alarm on a whole one."""
    told = Outcome(mutant, statuses, exit_code, 1.0).problem
    assert told.startswith(problem)
    assert bool(told) is bool(problem)


def test_what_could_not_be_tried_is_a_problem() -> None:
    """A mutant of which nothing is known is neither caught nor missed, whatever stands beside it."""
    assert Outcome(DEFECT, {"tls.versions": FOUND}, 1, 1.0, failure="no engine").problem == "not tried: no engine"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (APIError("port is already allocated\nmore"), "port is already allocated"),
        (subprocess.TimeoutExpired(["harness"], 600), "the run took longer than 600 s"),
        (MutationError("its edit changes nothing"), "its edit changes nothing"),
    ],
)
def test_one_that_fails_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch, error: Exception, told: str, tmp_path: Path) -> None:
    """An engine, a harness or an edit that fails is told of that one mutant, in one line."""

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(matrix, "standing", fails)
    lab: Any = SimpleNamespace(base=None, blueprint=Blueprint({}, {}))
    hardened = Mutant("hardened", "none", (), unchanged)
    outcome = tried(SimpleNamespace(), lab, hardened, Slot(0), tmp_path)  # type: ignore[arg-type] # no engine is asked
    assert (outcome.failure, outcome.statuses) == (told, {})


def test_the_page_counts_what_it_shows() -> None:
    """Caught and missed are counted from the rows, and the hardened clinic is called clean only if it is."""
    caught, missed = Outcome(DEFECT, {"tls.versions": FOUND, "tls.weak-suites": FOUND}, 1, 1.0), Outcome(DEAD, {}, 3, 1.0)
    page = document([Outcome(HARDENED, CLEAN, 0, 1.0), caught, missed])
    assert "1 of 2 defects are caught by the checks made for them, 1 missed. The hardened clinic is clean" in page
    assert "| `old-tls` | TLS 1.0 is taken | `tls.versions` | `tls.weak-suites` |" in page
    assert "missed: mtls.anonymous did not run" in page
    assert "NOT clean" in document([Outcome(HARDENED, {"tls.versions": FOUND}, 1, 1.0)])


def test_outcomes_are_remembered_whole(tmp_path: Path) -> None:
    """What was tried before stays, what is tried anew takes its place, and a failure is not forgotten; the order is the mutants'."""
    file = tmp_path / "matrix.json"
    remembered(file, [DEFECT, DEAD], [Outcome(DEAD, {"mtls.anonymous": OPEN}, 2, 3.4), Outcome(DEFECT, {}, 3, 1.0, failure="no engine")])
    kept = remembered(file, [DEFECT, DEAD], [])
    assert [(outcome.mutant.name, outcome.problem) for outcome in kept] == [("old-tls", "not tried: no engine"), ("dead", "")]
    anew = remembered(file, [DEFECT, DEAD], [Outcome(DEFECT, {"tls.versions": FOUND}, 1, 2.0)])
    assert [outcome.problem for outcome in anew] == ["", ""]
    assert set(json.loads(file.read_text(encoding="utf-8"))) == {"old-tls", "dead"}


def test_a_name_that_no_mutant_has_is_told() -> None:
    """Mutants are chosen by name, in their own order; one that is not there is an error and no smaller matrix."""
    assert selected([DEFECT, DEAD], ["dead", "old-tls"]) == [DEFECT, DEAD]
    with pytest.raises(MutationError, match="no mutant new-tls"):
        selected([DEFECT, DEAD], ["old-tls", "new-tls"])
