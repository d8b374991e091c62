"""Images leave the archive for granted destinations only, and only for a receiver that proves who it is (PS3.4 section C.4.2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from securepacs_harness.bracket import at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.canary import Instance
from securepacs_harness.check import check
from securepacs_harness.checks.test_dimse import destination_of
from securepacs_harness.observation import Attempt, Layer, Outcome
from securepacs_harness.probes import dimse
from securepacs_harness.probes.sink import Sink
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.sinks import Sinks, reachable, standing

REFUSED = at({Layer.ASSOCIATION, Layer.CONTEXT, Layer.DIMSE})

#: How many destinations are tried at which nobody can count.
SOME = 2

NOBODY_MOVES = "no peer that has the verb move can be called as: its bundle is not at hand, or nobody has it"


def control_of(pacs: Pacs, mover: str, sinks: Sinks, canaries: Canaries) -> Attempt:
    """Give a move to a granted destination where one can be received here, else a harmless verb of the same peer's."""
    to = destination_of(pacs, mover, sinks)
    return dimse.move(pacs.caller(mover), canaries.stored, to) if to else pacs.echo_control(mover)


def arrived(sinks: Sinks) -> dict[str, int]:
    """Count the connections at each receiver."""
    return {name: sink.connections for name, sink in sinks.items()}


def unknown_titles(pacs: Pacs, mover: str) -> dict[str, str]:
    """Give AE titles that no archive may take for a peer's, by what they are. One without letters has no other case."""
    granted = pacs.target.peers[mover].move_to or [mover]
    other_case = next((name.swapcase() for name in granted if name.swapcase() not in {*pacs.target.peers, *granted}), None)
    return {
        "an unknown AE title": pacs.unknown_ae,
        **({"an AE title in the other case": other_case} if other_case else {}),
        "a wildcard": "*",
    }


@check(
    "exfiltration.move-unknown",
    "Nothing is moved to a destination that is not known",
    tier="write",
    controls=("exfiltration",),
    remedy="Let the archive know the declared peers as destinations and no others, exactly by their AE titles.",
)
def test_nothing_is_moved_to_the_unknown(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """A C-MOVE to an unknown AE title, or to another spelling of a known one, is refused, and nobody is called."""
    movers = pacs.with_verb("move")
    if not movers:
        record.not_tested("moves", NOBODY_MOVES)
    for mover in movers:
        with standing(pacs) as sinks:
            control = control_of(pacs, mover, sinks, canaries)
            cases = []
            for what, title in unknown_titles(pacs, mover).items():
                moved = dimse.move(pacs.caller(mover), canaries.stored, title)
                cases.append((moved.named(f"C-MOVE as {mover} to {what}"), record.expected(REFUSED)))
            to = destination_of(pacs, mover, sinks)
            record.bracket(control).tries(cases)
            came = {name: count for name, count in arrived(sinks).items() if name != to}
        what = f"connections to anybody else for {mover}"
        if came:
            record.fact(what, expected="none", told=f"{sum(came.values())}", holds=not any(came.values()))
        else:
            record.not_tested(what, "no other peer's address is this machine's, so that nobody could count them")


@check(
    "exfiltration.move-unauthorised",
    "Nothing is moved to a known destination that was not granted",
    tier="write",
    controls=("exfiltration", "peer-rights"),
    remedy="Hold each C-MOVE against the destinations that were granted to the peer that asks.",
)
def test_nothing_is_moved_where_it_was_not_granted(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """A C-MOVE to a declared peer that the mover was not granted is refused, and no connection comes to it."""
    movers = pacs.with_verb("move")
    if not movers:
        record.not_tested("moves", NOBODY_MOVES)
    for mover in movers:
        with standing(pacs) as sinks:
            others = [name for name in pacs.target.peers if name not in pacs.target.peers[mover].move_to]
            # Those first where arrivals can be counted; of the others a few, because a move that is begun there takes its time to fail.
            forbidden = [name for name in others if name in sinks] + [name for name in others if name not in sinks][:SOME]
            expected = record.expected(REFUSED)
            cases = []
            for name in forbidden:
                # Where nobody stands, a failed attempt looks like a refusal, unless the target declares how its refusals look.
                told_apart = name in sinks or bool(expected.codes)
                cases.append((dimse.move(pacs.caller(mover), canaries.stored, name, received=told_apart), expected))
            if not cases:
                record.not_tested(f"moves as {mover}", "every declared peer is granted to it")
                continue
            record.bracket(control_of(pacs, mover, sinks, canaries)).tries(cases)
            came = {name: count for name, count in arrived(sinks).items() if name in forbidden}
        if came:
            told = ", ".join(f"{count} at {name}" for name, count in came.items())
            record.fact(f"connections to {', '.join(came)} for {mover}", expected="none", told=told, holds=not any(came.values()))
        for name in forbidden:
            if name not in came and pacs.target.peers[name].address:
                record.not_tested(f"connections to {name}", "its address is not this machine's, so that nobody could count them")


@check(
    "exfiltration.receiver",
    "Nothing is sent to a receiver that is somebody else",
    tier="write",
    controls=("exfiltration", "peer-authentication"),
    remedy="Verify the receiver's certificate and its name before anything is sent to it.",
)
def test_an_impostor_receives_nothing(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """Whoever stands at a granted destination with another peer's certificate, or without TLS, is sent no image."""
    movers = pacs.with_verb("move")
    if not movers:
        record.not_tested("moves", NOBODY_MOVES)
    # Each waits some seconds for what does not come; their destinations are different ones.
    tested: set[str] = set()
    branches: list[tuple[Record, Callable[[Record], None]]] = []
    image = canaries.stored
    for mover in movers:
        to = next((name for name in pacs.target.peers[mover].move_to if name in reachable(pacs) and name not in tested), None)
        if to is None:
            record.not_tested(f"destinations of {mover}", "none of them is an address of this machine, or not one that was tested already")
        elif not pacs.bundles.has(to):
            record.not_tested(f"destination {to}", "its bundle is not at hand, so that no true receiver could be the control")
        else:
            tested.add(to)
            branches.append((record.branch(), partial(_impostors, pacs, image, mover, to)))
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        list(pool.map(lambda branch: branch[1](branch[0]), branches))
    for branch, _ in branches:
        record.cases += branch.cases


def _impostors(pacs: Pacs, image: Instance, mover: str, to: str, record: Record) -> None:
    """Stand at a destination as somebody else, between two times as its own peer."""
    move = dimse.move(pacs.caller(mover), image, to)
    # A peer with an address has a certificate for servers too, which is what an impostor needs.
    others = (*reachable(pacs), *pacs.callable_peers)
    shown = next((name for name in others if name != to and pacs.bundles.has(name)), None)
    impostors = {"without TLS": None, **({f"with the certificate of {shown}": pacs.bundles.material(shown)} if shown else {})}
    lag = _true_receiver(pacs, record, to, move)
    for what, material in impostors.items():
        with Sink(reachable(pacs)[to], to, material) as impostor:
            # It may be told as a failure or as a success with warnings (PS3.4 table C.4-2): what counts is what arrives.
            record.look(move.named(f"{move.what} while another stands there {what}"))
            # What comes after the answer to its own peer gets the time to come here too.
            impostor.await_stored(2 * lag)
        count = len(impostor.stored)
        record.fact(f"images sent to another than {to}, {what}", expected="none", told=str(count), holds=not count)
    _true_receiver(pacs, record, to, move)


def _true_receiver(pacs: Pacs, record: Record, to: str, move: Attempt) -> float:
    """Stand at a destination as its own peer; give the seconds from the answer to the mover until the image was there."""
    with Sink(reachable(pacs)[to], to, pacs.bundles.material(to)) as sink:
        seen = record.accepts(move, code="0x0000")
        # An archive may answer first and send afterwards.
        answered = time.monotonic()
        came = seen.outcome is Outcome.ACCEPTED and sink.await_stored()
        lag = time.monotonic() - answered if came else 0.0
    count = len(sink.stored)
    record.fact(f"images sent to {to} itself", expected="one", told=str(count), holds=count == 1)
    return lag
