"""Raw associations: any bytes, with any pauses, over any line (PS3.8 section 9)."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Sequence

from securepacs_harness.observation import Attempt, EndedError, Layer, Observation, Outcome
from securepacs_harness.probes import pdu
from securepacs_harness.probes.line import Connection, Line, opened

Piece = tuple[bytes, float]
"""Bytes to send, and the seconds to pause after them."""


def judge_answer(answer: pdu.Answer) -> Observation:
    """Say what an answer to an A-ASSOCIATE-RQ means."""
    if isinstance(answer, pdu.Accepted):
        results = ", ".join(f"context {context}: {result}" for context, result in sorted(answer.results.items()))
        return Observation(Layer.ASSOCIATION, Outcome.ACCEPTED, "accepted", results)
    if isinstance(answer, pdu.Rejected):
        return Observation(Layer.ASSOCIATION, Outcome.REFUSED, str(answer), pdu.REASONS.get((answer.source, answer.reason), ""))
    if isinstance(answer, pdu.Aborted):
        return Observation(Layer.ASSOCIATION, Outcome.REFUSED, str(answer))
    if answer.kind == 0x15:
        return Observation(Layer.TLS, Outcome.REFUSED, "alert-record", answer.body[:7].hex())
    if answer.body[:5] == b"HTTP/":
        return Observation(Layer.HTTP, Outcome.REFUSED, "not-dicom", answer.body.decode("latin-1"))
    return Observation(Layer.ASSOCIATION, Outcome.INCONCLUSIVE, "not-understood", f"PDU type {answer.kind:02X}H")


def _converse(connection: Connection, pieces: Sequence[Piece]) -> Observation:
    for data, pause in pieces:
        connection.send(data)
        if pause:
            connection.wait(pause)
    answer = connection.pdu()
    seen = judge_answer(answer)
    if isinstance(answer, pdu.Accepted):
        release(connection)
    return seen


def release(connection: Connection) -> None:
    """Leave in good order; what happens after the answer changes nothing of it."""
    try:
        connection.send(pdu.RELEASE_RQ)
        connection.pdu()
    except EndedError:
        return


def associate(what: str, line: Line, pieces: bytes | Sequence[Piece]) -> Attempt:
    """Try an association with these bytes; release it when it is accepted."""
    parts: Sequence[Piece] = [(pieces, 0.0)] if isinstance(pieces, bytes) else pieces

    def observe() -> Observation:
        try:
            with opened(line, Layer.ASSOCIATION) as connection:
                return _converse(connection, parts)
        except EndedError as ended:
            return ended.seen

    return Attempt(what, observe)


def _echo(connection: Connection) -> Observation:
    answer = connection.pdu()
    if not isinstance(answer, pdu.Accepted):
        return judge_answer(answer)
    if not answer.results:
        release(connection)
        return Observation(Layer.CONTEXT, Outcome.REFUSED, "none", "the association was accepted without any context")
    (context, result), *_ = sorted(answer.results.items())
    if result != 0:
        release(connection)
        return Observation(Layer.CONTEXT, Outcome.REFUSED, str(result))
    connection.send(pdu.echo_rq(context))
    reply = connection.pdu()
    release(connection)
    if isinstance(reply, pdu.Aborted):
        return Observation(Layer.DIMSE, Outcome.REFUSED, str(reply))
    if not isinstance(reply, pdu.Other) or reply.kind != 0x04:
        return Observation(Layer.DIMSE, Outcome.INCONCLUSIVE, "not-understood", str(reply))
    status = _status(reply.body)
    return Observation(Layer.DIMSE, Outcome.REFUSED if status else Outcome.ACCEPTED, f"0x{status:04X}")


def _status(body: bytes) -> int:
    """Give element (0000,0900) of a command set in implicit little endian; 0xFFFF where it is missing."""
    at = body.find(bytes.fromhex("0000000902000000"))
    return int.from_bytes(body[at + 8 : at + 10], "little") if at >= 0 else 0xFFFF


def echo(what: str, line: Line, called: str | bytes, calling: str | bytes) -> Attempt:
    """Try a C-ECHO with hand-made bytes only."""
    return echo_by(what, line, pdu.associate_rq(called, calling))


def echo_by(what: str, line: Line, request: bytes) -> Attempt:
    """Try a C-ECHO over the association that this request asks for."""

    def observe() -> Observation:
        try:
            with opened(line, Layer.ASSOCIATION) as connection:
                connection.send(request)
                return _echo(connection)
        except EndedError as ended:
            return ended.seen

    return Attempt(what, observe)


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A TLS session to resume later, with the context that made it."""

    line: Line
    context: ssl.SSLContext
    session: ssl.SSLSession | None


def take_session(line: Line, called: str, calling: str) -> Taken:
    """Make an association and keep its TLS session (None where the server gave none). Raises EndedError when it is refused."""
    if line.offer is None:
        raise TypeError("a plain line has no TLS session")
    context = line.offer.context()
    with opened(line, Layer.ASSOCIATION, context=context) as connection:
        connection.send(pdu.associate_rq(called, calling))
        answer = connection.pdu()
        if not isinstance(answer, pdu.Accepted):
            raise EndedError(judge_answer(answer))
        sock = connection.sock
        session = sock.session if isinstance(sock, ssl.SSLSocket) else None
        release(connection)
    return Taken(line, context, session)


def resume(what: str, taken: Taken, called: str, calling: str) -> Attempt:
    """Try an association over a resumed TLS session."""

    def observe() -> Observation:
        try:
            with opened(taken.line, Layer.ASSOCIATION, context=taken.context, session=taken.session) as connection:
                sock = connection.sock
                resumed = isinstance(sock, ssl.SSLSocket) and bool(sock.session_reused)
                connection.send(pdu.associate_rq(called, calling))
                answer = connection.pdu()
                if isinstance(answer, pdu.Accepted):
                    release(connection)
                seen = judge_answer(answer)
                return dataclasses.replace(seen, detail=f"session {'resumed' if resumed else 'not resumed'}; {seen.detail}")
        except EndedError as ended:
            return ended.seen

    return Attempt(what, observe)
