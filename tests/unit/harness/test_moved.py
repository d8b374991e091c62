"""What the checks of moves, replaced images and idle associations conclude where little can be seen."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from securepacs_harness import canary
from securepacs_harness.checks import test_availability as availability
from securepacs_harness.checks import test_exfiltration as exfiltration
from securepacs_harness.checks import test_integrity as integrity
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes import dimse, http
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.sink import Sink
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import Expectation, Target
from unit.harness.standin import Clinic, free_port

UNAUTHORISED = "exfiltration.move-unauthorised"


def pacs_of(clinic: Clinic, peers: dict[str, Any], called: str = "ARCHIVE", **more: Any) -> Pacs:  # noqa: ANN401 - a target file's own tables
    """Declare the stand-in."""
    dicom = {"host": "127.0.0.1", "port": clinic.line.port, "ae_title": called}
    declared = {"version": 1, "name": "standin", "ca": clinic.ca, "dicom": dicom, "peers": peers, **more}
    return Pacs(Target.model_validate(declared), clinic.bundles, {"anna": "a password"})


@pytest.mark.parametrize(
    ("granted", "other_case"), [(["WS01"], "ws01"), (["4711", "WS01"], "ws01"), (["4711"], None), (["WS01", "ws01"], None)]
)
def test_a_title_in_the_other_case_is_another_title(clinic: Clinic, granted: list[str], other_case: str | None) -> None:
    """A granted title without letters is not tried as an unknown one, nor is one that is a peer's own."""
    pacs = pacs_of(clinic, {name: {"verbs": ["move"], "move_to": granted} for name in granted})
    assert exfiltration.unknown_titles(pacs, granted[0]).get("an AE title in the other case") == other_case


@pytest.mark.parametrize(("codes", "status"), [([], Status.INCONCLUSIVE), (["0xC515"], Status.PASSED), (["0xA801"], Status.FOUND)])
def test_a_failed_move_is_no_refusal_where_nobody_can_count(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, codes: list[str], status: Status
) -> None:
    """A move that ends with a failure shows nothing without a receiver, unless the target says that its refusals look so."""
    failed = Observation(Layer.DIMSE, Outcome.REFUSED, "0xC515")
    monkeypatch.setattr(dimse, "_converse", lambda _caller, contexts, *_, **__: failed if _is_move(contexts) else SEEN)
    pacs = pacs_of(clinic, {"WS01": {"verbs": ["echo", "move"], "move_to": ["WS01"]}, "CT01": {}})
    record = Record(UNAUTHORISED, {UNAUTHORISED: Expectation(layers=["dimse"], codes=codes)} if codes else {})
    canaries: Any = SimpleNamespace(stored=canary.write_canary(tmp_path))
    exfiltration.test_nothing_is_moved_where_it_was_not_granted(pacs, record, canaries)
    assert record.status is status


SEEN = Observation(Layer.DIMSE, Outcome.ACCEPTED, "0x0000")


def _is_move(contexts: list[Any]) -> bool:
    return bool(contexts[0].abstract_syntax == dimse.SOP_CLASSES["move"])


def test_connections_that_nobody_could_count_are_not_counted_as_none(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without any receiver the check says that arrivals were not tested."""
    monkeypatch.setattr(dimse, "_converse", lambda *_, **__: SEEN)
    record = Record("exfiltration.move-unknown")
    canaries: Any = SimpleNamespace(stored=canary.write_canary(tmp_path))
    exfiltration.test_nothing_is_moved_to_the_unknown(pacs_of(clinic, {"WS01": {"verbs": ["echo", "move"]}}), record, canaries)
    assert [case.status for case in record.cases if case.what.startswith("connections")] == [Status.NOT_TESTED]


def test_an_image_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    """A receiver waits for an image that comes after the answer to the mover, and not for ever."""
    image, port = canary.write_canary(tmp_path), free_port()
    with Sink(f"127.0.0.1:{port}", "WS01") as sink:
        assert not sink.await_stored(0.1)
        caller = dimse.Caller(Line("127.0.0.1", port), "WS01", "ARCHIVE")
        late = threading.Timer(0.3, dimse.store(caller, image)._run)
        late.start()
        assert sink.await_stored(5)
        late.join()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("200", Status.PASSED),
        ("409", Status.PASSED),
        ("400", Status.INCONCLUSIVE),
        ("401", Status.INCONCLUSIVE),
        ("502", Status.INCONCLUSIVE),
    ],
)
def test_an_image_that_was_never_judged_shows_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, status: Status
) -> None:
    """An archive that did not come to look at the image over the web has not refused to replace the first one."""
    image = canary.write_canary(tmp_path)
    kept = Observation(Layer.DIMSE, Outcome.ACCEPTED, "0x0000", payload=(canary.dataset_bytes(image.path),))
    monkeypatch.setattr(http, "ask", lambda what, *_: Attempt(what, lambda: Observation(Layer.HTTP, Outcome.REFUSED, code)))
    monkeypatch.setattr(dimse, "get", lambda *_: Attempt("C-GET", lambda: kept))
    web = {
        "base_url": "https://127.0.0.1",
        "users": {"anna": {"role": "clinician"}},
        "roles": {"clinician": [{"methods": ["POST"], "route": "^/dicom-web/studies$"}]},
    }
    record = Record("integrity.stow")
    canaries: Any = SimpleNamespace(stored=image, twin=lambda _: image)
    integrity.test_a_stored_image_is_not_replaced_over_the_web(pacs_of(clinic, {"WS01": {"verbs": ["get"]}}, https=web), record, canaries)
    assert record.status is status


@pytest.mark.parametrize(("called", "status"), [("ARCHIVE", Status.PASSED), ("OTHER", Status.INCONCLUSIVE)])
def test_associations_that_were_not_accepted_are_not_held_idle(clinic: Clinic, called: str, status: Status) -> None:
    """Only accepted associations count as held; when there is none the check has disturbed nobody."""
    pacs = pacs_of(clinic, {"CT01": {"verbs": ["echo"]}}, called)
    record = Record("availability.idle")
    with availability.idle_associations(pacs, record, 2):
        pass
    assert record.status is status
    assert record.cases[0].told.startswith("2" if status is Status.PASSED else "none")
