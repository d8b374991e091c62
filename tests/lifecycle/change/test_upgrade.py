"""An upgrade between two really different images, one that goes wrong, and a downgrade: the studies stay, and somebody serves.

The clinic begins with an earlier release on Debian's stable packages (Orthanc 1.12.7, HAProxy 3.0).
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployed.deployment import CommandError, Stack, docker, remove_left_overs
from lifecycle.change import bases
from lifecycle.change.conftest import environment
from lifecycle.change.earlier import EarlierStack
from lifecycle.change.living import READER, SENDERS, Living, declaration
from lifecycle.steady import Habit, Report, retrieved, storing
from securepacs_harness.bracket import accepts
from securepacs_harness.probes import dimse

STACK = "chgup"
DICOM_PORT, HTTPS_PORT = 13410, 13411

RETURNED = "the old one was put back and serves again"

WRITTEN_BY, OWN_VERSION = "/var/lib/archive/written-by", "/usr/share/securepacs/orthanc-version"
SETTLED_SECONDS = 110

Kept = dict[str, dict[str, str]]
"""Study -> SOP instance UID -> SHA-256 of its data set."""


@dataclasses.dataclass
class Old:
    """The clinic, and what was stored in it before anything happened."""

    clinic: Living
    kept: Kept

    def still_has_all(self) -> None:
        """Hold that every study from before is there, byte for byte."""
        reader = self.clinic.caller(READER)
        assert {study: retrieved(reader, study) for study in self.kept} == self.kept


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    """A clinic of the earlier release, with studies."""
    folder = tmp_path_factory.mktemp("upgrade")
    remove_left_overs(STACK)
    declared = {**declaration(STACK, DICOM_PORT, HTTPS_PORT), "images": {"base": bases.stable()}}
    clinic = Living(EarlierStack(STACK, folder / "clinic.yaml", environment(folder / "home")), folder, declared)
    try:
        clinic.up()
        clinic.take()
        with storing([clinic.calling(name) for name in SENDERS], folder, habits=[Habit.HELD], settle=30) as load:
            pass
        reader = clinic.caller(READER)
        kept = {study: retrieved(reader, study) for sender in load.senders for study in sender.studies}
        yield Old(clinic, kept)
    finally:
        clinic.stack = Stack(STACK, clinic.stack.config, clinic.stack.environment)
        clinic.take_down()


def version(clinic: Living, part: str, package: str) -> tuple[int, ...]:
    """Give the first two numbers of the version that runs."""
    told = docker("exec", f"{clinic.name}-{part}", "dpkg-query", "-W", "-f", "${Version}", package)
    return tuple(int(number) for number in re.findall(r"\d+", told)[:2])


def versions(clinic: Living) -> dict[str, tuple[int, ...]]:
    """Give what runs, by part."""
    return {"archive": version(clinic, "archive", "orthanc"), "gateway": version(clinic, "gateway", "haproxy")}


def during(old: Old, images: Path, reports: list[Report], change: str, act: Callable[[], object]) -> Report:
    """Do something while the senders store; hold that nothing is lost, and that what failed was completed."""
    clinic = old.clinic
    with storing([clinic.calling(name) for name in SENDERS], images) as load:
        began = time.monotonic()
        act()
        seconds = time.monotonic() - began
    report = load.report(change, seconds, clinic.caller(READER))
    reports.append(report)
    assert (report.given_up, report.lost) == (0, 0), report
    old.still_has_all()
    return report


def refused(clinic: Living) -> str:
    """Run an `up` that is expected to fail and give what it said."""
    clinic.write()
    with pytest.raises(CommandError) as failure:
        clinic.stack.up()
    assert "Traceback" not in str(failure.value)
    return str(failure.value)


def test_the_earlier_release_runs(old: Old) -> None:
    """The start is what it says: Orthanc 1.12, HAProxy 3.0, and studies from before."""
    assert versions(old.clinic) == {"archive": (1, 12), "gateway": (3, 0)}
    assert sum(len(instances) for instances in old.kept.values()) >= 60


def test_an_upgrade_keeps_the_studies(old: Old, images: Path, reports: list[Report]) -> None:
    """This release's `up` puts Orthanc 1.13 and HAProxy 3.2 in; every study from before is there, and none stored meanwhile is lost."""
    clinic = old.clinic
    volume = docker("volume", "inspect", "-f", "{{.CreatedAt}}", f"{clinic.name}-archive-data")
    clinic.stack = Stack(STACK, clinic.stack.config, clinic.stack.environment)
    del clinic.declared["images"]
    during(old, images, reports, "upgrade 1.12.7/3.0 -> 1.13/3.2", clinic.up)
    assert versions(clinic) == {"archive": (1, 13), "gateway": (3, 2)}
    assert docker("volume", "inspect", "-f", "{{.CreatedAt}}", f"{clinic.name}-archive-data") == volume


@pytest.mark.parametrize("part", bases.BROKEN)
def test_an_image_that_does_not_run_is_returned_from(old: Old, images: Path, reports: list[Report], part: str) -> None:
    """An `up` with an image whose service ends at once fails and says that it returned; the old container serves, studies intact."""
    clinic = old.clinic
    before = clinic.containers()
    clinic.declared["images"] = {"base": bases.broken(part)}
    said: list[str] = []
    during(old, images, reports, f"return from a broken {part}", lambda: said.append(refused(clinic)))
    assert f"container {clinic.name}-{part}" in said[0]
    assert RETURNED in said[0]
    assert "broken on purpose" in said[0]
    # The same container as before serves again: started anew, not made anew.
    assert clinic.containers()[part].split()[0] == before[part].split()[0]
    accepts(dimse.echo(clinic.caller("CT01")), code="0x0000")


def test_the_next_good_image_goes_in(old: Old, images: Path, reports: list[Report]) -> None:
    """After failures the next `up` with a good, rebuilt base works, and one more `up` finds nothing left to do."""
    clinic = old.clinic
    clinic.declared["images"] = {"base": bases.rebuilt()}
    during(old, images, reports, "upgrade to a rebuilt base", clinic.up)
    left = docker("ps", "-a", "--filter", f"label=securepacs.stack=securepacs/{STACK}", "--format", "{{.Names}}").split()
    assert sorted(left) == [f"{clinic.name}-archive", f"{clinic.name}-gateway"]
    before = clinic.containers()
    clinic.up()
    assert clinic.containers() == before


def written_by(clinic: Living) -> str:
    """Give the version that the archive's data belong to, '' while that is open."""
    return docker("exec", f"{clinic.name}-archive", "cat", WRITTEN_BY, check=False).strip()


def test_the_version_is_noted_once_it_has_settled(clinic: Living) -> None:
    """An archive that has run past the health gate notes its version beside its data."""
    own = docker("exec", f"{clinic.name}-archive", "cat", OWN_VERSION).strip()
    until = time.monotonic() + SETTLED_SECONDS
    while written_by(clinic) != own and time.monotonic() < until:
        time.sleep(0.5)
    assert written_by(clinic) == own


def test_a_downgrade_is_refused(old: Old, images: Path, reports: list[Report]) -> None:
    """The earlier release refuses the data that a later Orthanc wrote, and the later one serves again."""
    clinic = old.clinic
    before = clinic.containers()
    # What the archive itself does when it has settled; the test does not wait for that here.
    docker("exec", f"{clinic.name}-archive", "cp", OWN_VERSION, WRITTEN_BY)
    today = clinic.stack
    clinic.stack = EarlierStack(STACK, today.config, today.environment)
    clinic.declared["images"] = {"base": bases.stable()}
    said: list[str] = []
    try:
        during(old, images, reports, "return from a refused downgrade", lambda: said.append(refused(clinic)))
    finally:
        clinic.stack = today
    assert RETURNED in said[0]
    assert re.search(r"the data were written by Orthanc 1\.13[^\n]*this is 1\.12", said[0]), said[0]
    assert clinic.containers()["archive"].split()[0] == before["archive"].split()[0]
    clinic.declared["images"] = {"base": bases.rebuilt()}
    clinic.up()
    old.still_has_all()
