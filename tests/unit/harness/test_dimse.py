from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from securepacs_harness import canary
from securepacs_harness.bracket import Verdict, accepts, bracket
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, dimse, pdu, tls
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.sink import Doorbell, Sink
from unit.harness.standin import Clinic, free_port


@pytest.fixture
def image(tmp_path: Path) -> Instance:
    """A synthetic image."""
    return canary.write_canary(tmp_path)


VERBS: dict[str, Callable[[Caller, Instance], Attempt]] = {
    "echo": lambda caller, _: dimse.echo(caller),
    "store": dimse.store,
    "find": lambda caller, _: dimse.find(caller),
    "commit": dimse.commit,
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_granted_verb_succeeds_and_a_withdrawn_one_is_refused(clinic: Clinic, image: Instance, verb: str) -> None:
    """Status 0x0000 is acceptance, 0x0124 (not authorized) a refusal at DIMSE."""
    attempt = VERBS[verb](clinic.caller(), image)
    accepts(attempt, code="0x0000")
    clinic.refuse.add(verb)
    control = dimse.find(clinic.caller()) if verb == "echo" else dimse.echo(clinic.caller())
    bracket(control).refuses(attempt, layer=Layer.DIMSE, code="0x0124").require()


def test_an_unknown_title_is_refused_with_its_reason(clinic: Clinic) -> None:
    """Calling and called AE titles are told apart by the reason of the rejection, by either client."""
    claim = bracket(dimse.echo(clinic.caller()))
    stranger = dataclasses.replace(clinic.caller(), calling="XX99")
    claim.refuses(dimse.echo(stranger), layer=Layer.ASSOCIATION, code="1/1/3").require()
    lost = dataclasses.replace(clinic.caller(), called="OTHER")
    claim.refuses(dimse.echo(lost), layer=Layer.ASSOCIATION, code="1/1/7").require()
    claim.refuses(association.echo("raw", clinic.caller().line, "ARCHIVE", "XX99"), layer=Layer.ASSOCIATION, code="1/1/3").require()


def test_a_context_that_is_not_taken_is_refused_at_its_layer(clinic: Clinic, image: Instance) -> None:
    """An abstract syntax that the server does not know is a refusal at the presentation context."""
    odd = dataclasses.replace(image, sop_class="1.2.840.10008.5.1.4.1.1.104.1")
    bracket(dimse.echo(clinic.caller())).refuses(dimse.store(clinic.caller(), odd), layer=Layer.CONTEXT, code="3").require()


def test_a_server_that_is_down_proves_nothing(clinic: Clinic) -> None:
    """Where the control fails too, the refusal is inconclusive, though the attempt itself was refused at TCP."""
    caller = clinic.caller()
    down = dataclasses.replace(caller, line=dataclasses.replace(caller.line, port=free_port()))
    refusal = bracket(dimse.echo(down)).refuses(dimse.echo(dataclasses.replace(down, calling="XX99")), layer=Layer.TCP)
    assert refusal.seen.code == "refused"
    assert refusal.verdict is Verdict.INCONCLUSIVE


def test_a_server_that_says_nothing_proves_nothing(clinic: Clinic) -> None:
    """A silent server is a time-out, and a time-out is no refusal."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = Line("127.0.0.1", silent.getsockname()[1], timeout=0.5)
        attempt = association.associate("to the silent", line, pdu.associate_rq("A", "B"))
        refusal = bracket(dimse.echo(clinic.caller())).refuses(attempt, layer=Layer.ASSOCIATION)
    assert refusal.seen.code == "time-out"
    assert (refusal.verdict, refusal.as_declared) == (Verdict.UNANSWERED, False)


def test_a_pause_in_the_request_is_kept(clinic: Clinic) -> None:
    """Pieces arrive with the pause between them, and a patient server accepts them."""
    raw = pdu.associate_rq("ARCHIVE", "CT01")
    pieces = [(raw[:30], 0.4), (raw[30:], 0.0)]
    seen = accepts(association.associate("slowly", clinic.caller().line, pieces))
    assert seen.seconds >= 0.4


def test_a_session_is_resumed_where_the_server_lets_it(clinic: Clinic) -> None:
    """A server with session tickets resumes a TLS 1.2 session, and the probe sees that it did."""
    line = clinic.caller().line.with_offer(highest="TLS 1.2")
    taken = association.take_session(line, "ARCHIVE", "CT01")
    assert taken.session is not None
    assert accepts(association.resume("again", taken, "ARCHIVE", "CT01")).detail.startswith("session resumed")


def test_a_suite_that_cannot_be_offered_is_inconclusive(clinic: Clinic) -> None:
    """A suite that the local library does not know is never counted as refused by the server."""
    line = clinic.caller().line.with_offer(highest="TLS 1.2", suites="NO-SUCH-SUITE")
    refusal = bracket(dimse.echo(clinic.caller())).refuses(association.echo("x", line, "ARCHIVE", "CT01"), layer=Layer.TLS)
    assert refusal.seen.code == "could-not-offer"
    assert refusal.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("version", ["TLS 1.0", "TLS 1.1"])
def test_old_versions_are_really_offered(clinic: Clinic, version: str) -> None:
    """The server answers an old version with the alert protocol_version, so it did see the offer."""
    line = clinic.caller().line.with_offer(lowest=version, highest=version)
    bracket(dimse.echo(clinic.caller())).refuses(
        association.echo(version, line, "ARCHIVE", "CT01"), layer=Layer.TLS, code="protocol_version"
    ).require()


def test_a_weak_suite_is_told_from_a_strong_one(clinic: Clinic) -> None:
    """Python's server takes a CBC suite with ECDSA: the probe sees that it is accepted; static RSA it refuses."""
    accepted = set()
    for suite in (*tls.WEAK_SUITES, *tls.STRONG_SUITES):
        line = clinic.caller().line.with_offer(highest="TLS 1.2", suites=suite)
        refusal = bracket(dimse.echo(clinic.caller())).refuses(association.echo(suite, line, "ARCHIVE", "CT01"), layer=Layer.TLS)
        if refusal.verdict is Verdict.ACCEPTED:
            accepted.add(suite)
    assert {suite for suite in accepted if suite in tls.STRONG_SUITES} == {suite for suite in tls.STRONG_SUITES if "ECDSA" in suite}
    assert "AES128-SHA" not in accepted


@pytest.mark.parametrize("secured", [False, True])
def test_a_sink_keeps_what_comes(clinic: Clinic, image: Instance, secured: bool) -> None:  # noqa: FBT001 - the table's value
    """A sink, with and without TLS, keeps callers and the data set's bytes as they were sent."""
    address = f"127.0.0.1:{free_port()}"
    with Sink(address, "WS01", clinic.bundles.material("localhost") if secured else None) as sink:
        line = dataclasses.replace(clinic.caller().line, port=int(address.split(":")[1]))
        caller = Caller(line if secured else dataclasses.replace(line, offer=None), "WS01", "CT01", timeout=5)
        accepts(dimse.store(caller, image))
        assert sink.callers == ["CT01"]
        assert [stored.dataset for stored in sink.stored] == [canary.dataset_bytes(image.path)]


def test_a_doorbell_counts_connections() -> None:
    """A bare listener counts each connection, and none when none comes."""
    address = f"127.0.0.1:{free_port()}"
    host, port = address.split(":")
    with Doorbell(address) as bell:
        pass
    assert bell.connections == 0
    with Doorbell(address) as bell:
        for _ in range(2):
            socket.create_connection((host, int(port))).close()
    assert bell.connections == 2


def test_padding_is_told_from_data(tmp_path: Path) -> None:
    """Trailing padding is taken off with its header, a data set without it stays as it is, and the rest decodes to the same pixels."""
    for image, padded in ((canary.real_file("CT_small.dcm"), True), (canary.write_canary(tmp_path), False)):
        whole = canary.dataset_bytes(image.path)
        rest = canary.without_padding(whole, image.transfer_syntax)
        assert whole.startswith(rest)
        assert (len(whole) > len(rest)) is padded
        data = canary.decoded(rest, image.transfer_syntax)
        assert 0xFFFCFFFC not in data
        assert canary.pixel_hash(data) == canary.pixel_hash(canary.decoded(whole, image.transfer_syntax))


def test_images_have_their_identifiers_and_pixels(tmp_path: Path) -> None:
    """Real and synthetic files are described, and the data set's bytes decode to the same pixels."""
    for image in (*map(canary.real_file, canary.REAL_FILES), canary.write_canary(tmp_path)):
        data = canary.decoded(canary.dataset_bytes(image.path), image.transfer_syntax)
        assert str(data.SOPInstanceUID) == image.sop_instance
        assert len(canary.pixel_hash(data)) == 64
    assert canary.write_canary(tmp_path).study != canary.write_canary(tmp_path).study
