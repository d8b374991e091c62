"""Whether anybody can make honest peers wait. Bounded: a few seconds and some tens of connections a check."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from securepacs_harness.check import check
from securepacs_harness.observation import EndedError, Layer, Outcome
from securepacs_harness.probes import pdu
from securepacs_harness.probes.line import Line, opened
from securepacs_harness.reach import Pacs, nobody_has
from securepacs_harness.record import Record

#: How many honest echoes are made, quiet and disturbed, and how long the slowest may take.
ECHOES = 6
SLOWEST_SECONDS = 2.0
MANY = 60
HELD = "associations that were held idle"


@contextmanager
def disturbing(line: Line, data: bytes, count: int) -> Iterator[None]:
    """Hold `count` connections open, each of which has sent `data` and says nothing more."""
    with ExitStack() as held:
        for _ in range(count):
            try:
                connection = held.enter_context(opened(line, Layer.ASSOCIATION))
                if data:
                    connection.send(data)
            except EndedError:
                continue  # the target ends it at once: so much the better
        yield


@contextmanager
def idle_associations(pacs: Pacs, record: Record, count: int) -> Iterator[None]:
    """Hold associations open that do nothing."""
    able = pacs.with_verb("echo")
    caller = pacs.caller(able[-1])
    request = pdu.associate_rq(caller.called, caller.calling)
    with ExitStack() as open_:
        held = 0
        for _ in range(count):
            try:
                connection = open_.enter_context(opened(caller.line, Layer.ASSOCIATION))
                connection.send(request)
                held += isinstance(connection.pdu(), pdu.Accepted)
            except EndedError:
                continue  # a limit on what one peer may hold: so much the better, as long as it gets one
        if held:
            record.fact(HELD, expected=f"1 to {count}", told=str(held), holds=True)
        else:
            record.unknown(HELD, "none was accepted, so that nothing was disturbed", expected=f"1 to {count}")
        yield


def honest(pacs: Pacs, record: Record, what: str) -> list[float] | None:
    """Make some honest echoes; give their seconds, or None when one of them did not succeed."""
    control = pacs.echo_control()
    seen = [record.look(control.named(f"an honest echo {what}")) for _ in range(ECHOES)]
    return [answer.seconds for answer in seen] if all(answer.outcome is Outcome.ACCEPTED for answer in seen) else None


def measured(pacs: Pacs, record: Record, disturbance: AbstractContextManager[None], what: str) -> None:
    """Hold honest echoes during a disturbance against quiet ones, and see that it is over afterwards."""
    quiet = honest(pacs, record, "while it is quiet")
    if quiet is None:
        record.unknown(f"latency {what}", "honest echoes did not succeed while it was quiet")
        return
    bound = max(SLOWEST_SECONDS, 5 * statistics.median(quiet))
    with disturbance:
        busy = honest(pacs, record, what)
    after = honest(pacs, record, f"after it, {what}")
    told = f"quiet median {_ms(statistics.median(quiet))}, {what} "
    told += f"median {_ms(statistics.median(busy))}, slowest {_ms(max(busy))}" if busy else "not every echo succeeded"
    record.fact(f"latency {what}", expected=f"at most {_ms(bound)}", told=told, holds=busy is not None and max(busy) <= bound)
    told = _ms(max(after)) if after else "not every echo succeeded"
    record.fact(f"afterwards, {what}", expected=f"at most {_ms(bound)}", told=told, holds=after is not None and max(after) <= bound)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


_REMEDY = "Put a gateway in front that reads a whole A-ASSOCIATE-RQ within a few seconds, and limits connections for each source."


@check("availability.silent", "A silent connection delays nobody", tier="load", controls=("availability",), remedy=_REMEDY)
def test_a_silent_connection_delays_nobody(pacs: Pacs, record: Record) -> None:
    """While a connection is open that says nothing, honest echoes are answered."""
    measured(pacs, record, disturbing(pacs.plain_line(), b"", 1), "while a connection is silent")


@check("availability.half-open", "An unfinished TLS handshake delays nobody", tier="load", controls=("availability",), remedy=_REMEDY)
def test_an_unfinished_handshake_delays_nobody(pacs: Pacs, record: Record) -> None:
    """While a connection has sent the beginning of a ClientHello, honest echoes are answered."""
    if not pacs.target.dicom.tls:
        record.not_tested("unfinished handshakes", "the listener is declared without TLS")
        return
    measured(pacs, record, disturbing(pacs.plain_line(), bytes.fromhex("1603010200010001fc0303"), 1), "while a handshake is unfinished")


@check("availability.partial", "An unfinished request delays nobody", tier="load", controls=("availability",), remedy=_REMEDY)
def test_an_unfinished_request_delays_nobody(pacs: Pacs, record: Record) -> None:
    """While a connection has sent the header of an A-ASSOCIATE-RQ and no more, honest echoes are answered."""
    able = pacs.with_verb("echo")
    line = pacs.caller(able[0]).line if able else pacs.line(None)
    header = pdu.associate_rq("X", "Y")[: pdu.HEADER]
    measured(pacs, record, disturbing(line, header, 1), "while a request is unfinished")


@check("availability.oversized", "A request that claims to be huge delays nobody", tier="load", controls=("availability",), remedy=_REMEDY)
def test_an_oversized_request_delays_nobody(pacs: Pacs, record: Record) -> None:
    """While a connection has announced four gigabytes, honest echoes are answered."""
    able = pacs.with_verb("echo")
    line = pacs.caller(able[0]).line if able else pacs.line(None)
    huge = pdu.associate_rq("X", "Y", length=0xFFFFFFFF)
    measured(pacs, record, disturbing(line, huge, 1), "while a request claims four gigabytes")


@check("availability.idle", "Idle associations delay nobody", tier="load", controls=("availability",), remedy=_REMEDY)
def test_idle_associations_delay_nobody(pacs: Pacs, record: Record) -> None:
    """While a peer holds some associations that do nothing, honest echoes are answered."""
    if not pacs.with_verb("echo"):
        record.unknown("idle associations", nobody_has("echo"))
        return
    measured(pacs, record, idle_associations(pacs, record, 4), "while 4 associations are idle")


@check("availability.many", "Many silent connections delay nobody", tier="load", controls=("availability",), remedy=_REMEDY)
def test_many_silent_connections_delay_nobody(pacs: Pacs, record: Record) -> None:
    """While many connections are open that say nothing, honest echoes are answered."""
    measured(pacs, record, disturbing(pacs.plain_line(), b"", MANY), f"while {MANY} connections are silent")
