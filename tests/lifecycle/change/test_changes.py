"""A running clinic is changed while two other peers store without a pause: none of their instances fails, none is lost.

The tests stand in the order of a clinic's life; each leaves the clinic as the next expects it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pydicom.uid import CTImageStorage

from bench import samples
from lifecycle.change.living import READER, SENDERS, Living
from lifecycle.change.watched import watching
from lifecycle.steady import Report, storing
from securepacs_harness import canary
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import dimse, http

Claim = Callable[[Attempt], Bracket]

#: A peer that is removed or revoked has its open associations ended so many seconds after the command returned, or before.
ENDED_SECONDS = 10

NO_RIGHT = frozenset({Layer.ASSOCIATION, Layer.CONTEXT, Layer.DIMSE})
REVOKED = at(Layer.TLS, "certificate_revoked")

#: The command's exit status for what is refused until somebody consents.
REFUSED = 7

RESTART, REPLACE = "archive restarts: about 3 s, peers will retry", "gateway is replaced"


def measured(clinic: Living, images: Path, change: str, act: Callable[[], float], timeout: float = 10) -> Report:
    """Do something while the senders store, and note what it did to them; nothing may be lost or given up."""
    with storing([clinic.calling(name, timeout) for name in SENDERS], images) as load:
        seconds = act()
    report = load.report(change, seconds, clinic.caller(READER))
    clinic.reports.append(report)
    assert (report.given_up, report.lost) == (0, 0), report
    return report


def unnoticed(clinic: Living, images: Path, change: str, act: Callable[[], float]) -> Report:
    """Do something and hold that the senders did not notice, and that no container was replaced or restarted."""
    before = clinic.containers()
    # On a machine that is busy with other work an answer takes more than ten seconds now and then, though nothing changes;
    # what is lost takes for ever.
    report = measured(clinic, images, change, act, timeout=40)
    assert report.failed == {}, report
    assert clinic.containers() == before
    return report


def test_nothing_happens(clinic: Living, images: Path) -> None:
    """An `up` without a change disturbs nobody; its interruption is the measure of the machine."""
    unnoticed(clinic, images, "nothing", clinic.up)


def test_the_instrument_sees_a_loss(clinic: Living, images: Path) -> None:
    """An instance that the archive does not have, and one that it has with other content, both count as lost."""
    with storing([clinic.calling(SENDERS[0])], images) as load:
        pass
    hashes = load.senders[0].hashes
    assert load.report("", 0, clinic.caller(READER)).lost == 0
    hashes["1.2.3"] = hashes[next(iter(hashes))] = "0" * 64
    assert load.report("", 0, clinic.caller(READER)).lost == 2


def test_a_peer_is_added(clinic: Living, images: Path) -> None:
    """A new peer is served after `up`, and the preview speaks of no restart."""
    clinic.declared["peers"].append({"ae_title": "NEW1", "verbs": ["echo"]})
    told = clinic.preview()
    assert "restarts" not in told
    assert "replaced" not in told
    unnoticed(clinic, images, "a peer added", clinic.up)
    clinic.take()
    accepts(dimse.echo(clinic.caller("NEW1")), code="0x0000")


def test_a_peers_verbs_change(clinic: Living, images: Path, claim: Claim) -> None:
    """A verb that a peer is given works after `up`, one that is taken from it is refused; before it was the other way round."""
    peer = clinic.caller("NEW1")
    echo, store = dimse.echo(peer), dimse.store(peer, canary.write_canary(images))
    claim(echo).refuses(store, layer=NO_RIGHT).require()
    clinic.peer("NEW1")["verbs"] = ["store"]
    unnoticed(clinic, images, "a peer's verbs changed", clinic.up)
    claim(store).refuses(echo, layer=NO_RIGHT).require()
    clinic.peer("NEW1")["verbs"] = ["echo"]


def _ends(clinic: Living, images: Path, change: str, act: Callable[[], float], peer: str, other: str) -> None:
    """Hold that what a peer has open ends in time by a change, and that another's goes on."""
    with watching(clinic.caller(peer), clinic.caller(other)) as (its, others):
        returned: list[float] = []

        def changed() -> float:
            seconds = act()
            returned.append(time.monotonic())
            return seconds

        unnoticed(clinic, images, change, changed)
        ended = its.ends_within(ENDED_SECONDS)
        assert ended is not None, f"what {peer} had open goes on {time.monotonic() - returned[0]:.1f} s after the change"
        assert ended - returned[0] < ENDED_SECONDS
        assert others.ended is None
    print(f"{change}: what {peer} had open ended {ended - returned[0]:+.1f} s after the command returned")


def test_a_peer_is_removed(clinic: Living, images: Path, claim: Claim) -> None:
    """A peer that is not declared any more is refused after `up`, and what it had open has ended."""
    gone = clinic.caller("CT02")
    accepts(dimse.echo(gone), code="0x0000")
    declared = clinic.peer("CT02")

    def remove() -> float:
        clinic.declared["peers"].remove(declared)
        return clinic.up()

    _ends(clinic, images, "a peer removed", remove, "CT02", "RV01")
    claim(dimse.echo(clinic.caller("RV01"))).refuses(dimse.echo(gone), layer={Layer.TLS, Layer.ASSOCIATION}).require()
    clinic.declared["peers"].append(declared)
    clinic.up()
    clinic.take()
    accepts(dimse.echo(clinic.caller("CT02")), code="0x0000")


def test_a_peer_is_revoked(clinic: Living, images: Path, claim: Claim) -> None:
    """`securepacs revoke` ends what the peer has open and refuses its certificate from then on; others go on."""
    old = clinic.caller("RV01")
    _ends(clinic, images, "securepacs revoke RV01", lambda: clinic.command("revoke", "RV01"), "RV01", "CT02")
    clinic.take()
    claim(dimse.echo(clinic.caller("RV01"))).tries([(dimse.echo(old), REVOKED)])[0].require()


def test_the_servers_certificate_is_rotated(clinic: Living, images: Path) -> None:
    """`securepacs rotate server` makes the gateway show another certificate, which peers trust without a new bundle."""
    before = clinic.shown_certificate()
    unnoticed(clinic, images, "securepacs rotate server", lambda: clinic.command("rotate", "server"))
    assert clinic.shown_certificate() != before
    accepts(dimse.echo(clinic.caller("CT02")), code="0x0000")


def test_a_peers_certificate_is_rotated(clinic: Living, images: Path) -> None:
    """After `securepacs rotate peer` both the peer's old bundle and its new one work, until the old one is revoked or expires."""
    unnoticed(clinic, images, "securepacs rotate peer CT02", lambda: clinic.command("rotate", "peer", "CT02"))
    before = clinic.take()
    old, new = (clinic.caller("CT02", bundles=bundles) for bundles in (before, clinic.bundles))
    assert old.line.offer
    assert new.line.offer
    assert old.line.offer.material != new.line.offer.material
    assert before.material("CT02").cert.read_text() != clinic.bundles.material("CT02").cert.read_text()
    for caller in (old, new):
        accepts(dimse.echo(caller), code="0x0000")


def test_the_authority_is_rotated(clinic: Living, images: Path, claim: Claim) -> None:
    """`securepacs rotate ca` lets old and new bundles work side by side; after `--finish` the old ones are refused in the handshake."""
    unnoticed(clinic, images, "securepacs rotate ca", lambda: clinic.command("rotate", "ca"))
    before = clinic.take()
    status, told = clinic.tried("rotate", "ca", "--finish", "--config", str(clinic.stack.config))
    assert status == REFUSED, told
    assert "CT02" in told
    for name in clinic.peers():
        assert before.material(name).cert.read_text() != clinic.bundles.material(name).cert.read_text()
        for bundles in (before, clinic.bundles):
            accepts(dimse.echo(clinic.caller(name, bundles=bundles)), code="0x0000")
    # From here on the senders call with their new bundles.
    unnoticed(clinic, images, "securepacs rotate ca --finish", lambda: clinic.command("rotate", "ca", "--finish"))
    # The old certificate with trust in the new authority too, so that nothing but the gateway's refusal is seen.
    old = clinic.caller("CT02", bundles=before, trusted=clinic.bundles)
    claim(dimse.echo(clinic.caller("CT02"))).tries([(dimse.echo(old), at(Layer.TLS))])[0].require()


def test_the_revocation_list_is_renewed(clinic: Living, images: Path) -> None:
    """A list that is near its end is renewed by `up`; what it revokes stays revoked."""
    clinic.declared["authority"] = {**clinic.declared.get("authority", {}), "crl_days": 390}
    clinic.up_as_of(days_ago=370)
    due = clinic.outputs()["certificates"]["revocations"]
    unnoticed(clinic, images, "revocation list renewed", clinic.up)
    renewed = clinic.outputs()["certificates"]["revocations"]
    assert int(renewed["number"]) > int(due["number"])
    assert renewed["notAfter"] > due["notAfter"]
    clinic.take()
    accepts(dimse.echo(clinic.caller("CT02")), code="0x0000")


def test_an_expired_list_is_mended(clinic: Living) -> None:
    """An expired list locks every peer out, `status --check` says so before and after, and the next `up` lets them in again."""
    clinic.declared["authority"] = {**clinic.declared.get("authority", {}), "crl_days": 391}
    echo = dimse.echo(clinic.caller("CT02"))
    clinic.up_as_of(days_ago=392)
    locked_out = echo._run()
    assert locked_out.layer is Layer.TLS, locked_out
    status, told = clinic.tried("status", "--check", "30")
    assert status != 0
    assert "revocations" in told
    clinic.up()
    accepts(echo, code="0x0000")
    status, told = clinic.tried("status", "--check", "30")
    assert status == 0, told


def _studies(clinic: Living, name: str, password: str) -> Attempt:
    return http.ask(f"{name} searches", clinic.web(), http.Request("GET", "/dicom-web/studies", http.basic(name, password)))


def _stow(clinic: Living, name: str, path: Path) -> Attempt:
    """Try STOW-RS of one file (PS3.18 section 10.5)."""
    boundary = "canary-boundary"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    headers = {
        **http.basic(name, clinic.passwords[name]),
        "Accept": "application/dicom+json",
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
    }
    body = head + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return http.ask(f"{name} stores", clinic.web(), http.Request("POST", "/dicom-web/studies", headers, body))


def test_a_password_is_rotated(clinic: Living, images: Path, claim: Claim) -> None:
    """`securepacs rotate person` makes a new password; the old one is refused, another person's works on."""
    old = clinic.passwords["vera"]
    unnoticed(clinic, images, "securepacs rotate person vera", lambda: clinic.command("rotate", "person", "vera"))
    anna = clinic.passwords["anna"]
    clinic.take()
    assert clinic.passwords["anna"] == anna
    new = clinic.passwords["vera"]
    claim(_studies(clinic, "vera", new)).tries([(_studies(clinic, "vera", old), at(Layer.HTTP, "401"))])[0].require()


def test_a_role_changes(clinic: Living, images: Path, claim: Claim) -> None:
    """A viewer may not store; made a clinician, the same person with the same password may."""
    path = canary.write_canary(images).path
    claim(_studies(clinic, "vera", clinic.passwords["vera"])).tries([(_stow(clinic, "vera", path), at(Layer.HTTP, "403"))])[0].require()
    clinic.declared["people"][0]["role"] = "clinician"
    unnoticed(clinic, images, "a person's role changed", clinic.up)
    accepts(_stow(clinic, "vera", path), code="200")


def test_a_limit_of_the_gateway_changes(clinic: Living, images: Path, claim: Claim) -> None:
    """A lower limit of associations for each peer holds after `up`: one more than allowed is refused, and was not before."""
    caller = clinic.caller("CT02")
    with watching(*[caller] * 4):
        accepts(dimse.echo(caller), code="0x0000")
    clinic.declared["limits"]["associations_per_peer"] = 4
    unnoticed(clinic, images, "associations_per_peer", clinic.up)
    with watching(*[caller] * 4):
        # Another peer is the control: this one has all that it may.
        claim(dimse.echo(clinic.caller("WS01"))).refuses(dimse.echo(caller), layer=Layer.ASSOCIATION, code="2/3/2").require()


def test_what_restarts_the_archive_is_told_before(clinic: Living, images: Path) -> None:
    """The preview of each limit that only a restart changes says so; the restart makes peers wait, and they lose nothing."""
    before = clinic.containers()
    clinic.declared["limits"]["storage_mb"] = 600
    assert RESTART in clinic.preview()
    clinic.declared["limits"].update(storage_mb=500, associations=40)
    assert RESTART in clinic.preview()
    clinic.declared["limits"]["storage_mb"] = 600
    measured(clinic, images, "storage_mb, associations: archive restarts", clinic.up)
    now = clinic.containers()
    assert now["archive"].split()[0] == before["archive"].split()[0]
    assert now["archive"] != before["archive"]
    assert now["gateway"] == before["gateway"]


def test_a_limit_below_what_is_stored_deletes_nothing(clinic: Living, tmp_path: Path) -> None:
    """With a limit below what is stored the archive does not start, and `up` says why; with its old limit it has all that it had."""
    (large := tmp_path / "large").mkdir()
    for number in range(4):  # of 33 MB each: the least limit is 100
        path = large / f"{number}.dcm"
        samples.image("large", 0, number, samples.Series("CT", CTImageStorage, 4, 4096)).save_as(path, enforce_file_format=True)
        accepts(dimse.store(clinic.caller(SENDERS[0]), canary.described(path)), code="0x0000")
    before = _knows(clinic)
    clinic.declared["limits"]["storage_mb"] = 100
    clinic.write()
    status, told = clinic.tried("up", "--config", str(clinic.stack.config))
    assert status != 0
    assert "limits.storage_mb is 100, and more is stored: Orthanc would delete the oldest patients" in told
    clinic.declared["limits"]["storage_mb"] = 600
    clinic.up()
    assert _knows(clinic) == before


def _knows(clinic: Living) -> str:
    """Give what the archive says that it holds."""
    request = http.Request("GET", "/statistics", http.basic("anna", clinic.passwords["anna"]))
    return b"".join(accepts(http.ask("anna asks how much there is", clinic.web(), request), code="200").payload).decode()


def test_what_replaces_the_gateway_is_told_before(clinic: Living, images: Path) -> None:
    """The preview of another port says that the gateway is replaced; peers wait and lose nothing, and the archive runs on."""
    before = clinic.containers()
    clinic.declared["https"]["port"] += 1
    assert REPLACE in clinic.preview()
    measured(clinic, images, "https.port: gateway is replaced", clinic.up)
    now = clinic.containers()
    assert now["gateway"].split()[0] != before["gateway"].split()[0]
    assert now["archive"] == before["archive"]
    clinic.take()
    accepts(_studies(clinic, "vera", clinic.passwords["vera"]), code="200")
