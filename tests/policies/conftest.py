"""What several tests of the policies share."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.engine import Engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The real engine with an empty stack, for previews only."""
    return Engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def own_engine(tmp_path: Path) -> Engine:
    """The real engine with an empty stack of the test's own."""
    return Engine(tmp_path)
