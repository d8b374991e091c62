"""What each peer may do: every peer by every verb, through two clients. What is declared works, the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import dcmtk as dcmtk_probe
from securepacs_harness.probes import dimse
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.sink import Sink
from securepacs_harness.reach import Pacs
from securepacs_harness.target import VERBS

Claim = Callable[[Attempt], Bracket]

#: Peers that may do a verb, and so control its refusals.
CONTROL = {"echo": "CT01", "store": "CT01", "find": "WS01", "get": "WS01", "move": "WS01", "worklist": "WL01", "commit": "SC01"}

#: How the archive refuses a verb that a peer does not have: it accepts the association, and answers the request with an A-ABORT of the
#: service user (PS3.8 table 9-26). DCMTK does not tell source and reason.
REFUSED = at(Layer.DIMSE, "abort/0/0")
REFUSED_TO_DCMTK = at(Layer.DIMSE, "abort")


@pytest.fixture(scope="module")
def sinks(pacs: Pacs) -> Iterator[dict[str, Sink]]:
    """Receivers at the addresses that the peers declare."""
    with ExitStack() as open_:
        yield {
            name: open_.enter_context(Sink(peer.address, name, pacs.bundles.material(name)))
            for name, peer in pacs.target.peers.items()
            if peer.address
        }


def pynetdicom(verb: str, caller: Caller, image: Instance, sinks: dict[str, Sink]) -> Attempt:
    """Try a verb with pynetdicom."""
    to = caller.calling if caller.calling in sinks else "WS01"
    attempts: dict[str, Callable[[], Attempt]] = {
        "echo": lambda: dimse.echo(caller),
        "store": lambda: dimse.store(caller, image),
        "find": lambda: dimse.find(caller),
        "get": lambda: dimse.get(caller, image),
        "move": lambda: dimse.move(caller, image, to),
        "worklist": lambda: dimse.worklist(caller),
        "commit": lambda: dimse.commit(caller, image, sinks.get(caller.calling)),
    }
    return attempts[verb]()


def granted(pacs: Pacs) -> list[tuple[str, str]]:
    """Give (peer, verb) for each right that is declared."""
    return [(name, verb) for name, peer in pacs.target.peers.items() for verb in VERBS if verb in peer.verbs]


def withheld(pacs: Pacs) -> list[tuple[str, str]]:
    """Give (peer, verb) for each that is not."""
    return [(name, verb) for name, peer in pacs.target.peers.items() for verb in VERBS if verb not in peer.verbs]


def test_the_table_has_both_sides(pacs: Pacs) -> None:
    """Every verb is granted to some peer and withheld from another, and each control has its verb."""
    assert {verb for _, verb in granted(pacs)} == set(VERBS) == {verb for _, verb in withheld(pacs)}
    assert all(verb in pacs.target.peers[name].verbs for verb, name in CONTROL.items())


def test_what_is_declared_works(pacs: Pacs, stored: Instance, sinks: dict[str, Sink]) -> None:
    """Each declared verb of each peer succeeds with pynetdicom, with status 0x0000."""
    for name, verb in granted(pacs):
        accepts(pynetdicom(verb, pacs.caller(name), stored, sinks), code="0x0000")


def test_what_is_declared_works_with_the_second_client(pacs: Pacs, stored: Instance, sinks: dict[str, Sink], dcmtk: Dcmtk) -> None:
    """Each declared verb that DCMTK has a tool for succeeds with it too."""
    for name, verb in granted(pacs):
        if verb in dcmtk_probe.VERBS:
            accepts(dcmtk.attempt(verb, pacs.caller(name), stored, to=name if name in sinks else "WS01"), code="0x0000")


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_not_declared_is_refused(pacs: Pacs, claim: Claim, stored: Instance, sinks: dict[str, Sink], verb: str) -> None:
    """A verb is refused to every peer without it, between two successes of a peer that has it."""
    control = pynetdicom(verb, pacs.caller(CONTROL[verb]), stored, sinks)
    cases = [(pynetdicom(verb, pacs.caller(name), stored, sinks), REFUSED) for name, withheld_ in withheld(pacs) if withheld_ == verb]
    claim(control).refuses_all(cases, workers=2)


@pytest.mark.parametrize("verb", dcmtk_probe.VERBS)
def test_what_is_not_declared_is_refused_to_the_second_client(
    pacs: Pacs, claim: Claim, stored: Instance, sinks: dict[str, Sink], dcmtk: Dcmtk, verb: str
) -> None:
    """The same with DCMTK, with a control by DCMTK."""
    control = dcmtk.attempt(verb, pacs.caller(CONTROL[verb]), stored, to="WS01" if sinks else "")
    cases = [
        (dcmtk.attempt(verb, pacs.caller(name), stored, to=name if name in sinks else "WS01"), REFUSED_TO_DCMTK)
        for name, withheld_ in withheld(pacs)
        if withheld_ == verb
    ]
    claim(control).refuses_all(cases, workers=2)


def test_a_refused_image_is_not_kept(pacs: Pacs, claim: Claim, image: Instance) -> None:
    """After a refused C-STORE the archive finds no such study; after a granted one it finds it once."""
    who_asks = pacs.caller("WS01")
    claim(dimse.echo(who_asks)).tries([(dimse.store(who_asks, image), REFUSED)])[0].require()
    assert accepts(dimse.find(who_asks, StudyInstanceUID=image.study)).detail == "0 matches"
    accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    assert accepts(dimse.find(who_asks, StudyInstanceUID=image.study)).detail == "1 matches"
