"""How fast images are stored: one, four and sixteen associations, small and large images, senders that know Nagle's algorithm or do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench import samples
from bench.figure import Figure, Sample, in_turn
from bench.stand import PAIR, SENDER, Contender, Stand

#: Each instance under a new UID; as many to a series as the folder has, a series to a study, a study to a patient.
_ANEW: Final = "+II +IR {instances} +IS 1 +IP 1"


@dataclass(frozen=True)
class Ingest:
    """One row: who sends what, over how many associations at a time."""

    folder: str
    associations: int
    sender: str = "untouched"
    unit: str = "MB/s"
    contenders: tuple[str, ...] = ("stock", "archive", "clinic")
    short: bool = False
    """Whether it is a part of the short run that guards each change."""

    @property
    def name(self) -> str:
        """Name the figure."""
        return f"ingest-{self.folder}-{self.associations}" + ("" if self.sender == "untouched" else f"-{self.sender}")

    @property
    def title(self) -> str:
        """Say in words what is measured."""
        many = "one association" if self.associations == 1 else f"{self.associations} associations"
        return f"Store {WHAT[self.folder]}, {many}, {SENDERS[self.sender]}"


WHAT = {
    "ct": "CT 512 x 512",
    "mr": "MR 128 x 128",
    "multiframe": "one multi-frame of 300 MB",
    "day": "a mixed day: CT, MR and radiographs",
}
SENDERS = {"untouched": "storescu as it is", "nodelay": "storescu without Nagle's algorithm", "pynetdicom": "pynetdicom"}

INGEST = (
    Ingest("ct", 1, contenders=("stock", "archive", "clinic", "dcmqrscp"), short=True),
    Ingest("ct", 4, short=True),
    Ingest("ct", 16),
    Ingest("mr", 1, unit="instances/s"),
    Ingest("multiframe", 1),
    Ingest("day", 4),
    Ingest("ct", 1, sender="nodelay"),
    Ingest("ct", 4, sender="nodelay"),
    Ingest("ct", 1, sender="pynetdicom"),
)


def ingest(stand: Stand, rounds: int, *, short: bool = False) -> Iterator[Figure]:
    """Measure each row."""
    for row in INGEST:
        if row.short or not short:
            figure = Figure(row.name, row.title, row.unit, "more", group="ingest")
            yield in_turn(figure, stand.some(PAIR if short else row.contenders), partial(store, stand, row), rounds)


def store(stand: Stand, row: Ingest, contender: Contender) -> Sample:
    """Store a row's images in a contender; the value is in the row's unit. Raises RuntimeError where one was not acknowledged."""
    sent = row.associations * samples.instances(row.folder)
    amount = row.associations * samples.megabytes(row.folder) if row.unit == "MB/s" else sent
    if row.sender == "pynetdicom":
        options = ("--folder", f"{stand.folder}/images/{row.folder}", "--count", str(samples.instances(row.folder)))
        with stand.spending(contender, sent) as spent:
            told = stand.ask_peer("store", contender, SENDER, *options, "--associations", str(row.associations))
        if told["acknowledged"] != sent:
            raise RuntimeError(f"{contender.name}: {told['acknowledged']} of {sent} instances were acknowledged")
        return Sample(amount / told["seconds"], spent)
    anew = _ANEW.format(instances=samples.instances(row.folder))
    one = contender.dcmtk("storescu +sd", SENDER, anew) + f" {stand.folder}/images/{row.folder}"
    delay = "TCP_NODELAY=1 " if row.sender == "nodelay" else ""
    script = (
        f'p=; for i in $(seq {row.associations}); do {delay}{one} & p="$p $!"; done; s=0; for i in $p; do wait $i || s=1; done; [ $s = 0 ]'
    )
    return stand.rate(contender, script, amount=amount, operations=sent)
