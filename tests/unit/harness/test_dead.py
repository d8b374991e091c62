"""Checks on a PACS that serves nobody: whatever it keeps from a stranger it keeps from honest peers too, so none of them passes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from securepacs_harness.bundles import Bundles
from securepacs_harness.checks import test_credentials as credentials
from securepacs_harness.checks import test_leaks as leaks
from securepacs_harness.checks import test_secrets as secrets
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes.inside import Inside
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import parse_target
from unit.harness.standin import free_port, start_archive
from unit.harness.standin_web import pacs_of
from unit.harness.test_association import ACCEPTANCE, REJECTION, always, listener

Check = Callable[[Pacs, Record, Stranger], None]
CHECKS: tuple[Check, ...] = (leaks._titles, leaks.test_a_stranger_is_not_told_the_implementation)


def judged(check: Check, port: int) -> Status:
    """Make a check of the PACS on a port of loopback, which is declared to grant CT01 an echo."""
    dicom = {"host": "127.0.0.1", "port": port, "ae_title": "ARCHIVE", "tls": False}
    peers = {"CT01": {"verbs": ["echo"]}, "ZZ02": {"verbs": ["find"]}}
    pacs = Pacs(parse_target({"version": 1, "name": "standin", "dicom": dicom, "peers": peers}), Bundles(Path("absent")))
    record = Record()
    check(pacs, record, Stranger(pacs.line(None), None, "ARCHIVE", pacs.unknown_ae))
    return record.status


@contextmanager
def serving() -> Iterator[int]:
    """Serve CT01, and reject ZZ02 as anybody else."""
    server = start_archive(set(), None)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_shown_by_who_serves_nobody(check: Check) -> None:
    """A port where nobody listens, a listener that ends each connection, and one that rejects everybody leave it open."""

    def ends(caller: socket.socket) -> None:
        caller.recv(4096)

    assert judged(check, free_port()) is Status.INCONCLUSIVE
    for answer in (ends, always(REJECTION)):
        with listener(answer) as line:
            assert judged(check, line.port) is Status.INCONCLUSIVE


@pytest.mark.parametrize("check", CHECKS)
def test_who_serves_honest_peers_and_tells_strangers_nothing_passes(check: Check) -> None:
    """The same refusals count beside an honest echo that succeeds."""
    with serving() as port:
        assert judged(check, port) is Status.PASSED


def test_a_stranger_who_is_told_is_found_though_nobody_is_served() -> None:
    """An A-ASSOCIATE-AC to a stranger is a finding, whatever becomes of honest peers."""
    with listener(always(ACCEPTANCE)) as line:
        assert judged(leaks.test_a_stranger_is_not_told_the_implementation, line.port) is Status.FOUND


@pytest.mark.parametrize(
    ("outcome", "code", "status"),
    [
        (Outcome.ACCEPTED, "200", Status.PASSED),
        (Outcome.REFUSED, "415", Status.PASSED),
        (Outcome.REFUSED, "403", Status.FOUND),
        (Outcome.REFUSED, "closed", Status.FOUND),
        (Outcome.TIMEOUT, "time-out", Status.INCONCLUSIVE),
    ],
)
def test_a_connection_that_ends_is_no_answer(outcome: Outcome, code: str, status: Status) -> None:
    """What is declared to get past the gate has done so where an answer came that is no refusal; an end without answer is none."""
    record = Record()
    record.answers(Attempt("a declared route", lambda: Observation(Layer.HTTP, outcome, code)), refusals={"401", "403"})
    assert record.status is status


@pytest.mark.parametrize(("runs", "status"), [(True, Status.PASSED), (False, Status.INCONCLUSIVE)])
def test_a_part_that_does_not_run_keeps_no_secret(runs: bool, status: Status) -> None:  # noqa: FBT001 - the table's value
    """Where files cannot be looked for, that none with a secret was found is no pass."""

    class Part(Inside):
        def __init__(self) -> None:
            """Look into nothing."""

        def run(self, command: str, *arguments: str) -> tuple[int, str]:
            del arguments
            return (0, "\nended 0" if "ended" in command else "") if runs else (1, "")

        def read(self, path: str) -> str:
            del path
            return ""

    verification: Any = SimpleNamespace(target=SimpleNamespace(inside={"archive": ""}), inside=lambda _: Part(), secrets=lambda: ())
    record = Record()
    secrets.test_private_keys_are_their_owners(verification, record)
    assert record.status is status


def test_default_logins_are_not_left_out_where_nothing_answers() -> None:
    """A web listener that cannot be reached asks nobody to sign in, which is no reason to call logins not tested."""
    record = Record()
    credentials.test_no_default_login_works(pacs_of(f"http://127.0.0.1:{free_port()}"), record)
    assert record.status is Status.INCONCLUSIVE
