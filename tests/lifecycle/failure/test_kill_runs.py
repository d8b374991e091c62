"""Runs killed by SIGKILL at random moments, then run again: they converge, and nothing is left over, doubled or lost.

SECUREPACS_KILLS is the number of kills, SECUREPACS_KILL_SEED the seed that a failure names.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployed.deployment import Stack, docker, remove_left_overs
from lifecycle.failure.killing import (
    KEPT_TAG,
    VICTIMS,
    Left,
    abandon,
    alone,
    ask,
    authorities,
    configuration,
    killed,
    latest,
    left,
    wait_gone,
)
from securepacs_harness.bracket import accepts
from securepacs_harness.bundles import Bundles
from securepacs_harness.probes import dimse
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

KILLS = int(os.environ.get("SECUREPACS_KILLS", "8"))
SEED = int(os.environ.get("SECUREPACS_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)

NAME = "failkill"
DICOM_PORT, HTTPS_PORT = 13310, 19310
DATA = f"{NAME}-archive-data"
UP = Left(
    frozenset({f"{NAME}-archive", f"{NAME}-gateway"}),
    frozenset({f"{NAME}-edge", f"{NAME}-inner"}),
    frozenset({DATA, f"{NAME}-archive-files", f"{NAME}-gateway-files"}),
    (f"{NAME}-archive", f"{NAME}-gateway"),
    frozenset(),
)
NOTHING: frozenset[str] = frozenset()
DOWN = Left(NOTHING, NOTHING, frozenset({DATA}), (), NOTHING)
GONE = Left(NOTHING, NOTHING, NOTHING, (), NOTHING)

#: Changes of a configuration, from a reload to a container that is swapped; each run takes the next.
CHANGES: list[dict[str, object]] = [
    {"limits": {"storage_mb": 50000, "associations_per_peer": 5}},
    {"limits": {"storage_mb": 40000, "archive_memory_mb": 1536}},
    {"people": [{"name": "vera", "role": "admin"}]},
    {"https": {"addresses": ["127.0.0.1"], "port": HTTPS_PORT + 1}},
    {},
]


#: What is rotated, one at a time.
ROTATIONS = [["server"], ["login"], ["peer", "MR01"], ["person", "vera"]]


@dataclass
class Clinic:
    """The clinic that is killed again and again, and what its peer holds."""

    stack: Stack
    folder: Path
    dice: random.Random
    seconds: dict[str, float] = field(default_factory=dict)
    changes: Iterator[dict[str, object]] = field(default_factory=lambda: itertools.cycle(CHANGES))
    issued: str | None = None
    """Fingerprint of the authority whose bundle CT01 was handed."""
    tried: list[str] = field(default_factory=list)

    @property
    def options(self) -> list[str]:
        """The options that each of these commands takes."""
        return ["--config", str(self.stack.config)]

    def down(self, *, delete: bool = False) -> list[str]:
        """Give the words that take the clinic down."""
        return ["down", *self.options, "--yes", *(["--delete-data", NAME] if delete else [])]

    def up(self) -> list[str]:
        """Give the words that bring it up."""
        return ["up", *self.options, "--json"]

    def change(self) -> None:
        """Write the next configuration."""
        configuration(self.stack.config, NAME, DICOM_PORT, HTTPS_PORT, **next(self.changes))

    def kill(self, kind: str, arguments: list[str]) -> None:
        """Kill a run at a moment within what such a run takes, and a part of it or all."""
        victim, moment = self.dice.choice(list(VICTIMS)), self.dice.uniform(0, self.seconds[kind])
        hit = killed(self.stack, arguments, victim, moment)
        waits = self.dice.random() < 0.5
        if waits:
            assert wait_gone(self.stack) == []
        shown = f"{kind:<14} {victim:<10} after {moment:4.1f} of {self.seconds[kind]:4.1f} s{'' if hit else ', had ended'}"
        self.tried.append(f"{shown}, next run {'when all had ended' if waits else 'at once'}")
        print(self.tried[-1], flush=True)

    def again(self, arguments: list[str], statuses: tuple[int, ...] = (0,)) -> None:
        """Run a command to its end; where the killed run's Pulumi still works on the state, when that has ended."""
        began = time.monotonic()
        answer = ask(self.stack, *arguments)
        if answer.status == 5 and "another run is working on this stack" in answer.err:
            assert len(answer.errors) == 1
            assert wait_gone(self.stack) == []
            answer = ask(self.stack, *arguments)
        print(f"    again: status {answer.status} after {time.monotonic() - began:.1f} s", flush=True)
        assert answer.status in statuses, answer.err

    def serves(self) -> None:
        """Hold the clinic to what a clean run leaves: the same objects, nothing to do, and CT01 served with the bundle that it has."""
        assert wait_gone(self.stack) == []
        answer = ask(self.stack, *self.up())
        assert (answer.status, json.loads(answer.out)["changes"]) == (0, {}), answer.err
        assert left(self.stack) == UP
        assert latest(self.stack).get("pending_operations", []) == []
        if self.issued not in authorities(self.stack):
            self.hand_out()
        target = self.folder / "target.json"
        self.stack.securepacs("target", "--out", str(target))
        pacs = Pacs(load_target(target), Bundles(self.folder / "bundles"), {})
        accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")

    def hand_out(self) -> None:
        """Give CT01 its bundle."""
        self.issued = authorities(self.stack)[-1]
        self.stack.securepacs("bundle", "CT01", "--out", str(self.folder / "bundles"))

    def timed(self, kind: str, arguments: list[str]) -> None:
        """Run a command to its end and keep what it took."""
        began = time.monotonic()
        answer = ask(self.stack, *arguments)
        assert answer.status == 0, answer.err
        self.seconds[kind] = time.monotonic() - began


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """A clinic that was up, changed and down once, undisturbed; its images' layers stay, so that a new `up` builds quickly."""
    remove_left_overs(NAME)
    made = Clinic(alone(NAME, tmp_path_factory.mktemp("kill")), tmp_path_factory.mktemp("peer"), random.Random(SEED))  # noqa: S311 - moments, not keys
    kept = [f"{NAME}-{part}{KEPT_TAG}" for part in ("archive", "gateway")]
    try:
        made.change()
        made.timed("up", made.up())
        for part, keep in zip(("archive", "gateway"), kept, strict=True):
            image = docker("images", "-q", f"{NAME}-{part}").split()[0]
            docker("tag", image, keep)
        made.timed("down", made.down())
        made.timed("up", made.up())
        made.change()
        made.timed("change", made.up())
        made.serves()
        print(f"seed {SEED}, undisturbed: {', '.join(f'{kind} {seconds:.1f} s' for kind, seconds in made.seconds.items())}")
        yield made
    finally:
        ask(made.stack, *made.down(delete=True))
        remove_left_overs(NAME)
        docker("rmi", *kept, check=False)


def changed(clinic: Clinic) -> None:
    """Kill an `up` that brings a change; the next one brings it, and no key is another one."""
    before = authorities(clinic.stack)
    clinic.change()
    abandon(clinic.stack, NAME)
    clinic.kill("change", clinic.up())
    clinic.again(clinic.up())
    assert authorities(clinic.stack) == before
    clinic.serves()


def rotated(clinic: Clinic) -> None:
    """Kill a `rotate` of a key or password; the next `up` completes it, and what CT01 has still opens."""
    before = authorities(clinic.stack)
    clinic.kill("change", ["rotate", *clinic.dice.choice(ROTATIONS), *clinic.options])
    clinic.again(clinic.up())
    assert authorities(clinic.stack) == before
    clinic.serves()


def followed(clinic: Clinic) -> None:
    """Kill a `rotate ca`, and then its end: the old bundle opens until then, and the new one always."""
    before = authorities(clinic.stack)
    clinic.kill("change", ["rotate", "ca", *clinic.options])
    clinic.again(clinic.up())
    begun = authorities(clinic.stack)
    assert set(before) <= set(begun)
    clinic.serves()
    if begun == before:
        return  # it was killed before it had written anything
    clinic.hand_out()
    clinic.kill("change", ["rotate", "ca", "--finish", "--yes", *clinic.options])
    clinic.again(clinic.up())
    assert clinic.issued in authorities(clinic.stack)
    clinic.serves()
    if len(authorities(clinic.stack)) > 1:
        clinic.again(["rotate", "ca", "--finish", "--yes", *clinic.options])
        clinic.serves()


def taken_down(clinic: Clinic) -> None:
    """Kill a `down`, run it again: only the studies are left. Then kill an `up` from there; keys that it had made are kept."""
    abandon(clinic.stack, NAME)
    clinic.kill("down", clinic.down())
    clinic.again(clinic.down())
    assert wait_gone(clinic.stack) == []
    assert left(clinic.stack) == DOWN
    brought_up(clinic)


def brought_up(clinic: Clinic) -> None:
    """Kill an `up` of a clinic that is down; the next one brings it up, under the keys that the killed one had made."""
    clinic.kill("up", clinic.up())
    assert wait_gone(clinic.stack) == []
    begun = authorities(clinic.stack)
    clinic.again(clinic.up())
    assert set(begun) <= set(authorities(clinic.stack))
    clinic.serves()


def regretted(clinic: Clinic) -> None:
    """Kill a `down` and bring the clinic up again instead; where the authority was not given up yet it is the same."""
    clinic.kill("down", clinic.down())
    assert wait_gone(clinic.stack) == []
    begun = authorities(clinic.stack)
    clinic.again(clinic.up())
    assert set(begun) <= set(authorities(clinic.stack))
    clinic.serves()


def given_up(clinic: Clinic) -> None:
    """Kill a `down --delete-data`, run it again: nothing is left. Then kill a first `up`."""
    clinic.kill("down", clinic.down(delete=True))
    clinic.again(clinic.down(delete=True), (0, 6))
    assert wait_gone(clinic.stack) == []
    assert left(clinic.stack) == GONE
    brought_up(clinic)


#: What is done in turn; three of them kill twice.
SCENES: list[Callable[[Clinic], None]] = [changed, taken_down, rotated, regretted, followed, given_up, changed, rotated]


@pytest.mark.timeout(120 + 90 * KILLS)
def test_a_killed_run_converges(clinic: Clinic) -> None:
    """A run that was killed at any moment, wholly or in part, is completed by the next; nothing is doubled, left over or lost."""
    for scene in itertools.cycle(SCENES):
        if len(clinic.tried) >= KILLS:
            break
        print(f"{len(clinic.tried) + 1:>3}/{KILLS} seed {SEED}: {scene.__name__}", flush=True)
        scene(clinic)
    print(f"{len(clinic.tried)} kills")
