"""How fast images and answers come back: C-GET, C-MOVE, WADO-RS, QIDO-RS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bench import samples
from bench.figure import Figure, Sample, in_turn
from bench.stand import PAIR, READER, SENDER, Contender, Stand

READ = "read"
ALL = ("stock", "archive", "clinic")


@dataclass(frozen=True)
class Web:
    """One row: a DICOMweb resource that is fetched so often over one connection."""

    name: str
    title: str
    path: str
    times: int
    megabytes: float | None = None
    """Size of one answer, where it is told by size; else by answers a second."""
    options: tuple[str, ...] = ("--http1.1",)
    short: bool = False


_STUDY = f"/dicom-web/studies/{samples.uid(READ)}"
_SERIES = f"{_STUDY}/series/{samples.uid(READ, 0)}"
_INSTANCE = f"{_SERIES}/instances/{samples.uid(READ, 0, 99)}"
_WHOLE = samples.megabytes(READ)
_ONE = _WHOLE / samples.instances(READ)

WEB = (
    Web("wado-series", "WADO-RS: a CT series of 200", _SERIES, 2, _WHOLE, short=True),
    Web("wado-series-h2", "WADO-RS: the same, where the server has it by HTTP/2", _SERIES, 2, _WHOLE, ("--http2",)),
    Web("wado-instance", "WADO-RS: one CT instance, one connection", _INSTANCE, 150, _ONE),
    Web("wado-frame", "WADO-RS: one frame, one connection", f"{_INSTANCE}/frames/1", 150, _ONE),
    Web("wado-metadata", "WADO-RS: metadata of the series of 200", f"{_SERIES}/metadata", 5),
    Web("qido-study", "QIDO-RS: a study by patient id", f"/dicom-web/studies?PatientID=BENCH-{READ}", 100),
    Web("qido-instances", "QIDO-RS: the series' 200 instances", f"{_SERIES}/instances", 5),
)


def prepare(stand: Stand) -> None:
    """Store the series that is read, in each contender."""
    for contender in stand.contenders.values():
        if contender.name != "archive":  # it is the clinic's own
            stand.shell(contender.dcmtk("storescu +sd", SENDER) + f" {stand.folder}/images/{READ}")


def retrieval(stand: Stand, rounds: int, *, short: bool = False) -> Iterator[Figure]:
    """Measure each way back."""
    prepare(stand)
    names = PAIR if short else ALL
    get = Figure("c-get", "C-GET: a CT series of 200", "MB/s", "more", group="retrieval")
    yield in_turn(get, stand.some(PAIR), partial(_get, stand), rounds)
    move = Figure("c-move", "C-MOVE: a CT series of 200", "MB/s", "more", group="retrieval")
    yield in_turn(move, stand.some(PAIR), partial(_move, stand), rounds)
    for row in WEB:
        if row.short or not short:
            unit = "MB/s" if row.megabytes else "answers/s"
            figure = Figure(row.name, row.title, unit, "more", group="retrieval")
            yield in_turn(figure, stand.some(names), partial(fetch, stand, row), rounds)


_KEYS = f"-S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID={samples.uid(READ)}"


def _get(stand: Stand, contender: Contender) -> Sample:
    script = contender.dcmtk("getscu", READER, f"--ignore {_KEYS}") + " | tail -n 1"
    return stand.rate(contender, f"cd /tmp && {script}", amount=_WHOLE, operations=samples.instances(READ))


def _move(stand: Stand, contender: Contender) -> Sample:
    script = contender.dcmtk("movescu", READER, f"-aem {READER} {_KEYS}")
    return stand.rate(contender, script, amount=_WHOLE, operations=samples.instances(READ))


def fetch(stand: Stand, row: Web, contender: Contender) -> Sample:
    """Fetch a row's resource so often from a contender, over one connection."""
    words = " ".join(("curl -sS -f --noproxy '*'", *contender.curl, *row.options))
    targets = f"-o /dev/null {contender.web}{row.path} " * row.times
    return stand.rate(contender, f"{words} {targets}", amount=row.times * (row.megabytes or 1), operations=row.times)
