"""One clinic for all of these tests: deployed at the first use, taken down at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployed.deployment import (
    HERE,
    CommandError,
    OwnKeys,
    Stack,
    authority_of,
    docker,
    fetch_bundles,
    fetch_words,
    make_own_keys,
    remove_left_overs,
    write_configuration,
)
from securepacs_harness import canary, forge
from securepacs_harness.bracket import Bracket, Ledger, accepts, bracket
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt
from securepacs_harness.probes import dimse
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

STACK = "deptest"
DCMTK_IMAGE = "securepacs-test-dcmtk"

LEDGER = Ledger()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests time for a first deployment: images are built within the first test that needs the stack."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many refusals were tried."""
    if LEDGER.refusals:
        terminalreporter.write_line(LEDGER.summary())


#: Names a folder in which the clinic is kept up after the tests, for a quick next run.
KEEP = "SECUREPACS_TEST_KEEP"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder for keys and state, which ends with the session."""
    kept = os.environ.get(KEEP)
    if kept:
        Path(kept).mkdir(mode=0o700, exist_ok=True)
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory(prefix="securepacs-deployed-") as place:
        yield Path(place)


@pytest.fixture(scope="session")
def own_keys() -> OwnKeys:
    """Keys that two of the peers brought."""
    return make_own_keys()


@pytest.fixture(scope="session")
def stack(folder: Path, own_keys: OwnKeys) -> Iterator[Stack]:
    """The stack, up; state and passphrase are kept apart from the user's own."""
    home = folder / "home"
    if not home.exists():
        remove_left_overs(STACK)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SECUREPACS_"))}
    made = Stack(STACK, folder / "clinic.yaml", {**own, "SECUREPACS_HOME": str(home)})
    write_configuration(made.config, own_keys)
    try:
        print(f"up: {made.up():.1f} s")
        yield made
    finally:
        if KEEP not in os.environ:
            take_down(made)


def take_down(stack: Stack) -> None:
    """Give the clinic up with its studies, by the command line; by hand where that fails."""
    try:
        stack.securepacs("down", "--config", str(stack.config), "--delete-data", STACK, "--yes")
    except CommandError:
        remove_left_overs(STACK)
        raise


@pytest.fixture(scope="session")
def pacs(stack: Stack, folder: Path, own_keys: OwnKeys) -> Pacs:
    """The clinic with its target file, bundles and passwords, and the certificates that only its authority could sign wrongly."""
    path = folder / "target.toml"
    stack.securepacs("target", "--out", str(path))
    target = load_target(path)
    bundles = fetch_bundles(stack, target, folder / "bundles", own_keys)
    authority = authority_of(stack)
    for kind in forge.ISSUED:
        forge.issue(kind, folder / "bundles", "CT01", authority)
    return Pacs(target, bundles, fetch_words(stack, target))


@pytest.fixture(scope="session")
def dcmtk_image() -> str:
    """The image with DCMTK's tools."""
    context = str(HERE / "images" / "dcmtk")
    docker("build", "-q", "--network", "host", "-t", DCMTK_IMAGE, context, seconds=600)
    return DCMTK_IMAGE


@pytest.fixture(scope="session")
def dcmtk(pacs: Pacs, folder: Path, dcmtk_image: str) -> Iterator[Dcmtk]:
    """DCMTK's tools with the bundles and images at hand."""
    real = Path(canary.real_file("CT_small.dcm").path).parent
    with Dcmtk(dcmtk_image, f"{STACK}-test-dcmtk", [pacs.bundles.folder, folder / "images", real]) as tools:
        yield tools


@pytest.fixture(scope="session")
def claim() -> Callable[[Attempt], Bracket]:
    """Begin a claim of refusal; it stands in the session's ledger."""
    return lambda control: bracket(control, LEDGER)


@pytest.fixture
def image(folder: Path) -> Instance:
    """A synthetic image that no other test uses."""
    place = folder / "images"
    place.mkdir(exist_ok=True)
    return canary.write_canary(place)


@pytest.fixture(scope="session")
def stored(pacs: Pacs, folder: Path) -> Instance:
    """A synthetic image that is in the archive."""
    place = folder / "images"
    place.mkdir(exist_ok=True)
    image = canary.write_canary(place)
    accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    return image
