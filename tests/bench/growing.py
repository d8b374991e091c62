"""What becomes of storing and searching as the archive grows: the clinic's own index, filled with clones of what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import growth, samples
from bench.figure import Figure, Sample, in_turn
from bench.retrieval import READ, WEB, Web, fetch
from bench.stand import NAME, SENDER, Contender, Stand
from deployed.deployment import docker

SIZES = (10_000, 50_000, 200_000)

#: Instances are cloned from the oldest one, so that a small one is stored first.
TEMPLATE = "mr"

_BY_DATE = Web("qido-date", "QIDO-RS: studies of one day", "/dicom-web/studies?StudyDate=20180301", 30)
_ASKED = (*(row for row in WEB if row.name in {"qido-study", "wado-instance"}), _BY_DATE)


def growing(stand: Stand, rounds: int) -> Iterator[Figure]:
    """Measure the same figures with an index that is nearly empty, and at each size. Not interleaved: an index does not shrink."""
    store = Figure("growth-ingest", "Store MR 128 x 128, one association, as the archive grows", "instances/s", "more", group="growth")
    asked = {row.name: Figure(f"growth-{row.name}", f"{row.title}, as the archive grows", "1/s", "more", group="growth") for row in _ASKED}
    held = 0
    for size in (0, *SIZES):
        if size:
            _grow(stand, size - held)
            held = size
        name = f"{size}" if size else "empty"
        clinic = {name: stand.contenders["clinic"]}
        in_turn(store, clinic, partial(_store, stand), rounds)
        for row in _ASKED:
            in_turn(asked[row.name], clinic, partial(fetch, stand, replace(row, megabytes=None)), rounds)
    for figure in (store, *asked.values()):
        figure.note = "Through the gateway. The index holds clones of one MR instance, four series of 50 to a study; their files are links."
        yield figure


def _store(stand: Stand, clinic: Contender) -> Sample:
    count = samples.instances(TEMPLATE)
    words = clinic.dcmtk("storescu +sd", SENDER, f"+II +IR {count} +IS 1 +IP 1")
    return stand.rate(clinic, f"{words} {stand.folder}/images/{TEMPLATE}", amount=count, operations=count)


def _grow(stand: Stand, instances: int) -> None:
    volume = Path(docker("volume", "inspect", "-f", "{{.Mountpoint}}", f"{NAME}-archive-data").strip())
    docker("stop", f"{NAME}-archive")
    growth.grow(volume / "db" / "index", instances)
    docker("start", f"{NAME}-archive")
    stand.wait_healthy(f"{NAME}-archive")


def prepare(stand: Stand) -> None:
    """Store the template first, then the series that is read."""
    for folder in (TEMPLATE, READ):
        stand.shell(stand.contenders["clinic"].dcmtk("storescu +sd", SENDER) + f" {stand.folder}/images/{folder}")
