"""Images leave the archive for declared destinations only, and only for a receiver that proves who it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securepacs_harness import canary
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import dimse
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.probes.sink import Doorbell, Sink
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

#: The archive's answer to a C-MOVE that is not granted, whether the destination is known or not: it tells nobody which are.
MOVE_REFUSED = at(Layer.DIMSE, "0xC000")

#: Who may move, to where he may not: a registered peer with an address, ones without, the archive itself, strangers.
FORBIDDEN = [
    ("WS02", "WS01"),
    ("WS02", "SC01"),
    ("WS01", "WS02"),
    ("WS01", "SC01"),
    ("WS01", "CT01"),
    ("WS01", "NV01"),
    ("WS01", "DEPTEST"),
    ("WS01", "NOBODY"),
    ("WS01", "ws01"),
    ("WS01", "WS0"),
    ("WS01", "WS01X"),
    ("WS01", "*"),
]


def _address(pacs: Pacs, name: str) -> str:
    address = pacs.target.peers[name].address
    assert address is not None
    return address


def _sink(pacs: Pacs, name: str, shown: str | None = None) -> Sink:
    """A receiver at a peer's address, with its own bundle or another's."""
    return Sink(_address(pacs, name), name, pacs.bundles.material(shown or name))


def test_a_declared_move_arrives_whole(pacs: Pacs, stored: Instance) -> None:
    """An image moved to its declared destination arrives there byte for byte, from the archive's AE title."""
    with _sink(pacs, "WS01") as sink:
        accepts(dimse.move(pacs.caller("WS01"), stored, "WS01"), code="0x0000")
    assert [came.dataset for came in sink.stored] == [canary.dataset_bytes(stored.path)]
    assert sink.callers == [pacs.target.dicom.ae_title]


@pytest.mark.parametrize(("mover", "destination"), FORBIDDEN)
def test_an_undeclared_move_goes_nowhere(pacs: Pacs, claim: Claim, stored: Instance, mover: str, destination: str) -> None:
    """A C-MOVE to any other destination is refused, and nobody rings at any other door."""
    others = [name for name in ("WS01", "WS02", "SC01") if name != mover]
    with _sink(pacs, mover) as sink, Doorbell(_address(pacs, others[0])) as first, Doorbell(_address(pacs, others[1])) as second:
        attempt = dimse.move(pacs.caller(mover), stored, destination)
        claim(dimse.move(pacs.caller(mover), stored, mover)).tries([(attempt, MOVE_REFUSED)])[0].require()
        arrived = len(sink.stored)
    assert arrived == 2, "the two controls, and nothing else"
    assert (first.connections, second.connections) == (0, 0)


def test_the_second_client_moves_no_further(pacs: Pacs, claim: Claim, stored: Instance, dcmtk: Dcmtk) -> None:
    """DCMTK's movescu is refused the same destinations, and nobody rings there."""
    caller = pacs.caller("WS01")
    with _sink(pacs, "WS01") as sink, Doorbell(_address(pacs, "WS02")) as first, Doorbell(_address(pacs, "SC01")) as second:
        cases = [(dcmtk.attempt("move", caller, stored, to=to), MOVE_REFUSED) for mover, to in FORBIDDEN if mover == "WS01" and to != "*"]
        claim(dcmtk.attempt("move", caller, stored, to="WS01")).refuses_all(cases)
        arrived = len(sink.stored)
    assert arrived == 2
    assert (first.connections, second.connections) == (0, 0)


@pytest.mark.parametrize("shown", ["CT01", "WS02"])
def test_a_receiver_with_anothers_certificate_gets_nothing(pacs: Pacs, stored: Instance, shown: str) -> None:
    """Whoever stands at WS01's address with another certificate of the clinic's own is sent no image."""
    with _sink(pacs, "WS01", shown=shown) as impostor:
        with pytest.raises(AssertionError, match="expected acceptance with 0x0000"):
            accepts(dimse.move(pacs.caller("WS01"), stored, "WS01"), code="0x0000")
        assert (impostor.stored, impostor.callers) == ([], [])
    with _sink(pacs, "WS01") as sink:
        accepts(dimse.move(pacs.caller("WS01"), stored, "WS01"), code="0x0000")
    assert len(sink.stored) == 1


def test_a_receiver_without_tls_gets_nothing(pacs: Pacs, stored: Instance) -> None:
    """A receiver at WS01's address that speaks no TLS is sent no image."""
    with Sink(_address(pacs, "WS01"), "WS01") as plain:
        with pytest.raises(AssertionError, match="expected acceptance with 0x0000"):
            accepts(dimse.move(pacs.caller("WS01"), stored, "WS01"), code="0x0000")
        assert (plain.stored, plain.callers) == ([], [])


def test_commitment_is_told_to_its_own_peer(pacs: Pacs, image: Instance) -> None:
    """Storage commitment of a stored image is reported as a success, of an unknown one as a failure, both to SC01."""
    caller = pacs.caller("SC01")
    with _sink(pacs, "SC01") as sink, Doorbell(_address(pacs, "WS01")) as bell:
        with pytest.raises(AssertionError, match="N-EVENT-REPORT type 2"):
            accepts(dimse.commit(caller, image, sink))
        accepts(dimse.store(caller, image), code="0x0000")
        assert accepts(dimse.commit(caller, image, sink), code="0x0000").detail == "N-EVENT-REPORT type 1"
    assert bell.connections == 0
