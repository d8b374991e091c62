from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provider.stub import UNKNOWN, Object, Provider, RefusedError, Secret
from securepacs.provider import clock

if TYPE_CHECKING:
    from collections.abc import Callable

CA = "securepacs:pki:CertificateAuthority"
CERTIFICATE = "securepacs:pki:Certificate"
CRL = "securepacs:pki:RevocationList"
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(provider: Provider) -> Object:
    """Give an authority."""
    return provider.create(CA, {"commonName": "Test CA", "organization": "Test Clinic"})


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime.timedelta], None]:
    """Give a way to set the provider's clock ahead."""
    real = clock.now

    def set_ahead(ahead: datetime.timedelta) -> None:
        monkeypatch.setattr(clock, "now", lambda: real() + ahead)

    return set_ahead


def wanted(authority: Object, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    """Give the inputs of a peer's certificate."""
    return {
        "caCertPem": authority.state["certPem"],
        "caKeyPem": authority.state["keyPem"],
        "commonName": "CT01",
        "usages": ["client"],
        **more,
    }


def loaded(made: Object) -> x509.Certificate:
    """Read the certificate of a resource."""
    return x509.load_pem_x509_certificate(made.output("certPem").encode())


def csr(key: Any, name: str = "ignored") -> str:  # noqa: ANN401 - any kind of key
    """Make a certificate request."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, algorithm)
    return request.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(("key_type", "kind"), [("ecdsa-p256", ec.EllipticCurvePublicKey), ("rsa-3072", rsa.RSAPublicKey)])
def test_an_authority_signs_only_end_entities_and_lists(provider: Provider, key_type: str, kind: type) -> None:
    """The authority has pathlen 0, key usage certSign and cRLSign only, and its key is secret."""
    made = provider.create(CA, {"commonName": "Test CA", "keyType": key_type})
    certificate = loaded(made)
    extensions = certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (True, True, True, False)
    assert isinstance(certificate.public_key(), kind)
    assert isinstance(made.state["keyPem"], Secret)
    assert made.output("fingerprint") == certificate.fingerprint(hashes.SHA256()).hex()
    assert made.output("serial") == f"{certificate.serial_number:x}"
    certificate.verify_directly_issued_by(certificate)


def test_every_change_of_an_authority_replaces_it(provider: Provider, authority: Object) -> None:
    """A new name is a new authority, made before the old one goes; the same inputs change nothing."""
    assert not provider.diff(authority).changes
    diff = provider.diff(authority, {"commonName": "Other CA", "organization": "Test Clinic"})
    assert (diff.replaces, diff.details, diff.delete_before_replace) == (["commonName"], {"commonName": "UPDATE_REPLACE"}, False)


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        (["client"], [ExtendedKeyUsageOID.CLIENT_AUTH]),
        (["server", "client"], [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
    ],
)
def test_a_certificate_has_exactly_what_was_asked_for(
    provider: Provider, authority: Object, usages: list[str], expected: list[x509.ObjectIdentifier]
) -> None:
    """One common name, the usages, the names and addresses, and nothing that would let it sign."""
    made = provider.create(
        CERTIFICATE, wanted(authority, usages=usages, dnsNames=["pacs.example"], ipAddresses=["192.0.2.7", "2001:db8::7"])
    )
    certificate = loaded(made)
    extensions = certificate.extensions
    alternatives = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert certificate.subject.rfc4514_string() == "CN=CT01"
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == expected
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert extensions.get_extension_for_class(x509.KeyUsage).critical
    assert alternatives.get_values_for_type(x509.DNSName) == ["pacs.example"]
    assert [str(address) for address in alternatives.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "2001:db8::7"]
    certificate.verify_directly_issued_by(loaded(authority))
    identifier = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert identifier == loaded(authority).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    key = serialization.load_pem_private_key(made.output("keyPem").encode(), None)
    assert key.public_key() == certificate.public_key()
    assert isinstance(made.state["keyPem"], Secret)
    lag = datetime.datetime.now(datetime.UTC) - certificate.not_valid_before_utc
    assert datetime.timedelta(hours=2) <= lag < datetime.timedelta(hours=2, minutes=1)


def test_the_authoritys_key_is_not_copied_into_the_certificates_state(provider: Provider, authority: Object) -> None:
    """The state of a certificate holds its own key and no other."""
    made = provider.create(CERTIFICATE, wanted(authority))
    assert "caKeyPem" not in made.state
    assert isinstance(made.inputs["caKeyPem"], Secret)


def test_a_request_gives_its_public_key_and_nothing_else(provider: Provider, authority: Object) -> None:
    """With a CSR the common name is the declared one and no private key is made."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = provider.create(CERTIFICATE, wanted(authority, csrPem=csr(key, "ADMIN")))
    assert loaded(made).public_key() == key.public_key()
    assert loaded(made).subject.rfc4514_string() == "CN=CT01"
    assert made.output("keyPem") == ""


def _tampered() -> str:
    request = x509.load_pem_x509_csr(csr(ec.generate_private_key(ec.SECP256R1()), "CT01AAAA").encode())
    der = request.public_bytes(serialization.Encoding.DER).replace(b"CT01AAAA", b"CT01AAAB")
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("no PEM", "no certificate request"),
        (_tampered(), "signature is wrong"),
        (csr(rsa.generate_private_key(65537, 1024)), "too weak"),  # noqa: S505 - the weak key is what is refused
        (csr(ed25519.Ed25519PrivateKey.generate()), "too weak or of another kind"),
    ],
    ids=["no PEM", "tampered", "RSA 1024", "Ed25519"],
)
def test_a_bad_request_is_refused_by_check(provider: Provider, authority: Object, bad: str, told: str) -> None:
    """A request that is broken, not self-signed or weak is a failure of csrPem."""
    _, failures = provider.check(CERTIFICATE, wanted(authority, csrPem=bad))
    assert list(failures) == ["csrPem"]
    assert told in failures["csrPem"]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"commonName": "CT01\0WS01"}, "commonName"),
        ({"commonName": "CT01\nX"}, "commonName"),
        ({"commonName": "Zürich"}, "commonName"),
        ({"commonName": ""}, "commonName"),
        ({"usages": []}, "usages"),
        ({"usages": ["client", "client"]}, "usages"),
        ({"usages": ["sign"]}, "usages"),
        ({"dnsNames": ["a b"]}, "dnsNames"),
        ({"ipAddresses": ["300.1.1.1"]}, "ipAddresses"),
        ({"keyType": "rsa-1024"}, "keyType"),
        ({"validityDays": 0}, "validityDays"),
        ({"validityDays": 10, "renewBeforeDays": 10}, "renewBeforeDays"),
        ({"revokedSerials": ["XY"]}, "revokedSerials"),
        ({"caKeyPem": 5}, "caKeyPem"),
    ],
)
def test_bad_input_of_a_certificate_is_named(provider: Provider, authority: Object, more: dict[str, Any], path: str) -> None:
    """Each property that cannot be is a failure at its own path."""
    assert list(provider.check(CERTIFICATE, wanted(authority, **more))[1]) == [path]


def test_a_certificate_changes_in_place(provider: Provider, authority: Object) -> None:
    """A new host name issues anew without replacement, and the same inputs change nothing."""
    made = provider.create(CERTIFICATE, wanted(authority))
    assert not provider.diff(made).changes
    new = wanted(authority, dnsNames=["new.example"])
    diff = provider.diff(made, new)
    assert (diff.replaces, diff.details) == ([], {"dnsNames": "ADD"})
    updated = provider.update(made, new)
    assert updated.output("serial") != made.output("serial")
    assert not provider.diff(updated).changes


def test_an_old_certificate_shows_as_a_diff_and_is_renewed(
    provider: Provider, authority: Object, at: Callable[[datetime.timedelta], None]
) -> None:
    """Before the renewal period nothing shows; within it the diff names notAfter, and the update issues anew."""
    made = provider.create(CERTIFICATE, wanted(authority, validityDays=100, renewBeforeDays=30))
    at(69 * DAY)
    assert not provider.diff(made).changes
    at(71 * DAY)
    diff = provider.diff(made)
    assert (diff.changes, diff.replaces, diff.details) == (True, [], {"notAfter": "UPDATE"})
    preview = provider.update(made, preview=True)
    assert not {"certPem", "keyPem", "serial", "notAfter"} & set(preview.state)
    renewed = provider.update(made)
    assert renewed.output("notAfter") > made.output("notAfter")
    assert not provider.diff(renewed).changes


def test_a_certificate_ends_with_its_authority_and_is_not_renewed_for_nothing(
    provider: Provider, at: Callable[[datetime.timedelta], None]
) -> None:
    """No certificate outlives its authority; when none could live longer, no renewal shows."""
    short = provider.create(CA, {"commonName": "Short CA", "validityDays": 20})
    made = provider.create(CERTIFICATE, wanted(short, validityDays=100, renewBeforeDays=30))
    assert loaded(made).not_valid_after_utc == loaded(short).not_valid_after_utc
    at(5 * DAY)
    assert not provider.diff(made).changes


def test_a_revoked_certificate_is_issued_anew(provider: Provider, authority: Object) -> None:
    """Its serial among the revoked ones is a diff; another's is none."""
    made = provider.create(CERTIFICATE, wanted(authority))
    assert not provider.diff(made, wanted(authority, revokedSerials=["abc"])).changes
    revoking = wanted(authority, revokedSerials=["abc", made.output("serial")])
    assert provider.diff(made, revoking).details == {"serial": "UPDATE"}
    assert not provider.diff(provider.update(made, revoking), revoking).changes


def test_a_key_of_another_authority_is_refused_in_one_line(provider: Provider, authority: Object) -> None:
    """A certificate and a key that do not belong together sign nothing, and no traceback is shown."""
    other = provider.create(CA, {"commonName": "Test CA"})
    with pytest.raises(RefusedError, match=r"^caKeyPem: got a key of another certificate, expected the key of caCertPem$"):
        provider.create(CERTIFICATE, wanted(authority, caKeyPem=other.state["keyPem"]))


def test_a_preview_with_an_unknown_authority_foresees_no_output(provider: Provider) -> None:
    """In a first preview the authority is unknown: the check passes and nothing that is signed is made up."""
    unknown = {"caCertPem": UNKNOWN, "caKeyPem": UNKNOWN, "commonName": "CT01", "usages": ["client"]}
    foreseen = provider.preview_create(CERTIFICATE, unknown)
    assert foreseen["commonName"] == "CT01"
    assert not {"certPem", "keyPem", "serial"} & set(foreseen)


def test_a_read_keeps_a_certificate_and_its_inputs(provider: Provider, authority: Object) -> None:
    """Reading gives state and inputs back unchanged, secrets still secret; deleting twice succeeds."""
    made = provider.create(CERTIFICATE, wanted(authority))
    found = provider.read(made)
    assert found is not None
    assert (found.state, found.inputs) == (made.state, made.inputs)
    provider.delete(made)
    provider.delete(made)


REVOKED = {"serial": "0abc", "date": "2026-01-31", "reason": "keyCompromise"}


def revoking(authority: Object, *revoked: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    """Give the inputs of a revocation list."""
    return {"caCertPem": authority.state["certPem"], "caKeyPem": authority.state["keyPem"], "revoked": list(revoked), **more}


def test_a_revocation_list_names_what_is_revoked_and_its_number_grows(provider: Provider, authority: Object) -> None:
    """The list is signed by the authority; a new entry is an update in place with a higher number."""
    empty = provider.create(CRL, revoking(authority))
    assert not provider.diff(empty).changes
    diff = provider.diff(empty, revoking(authority, REVOKED))
    assert (diff.replaces, diff.details) == ([], {"revoked[0]": "ADD"})
    listed = provider.update(empty, revoking(authority, REVOKED))
    crl = x509.load_pem_x509_crl(listed.output("crlPem").encode())
    key = loaded(authority).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert crl.is_signature_valid(key)
    entry = crl.get_revoked_certificate_by_serial_number(0xABC)
    assert entry is not None
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert int(listed.output("number")) > int(empty.output("number"))
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == int(listed.output("number"))


def test_an_old_revocation_list_shows_as_a_diff(provider: Provider, authority: Object, at: Callable[[datetime.timedelta], None]) -> None:
    """An expired list refuses everybody, so its renewal shows before that."""
    made = provider.create(CRL, revoking(authority, validityDays=90, renewBeforeDays=30))
    at(59 * DAY)
    assert not provider.diff(made).changes
    at(61 * DAY)
    assert provider.diff(made).details == {"nextUpdate": "UPDATE"}


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({**REVOKED, "serial": "0x12"}, "revoked[0].serial"),
        ({**REVOKED, "date": "31.1.2026"}, "revoked[0].date"),
        ({**REVOKED, "date": "2026-02-31"}, "revoked[0].date"),
        ({**REVOKED, "reason": "lost"}, "revoked[0].reason"),
        ({"serial": "1"}, "revoked[0].date"),
    ],
)
def test_bad_entries_of_a_revocation_list_are_named(provider: Provider, authority: Object, entry: dict[str, Any], path: str) -> None:
    """A serial, date or reason that cannot be is a failure at its path."""
    assert path in provider.check(CRL, revoking(authority, entry))[1]


def test_a_serial_twice_is_refused(provider: Provider, authority: Object) -> None:
    """One certificate is revoked once, however its serial is written."""
    _, failures = provider.check(CRL, revoking(authority, REVOKED, {**REVOKED, "serial": "abc"}))
    assert failures == {"revoked": "names a serial twice"}
