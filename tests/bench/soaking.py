"""Whether anything grows while the clinic works for a long time: memory of each container, and open files of its processes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from bench import samples
from bench.figure import Figure
from bench.retrieval import WEB, fetch
from bench.stand import READER, SENDER, Stand

_WATCHED = ("archive", "gateway")


def soaking(stand: Stand, minutes: float) -> Iterator[Figure]:
    """Store, fetch and search without a pause; sample after a first tenth, and at the end."""
    clinic = stand.contenders["clinic"]
    memory = Figure("soak-memory", f"Memory in {minutes:g} minutes of work, as it went", "MB", "less", group="soak")
    files = Figure("soak-files", f"Open files in {minutes:g} minutes of work, as it went", "descriptors", "less", group="soak")
    began, done = time.monotonic(), 0
    send = clinic.dcmtk("storescu +sd", SENDER, f"+II +IR {samples.instances('mr')} +IS 1 +IP 1") + f" {stand.folder}/images/mr"
    find = clinic.dcmtk("findscu", READER, "-S -k QueryRetrieveLevel=STUDY -k PatientID=BENCH-read") + " >/dev/null"
    for rounds in itertools.count(1):  # noqa: B007 - told at the end
        stand.shell(f"{send} & {send} & {find}; wait")
        done += 2 * samples.instances("mr")
        fetch(stand, WEB[0], clinic)
        past = time.monotonic() - began
        if past > minutes * 60 * (len(memory.samples.get("archive", ())) + 1) / 10:
            for part in _WATCHED:
                container = clinic.containers[part]
                memory.samples.setdefault(part, []).append(stand.memory(container))
                files.samples.setdefault(part, []).append(open_files(stand.pid(container)))
        if past > minutes * 60:
            break
    note = f"Ten samples in the order of time, {done} instances stored, {rounds} series of 200 fetched. First and last: "
    for figure in (memory, files):
        figure.note = note + ", ".join(f"{part} {values[0]:.0f} and {values[-1]:.0f}" for part, values in figure.samples.items()) + "."
        print(f"{figure.name}: {figure.note}", flush=True)
        yield figure


def open_files(first: int) -> float:
    """Count the open files of a container's first process and of all below it."""
    family = {first}
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in family)
