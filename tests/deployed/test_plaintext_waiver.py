"""A peer without TLS is served on its own listener, from its own address, under its own name, and by no other way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from deployed.deployment import PLAIN_PEER
from deployed.elsewhere import Elsewhere, relays
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, dimse, http
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

CALLING = at(Layer.ASSOCIATION, "1/1/3")
ENDED = at({Layer.ASSOCIATION, Layer.HTTP}, {"closed", "reset"})


@pytest.fixture(scope="module")
def elsewhere(pacs: Pacs, dcmtk_image: str) -> Iterator[Elsewhere]:
    """Another address on the edge network."""
    waiver = pacs.target.peers[PLAIN_PEER].plaintext
    assert waiver is not None
    with relays(pacs, dcmtk_image, "deptest-test-relay-plain", (waiver.port, 2762)) as there:
        yield there


def test_the_waiver_is_declared(pacs: Pacs) -> None:
    """The target file tells of the waiver with its reason and its last day."""
    (waiver,) = pacs.target.waivers
    assert PLAIN_PEER in waiver.what
    assert "no TLS" in waiver.reason


def test_the_old_unit_stores_without_tls(pacs: Pacs, image: Instance, dcmtk: Dcmtk) -> None:
    """From its declared address and with its AE title the peer's verbs work, by both clients."""
    accepts(dimse.echo(pacs.caller(PLAIN_PEER)), code="0x0000")
    accepts(dimse.store(pacs.caller(PLAIN_PEER), image), code="0x0000")
    accepts(dcmtk.attempt("store", pacs.caller(PLAIN_PEER), image), code="0x0000")


def test_another_name_is_refused_on_its_listener(pacs: Pacs, claim: Claim) -> None:
    """No other AE title may use the listener, declared or not."""
    line = pacs.caller(PLAIN_PEER).line
    called = pacs.target.dicom.ae_title
    titles = [name for name in pacs.target.peers if name != PLAIN_PEER] + ["xr01", " XR01", "XR01\0", "XR01X", ""]
    cases = [(association.echo(f"without TLS as {title!r}", line, called, title), CALLING) for title in titles]
    claim(dimse.echo(pacs.caller(PLAIN_PEER))).refuses_all(cases)


def test_another_address_is_refused_on_its_listener(pacs: Pacs, claim: Claim, elsewhere: Elsewhere) -> None:
    """The right AE title from another network address gets no association."""
    caller = pacs.caller(PLAIN_PEER)
    there = dataclasses.replace(caller, line=elsewhere.line(caller.line, caller.line.port))
    attempt = association.echo("XR01 from another address", there.line, caller.called, PLAIN_PEER)
    claim(dimse.echo(caller)).tries([(attempt, ENDED)])[0].require()


def test_that_address_is_heard_where_it_may_speak(pacs: Pacs, elsewhere: Elsewhere) -> None:
    """From that other address a peer with TLS is served: so it is the listener that refused, not the way there."""
    caller = pacs.caller("CT01")
    accepts(dimse.echo(dataclasses.replace(caller, line=elsewhere.line(caller.line, 2762))), code="0x0000")


def test_the_name_opens_nothing_elsewhere(pacs: Pacs, claim: Claim) -> None:
    """The peer's AE title is refused on the TLS listener, where it has no certificate."""
    caller = pacs.caller("CT01")
    claim(dimse.echo(caller)).tries([(association.echo("XR01 over TLS", caller.line, caller.called, PLAIN_PEER), CALLING)])[0].require()


def test_its_listener_keeps_the_same_rules(pacs: Pacs, claim: Claim) -> None:
    """A wrong called AE title, another verb and HTTP are refused there as elsewhere."""
    caller = pacs.caller(PLAIN_PEER)
    cases = [
        (association.echo("a wrong called title", caller.line, "ORTHANC", PLAIN_PEER), at(Layer.ASSOCIATION, "1/1/7")),
        (dimse.find(caller), at(Layer.DIMSE, "abort/0/0")),
        (http.ask("HTTP", caller.line, http.Request("GET", "/system")), ENDED),
    ]
    claim(dimse.echo(caller)).refuses_all(cases)
