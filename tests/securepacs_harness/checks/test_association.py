"""Who an association says it is, and what becomes of a malformed request (PS3.8 section 9.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from pydicom.uid import CTImageStorage

from securepacs_harness.bracket import Bracket, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.control import echoing
from securepacs_harness.observation import Layer, Outcome
from securepacs_harness.probes import association, malformed, pdu
from securepacs_harness.probes.line import Line
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record

Control = Callable[..., Bracket]

REJECTED = at(Layer.ASSOCIATION)
ENDED = at({Layer.ASSOCIATION, Layer.TLS, Layer.HTTP})
#: How long an honest echo may take after a seldom request, at least.
SLOWEST_SECONDS = 2.0
#: For what is no association: that none is given is the claim; a server that waits for the rest is availability's matter.
NOT_GIVEN = at({Layer.ASSOCIATION, Layer.TLS, Layer.HTTP}, silence=True)


def not_of(name: str) -> dict[str, bytes]:
    """Give AE titles that are not `name`'s, as the bytes of the field: another case, a prefix, a NUL or a wildcard makes another.

    Blanks before and behind a title do not count (PS3.8 table 9-11), so that a title between blanks is the same.
    """
    own = name.encode()
    other = own.swapcase() if own.swapcase() != own else own[::-1]
    short = own[:15]
    spelt = {
        "in the other case": other,
        "with a NUL and another name": (own + b"\0WS01")[:16],
        "behind another name and a NUL": (b"WS01\0" + own)[:16],
        "with a NUL": short + b"\0",
        "padded with NULs": own.ljust(16, b"\0"),
        "with one more letter": short + b"X",
        "with one letter less": own[:-1],
        "with a no-break space": short + b"\xa0",
        "with a tab": short + b"\t",
        "with a line feed": short + b"\n",
        "with a wildcard": own[:-1] + b"*",
        "a wildcard": b"*",
        "nothing but blanks": b"",
        "nothing but NULs": bytes(16),
        "all bits set": b"\xff" * 16,
    }
    # A title of all 16 letters leaves no room for what would make it another.
    return {how: title for how, title in spelt.items() if title[: pdu.AE_FIELD].strip(b" ") != own.strip(b" ")}


def user_identity(kind: int, name: str) -> bytes:
    """Write a user identity item (PS3.7 section D.3.3.7): kind 1 is a user name, 2 a name with a passcode."""
    primary = name.encode()
    secondary = b"secret" if kind == 2 else b""
    body = bytes([kind, 0]) + len(primary).to_bytes(2, "big") + primary + len(secondary).to_bytes(2, "big") + secondary
    return bytes([0x58, 0]) + len(body).to_bytes(2, "big") + body


@check(
    "association.calling-ae",
    "An AE title opens associations for its own holder only",
    controls=("peer-identity",),
    remedy="Bind the calling AE title to the certificate that is shown, byte for byte; without TLS, to the declared peers at least.",
)
def test_an_ae_title_belongs_to_its_certificate(pacs: Pacs, control: Control, record: Record, stranger: Stranger) -> None:
    """A peer's certificate opens nothing under another declared title, an unknown one, or any spelling that is not its own."""
    name = echoing(pacs, record, "calling AE titles")
    if name is None:
        return
    line, called = pacs.caller(name).line, pacs.target.dicom.ae_title
    bound = pacs.shows_certificates
    others = [other for other, peer in pacs.target.peers.items() if other != name and bound]
    shown = f"{name}'s certificate" if bound else f"where {name} may call"
    expected = record.expected(REJECTED)
    cases = [(association.echo(f"{shown} as {other}", line, called, other), expected) for other in others]
    cases.append((association.echo(f"{shown} as a stranger", line, called, stranger.ae_title), expected))
    cases.append((association.echo(f"{shown} as the archive itself", line, called, called), expected))
    cases += [(association.echo(f"{shown} as {name} {how}", line, called, title), expected) for how, title in not_of(name).items()]
    for kind in (1, 2):
        request = pdu.associate_rq(called, stranger.ae_title, extra_items=user_identity(kind, name))
        cases.append((association.associate(f"{shown} as a stranger with {name} as user identity of type {kind}", line, request), expected))
    control(pacs.echo_control(name)).tries(cases, workers=PARALLEL)


@check(
    "association.called-ae",
    "An association that calls another AE title is rejected",
    controls=("called-identity",),
    remedy="Reject a called AE title that is not the archive's own, byte for byte.",
)
def test_the_called_title_is_the_archives(pacs: Pacs, control: Control, record: Record) -> None:
    """Widespread default names and other spellings of the archive's own are rejected."""
    name = echoing(pacs, record, "called AE titles")
    if name is None:
        return
    caller, own = pacs.caller(name), pacs.target.dicom.ae_title
    defaults = [title for title in ("ORTHANC", "ANY-SCP", "DCM4CHEE", "ARCHIVE") if title != own]
    named = {f"as {title}": title.encode() for title in defaults} | {f"as itself {how}": title for how, title in not_of(own).items()}
    cases = [
        (association.echo(f"the archive called {how}", caller.line, title, caller.calling), record.expected(REJECTED))
        for how, title in named.items()
    ]
    control(pacs.echo_control(name)).tries(cases, workers=PARALLEL)


@check(
    "association.malformed",
    "A malformed request is no association, and hurts nobody",
    controls=("availability", "peer-identity"),
    remedy="Read the whole A-ASSOCIATE-RQ before deciding, refuse lengths that lie, and put a limit on the size.",
)
def test_a_malformed_request_is_refused(pacs: Pacs, control: Control, record: Record) -> None:
    """Lengths that lie, wrong versions and types, garbage: none is accepted; after seldom ones, too, honest peers are served at once."""
    name = echoing(pacs, record, "malformed requests")
    if name is None:
        return
    caller = pacs.caller(name)
    cases = [
        (association.associate(what, _patient(caller.line), request), record.expected(NOT_GIVEN))
        for what, request in malformed.requests(caller.called, caller.calling).items()
    ]
    made = control(pacs.echo_control(name)).tries(cases, workers=2 * PARALLEL)
    bound = max(SLOWEST_SECONDS, 5 * made[0].before.seconds)
    for what, request in malformed.unusual(caller.called, caller.calling).items():
        # Whether the archive takes them is its own affair: a time-out is noted, and what counts is whom it makes wait.
        record.look(association.echo_by(what, dataclasses.replace(caller.line, timeout=SLOWEST_SECONDS), request))
        after = record.accepts(pacs.echo_control(name).named(f"an honest echo after {what}"))
        if after.outcome is Outcome.ACCEPTED:
            told = f"{after.seconds:.2f} s"
            record.fact(f"latency after {what}", expected=f"at most {bound:.0f} s", told=told, holds=after.seconds <= bound)


def _patient(line: Line) -> Line:
    """Give a line that waits a little longer than a pause."""
    return dataclasses.replace(line, timeout=malformed.PAUSE + 2)


@check(
    "association.pauses",
    "Who pauses inside its request is not let through",
    controls=("peer-identity", "availability"),
    remedy="Let each rule of the gateway reject unless it sees what it needs: when the wait for data ends, the default must be no.",
)
def test_a_pause_opens_nothing(pacs: Pacs, control: Control, record: Record, stranger: Stranger) -> None:
    """A request under a false name that stops at any of some places, and goes on seconds later, is refused as the whole one is."""
    name = echoing(pacs, record, "pauses")
    if name is None:
        return
    caller = pacs.caller(name)
    # Another declared title is worth more than an unknown one: the archive itself would take it.
    bound = pacs.shows_certificates
    others = [other for other, peer in pacs.target.peers.items() if other != name and bound and "echo" in peer.verbs and not peer.plaintext]
    request = pdu.associate_rq(caller.called, others[0] if others else stranger.ae_title)
    whole = record.look(association.associate("a false name, without a pause", caller.line, request))
    if whole.outcome is Outcome.ACCEPTED:
        record.not_tested("pauses", "a false name is accepted without any, which association.calling-ae tells")
        return
    cases = [
        (association.associate(f"a false name, with a pause {where}", _patient(caller.line), pieces), record.expected(NOT_GIVEN))
        for where, pieces in malformed.pauses(request).items()
    ]
    control(pacs.echo_control(name)).tries(cases, workers=len(cases))


@check(
    "association.plaintext-waiver",
    "A listener without TLS serves its one peer",
    controls=("waiver-governance", "peer-identity", "transmission-encryption"),
    remedy="Give each waived device a listener of its own that takes its address and its AE title and nothing else.",
)
def test_a_plaintext_listener_serves_its_peer_only(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """On the listener of a waived peer every other declared name and a stranger's is refused."""
    waived = {name: peer.plaintext for name, peer in pacs.target.peers.items() if peer.plaintext}
    if not waived:
        record.not_tested("plaintext listeners", "the target declares no peer without TLS")
    for name, plaintext in waived.items():
        line = pacs.plain_line(plaintext.port)
        sharing = {other for other, declared in waived.items() if declared.port == plaintext.port}
        callers: dict[str, str | bytes] = {other: other for other in pacs.target.peers if other not in sharing}
        callers |= {f"{name} {how}": title for how, title in not_of(name).items() if how == "in the other case"}
        cases = [
            (association.echo(f"{who} on the listener of {name}", line, stranger.called, calling), record.expected(ENDED))
            for who, calling in callers.items()
        ]
        a_stranger = association.echo(f"a stranger on the listener of {name}", line, stranger.called, stranger.ae_title)
        cases.append((a_stranger, record.expected(ENDED)))
        if plaintext.source and not pacs.is_from(plaintext.source):
            record.not_tested(f"the listener of {name}", f"it serves {plaintext.source}, which is not this machine")
            continue
        # The control takes the same listener, also of a device that only stores and has no echo.
        own = pdu.associate_rq(stranger.called, name, contexts=(pdu.Context(1), pdu.Context(3, CTImageStorage)))
        record.bracket(association.associate(f"{name} on its own listener", line, own)).tries(cases, workers=PARALLEL)
