"""The wheel, installed once for all of these tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifecycle.reuse.installation import Installation, install
from securepacs_harness import canary
from securepacs_harness.bracket import Bracket, Ledger, bracket
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt

_HERE = Path(__file__).parent
_LEDGER = Ledger()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests time for a first deployment, within which images are built."""
    for item in items:
        if item.path.is_relative_to(_HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """The wheel in an environment of its own, outside the checkout."""
    with tempfile.TemporaryDirectory(prefix="securepacs-installed-") as folder:
        yield install(Path(folder))


@pytest.fixture(scope="session")
def claim() -> Callable[[Attempt], Bracket]:
    """Begin a claim of refusal."""
    return lambda control: bracket(control, _LEDGER)


@pytest.fixture
def image(tmp_path: Path) -> Instance:
    """A synthetic image that no other test uses."""
    return canary.write_canary(tmp_path)
