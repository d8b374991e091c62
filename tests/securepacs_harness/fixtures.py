"""The fixtures that checks ask for. Registered with a run, after every other plugin: testinfra has a `host` of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from securepacs_harness.bracket import Bracket
from securepacs_harness.control import control_for
from securepacs_harness.errors import TargetError
from securepacs_harness.observation import Attempt
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.inside import Inside
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.running import RECORD
from securepacs_harness.session import VERIFICATION, Verification
from securepacs_harness.target import Target


@pytest.fixture(scope="session")
def verification(pytestconfig: pytest.Config) -> Verification:
    """Give the run itself."""
    return pytestconfig.stash[VERIFICATION]


@pytest.fixture(scope="session")
def target(verification: Verification) -> Target:
    """Give what is declared of the PACS."""
    return verification.target


@pytest.fixture(scope="session")
def pacs(verification: Verification) -> Pacs:
    """Give the ways in which the PACS is called."""
    return verification.pacs


@pytest.fixture(scope="session")
def peer(pacs: Pacs) -> Callable[..., Caller]:
    """Call as a declared peer: peer("CT01"). Raises BundleError where its bundle is not at hand."""
    return pacs.caller


@pytest.fixture(scope="session")
def stranger(pacs: Pacs) -> Stranger:
    """Give somebody without credentials."""
    return pacs.stranger


@pytest.fixture(scope="session")
def host(verification: Verification) -> Callable[[str], Inside]:
    """Look inside a declared part: host("gateway"). Raises TargetError where the part is not declared."""
    return verification.inside


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Give the check's own record."""
    mine: Record = request.node.stash[RECORD]
    return mine


@pytest.fixture
def control(pacs: Pacs, record: Record) -> Callable[..., Bracket]:
    """Begin a claim of refusal: control("echo"), control("role:viewer") or control(ATTEMPT) must succeed before and after it."""

    def begin(wanted: str | Attempt = "echo") -> Bracket:
        return record.bracket(wanted if isinstance(wanted, Attempt) else control_for(pacs, wanted))

    return begin


@pytest.fixture(scope="session")
def canaries(verification: Verification) -> Canaries:
    """Give the synthetic studies of this run, for checks of the tier write. Raises TargetError where they could not be removed."""
    if verification.target.cleanup is None:
        raise TargetError("cleanup: got nothing; synthetic studies are stored only where the target says how they are removed")
    return verification.canaries
