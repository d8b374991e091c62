"""Fixtures of the harness's own tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from securepacs_harness import forge
from securepacs_harness.bundles import Bundles
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.sink import server_context
from securepacs_harness.probes.tls import Offer
from unit.harness.standin import Clinic, bundle, start_archive


@pytest.fixture(scope="session")
def _clinic() -> Iterator[Clinic]:
    with tempfile.TemporaryDirectory(prefix="securepacs-harness-") as folder:
        place = Path(folder)
        authority = forge.new_authority("Test Authority")
        for name in ("CT01", "WS01", "localhost"):
            bundle(place, name, authority)
        bundles = Bundles(place)
        refuse: set[str] = set()
        server = start_archive(refuse, server_context(bundles.material("localhost")))
        line = Line("127.0.0.1", server.server_address[1], Offer("", ""), timeout=5)
        yield Clinic(authority, bundles, line, refuse)
        server.shutdown()


@pytest.fixture
def clinic(_clinic: Clinic) -> Iterator[Clinic]:
    """The PACS with every right granted again."""
    _clinic.refuse.clear()
    yield _clinic
    _clinic.refuse.clear()


@pytest.fixture
def served() -> Iterator[Any]:
    """A PACS that serves CT01 and WS01, without TLS."""
    server = start_archive(set(), None)
    yield server
    server.shutdown()
