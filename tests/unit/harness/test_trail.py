"""Records of a target: found from a moment on, by the probe's own words; a log that cannot be read is no log without them."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from securepacs_harness import trail
from securepacs_harness.canary import Instance
from securepacs_harness.checks import test_audit as audit
from securepacs_harness.errors import TargetError
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes.inside import Inside
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import Log, finder, parse_target


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no record longer than a moment."""
    monkeypatch.setattr(trail, "SECONDS", 0.3)


def opened(file: Path | None, specification: str = "local://") -> trail.Trail:
    """Give the trail in a file of this machine's."""
    target = SimpleNamespace(inside={"here": specification})
    verification: Any = SimpleNamespace(target=target, inside=lambda _: Inside("local://"))
    return trail.Trail(verification, Log(part="here", file=str(file) if file else None))


@pytest.mark.usefixtures("soon")
def test_what_was_written_before_does_not_count(tmp_path: Path) -> None:
    """A record counts from the beginning on, and the whole of a log that was rotated meanwhile."""
    file = tmp_path / "pacs.log"
    file.write_text("peer=CT01 granted\n", encoding="utf-8")
    log = opened(file)
    log.begin()
    assert not log.has("peer={ae} granted", ae="CT01")
    with file.open("a", encoding="utf-8") as more:
        more.write("peer=CT01 granted\n")
    assert log.has("peer={ae} granted", ae="CT01")
    log.begin()
    file.write_text("peer=WS01\n", encoding="utf-8")
    assert log.has("peer={ae}", ae="WS01")


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file, and a part that is no container and has no file, end the check; neither is a log without the record."""
    with pytest.raises(trail.TrailError, match="cannot be read"):
        opened(tmp_path / "absent").begin()
    with pytest.raises(trail.TrailError, match=r"declare log\.file"):
        opened(None)


def test_the_clock_of_a_part_is_held_against_this_one(tmp_path: Path) -> None:
    """A clock that is right is less than a second off; one that is an hour behind, an hour; one that cannot be read is unknown."""
    log = opened(tmp_path / "x")
    off = log.clock()
    assert off is not None
    assert off < 1
    hour_ago = str(int(time.time()) - 3600)
    log._inside = SimpleNamespace(run=lambda _: (0, hour_ago))  # type: ignore[assignment] # a stand-in
    assert log.clock() == pytest.approx(3600, abs=2)
    log._inside = SimpleNamespace(run=lambda _: (127, ""))  # type: ignore[assignment] # a stand-in
    assert log.clock() is None


def test_a_name_is_not_found_in_a_longer_one() -> None:
    """What stands for itself in an expression is escaped, and is a word of its own; other braces stay what they are."""
    assert finder("{ae}", ae="CT1").search("peer=CT1 ")
    assert not finder("{ae}", ae="CT1").search("peer=CT10 ACT1")
    assert finder(r"\d{4}-{ae}", ae="A.B").search("2026-A.B")
    assert not finder("{ae}", ae="A.B").search("AxB")


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ({"denial": ".*"}, "{ae} or {peer}"),
        ({"access": "granted"}, "{ae} or {peer}"),
        ({"denial": ""}, "at least 1"),
        ({"person": "https"}, "{user}"),
        ({"person_denied": "{name}"}, "{user}"),
        ({"anonymous": "{ae}"}, "no name"),
        ({"denial": "({ae}"}, "regular expression"),
    ],
)
def test_an_expression_that_finds_everything_or_nothing_is_refused(log: dict[str, str], told: str) -> None:
    """One without the probe's own name would be found in any busy log, and one that is no expression in none."""
    dicom = {"host": "127.0.0.1", "port": 1, "ae_title": "A", "tls": False}
    with pytest.raises(TargetError, match=r"^log\.") as error:
        parse_target({"version": 1, "name": "x", "dicom": dicom, "inside": {"here": "local://"}, "log": {"part": "here", **log}})
    assert told in str(error.value)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("outcome", "writes", "status"),
    [
        (Outcome.ACCEPTED, True, Status.PASSED),
        (Outcome.ACCEPTED, False, Status.FOUND),
        (Outcome.REFUSED, False, Status.INCONCLUSIVE),
        (Outcome.TIMEOUT, False, Status.INCONCLUSIVE),
    ],
)
def test_what_did_not_happen_leaves_no_record(tmp_path: Path, outcome: Outcome, writes: bool, status: Status) -> None:  # noqa: FBT001 - the table's value
    """A record is missed only of what happened: an echo that a dead server never granted is no access without one."""
    file = tmp_path / "pacs.log"
    file.touch()

    def observe() -> Observation:
        file.write_text("peer=CT01\n" if writes else "", encoding="utf-8")
        return Observation(Layer.DIMSE, outcome, "0x0000")

    record = Record()
    audit.granted(record, opened(file), "an echo", Attempt("echo", observe), "peer={ae}", ae="CT01")
    assert record.status is status


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("served", "outcome", "writes", "status"),
    [
        (True, Outcome.REFUSED, True, Status.PASSED),
        (True, Outcome.REFUSED, False, Status.FOUND),
        (False, Outcome.REFUSED, False, Status.INCONCLUSIVE),
        (True, Outcome.TIMEOUT, False, Status.INCONCLUSIVE),
        (True, Outcome.ACCEPTED, False, Status.FOUND),
    ],
)
def test_a_system_that_is_down_denies_nothing(tmp_path: Path, served: bool, outcome: Outcome, writes: bool, status: Status) -> None:  # noqa: FBT001 - the table's values
    """A denial without its record is a finding only where honest callers are served before and after."""
    file = tmp_path / "pacs.log"
    file.touch()

    def observe() -> Observation:
        file.write_text("peer=ZZ01\n" if writes else "", encoding="utf-8")
        return Observation(Layer.ASSOCIATION, outcome, "1/1/3")

    control = Attempt("control", lambda: Observation(Layer.DIMSE, Outcome.ACCEPTED if served else Outcome.REFUSED, "0x0000"))
    record = Record()
    audit.denied(record, opened(file), "a false name", Attempt("false name", observe), control, "peer={ae}", ae="ZZ01")
    assert record.status is status


def test_the_patient_is_seen_in_each_way_of_writing() -> None:
    """Name with caret or blank, ID and UIDs are each seen, and none in words that only begin alike."""
    image = Instance(Path("x"), "2.25.1", "2.25.2", "2.25.3", "1.2", "1.2.1")
    lines = {
        "name CANARY^SYNTHETIC": "the patient's name",
        "name=CANARY SYNTHETIC": "the patient's name",
        "id=CANARY stored": "the patient's ID",
        "GET /studies/2.25.1/": "the study's UID",
        "series 2.25.2": "the series' UID",
        "instance 2.25.3.": "the instance's UID",
    }
    for line, what in lines.items():
        assert audit.told_of(line, image) == [what]
    assert audit.told_of("CANARYISLAND 12.25.10 peer=CT01", image) == []


def test_without_a_declared_log_nothing_is_claimed() -> None:
    """Where records are is not guessed."""
    record = Record()
    assert audit.trail_of(SimpleNamespace(target=SimpleNamespace(log=None)), record, "denials") is None  # type: ignore[arg-type]
    assert record.status is Status.NOT_TESTED
