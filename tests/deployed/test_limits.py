"""No peer and no address can take so much that others get nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from deployed.elsewhere import Elsewhere, relays
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.observation import Attempt, Layer, Observation
from securepacs_harness.probes import dimse, http
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

#: What clinic.yaml says of associations_per_peer, associations and wrong_passwords.
PER_PEER, ALL_PEERS, WRONG_PASSWORDS = 6, 48, 60

LIMIT = at(Layer.ASSOCIATION, "2/3/2")


@contextmanager
def held(caller: Caller, count: int) -> Iterator[None]:
    """Hold so many associations open."""
    release = threading.Event()
    with ThreadPoolExecutor(max_workers=count) as pool:
        running: list[Future[Observation]] = [pool.submit(accepts, dimse.idle(caller, 60, release)) for _ in range(count)]
        time.sleep(1.5)
        try:
            yield
        finally:
            release.set()
            for future in running:
                future.result()


def test_a_peer_holds_so_many_associations_and_no_more(pacs: Pacs, claim: Claim) -> None:
    """With its limit held open a peer's next association is rejected for now; others are served, and later it is again."""
    with held(pacs.caller("CT01"), PER_PEER):
        for refusal in claim(dimse.echo(pacs.caller("WS01"))).refuses_all([(dimse.echo(pacs.caller("CT01")), LIMIT)] * 3):
            assert refusal.seen.seconds < 2
    accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")


def test_below_its_limit_a_peer_is_served(pacs: Pacs) -> None:
    """One association less than the limit leaves room for one."""
    with held(pacs.caller("CT01"), PER_PEER - 1):
        accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")


def test_all_peers_together_hold_so_many_associations_and_no_more(pacs: Pacs, claim: Claim) -> None:
    """With the clinic's limit held open by eight peers, a ninth peer's association is rejected for now; later it is served."""
    holders = ("CT01", "MR02", "WS01", "WS02", "WL01", "SC01", "NV01", "OW01")
    assert len(holders) * PER_PEER == ALL_PEERS
    look = http.Request("GET", "/dicom-web/studies", pacs.login("vera"))
    with ExitStack() as open_:
        for name in holders:
            open_.enter_context(held(pacs.caller(name, timeout=60), PER_PEER))
        claim(http.ask("the archive over HTTPS", pacs.web, look)).refuses_all([(dimse.echo(pacs.caller("RV01")), LIMIT)])
    accepts(dimse.echo(pacs.caller("RV01")), code="0x0000")


def test_idle_associations_of_many_peers_delay_nobody(pacs: Pacs) -> None:
    """While several peers hold associations idle, another's echo is answered at once."""
    names = ("CT01", "SC01", "OW01")
    with held(pacs.caller(names[0]), 4), held(pacs.caller(names[1]), 4), held(pacs.caller(names[2]), 4):
        assert max(accepts(dimse.echo(pacs.caller("WS01"))).seconds for _ in range(3)) < 2


@pytest.fixture(scope="module")
def elsewhere(pacs: Pacs, dcmtk_image: str) -> Iterator[Elsewhere]:
    """Another address on the edge network, so that its lock-out locks out nobody else."""
    with relays(pacs, dcmtk_image, "deptest-test-relay-web", (8443,)) as there:
        yield there


def test_guessing_passwords_locks_out_the_guesser(pacs: Pacs, claim: Claim, elsewhere: Elsewhere) -> None:
    """After so many wrong passwords an address is told to wait, even with the right one; other addresses are not."""
    line = elsewhere.line(pacs.web, 8443)
    right = http.ask("the right password", line, http.Request("GET", "/dicom-web/studies", pacs.login("vera")))
    accepts(right, code="200")
    here = http.ask("control from this host", pacs.web, http.Request("GET", "/dicom-web/studies", pacs.login("vera")))
    guesses = [
        http.ask(f"guess {number}", line, http.Request("GET", "/dicom-web/studies", http.basic("vera", f"guess-{number}")))
        for number in range(WRONG_PASSWORDS)
    ]
    claim(here).refuses_all((guess, at(Layer.HTTP, "401")) for guess in guesses)
    claim(here).refuses(right, layer=Layer.HTTP, code="429").require()


def test_an_idle_association_is_ended(pacs: Pacs, claim: Claim) -> None:
    """An association on which nothing is said ends after 30 seconds, so that it holds no worker of the archive."""
    idle = dimse.idle(pacs.caller("CT01", timeout=60), 50, threading.Event())
    refusal = claim(dimse.echo(pacs.caller("CT01"))).refuses(idle, layer=Layer.ASSOCIATION, code="ended-when-idle").require()
    assert 25 < refusal.seen.seconds < 45
