"""Whether the process that made an object has ended, told from the mark that it left."""

from __future__ import annotations

import subprocess

from securepacs.provider import maker


def test_a_living_process_is_not_dead() -> None:
    """The mark of a process that runs is that of a living one, as often as it is asked."""
    assert maker.mark() == maker.mark()
    assert not maker.is_dead(maker.mark())


def test_a_process_that_ended_is_dead() -> None:
    """The mark of one that ended is that of a dead one, also where its number was given to another since."""
    process = subprocess.Popen(["true"])
    process.wait()
    place, _, started = maker.mark().rsplit("/", 2)
    assert maker.is_dead(f"{place}/{process.pid}/{started}")
    assert maker.is_dead(f"{maker.mark()}0")


def test_what_cannot_be_known_counts_as_alive() -> None:
    """A mark of another boot, host or namespace, or one that is none, is not held to be that of a dead one."""
    namespace, pid, started = maker.mark().rsplit("/", 2)
    for mark in ("", "x", f"another/{namespace.rpartition('/')[2]}/{pid}/0", f"{namespace}1/{pid}/{started}", f"{namespace}/x/1"):
        assert not maker.is_dead(mark)
