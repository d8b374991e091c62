"""Every figure of docs/performance.md, measured on this machine: `make bench`.

    PYTHONPATH=tests .venv/bin/python -m bench [--groups ingest,retrieval] [--rounds 5] [--soak 10] [--results docs/performance.json]

Groups that are not asked for keep the figures that the file of results has of them.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import associations, databases, deploying, growing, ingest, retrieval, soaking, viewing
from bench.figure import Figure
from bench.stand import CONTENDERS, LIMITS, NAME, deployed, standing
from bench.targets import TARGETS
from deployed.deployment import docker

RESULTS = Path(__file__).parents[2] / "docs" / "performance.json"
GROUPS = ("ingest", "retrieval", "associations", "crowd", "soak", "growth", "database", "deploy", "viewer")


def machine(rounds: int) -> dict[str, Any]:
    """Say on what, and under which load, is measured."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="ascii"))
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": processor[1] if processor else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "kernel": platform.release(),
        "engine": docker("version", "-f", "{{.Server.Version}}").strip(),
        "load_before": round(os.getloadavg()[0], 1),
        "rounds": rounds,
    }


def versions() -> dict[str, str]:
    """Give the versions of what is measured, as Debian numbers them."""
    asked = {"orthanc": f"{NAME}-archive", "haproxy": f"{NAME}-gateway", "dcmtk": f"{NAME}-client"}
    return {
        package: docker("exec", container, "dpkg-query", "-W", "-f", "${Version}", package).strip() for package, container in asked.items()
    }


def side_by_side(folder: Path, groups: set[str], rounds: int, minutes: float, told: dict[str, Any]) -> Iterator[Figure]:
    """Measure what is measured of all contenders together, and then of the clinic alone."""
    with standing(folder) as stand:
        told["versions"] = versions()
        if "ingest" in groups:
            yield from ingest.ingest(stand, rounds)
        if "retrieval" in groups:
            yield from retrieval.retrieval(stand, rounds)
        if "associations" in groups:
            yield from associations.associations(stand, rounds)
        if "crowd" in groups:
            yield from associations.crowd(stand, rounds)
        if "soak" in groups:
            retrieval.prepare(stand)
            yield from soaking.soaking(stand, minutes)


def alone(folder: Path, groups: set[str], rounds: int) -> Iterator[Figure]:
    """Measure what needs a clinic of its own."""
    if "growth" in groups:
        with standing(folder / "growth", third_parties=False) as stand:
            growing.prepare(stand)
            yield from growing.growing(stand, rounds)
    if "database" in groups:
        together: dict[str, Figure] = {}
        for name in ("sqlite", "postgresql"):
            with standing(folder / name, third_parties=False, database=name) as stand:
                retrieval.prepare(stand)
                for figure in databases.database(stand, rounds, name):
                    together.setdefault(figure.name, figure).samples.update(figure.samples)
                    together[figure.name].cpu_ms.update(figure.cpu_ms)
        yield from together.values()
    if "viewer" in groups:
        with standing(folder / "viewer", viewer=True) as stand:
            yield from viewing.viewing(stand, rounds)
    if "deploy" in groups:
        with standing(folder / "change", third_parties=False) as stand:
            yield from deploying.changing(stand, rounds)
        with deployed(folder / "deploy") as stack:
            yield from deploying.deploying(stack, rounds)


def main() -> None:
    """Measure, and write the results after each figure, so that a run that is broken off keeps what it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", default=",".join(GROUPS), help=f"some of {', '.join(GROUPS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--soak", type=float, default=10, help="minutes")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    groups = set(asked.groups.split(","))
    if unknown := groups - set(GROUPS):
        parser.error(f"--groups: got {', '.join(sorted(unknown))}, expected some of {', '.join(GROUPS)}")
    before = json.loads(asked.results.read_text(encoding="utf-8")) if asked.results.exists() else {"figures": []}
    figures = [figure for figure in before["figures"] if figure["group"] not in groups]
    told = machine(asked.rounds)
    told["versions"] = before.get("machine", {}).get("versions", {})
    with tempfile.TemporaryDirectory(prefix="securepacs-bench-") as place:
        folder = Path(place)
        beside = groups & {"ingest", "retrieval", "associations", "crowd", "soak"}
        measured = side_by_side(folder / "beside", groups, asked.rounds, asked.soak, told) if beside else iter(())
        for figure in itertools.chain(measured, alone(folder, groups, asked.rounds)):
            figures.append(figure.as_json())
            result = {"machine": {**told, "limits": LIMITS}, "contenders": CONTENDERS, "figures": figures}
            result["targets"] = [vars(target) for target in TARGETS]
            asked.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
