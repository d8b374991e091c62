"""One clinic for the tests of changes, of durability, and of two clinics: deployed at the first use, taken down at the end."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployed.deployment import Stack, remove_left_overs
from lifecycle.change.living import Living, declaration
from lifecycle.steady import HEAD, Report
from securepacs_harness.bracket import Bracket, Ledger, bracket
from securepacs_harness.observation import Attempt

HERE = Path(__file__).parent
STACK = "chgone"
DICOM_PORT, HTTPS_PORT = 13400, 13401

#: Names a file for the table of changes as JSON.
TABLE = "SECUREPACS_CHANGES_JSON"

LEDGER = Ledger()
REPORTS: list[Report] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests time for a first deployment: images are built within the first test that needs the stack."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what each change did to those who stored meanwhile."""
    if not REPORTS:
        return
    for line in (HEAD, *(report.row() for report in REPORTS)):
        terminalreporter.write_line(line)
    if LEDGER.refusals:
        terminalreporter.write_line(LEDGER.summary())
    if TABLE in os.environ:
        rows = [dataclasses.asdict(report) for report in REPORTS]
        Path(os.environ[TABLE]).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def environment(home: Path) -> dict[str, str]:
    """Keep a stack's state apart from the user's own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SECUREPACS_"))}
    return {**own, "SECUREPACS_HOME": str(home), "COLUMNS": "300"}


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder for keys and state, which ends with the session."""
    with tempfile.TemporaryDirectory(prefix="securepacs-change-") as place:
        yield Path(place)


@pytest.fixture(scope="session")
def clinic(folder: Path) -> Iterator[Living]:
    """The clinic, up, with its bundles."""
    remove_left_overs(STACK)
    made = Living(
        Stack(STACK, folder / "clinic.yaml", environment(folder / "home")), folder, declaration(STACK, DICOM_PORT, HTTPS_PORT), REPORTS
    )
    try:
        made.up()
        made.take()
        yield made
    finally:
        made.take_down()


@pytest.fixture(scope="session")
def reports() -> list[Report]:
    """The table that is shown at the end."""
    return REPORTS


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder for images on their way."""
    return tmp_path


@pytest.fixture(scope="session")
def claim() -> Callable[[Attempt], Bracket]:
    """Begin a claim of refusal; it stands in the session's ledger."""
    return lambda control: bracket(control, LEDGER)
