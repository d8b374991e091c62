"""How many associations a second, and how long an honest peer waits while hundreds of others keep connections open for nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial

from bench.figure import Figure, Sample, in_turn, percentile
from bench.stand import PAIR, SENDER, Contender, Stand

_SECONDS = 4
_ECHOES = 60
#: Addresses of the hostile container, so that the limit of one source is not what keeps them out.
_SOURCES = [f"10.231.241.{number}" for number in range(101, 109)]
CROWDS = (10, 100, 500)


def associations(stand: Stand, rounds: int, *, short: bool = False) -> Iterator[Figure]:
    """Measure associations a second: handshake, association, C-ECHO, release."""
    for clients in (1,) if short else (1, 8):
        many = "one client" if clients == 1 else f"{clients} clients"
        figure = Figure(f"associations-{clients}", f"Associations with one C-ECHO, {many}", "1/s", "more", group="associations")
        yield in_turn(figure, stand.some(PAIR if short else ("stock", "archive", "clinic")), partial(_rate, stand, clients), rounds)


def _rate(stand: Stand, clients: int, contender: Contender) -> Sample:
    # A client that writes and reads bytes, and costs the same on all sides: a tool's own start would be most of what is measured.
    with stand.spending(contender, 1) as spent:
        told = stand.ask_peer("associate", contender, SENDER, "--seconds", str(_SECONDS), "--clients", str(clients))
    if told["failed"]:
        raise RuntimeError(f"{contender.name}: {told['failed']} associations failed")
    done = told["per_second"] * _SECONDS
    return Sample(told["per_second"], {process: milliseconds / done for process, milliseconds in spent.items() if process != "client"})


def crowd(stand: Stand, rounds: int) -> Iterator[Figure]:
    """Measure an honest echo and an honest store while a crowd of hostile connections stands before the clinic."""
    clinic = stand.contenders["clinic"]
    with stand.hostile(_SOURCES) as hostile:
        echo = Figure("crowd-echo-p99", "C-ECHO of an honest peer, 99th percentile, beside a crowd", "ms", "less", group="crowd")
        typical = Figure("crowd-echo-median", "C-ECHO of an honest peer, median, beside a crowd", "ms", "less", group="crowd")
        store = Figure("crowd-store-p99", "C-STORE of an honest peer, 99th percentile, beside a crowd", "ms", "less", group="crowd")
        for number in range(rounds + 1):
            for size in (0, *CROWDS):
                told, stored = _beside(stand, clinic, hostile, size)
                if number:
                    name = "quiet" if size == 0 else f"{size} hostile"
                    echo.samples.setdefault(name, []).append(percentile(told, 0.99))
                    typical.samples.setdefault(name, []).append(percentile(told, 0.5))
                    store.samples.setdefault(name, []).append(percentile(stored, 0.99))
        kinds = "A quarter each: silent, half a ClientHello, half an A-ASSOCIATE-RQ, one of 4 GB; from eight addresses. No call failed."
        for figure in (echo, typical, store):
            figure.note = kinds
            print(f"{figure.name}: { ({name: round(figure.median(name), 1) for name in figure.samples}) } ms", flush=True)
            yield figure


def _beside(stand: Stand, clinic: Contender, hostile: str, size: int) -> tuple[list[float], list[float]]:
    """Give the milliseconds of each honest echo and of each honest store beside a crowd of that size."""
    run: subprocess.Popen[str] | None = None
    if size:
        options = ("--kind", "mixed", "--count", str(size), "--sources", ",".join(_SOURCES), "--seconds", "25")
        run = stand.peer("crowd", clinic, SENDER, *options, client=hostile, anonymous=True)
        assert run.stderr
        run.stderr.readline()  # "ready"
    try:
        echoes = stand.ask_peer("echo", clinic, SENDER, "--count", str(_ECHOES))
        stores = stand.ask_peer("store-latency", clinic, SENDER, "--folder", f"{stand.folder}/images/one", "--count", str(_ECHOES // 2))
    finally:
        if run:
            run.kill()
            run.communicate()
    if echoes["failed"] or stores["failed"]:
        raise RuntimeError(f"beside {size} hostile connections {echoes['failed']} echoes and {stores['failed']} stores failed")
    return echoes["latency_ms"], stores["latency_ms"]
