"""What a peer can do wrong within an association request, on purpose or not: none of it gets in, none of it delays others."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, dimse, pdu
from securepacs_harness.probes.association import Piece
from securepacs_harness.probes.line import Line
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

#: A peer has 5 seconds for its request; this is longer, with room for a busy machine.
TOO_LONG = 8.0
#: The longest that the gateway may take to end a connection that says nothing.
ENDED_WITHIN = 7.0

CALLING = at(Layer.ASSOCIATION, "1/1/3")
ENDED = at(Layer.ASSOCIATION, {"closed", "reset"})
ENDED_OR_REJECTED = at(Layer.ASSOCIATION, {"closed", "reset", "1/1/3"})


def _patient(line: Line, seconds: float = 25.0) -> Line:
    return dataclasses.replace(line, timeout=seconds)


def _forged(pacs: Pacs) -> bytes:
    """A request that is wrong in one thing: CT01's certificate calls itself WS01."""
    return pdu.associate_rq(pacs.target.dicom.ae_title, "WS01")


def _paused(line: Line, raw: bytes, cut: int) -> Attempt:
    return association.associate(f"a pause after byte {cut} of {len(raw)}", line, [(raw[:cut], TOO_LONG), (raw[cut:], 0.0)])


def test_a_pause_at_any_byte_lets_nobody_through(pacs: Pacs, claim: Claim) -> None:
    """A false AE title is refused, wherever in the request the peer pauses until the gateway's patience is over."""
    raw = _forged(pacs)
    line = _patient(pacs.caller("CT01").line)
    cases = [
        (
            association.associate(f"a pause after byte {cut} of {len(raw)}", line, [(raw[:cut], TOO_LONG), (raw[cut:], 0.0)]),
            ENDED_OR_REJECTED,
        )
        for cut in range(1, len(raw))
    ]
    made = claim(dimse.echo(pacs.caller("CT01"))).refuses_all(cases, workers=len(cases))
    assert max(refusal.seen.seconds for refusal in made) < 2 * TOO_LONG


def test_a_good_request_that_pauses_too_long_is_ended_too(pacs: Pacs, claim: Claim) -> None:
    """Even the true peer gets no association after its time: what is half read is never sent on."""
    raw = pdu.associate_rq(pacs.target.dicom.ae_title, "CT01")
    line = _patient(pacs.caller("CT01").line)
    cuts = (1, 5, 6, 7, 10, 25, 26, 41, 42, 73, 74, 75, len(raw) - 1)
    cases = [(_paused(line, raw, cut), ENDED) for cut in cuts]
    claim(dimse.echo(pacs.caller("CT01"))).refuses_all(cases, workers=len(cases))


def test_a_request_in_small_pieces_is_one_request(pacs: Pacs, claim: Claim) -> None:
    """Byte by byte within its time the true request is accepted and the false one rejected with its reason."""
    caller = pacs.caller("CT01")

    def drip(raw: bytes) -> list[Piece]:
        return [*((raw[index : index + 1], 0.005) for index in range(len(raw) - 1)), (raw[-1:], 0.0)]

    accepts(association.associate("byte by byte", _patient(caller.line), drip(pdu.associate_rq(caller.called, "CT01"))))
    false = association.associate("byte by byte with a false title", _patient(caller.line), drip(_forged(pacs)))
    claim(dimse.echo(caller)).tries([(false, CALLING)])[0].require()


def test_a_drip_that_never_ends_is_ended(pacs: Pacs, claim: Claim) -> None:
    """A byte every 0.2 seconds does not stretch the gateway's patience."""
    raw = pdu.associate_rq(pacs.target.dicom.ae_title, "CT01")
    drip: list[Piece] = [(raw[index : index + 1], 0.2) for index in range(60)]
    attempt = association.associate("a slow drip", _patient(pacs.caller("CT01").line), drip)
    refusal = claim(dimse.echo(pacs.caller("CT01"))).tries([(attempt, ENDED)])[0].require()
    assert refusal.seen.seconds < ENDED_WITHIN


#: What is sent instead of a request, by name; each ends without the archive.
ODDITIES: dict[str, Callable[[bytes], bytes]] = {
    "a lone header": lambda raw: raw[:6],
    "a length of 4 GB": lambda raw: raw[:2] + b"\xff\xff\xff\xff" + raw[6:],
    "a length of 1 MB": lambda raw: raw[:2] + (1 << 20).to_bytes(4, "big") + raw[6:],
    "a length of one more": lambda raw: raw[:2] + (len(raw) - 5).to_bytes(4, "big") + raw[6:],
    "a length of nothing": lambda raw: raw[:2] + bytes(4) + raw[6:],
    "a length of 67": lambda raw: raw[:2] + (67).to_bytes(4, "big") + raw[6:],
    "a P-DATA-TF first": lambda raw: pdu.echo_rq(1) + raw,
    "an A-RELEASE-RQ first": lambda raw: pdu.RELEASE_RQ + raw,
    "an A-ABORT first": lambda raw: pdu.ABORT + raw,
    "PDU type 0": lambda raw: b"\0" + raw[1:],
    "PDU type 2": lambda raw: b"\2" + raw[1:],
    "an HTTP request": lambda _raw: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a line feed": lambda _raw: b"\n",
    "80 kB of contexts": lambda raw: raw[:2] + (80000 + len(raw) - 6).to_bytes(4, "big") + raw[6:] + b"\x40\0\x10\0" * 20000,
}


def test_what_is_no_request_is_ended(pacs: Pacs, claim: Claim) -> None:
    """Wrong lengths, wrong types and other protocols end at the gateway, with CT01's good certificate and title."""
    raw = pdu.associate_rq(pacs.target.dicom.ae_title, "CT01")
    line = _patient(pacs.caller("CT01").line)
    cases = [(association.associate(name, line, made(raw)), ENDED) for name, made in ODDITIES.items()]
    for refusal in claim(dimse.echo(pacs.caller("CT01"))).refuses_all(cases, workers=len(cases)):
        assert refusal.seen.seconds < ENDED_WITHIN, refusal.what


def test_a_false_title_with_data_behind_it_is_rejected(pacs: Pacs, claim: Claim) -> None:
    """What follows a rejected request in the same packet reaches nobody."""
    attempt = association.associate("a false title and a C-ECHO at once", pacs.caller("CT01").line, _forged(pacs) + pdu.echo_rq(1))
    claim(dimse.echo(pacs.caller("CT01"))).tries([(attempt, CALLING)])[0].require()


def test_a_silent_connection_is_ended(pacs: Pacs, claim: Claim) -> None:
    """A connection that says nothing, before or after its handshake, is ended within seconds."""
    caller = pacs.caller("CT01")
    wait: list[Piece] = [(b"", 15.0)]
    hello = bytes.fromhex("160301") + (200).to_bytes(2, "big") + b"\x01"
    bare = _patient(dataclasses.replace(caller.line, offer=None))
    cases = [
        (association.associate("silent after the handshake", _patient(caller.line), wait), ENDED),
        (association.associate("silent before the handshake", bare, wait), ENDED),
        (association.associate("half a ClientHello", bare, [(hello, 15.0)]), ENDED),
    ]
    for refusal in claim(dimse.echo(caller)).refuses_all(cases, workers=3):
        assert refusal.seen.seconds < ENDED_WITHIN, refusal.what


@pytest.mark.parametrize("secured", [True, False], ids=["after the handshake", "before it"])
def test_silent_connections_delay_nobody(pacs: Pacs, secured: bool) -> None:  # noqa: FBT001 - the table's value
    """While 40 connections are silent, an honest echo is as quick as ever."""
    caller = pacs.caller("CT01")
    line = _patient(caller.line if secured else dataclasses.replace(caller.line, offer=None))
    done = threading.Event()

    def hold() -> None:
        attempt = association.associate("silent", line, [(b"", 4.0)])
        try:
            accepts(attempt)
        except AssertionError:
            done.is_set()

    with ThreadPoolExecutor(max_workers=40) as pool:
        for _ in range(40):
            pool.submit(hold)
        time.sleep(1.5)
        slowest = max(accepts(dimse.echo(pacs.caller("WS01"))).seconds for _ in range(5))
    assert slowest < 2.0


@pytest.mark.parametrize("max_pdu", [0, 1, 2**32 - 1])
def test_an_odd_maximum_length_harms_nobody(pacs: Pacs, max_pdu: int) -> None:
    """Whatever the archive answers to a maximum PDU length of 0, 1 or 4 GB, the next echo is answered."""
    caller = pacs.caller("CT01")
    raw = pdu.associate_rq(caller.called, "CT01", max_pdu=max_pdu)
    try:
        accepts(association.associate(f"maximum length {max_pdu}", caller.line, raw))
    except AssertionError as error:
        assert "accepted" in str(error)
    assert accepts(dimse.echo(caller)).seconds < 2.0


def test_the_most_contexts_are_taken(pacs: Pacs) -> None:
    """128 presentation contexts, the most that DICOM allows, are negotiated."""
    caller = pacs.caller("CT01")
    contexts = tuple(pdu.Context(2 * index + 1) for index in range(128))
    seen = accepts(association.associate("128 contexts", caller.line, pdu.associate_rq(caller.called, "CT01", contexts=contexts)))
    assert seen.detail.count(": 0") == 128
