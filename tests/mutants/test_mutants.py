"""The mutants of the day: a part of them each day in CI, all of them by `make mutants`."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from rich.console import Console

from mutants.base import BROWSER, HARDENED, LOADED, laboratory
from mutants.matrix import matrix, selected

#: Names of mutants, or "all": what is tried instead of the part of the day.
CHOSEN = "SECUREPACS_MUTANTS"
#: In so many days every mutant is tried once.
DAYS = 10


@pytest.mark.timeout(3600)
def test_the_harness_finds_what_it_is_made_to_find(tmp_path: Path) -> None:
    """The hardened clinic is clean, and each of the day's mutants is told by the checks that are made for its defect."""
    chosen = os.environ.get(CHOSEN, "")
    with laboratory(tmp_path) as lab:
        if chosen == "all":
            mutants = lab.mutants
        elif chosen:
            mutants = tuple(selected(lab.mutants, chosen.split(",")))
        else:
            mutants = lab.mutants[datetime.datetime.now(datetime.UTC).date().toordinal() % DAYS :: DAYS]
        print(f"{CHOSEN}={','.join(mutant.name for mutant in mutants)}")
        # The times of honest peers are looked at while nothing else goes on.
        outcomes = matrix(lab, [LOADED], tmp_path, Console(width=200))
        outcomes += matrix(lab, [HARDENED, BROWSER, *mutants], tmp_path, Console(width=200))
    assert mutants
    assert {outcome.mutant.name: outcome.problem for outcome in outcomes if outcome.problem} == {}
