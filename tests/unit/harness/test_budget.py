from __future__ import annotations

import pytest

from securepacs_harness.budget import Spending
from securepacs_harness.errors import BudgetError
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes import association
from securepacs_harness.probes.line import Line
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from unit.harness.standin import free_port


def test_no_connection_is_made_beyond_the_budget() -> None:
    """The connection after the last one is not made."""
    spending = Spending(connections=2, seconds=60)
    spending.connect()
    spending.connect()
    with pytest.raises(BudgetError, match="2 connections were made"):
        spending.connect()
    assert spending.made == 2


def test_time_is_a_budget_too() -> None:
    """After its time a run makes no more connections."""
    with pytest.raises(BudgetError, match=r"budget\.seconds"):
        Spending(connections=2, seconds=-1).connect()


def test_a_spent_budget_shows_nothing() -> None:
    """An attempt without budget is inconclusive: neither a refusal nor an acceptance."""
    spending = Spending(connections=1, seconds=60)
    line = Line("127.0.0.1", free_port(), spending=spending)
    control = Attempt("a control", lambda: Observation(Layer.DIMSE, Outcome.ACCEPTED, "0x0000"))
    record = Record()
    for _ in range(2):
        record.bracket(control).refuses(association.echo("an attempt", line, "ARCHIVE", "CT01"), layer=Layer.TCP)
    assert [case.status for case in record.cases] == [Status.PASSED, Status.INCONCLUSIVE]
    assert record.cases[1].seen is not None
    assert record.cases[1].seen.code == "budget-spent"
