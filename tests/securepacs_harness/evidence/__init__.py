"""What a run leaves behind for others to read: one writer a form, and a manifest over them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from securepacs_harness.evidence import junit, oscal, page, sarif
from securepacs_harness.results import Run


def _results(run: Run) -> str:
    return run.model_dump_json(indent=2) + "\n"


#: File -> what writes it, from nothing but the run.
WRITERS: Final[Mapping[str, Callable[[Run], str]]] = {
    "results.json": _results,
    "junit.xml": junit.write,
    "results.sarif": sarif.write,
    "oscal-assessment-results.json": oscal.write,
    "report.html": page.write,
}
