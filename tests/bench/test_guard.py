"""The short run of each day: none of what makes the shipped clinic fast is lost. The bounds are wide; `make bench` gives the figures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import associations, ingest, retrieval
from bench.figure import Figure, Target
from bench.stand import standing
from bench.targets import GUARDED

ROUNDS = 1
MEASURED = (ingest.ingest, retrieval.retrieval, associations.associations)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Figure]]:
    """What the short run measures, by name."""
    with standing(tmp_path_factory.mktemp("bench")) as stand:
        yield {figure.name: figure for measure in MEASURED for figure in measure(stand, ROUNDS, short=True)}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("target", GUARDED, ids=lambda target: target.figure)
def test_the_shipped_clinic_is_not_slower_than_an_open_one(figures: dict[str, Figure], target: Target) -> None:
    """A figure of the shipped clinic is so many times a stock, open Orthanc's, measured beside it in the same minutes."""
    ratio = figures[target.figure].ratio(target.contender, target.base)
    assert ratio.median >= target.at_least, f"{target.says}: {ratio.median:.2f} times, expected {target.at_least:g} at least"
