"""The harness's smaller probes, against what they look at."""

from __future__ import annotations

import datetime
import ipaddress
import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from securepacs_harness import forge
from securepacs_harness.bracket import NotAcceptedError, accepts
from securepacs_harness.canary import dataset_bytes, write_canary, write_twin
from securepacs_harness.checks.test_association import not_of
from securepacs_harness.observation import Outcome
from securepacs_harness.probes import certificate, http, malformed, pdu, port, routes, versions
from securepacs_harness.probes.engine import engine_of
from securepacs_harness.residue import orthanc_id
from unit.harness.standin import free_port

NOW = datetime.datetime.now(datetime.UTC)


def test_an_open_and_a_closed_port_are_told_apart() -> None:
    """A listener is open, a port without one refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert accepts(port.connect("open", "127.0.0.1", listener.getsockname()[1])).code == "open"
    with pytest.raises(NotAcceptedError) as closed:
        accepts(port.connect("closed", "127.0.0.1", free_port()))
    assert closed.value.seen.code == "refused"


def shown(**changes: object) -> dict[str, bool]:
    """Judge a server's certificate that was made so; give what holds."""
    authority = forge.new_authority("CA")
    key = changes.pop("key", None) or ec.generate_private_key(ec.SECP256R1())
    options = {"usages": (ExtendedKeyUsageOID.SERVER_AUTH,), "ends": datetime.timedelta(days=90), **changes}
    made = forge.certify("server", key, authority, **options)  # type: ignore[arg-type] # keys and options are certify's own
    other = forge.new_authority("Other")
    trusted = [other.cert] if changes.get("ca") else [authority.cert]
    found = certificate.judged(made, certificate.Rules(trusted, "server"), NOW)
    return {finding.what: finding.holds for finding in found}


def test_a_servers_certificate_is_judged_by_each_of_its_properties() -> None:
    """A good one has nothing but a missing alternative name; a weak key, a short life, another use and another issuer each tell."""
    assert [what for what, holds in shown().items() if not holds] == ["name"]
    assert not shown(ends=datetime.timedelta(days=900))["lifetime"]
    assert not shown(key=ec.generate_private_key(ec.SECP224R1()))["key"]
    assert not shown(key=rsa.generate_private_key(65537, 1024))["key"]  # noqa: S505 - a weak one on purpose
    assert not shown(ends=datetime.timedelta(days=3))["validity"]
    assert not shown(usages=(ExtendedKeyUsageOID.CLIENT_AUTH,))["extended key usage"]
    assert not shown(ca=True)["issuer"]


def test_a_name_is_held_against_the_alternative_names() -> None:
    """A DNS name, a wildcard of its domain and an address each count where they stand, and nowhere else."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("*.clinic.example"), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    subject = x509.Name([])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=30))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    holds = {name: {f.what: f.holds for f in certificate.judged(made, certificate.Rules([], name, 1), NOW)}["name"] for name in NAMES}
    assert holds == NAMES


NAMES = {"pacs.clinic.example": True, "PACS.clinic.example": True, "clinic.example": False, "192.0.2.1": True, "192.0.2.2": False}


@pytest.mark.parametrize(
    ("seen", "floor", "holds"),
    [("1.12.11", "1.12.11", True), ("1.13.0+dfsg-1", "1.12.11", True), ("1.12.7", "1.12.11", False), ("3.2", "3.2.0", True)],
)
def test_versions_are_compared_as_numbers(seen: str, floor: str, holds: bool) -> None:  # noqa: FBT001 - the table's value
    """1.12.7 is below 1.12.11; what a distribution adds does not count."""
    versions_ = versions.numbers(seen), versions.numbers(floor)
    assert versions_[0] is not None
    assert versions_[1] is not None
    assert versions.at_least(versions_[0], versions_[1]) is holds
    assert versions.numbers("none") is None


def test_a_study_has_orthancs_identifier() -> None:
    """The identifier of a study is the one that Orthanc gives it (its book, "Orthanc identifiers")."""
    assert orthanc_id("CANARY", "1.2.3") == "88ced657-28917d9e-a4e8f593-3c54e5b0-8f23b134"


def test_a_twin_has_the_identifiers_and_other_pixels(tmp_path: Path) -> None:
    """A twin differs from its image in the data set and in no identifier."""
    image = write_canary(tmp_path)
    twin = write_twin(tmp_path, image)
    assert (twin.study, twin.series, twin.sop_instance) == (image.study, image.series, image.sop_instance)
    assert dataset_bytes(twin.path) != dataset_bytes(image.path)


def test_no_spelling_is_the_title_itself() -> None:
    """What is tried in place of an AE title is never that title, padded as the field is."""
    for name in ("CT01", "A", "ABCDEFGHIJKLMNOP", "12345", "a b"):
        assert [how for how, title in not_of(name).items() if title[:16].strip(b" ") == name.encode()] == []


def test_malformed_requests_are_malformed() -> None:
    """None of them is the whole request, and each pause adds up to it."""
    whole = pdu.associate_rq("ARCHIVE", "CT01")
    assert whole not in malformed.requests("ARCHIVE", "CT01").values()
    assert len(set(malformed.unusual("ARCHIVE", "CT01").values()) - {whole}) == 3
    assert {b"".join(data for data, _ in pieces) for pieces in malformed.pauses(whole).values()} == {whole}


def test_harmless_requests_name_nothing_that_is_there() -> None:
    """No request that changes something names a stored study, or has a body that a server could use."""
    changing = [request for request in routes.HARMLESS if request.method in {"PUT", "DELETE", "PATCH"}]
    assert changing
    nobodys = (routes.NO_UID, routes.NO_ORTHANC_ID, "NOBODY")
    assert [request.target for request in changing if not any(name in request.target for name in nobodys)] == []
    dangerous = ("shutdown", "reset", "bulk-delete", "execute-script", "invalidate")
    assert [request.target for request in routes.HARMLESS if any(word in request.target for word in dangerous)] == []


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, Outcome.ACCEPTED), (302, Outcome.REFUSED), (404, Outcome.REFUSED), (502, Outcome.INCONCLUSIVE)]
)
def test_what_was_served_is_told_by_its_status(status: int, outcome: Outcome) -> None:
    """Only 2xx was served; a server's own failure proves nothing."""
    assert http.judge_served(status).outcome is outcome


@pytest.mark.parametrize(
    ("specification", "known"),
    [("docker://clinic-a-gateway", "clinic-a-gateway"), ("docker://root@x", "x"), ("ssh://host", None), ("local://", None)],
)
def test_only_a_container_has_an_engine(specification: str, known: str | None) -> None:
    """The engine is asked of containers, by their names; other parts have none."""
    engine = engine_of(specification)
    assert (engine.container if engine else None) == known
