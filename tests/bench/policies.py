"""What the policies cost: a preview of one clinic with and without them, and the pack's own time as a program grows.

    PYTHONPATH=tests .venv/bin/python -m bench.policies [--pairs 5] [--json FILE]

`make bench-policies` runs it. Pairs are interleaved, so that what else the machine does falls on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import analyzer_pb2
from rich.console import Console
from rich.table import Table

from policies.cases import PROGRAMS
from policies.engine import PACK, Engine
from policies.judging import struct
from policies.own_program import own
from securepacs_policies.rule import catalogue
from securepacs_policies.server import Analyzer

SIZES = (50, 100, 200, 500)


def seconds(work: Callable[[], object]) -> float:
    """Give the seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def previews(pairs: int) -> dict[str, list[float]]:
    """Preview one clinic, turn about without and with the pack."""
    with tempfile.TemporaryDirectory() as folder:
        engine, program = Engine(Path(folder)), own()
        engine.run(program)  # the first run of all fills the caches of the file system
        taken: dict[str, list[float]] = {"without": [], "with": []}
        for _ in range(pairs):
            taken["without"].append(seconds(lambda: engine.run(program, pack=None)))
            taken["with"].append(seconds(lambda: engine.run(program, pack=PACK)))
    return taken


def judging(size: int) -> float:
    """Judge a program of so many resources, in this process: each by itself, and all together."""
    sound = list(PROGRAMS["docker"].values())
    analyzer = Analyzer(catalogue(), {})
    told: list[tuple[analyzer_pb2.AnalyzeRequest, analyzer_pb2.AnalyzerResource]] = []
    for number in range(size):
        one = sound[number % len(sound)]
        name = f"{one.name}-{number}"
        facts: dict[str, Any] = {"type": one.type, "name": name, "urn": f"urn:pulumi:b::b::{one.type}::{name}"}
        told.append(
            (analyzer_pb2.AnalyzeRequest(**facts, properties=struct(one.properties)), analyzer_pb2.AnalyzerResource(**facts)),
        )

    def judge() -> None:
        for request, _ in told:
            analyzer.Analyze(request, None)
        analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=[resource for _, resource in told]), None)

    return min(seconds(judge) for _ in range(3))


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    taken = previews(asked.pairs)
    added = [with_pack - without for with_pack, without in zip(taken["with"], taken["without"], strict=True)]
    growing = {size: judging(size) for size in SIZES}
    result = {
        "preview_seconds": {name: round(statistics.median(values), 3) for name, values in taken.items()},
        "added_seconds": {"median": round(statistics.median(added), 3), "least": round(min(added), 3), "most": round(max(added), 3)},
        "judging_milliseconds": {size: round(1000 * value, 1) for size, value in growing.items()},
        "milliseconds_per_resource": {size: round(1000 * value / size, 3) for size, value in growing.items()},
        "rules": len(catalogue()),
        "load": round(os.getloadavg()[0], 1),
    }
    table = Table("what", "value", title=f"{result['rules']} rules, {asked.pairs} pairs, load {result['load']}")
    for name, value in result.items():
        table.add_row(name, json.dumps(value))
    Console().print(table)
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
