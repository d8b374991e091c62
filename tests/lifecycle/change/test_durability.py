"""Archive and gateway are killed under load: what was acknowledged is there afterwards, and the senders' retries complete the rest."""

from __future__ import annotations

import dataclasses
import os
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployed.deployment import docker
from lifecycle.change.living import READER, SENDERS, Living
from lifecycle.steady import Load, storing

#: How many kills, in all; `make test-durability KILLS=30` is the long form.
KILLS = int(os.environ.get("SECUREPACS_DURABILITY_KILLS", "6"))

#: Makes a run's moments again.
SEED = int(os.environ.get("SECUREPACS_DURABILITY_SEED", str(random.SystemRandom().randrange(1 << 32))))

#: The engine starts a container again at once when it ran for 10 s, else after a pause that doubles: a bound on the pause between kills.
PAUSE_SECONDS = (1.0, 6.0)

SERVED_AGAIN_SECONDS = 30
PARTS = ("archive", "gateway")
BASE_IMAGE = "securepacs-base:forky"


@contextmanager
def killer(name: str) -> Iterator[str]:
    """Stand up a container that sees the engine's processes: one that dies by `docker kill` would count as stopped on purpose."""
    docker("rm", "-f", name, check=False)
    docker("run", "-d", "--name", name, "--pid", "host", "--network", "none", BASE_IMAGE, "sleep", "infinity")
    try:
        yield name
    finally:
        docker("rm", "-f", name, check=False)


@dataclasses.dataclass(frozen=True)
class Kill:
    """One SIGKILL of a container's first process."""

    part: str
    served_again_ms: float
    """From the order to kill to the end of the first store that began after the death and was acknowledged."""


def kill(clinic: Living, part: str, by: str, load: Load) -> Kill:
    """Kill the first process of a container and wait until a sender is served again. Raises TimeoutError."""
    pid = docker("inspect", "-f", "{{.State.Pid}}", f"{clinic.name}-{part}").strip()
    assert int(pid) > 1, f"{part} does not run"
    before = time.monotonic()
    docker("exec", by, "bash", "-c", f"kill -KILL {pid}")
    dead = time.monotonic()
    while (served := load.first_acknowledged_after(dead)) == float("inf"):
        if time.monotonic() > dead + SERVED_AGAIN_SECONDS:
            raise TimeoutError(f"no store was acknowledged within {SERVED_AGAIN_SECONDS} s after {part} was killed: {load.failures()}")
        time.sleep(0.01)
    return Kill(part, 1000 * (served - before))


@pytest.mark.timeout(120 + 30 * KILLS)
def test_what_was_acknowledged_outlives_kills(clinic: Living, images: Path) -> None:
    """SIGKILL of archive and gateway in turn, under the load of four senders, loses no acknowledged instance; each is completed."""
    chance = random.Random(SEED)  # noqa: S311 - moments, no secrets
    kills: list[Kill] = []
    began = time.monotonic()
    with killer(f"{clinic.name}-killer") as by, storing([clinic.calling(name) for name in SENDERS], images) as load:
        for number in range(KILLS):
            load.wait_for(3, SERVED_AGAIN_SECONDS)
            time.sleep(chance.uniform(*PAUSE_SECONDS))
            kills.append(kill(clinic, PARTS[number % 2], by, load))
    report = load.report(f"{KILLS} kills", time.monotonic() - began, clinic.caller(READER))
    clinic.reports.append(report)
    for part in PARTS:
        times = [one.served_again_ms for one in kills if one.part == part]
        print(f"{part}: {len(times)} kills, served again after {statistics.median(times):.0f} ms (median), {max(times):.0f} ms (longest)")
    print(f"seed {SEED}: {report}")
    assert (report.lost, report.given_up) == (0, 0)
