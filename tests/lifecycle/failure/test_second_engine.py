"""The engine restarted, and the host's disk full: on an engine of the test's own, with the state on the same small disk."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployed.deployment import Stack, docker
from lifecycle.failure.conftest import NAME, Patient
from lifecycle.failure.killing import Answer, alone, command, configuration
from lifecycle.failure.second_engine import INSIDE, SecondEngine
from securepacs_harness import canary
from securepacs_harness.bracket import NotAcceptedError, Refusal, Verdict, accepts, bracket
from securepacs_harness.bundles import Bundles
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Layer
from securepacs_harness.probes import dimse
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

DICOM_PORT, HTTPS_PORT = 13330, 19330
DISK_MB = 1400
_HEALTHY_SECONDS = 90


@dataclass
class Elsewhere:
    """A clinic on the second engine, and the images of it that were acknowledged."""

    engine: SecondEngine
    stack: Stack
    folder: Path
    acknowledged: list[Instance] = field(default_factory=list)

    def ask(self, verb: str, *options: str) -> Answer:
        """Run a command in the engine's network."""
        words = [*self.engine.inside, *command(verb, "--config", str(self.stack.config), *options), "--stack", self.stack.name]
        environment, closed = dict(self.stack.environment), subprocess.DEVNULL
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, stdin=closed, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def changes(self) -> dict[str, int]:
        """Run `up` and give what it changed."""
        answer = self.ask("up", "--json")
        assert answer.status == 0, f"{answer.err}{self.engine.docker('logs', '--tail', '20', f'{NAME}-gateway', check=False)}"
        changed: dict[str, int] = json.loads(answer.out)["changes"]
        return changed

    def configure(self, **changes: object) -> None:
        """Write the clinic's configuration: its addresses are those of the engine's network."""
        where = {"dicom": {"addresses": [INSIDE], "port": DICOM_PORT}, "https": {"addresses": [INSIDE], "port": HTTPS_PORT}}
        # No name server answers there, and the gateway would wait for one: ten seconds a name at each start.
        peers = [{"ae_title": "CT01", "verbs": ["echo", "store"]}, {"ae_title": "WS01", "verbs": ["echo", "find"]}]
        configuration(self.stack.config, NAME, DICOM_PORT, HTTPS_PORT, **{**where, "peers": peers, **changes})

    def pacs(self) -> Pacs:
        """See the clinic from the test's own network."""
        return Pacs(load_target(self.folder / "target.json"), Bundles(self.folder / "bundles"), {})

    def store(self) -> None:
        """Send a new image, which must be taken."""
        image = canary.write_canary(self.folder / "images")
        accepts(dimse.store(self.pacs().caller("CT01"), image), code="0x0000")
        self.acknowledged.append(image)

    def try_to_store(self) -> Refusal:
        """Send a new image between two echoes; where it is acknowledged after all, it counts as one that must not be lost."""
        image = canary.write_canary(self.folder / "images")
        caller = self.pacs().caller("CT01")
        tried = bracket(dimse.echo(caller)).refuses(dimse.store(caller, image), layer=Layer.DIMSE)
        if tried.verdict is Verdict.ACCEPTED:
            self.acknowledged.append(image)
        return tried

    def keeps_all(self) -> None:
        """Hold the archive to all that it acknowledged."""
        caller = self.pacs().caller("WS01")
        for image in self.acknowledged:
            found = accepts(dimse.find(caller, StudyInstanceUID=image.study), code="0x0000")
            assert found.detail == "1 matches", image.study

    def wait_served(self) -> float:
        """Wait until CT01 is answered and the engine calls both containers healthy, without anybody's help; give the seconds.

        The engine's word alone is not enough: one that was killed first repeats what it knew.
        """
        began = time.monotonic()
        while True:
            try:
                accepts(dimse.echo(self.pacs().caller("CT01")), code="0x0000")
            except NotAcceptedError:
                assert time.monotonic() < began + _HEALTHY_SECONDS
                time.sleep(0.25)
                continue
            if self._health() == ["healthy", "healthy"]:
                return time.monotonic() - began
            assert time.monotonic() < began + _HEALTHY_SECONDS
            time.sleep(0.25)

    def acknowledges_at_once(self) -> bool:
        """Tell whether the gateway still runs with what acknowledges at once."""
        maps = self.engine.docker("exec", f"{NAME}-gateway", "sh", "-c", "cat /proc/[0-9]*/maps 2>/dev/null || true")
        return "/usr/lib/securepacs/quickack.so" in maps

    def _health(self) -> list[str]:
        return self.engine.docker("inspect", "-f", "{{.State.Health.Status}}", f"{NAME}-archive", f"{NAME}-gateway").split()


@pytest.fixture(scope="module")
def elsewhere(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """The clinic, up on the second engine from the images of the first, with one image stored."""
    del patient  # it has built the images
    folder = tmp_path_factory.mktemp("engine")
    engine = SecondEngine(folder, DISK_MB)
    try:
        engine.lay()
        engine.start()
        images = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"label=securepacs.image.stack=securepacs/{NAME}")
        engine.load(["securepacs-base:forky", *images.split()])
        stack = alone(NAME, engine.disk / "state")
        made = Elsewhere(engine, Stack(NAME, folder / "clinic.yaml", {**stack.environment, "DOCKER_HOST": engine.host}), folder)
        (folder / "images").mkdir()
        made.configure()
        made.changes()
        for peer in ("CT01", "WS01"):
            made.stack.securepacs("bundle", peer, "--out", str(folder / "bundles"))
        made.stack.securepacs("target", "--out", str(folder / "target.json"))
        made.store()
        yield made
    finally:
        engine.clear()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_engine_that_restarts_brings_the_clinic_back(elsewhere: Elsewhere, number: signal.Signals) -> None:
    """After the engine's end, by either signal, the containers are healthy by themselves, the studies there, and `up` has nothing to do."""
    elsewhere.engine.stop(number)
    assert elsewhere.ask("up").status == 4
    started = elsewhere.engine.start()
    served = elsewhere.wait_served()
    print(f"{number.name}: engine up after {started:.1f} s, clinic serves and is healthy {served:.1f} s later")
    elsewhere.keeps_all()
    assert elsewhere.acknowledges_at_once()
    assert elsewhere.changes() == {}
    elsewhere.store()


def test_a_full_disk_loses_nothing(elsewhere: Elsewhere) -> None:
    """On a full disk an image is refused and not acknowledged, `up` says so in one line, and with space again all goes on."""
    try:
        tried = []
        for _ in range(3):
            elsewhere.engine.fill()
            tried.append(elsewhere.try_to_store())
        print(f"images sent to a full disk: {[f'{one.verdict} {one.seen.code}' for one in tried]}")
        tried[-1].require()
        elsewhere.configure(limits={"storage_mb": 50000, "associations_per_peer": 5})
        answer = elsewhere.ask("up")
        assert answer.status in {4, 5}
        (line,) = answer.errors
        assert "the disk is full" in line
        assert "Traceback" not in answer.err
    finally:
        elsewhere.engine.free()
    assert elsewhere.changes()
    elsewhere.wait_served()
    elsewhere.store()
    elsewhere.keeps_all()
    assert elsewhere.changes() == {}
