"""Whether anybody can make honest peers wait. Bounded: a few seconds and some tens of connections a check."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from securepacs_harness.check import check
from securepacs_harness.observation import EndedError, Layer, Outcome
from securepacs_harness.probes import pdu
from securepacs_harness.probes.line import Line, opened
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

#: How many honest echoes are made, quiet and disturbed, and how long the slowest may take.
ECHOES = 6
SLOWEST_SECONDS = 2.0
MANY = 60


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
def idle_associations(pacs: Pacs, count: int) -> Iterator[None]:
    """Hold associations open that do nothing."""
    able = pacs.with_verb("echo")
    caller = pacs.caller(able[-1])
    request = pdu.associate_rq(caller.called, caller.calling)
    with disturbing(caller.line, request, count):
        yield


def honest(pacs: Pacs, record: Record, what: str) -> list[float]:
    """Make some honest echoes; give their seconds."""
    control = pacs.echo_control()
    seen = [record.accepts(control.named(f"an honest echo {what}")) for _ in range(ECHOES)]
    return [answer.seconds for answer in seen if answer.outcome is Outcome.ACCEPTED]


def measured(pacs: Pacs, record: Record, disturbance: AbstractContextManager[None], what: str) -> None:
    """Hold honest echoes during a disturbance against quiet ones, and see that it is over afterwards."""
    quiet = honest(pacs, record, "while it is quiet")
    with disturbance:
        busy = honest(pacs, record, what)
    began = time.monotonic()
    after = honest(pacs, record, f"after it, {what}")
    if not quiet or not busy or not after:
        record.unknown(f"latency {what}", "honest echoes did not succeed")
        return
    bound = max(SLOWEST_SECONDS, 5 * statistics.median(quiet))
    told = f"quiet median {_ms(statistics.median(quiet))}, {what} median {_ms(statistics.median(busy))}, slowest {_ms(max(busy))}"
    record.fact(f"latency {what}", expected=f"at most {_ms(bound)}", told=told, holds=max(busy) <= bound)
    recovery = time.monotonic() - began
    record.fact(f"recovery {what}", expected=f"at most {_ms(ECHOES * bound)}", told=_ms(recovery), holds=recovery <= ECHOES * bound)


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
        record.unknown("idle associations", "no peer with the verb echo can be called as: its bundle is not at hand")
        return
    measured(pacs, record, idle_associations(pacs, 4), "while 4 associations are idle")


@check("availability.many", "Many silent connections delay nobody", tier="load", controls=("availability",), remedy=_REMEDY)
def test_many_silent_connections_delay_nobody(pacs: Pacs, record: Record) -> None:
    """While many connections are open that say nothing, honest echoes are answered."""
    measured(pacs, record, disturbing(pacs.plain_line(), b"", MANY), f"while {MANY} connections are silent")
