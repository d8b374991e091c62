"""What each peer may do: every declared verb works, every other is refused (PS3.4; PS3.7 annex C)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from securepacs_harness.bracket import at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.control import echoing
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import services
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.verbs import HARMLESS, WITH_IMAGE, Means
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.sinks import Sinks, standing
from securepacs_harness.target import Verb

#: Where a verb may be refused: the association, the presentation context, or the command itself.
REFUSED = at({Layer.ASSOCIATION, Layer.CONTEXT, Layer.DIMSE})
#: A stranger may fail earlier.
KEPT_OUT = at({Layer.TLS, Layer.ASSOCIATION, Layer.CONTEXT, Layer.DIMSE})

_Function = TypeVar("_Function", bound=Callable[..., None])


@pytest.fixture
def sinks(pacs: Pacs) -> Iterator[Sinks]:
    """Stand at the peers' addresses while a check runs."""
    with standing(pacs) as open_:
        yield open_


def destination_of(pacs: Pacs, name: str, sinks: Sinks) -> str | None:
    """Give a destination that is granted to a peer and at which this machine stands."""
    return next((to for to in pacs.target.peers[name].move_to if to in sinks), None)


@dataclasses.dataclass(frozen=True)
class Trial:
    """How one verb is tried in a check: as whom, and what is missing where it cannot be."""

    pacs: Pacs
    verb: Verb
    canaries: Canaries | None = None
    sinks: Sinks = dataclasses.field(default_factory=dict)

    def attempt(self, name: str) -> Attempt:
        """Try the verb as a peer that has it."""
        return self._of(self.pacs.caller(name), name)

    def attempts(self, name: str) -> list[Attempt]:
        """Try the verb as a peer that has it not: a move to each destination at which somebody stands."""
        if self.verb == "move" and self.canaries and self.sinks:
            image, caller = self.canaries.stored, self.pacs.caller(name)
            return [WITH_IMAGE["move"](caller, Means(image, to, received=True)) for to in self.sinks]
        return [self.attempt(name)]

    def as_stranger(self, stranger: Stranger) -> Attempt:
        """Try the verb as a stranger."""
        seen = self._of(stranger.caller(), "")
        return dataclasses.replace(seen, what=f"{self.verb} as a stranger")

    def _of(self, caller: Caller, name: str) -> Attempt:
        if self.verb in HARMLESS:
            return HARMLESS[self.verb](caller)
        assert self.canaries is not None
        image = self.canaries.new() if self.verb == "store" else self.canaries.stored
        to = (destination_of(self.pacs, name, self.sinks) if name else None) or next(iter(self.sinks), None) or name or "NOWHERE"
        return WITH_IMAGE[self.verb](caller, Means(image, to, to in self.sinks, self.sinks.get(name)))

    def control(self) -> Attempt:
        """Give the same verb by a peer that has it, else an echo: nobody who has it can be called as from here."""
        for name in self.pacs.with_verb(self.verb):
            if self.verb == "move" and destination_of(self.pacs, name, self.sinks) is None:
                continue
            if self.verb == "commit" and name not in self.sinks:
                continue
            return self.attempt(name)
        return self.pacs.echo_control()


def withheld(trial: Trial, record: Record, stranger: Stranger) -> None:
    """Try a verb as every callable peer without it, and as a stranger, between two successes of a peer that has it."""
    control = trial.control()
    others = [name for name in trial.pacs.callable_peers if trial.verb not in trial.pacs.target.peers[name].verbs]
    cases = [(attempt, record.expected(REFUSED)) for name in others for attempt in trial.attempts(name)]
    cases.append((trial.as_stranger(stranger), record.expected(KEPT_OUT, "stranger")))
    # What stores and sends goes one by one: an archive that is busy fails too, and that would look like a refusal.
    record.bracket(control).tries(cases, workers=PARALLEL if trial.verb in HARMLESS else 1)
    for name in trial.pacs.target.peers:
        if name not in trial.pacs.callable_peers and trial.verb not in trial.pacs.target.peers[name].verbs:
            record.not_tested(f"{trial.verb} as {name}", "its bundle is not at hand")


def granted(trial: Trial, record: Record) -> None:
    """Try a verb as every callable peer that has it."""
    for name in trial.pacs.with_verb(trial.verb):
        if trial.verb == "move" and destination_of(trial.pacs, name, trial.sinks) is None:
            record.not_tested(f"move as {name}", "none of its destinations is an address of this machine")
        elif trial.verb == "commit" and name not in trial.sinks:
            record.not_tested(f"commit as {name}", "its address is not this machine's, so that no report could be received")
        else:
            record.accepts(trial.attempt(name))


@check(
    "dimse.granted",
    "Each declared verb that leaves nothing behind works",
    controls=("peer-rights", "availability"),
    remedy="Give the peer the verb in the archive, or take it out of the declaration.",
)
def test_declared_verbs_work(pacs: Pacs, record: Record) -> None:
    """Each peer's echo, find and worklist, where declared, succeed."""
    if not pacs.target.peers:
        record.not_tested("declared verbs", "the target declares no peers")
    for verb in HARMLESS:
        granted(Trial(pacs, verb), record)
    for name in pacs.target.peers:
        if name not in pacs.callable_peers:
            record.not_tested(f"verbs of {name}", "its bundle is not at hand")


@check(
    "dimse.granted-write",
    "Each declared verb that moves images works",
    tier="write",
    controls=("peer-rights", "availability"),
    remedy="Give the peer the verb in the archive, or take it out of the declaration.",
)
def test_declared_verbs_with_images_work(pacs: Pacs, record: Record, canaries: Canaries, sinks: Sinks) -> None:
    """Each peer's store, get, move and commit, where declared, succeed."""
    for verb in WITH_IMAGE:
        granted(Trial(pacs, verb, canaries, sinks), record)


def withheld_check(verb: Verb) -> Callable[[_Function], _Function]:
    """Make the check of one verb that is refused to whom it was not granted."""
    return check(
        f"dimse.{verb}",
        f"{verb} is refused to whom it was not granted",
        tier="safe" if verb in HARMLESS else "write",
        controls=("peer-rights",),
        remedy="Take the right from every peer that was not declared to have it; a right that is not written down must count as withheld.",
    )


@withheld_check("echo")
def test_echo_is_refused_to_others(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """The verb echo is refused to each peer that was not declared to have it, and to a stranger."""
    withheld(Trial(pacs, "echo"), record, stranger)


@withheld_check("find")
def test_find_is_refused_to_others(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """The verb find is refused to each peer that was not declared to have it, and to a stranger."""
    withheld(Trial(pacs, "find"), record, stranger)


@withheld_check("worklist")
def test_worklist_is_refused_to_others(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """The verb worklist is refused to each peer that was not declared to have it, and to a stranger."""
    withheld(Trial(pacs, "worklist"), record, stranger)


@withheld_check("store")
def test_store_is_refused_to_others(pacs: Pacs, record: Record, stranger: Stranger, canaries: Canaries, sinks: Sinks) -> None:
    """The verb store is refused to each peer that was not declared to have it, and to a stranger."""
    withheld(Trial(pacs, "store", canaries, sinks), record, stranger)


@withheld_check("get")
def test_get_is_refused_to_others(pacs: Pacs, record: Record, stranger: Stranger, canaries: Canaries, sinks: Sinks) -> None:
    """The verb get is refused to each peer that was not declared to have it, and to a stranger."""
    withheld(Trial(pacs, "get", canaries, sinks), record, stranger)


@withheld_check("move")
def test_move_is_refused_to_others(pacs: Pacs, record: Record, stranger: Stranger, canaries: Canaries, sinks: Sinks) -> None:
    """The verb move is refused to each peer that was not declared to have it, and to a stranger."""
    withheld(Trial(pacs, "move", canaries, sinks), record, stranger)


@withheld_check("commit")
def test_commit_is_refused_to_others(pacs: Pacs, record: Record, stranger: Stranger, canaries: Canaries, sinks: Sinks) -> None:
    """The verb commit is refused to each peer that was not declared to have it, and to a stranger."""
    withheld(Trial(pacs, "commit", canaries, sinks), record, stranger)


@check(
    "dimse.other-services",
    "Services that nobody was granted are not accepted",
    controls=("peer-rights",),
    remedy="Accept presentation contexts of the services that are used, and no unknown ones.",
)
def test_other_services_are_not_accepted(pacs: Pacs, record: Record) -> None:
    """Contexts for procedure steps, printing, retired and private SOP classes are not accepted, each beside an echo that is."""
    name = echoing(pacs, record, "other services")
    if name is None:
        return
    caller = pacs.caller(name)
    cases = [(services.propose(name, caller, uid), record.expected(REFUSED)) for name, uid in services.OTHER.items()]
    record.bracket(pacs.echo_control(name)).tries(cases, workers=PARALLEL)
