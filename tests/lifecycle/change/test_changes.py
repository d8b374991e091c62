"""A running clinic is changed while two other peers store without a pause: none of their instances fails, none is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.change.living import READER, SENDERS, Living
from lifecycle.steady import Load, Report, storing
from securepacs_harness import canary
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import dimse

Claim = Callable[[Attempt], Bracket]
Act = Callable[[Load], float]


def measured(clinic: Living, images: Path, change: str, act: Act) -> Report:
    """Do something while the senders store, and note what it did to them."""
    with storing([clinic.calling(name) for name in SENDERS], images) as load:
        seconds = act(load)
    report = load.report(change, seconds, clinic.caller(READER))
    clinic.reports.append(report)
    return report


def unnoticed(clinic: Living, images: Path, change: str, act: Act) -> Report:
    """Do something and hold that the senders did not notice, and that no container was replaced or restarted."""
    before = clinic.containers()
    report = measured(clinic, images, change, act)
    assert report.failed == {}, report
    assert (report.given_up, report.lost) == (0, 0)
    assert clinic.containers() == before
    return report


def test_nothing_happens(clinic: Living, images: Path) -> None:
    """An `up` without a change disturbs nobody; its interruption is the measure of the machine."""
    unnoticed(clinic, images, "nothing", lambda _load: clinic.up())


def test_a_peer_is_added(clinic: Living, images: Path) -> None:
    """A new peer is served after `up`, and the others store on."""

    def add(_load: Load) -> float:
        clinic.declared["peers"].append({"ae_title": "NEW1", "verbs": ["echo"]})
        return clinic.up()

    unnoticed(clinic, images, "a peer added", add)
    clinic.take()
    accepts(dimse.echo(clinic.caller("NEW1")), code="0x0000")


def test_a_peers_verbs_change(clinic: Living, images: Path, claim: Claim) -> None:
    """A verb that a peer is given works after `up`; one that is taken away is refused after it."""
    image = canary.write_canary(images)
    claim(dimse.echo(clinic.caller("NEW1"))).refuses(dimse.store(clinic.caller("NEW1"), image), layer={Layer.CONTEXT, Layer.DIMSE, Layer.ASSOCIATION}).require()

    def grant(_load: Load) -> float:
        clinic.declared["peers"][-1]["verbs"] = ["store"]
        return clinic.up()

    unnoticed(clinic, images, "a peer's verbs changed", grant)
    store = dimse.store(clinic.caller("NEW1"), image)
    claim(store).refuses(dimse.echo(clinic.caller("NEW1")), layer={Layer.CONTEXT, Layer.DIMSE, Layer.ASSOCIATION}).require()


def test_a_limit_changes(clinic: Living, images: Path) -> None:
    """A limit of the gateway's is changed by a reload."""

    def change(_load: Load) -> float:
        clinic.declared["limits"]["associations_per_peer"] = 6
        return clinic.up()

    unnoticed(clinic, images, "associations_per_peer", change)


def test_storage(clinic: Living, images: Path) -> None:
    """storage."""

    def change(_load: Load) -> float:
        clinic.declared["limits"]["storage_mb"] = 600
        return clinic.up()

    measured(clinic, images, "storage_mb", change)


def test_port(clinic: Living, images: Path) -> None:
    """port."""

    def change(_load: Load) -> float:
        clinic.declared["https"]["port"] = 13402
        return clinic.up()

    measured(clinic, images, "https.port", change)
