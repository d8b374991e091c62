"""One clinic that is harmed in many ways, one after the other: up at the first use, given up at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployed.deployment import Stack, docker, remove_left_overs
from lifecycle.failure.killing import Answer, alone, ask, authorities, configuration
from securepacs_harness import canary
from securepacs_harness.bracket import accepts
from securepacs_harness.bundles import Bundles
from securepacs_harness.canary import Instance
from securepacs_harness.probes import dimse
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

NAME = "failharm"
DICOM_PORT, HTTPS_PORT = 13320, 19320


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests time for a first deployment."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@dataclass
class Patient:
    """The clinic that is harmed, what its peers hold, and a study that must not be lost."""

    stack: Stack
    folder: Path
    study: Instance
    bundles: Path = field(init=False)

    def __post_init__(self) -> None:
        """Choose where the peers' bundles are."""
        self.bundles = self.folder / "bundles"

    def ask(self, command: str, *options: str) -> Answer:
        """Run a command that takes the configuration."""
        return ask(self.stack, command, "--config", str(self.stack.config), *options)

    def changes(self) -> dict[str, int]:
        """Run `up` and give what it changed."""
        answer = self.ask("up", "--json")
        assert answer.status == 0, answer.err
        changed: dict[str, int] = json.loads(answer.out)["changes"]
        return changed

    def hand_out(self) -> None:
        """Give each of the two peers its bundle, in a folder of the authority's."""
        self.bundles = self.folder / f"bundles-{authorities(self.stack)[-1]}"
        for peer in ("CT01", "WS01"):
            self.stack.securepacs("bundle", peer, "--out", str(self.bundles))
        self.stack.securepacs("target", "--out", str(self.bundles / "target.json"))

    def pacs(self) -> Pacs:
        """See the clinic through its target file, as it was when the bundles were handed out."""
        return Pacs(load_target(self.bundles / "target.json"), Bundles(self.bundles), {})

    def serves(self) -> None:
        """Hold the clinic to its service: CT01 is answered, and WS01 finds the study."""
        pacs = self.pacs()
        accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")
        found = accepts(dimse.find(pacs.caller("WS01"), StudyInstanceUID=self.study.study), code="0x0000")
        assert found.detail == "1 matches"

    def reference(self, part: str) -> str:
        """Give NAME:TAG of the image of a part."""
        (reference,) = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{NAME}-{part}").split()
        return reference


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """The clinic, up, with one study in it."""
    remove_left_overs(NAME)
    folder = tmp_path_factory.mktemp("harm")
    made = Patient(alone(NAME, folder), folder, canary.write_canary(folder))
    configuration(made.stack.config, NAME, DICOM_PORT, HTTPS_PORT)
    try:
        made.changes()
        made.hand_out()
        accepts(dimse.store(made.pacs().caller("CT01"), made.study), code="0x0000")
        yield made
    finally:
        made.ask("down", "--yes", "--delete-data", NAME)
        remove_left_overs(NAME)
