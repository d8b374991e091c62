"""The checks and probes of associations, against a gateway that answers as it is told and a PACS that serves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from securepacs_harness.bundles import Bundles
from securepacs_harness.checks import test_association as checks
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes import association, malformed, pdu
from securepacs_harness.probes.line import Line
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import parse_target
from unit.harness.standin import Clinic, start_archive

ACCEPTANCE = bytes.fromhex("020000000044") + bytes(68)
REJECTION = bytes.fromhex("03000000000400010103")
Answer = Callable[[socket.socket], None]


@contextmanager
def listener(answer: Answer) -> Iterator[Line]:
    """Serve each connection with a function."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    answer(caller)

        threading.Thread(target=serve, daemon=True).start()
        yield Line("127.0.0.1", server.getsockname()[1], timeout=3)
        server.shutdown(socket.SHUT_RDWR)


def always(answer: bytes) -> Answer:
    """Give a server that reads once, answers this, and waits for a last word."""

    def reply(caller: socket.socket) -> None:
        caller.recv(4096)
        caller.sendall(answer)
        caller.recv(10)

    return reply


def seen(attempt: Attempt) -> Observation:
    """Try it."""
    return attempt._run()


def test_an_acceptance_before_the_whole_request_is_one() -> None:
    """A gateway that lets a peer through in the middle of its request has accepted it: no doubt is left to its favour."""

    def hasty(caller: socket.socket) -> None:
        caller.recv(6)
        caller.sendall(ACCEPTANCE)
        caller.recv(4096)

    request = pdu.associate_rq("ARCHIVE", "CT01")
    with listener(hasty) as line:
        answer = seen(association.associate("hasty", line, [(request[:20], 1.0), (request[20:], 0.0)]))
    assert (answer.layer, answer.outcome) == (Layer.ASSOCIATION, Outcome.ACCEPTED)


def test_an_association_without_contexts_is_told() -> None:
    """An acceptance that names no context serves nobody, and is no rejection of the association either."""
    with listener(always(ACCEPTANCE)) as line:
        answer = seen(association.echo("empty", line, "ARCHIVE", "CT01"))
    assert (answer.layer, answer.outcome, answer.code) == (Layer.CONTEXT, Outcome.REFUSED, "none")


@pytest.mark.parametrize("what", sorted(malformed.unusual("ARCHIVE", "CT01")))
def test_seldom_requests_are_lawful(clinic: Clinic, what: str) -> None:
    """Another implementation takes each seldom request: the association is accepted, whatever becomes of the echo."""
    caller = clinic.caller()
    answer = seen(association.associate(what, caller.line, malformed.unusual("ARCHIVE", "CT01")[what]))
    assert answer.outcome is Outcome.ACCEPTED


def waived(port: int, *names: str) -> Pacs:
    """Declare peers without TLS on one listener, and one that has another."""
    plaintext = {"port": port, "until": "2999-01-01", "reason": "old"}
    peers = {**{name: {"verbs": ["store"], "plaintext": plaintext} for name in names}, "RS01": {"verbs": ["echo"]}}
    dicom = {"host": "127.0.0.1", "port": port, "ae_title": "ARCHIVE", "tls": False, "client_certificates": False}
    return Pacs(parse_target({"version": 1, "name": "x", "dicom": dicom, "peers": peers}), Bundles(Path()))


def plaintext_waiver(pacs: Pacs) -> Record:
    """Make the check."""
    record = Record("association.plaintext-waiver")
    checks.test_a_plaintext_listener_serves_its_peer_only(pacs, record, pacs.stranger)
    return record


def test_a_shared_plaintext_listener_serves_whom_it_is_declared_to() -> None:
    """Two waived devices on one listener, neither of which may echo, are no finding; everybody else is refused."""
    server = start_archive(set(), None)
    try:
        record = plaintext_waiver(waived(server.server_address[1], "CT01", "WS01"))
        assert record.status is Status.PASSED, record.reason
        assert not any(case.what.startswith("WS01 on the listener of CT01") for case in record.cases)
        alone = plaintext_waiver(waived(server.server_address[1], "CT01"))
        assert alone.status is Status.PASSED, alone.reason
        server.ae.require_calling_aet = []
        assert plaintext_waiver(waived(server.server_address[1], "CT01")).status is Status.FOUND
    finally:
        server.shutdown()


def test_a_plaintext_listener_that_is_broken_shows_nothing() -> None:
    """Where the waived device itself is rejected on its listener, no refusal beside it counts, though other listeners work."""
    with listener(always(REJECTION)) as line:
        assert plaintext_waiver(waived(line.port, "CT01")).status is Status.INCONCLUSIVE


def test_a_title_without_letters_is_not_held_against_itself() -> None:
    """The other case of 1234 is 1234: it is not tried as if it were another's."""
    with listener(always(REJECTION)) as line:
        tried = [case.what for case in plaintext_waiver(waived(line.port, "1234")).cases]
    assert "1234 in the other case on the listener of 1234" in tried
    assert checks.not_of("1234")["in the other case"] == b"4321"
