"""The clinic's configuration: what is refused, and in which words."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from securepacs.clinic import clinic_schema, parse_clinic
from securepacs.errors import ConfigurationError
from securepacs.peers import Declared as Model

WAIVER = {"reason": "its firmware knows no TLS", "until": "2099-12-31", "source": "192.0.2.7", "port": 11113}


def put(declared: dict[str, Any], path: str, value: object) -> None:
    """Change one place of a configuration: 'peers.0.verbs'."""
    *steps, last = path.split(".")
    place: Any = declared
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value


def refusal(declared: dict[str, Any]) -> str:
    """Give the lines with which a configuration is refused."""
    with pytest.raises(ConfigurationError) as caught:
        parse_clinic(declared)
    return str(caught.value)


#: path to change, new value, where the line says it is, what else the line says
BAD = [
    ("archive.ae_title", "A" * 17, "archive.ae_title", "1 to 16 characters, this has 17"),
    ("archive.ae_title", "", "archive.ae_title", "1 to 16 characters, this has 0"),
    ("archive.ae_title", "A\\B", "archive.ae_title", "without backslash"),
    ("archive.ae_title", "A\x00B", "archive.ae_title", "printable ASCII"),
    ("archive.ae_title", "RÖNTGEN", "archive.ae_title", "printable ASCII"),
    ("archive.ae_title", " CT", "archive.ae_title", "leading or trailing spaces"),
    ("peers.0.ae_title", "../x", "peers[0].ae_title", "slash"),
    ("peers.0.ae_title", "..", "peers[0].ae_title", "dot"),
    ("peers.0.ae_title", "ws01", "peers", "'ws01' stands more than once (case is not counted"),
    ("peers.0.ae_title", "WS01", "peers", "'ws01' stands more than once"),
    ("peers.0.ae_title", "clinica", "peers", "the archive's own counts"),
    ("peers.0.verbs", ["echo", "fly"], "peers[0].verbs[1]", "'echo', 'store', 'find', 'get', 'move', 'worklist' or 'commit'"),
    ("peers.0.verbs", ["echo", "echo"], "peers[0]", "once each"),
    ("peers.0.verbs", ["move"], "peers[0].move_to", "'CT01' has no address"),
    ("peers.0.verbs", ["commit"], "peers[0]", "commit needs the peer's address"),
    ("peers.0.move_to", ["WS01"], "peers[0]", "move_to needs the verb move"),
    ("peers.1.move_to", ["CT01"], "peers[1].move_to", "'CT01' has no address"),
    ("peers.1.move_to", ["NOBODY"], "peers[1].move_to", "got 'NOBODY', allowed are the AE titles of declared peers"),
    ("peers.1.address", "ws01", "peers[1].address", "HOST:PORT"),
    ("peers.1.address", "ws 01:104", "peers[1].address", "RFC 1123"),
    ("peers.1.address", "ws01:70000", "peers[1].address", "1 to 65535"),
    ("peers.0.plaintext", {**WAIVER, "until": "2020-01-31"}, "peers[0].plaintext.until", "got '2020-01-31'"),
    ("peers.0.plaintext", {**WAIVER, "reason": "old"}, "peers[0].plaintext.reason", "at least 10 characters"),
    ("peers.0.plaintext", {**WAIVER, "source": "192.0.2.0/24"}, "peers[0].plaintext.source", "IPv4 or IPv6 address"),
    ("peers.0.plaintext", {**WAIVER, "port": 2762}, "peers[0].plaintext.port", "127.0.0.1:2762 is taken by dicom.port"),
    ("https", {"port": 2762}, "https.port", "127.0.0.1:2762 is taken by dicom.port"),
    ("dicom", {"port": 0}, "dicom.port", "greater than or equal to 1"),
    ("dicom", {"port": 2762, "addresses": ["0.0.0.0"]}, "dicom.addresses[0]", "a wildcard would publish"),  # noqa: S104 - refused
    ("dicom", {"port": 2762, "addresses": ["::"]}, "dicom.addresses[0]", "a wildcard would publish by accident"),
    ("dicom", {"port": 2762, "addresses": ["localhost"]}, "dicom.addresses[0]", "not a valid IPv4 or IPv6 address"),
    ("dicom", {"port": 2762, "addresses": []}, "dicom.addresses", "at least 1 item"),
    ("network", {"edge_subnet": "8.8.8.0/24"}, "network.edge_subnet", "private IPv4 network"),
    ("people.0.role", "boss", "people[0].role", "'viewer', 'clinician' or 'admin'"),
    ("people.0.name", "Vera", "people[0].name", "allowed is text that matches"),
    ("people.0.name", "anna", "people", "'anna' stands more than once"),
    ("limits", {"storage_mb": "lots"}, "limits.storage_mb", "got 'lots'"),
    ("limits", {"associations_per_peer": 0}, "limits.associations_per_peer", "greater than or equal to 1"),
    ("revoked", [{"serial": "XYZ", "date": "2026-01-01"}], "revoked[0].serial", "matches"),
    ("name", "Clinic A", "name", "matches"),
    ("colour", "blue", "colour", "there is no such key"),
    ("peers.0.colour", "blue", "peers[0].colour", "there is no such key"),
]


@pytest.mark.parametrize(("path", "value", "where", "what"), BAD)
def test_bad_input_is_told_in_one_line(declared: dict[str, Any], path: str, value: object, where: str, what: str) -> None:
    """One bad input gives one line, which names its path and says what is allowed."""
    put(declared, path, value)
    line = refusal(declared)
    assert line.startswith(f"securepacs:clinic.{where}:")
    assert what in line
    assert "\n" not in line


def test_each_bad_input_has_its_line(declared: dict[str, Any]) -> None:
    """Two bad inputs give two lines, so that one run shows all that is to mend."""
    put(declared, "archive.ae_title", "A" * 17)
    put(declared, "people.0.role", "boss")
    assert len(refusal(declared).splitlines()) == 2


@pytest.mark.parametrize("missing", ["name", "archive"])
def test_what_is_missing_is_named(declared: dict[str, Any], missing: str) -> None:
    """A required key that is missing is named."""
    del declared[missing]
    assert refusal(declared) == f"securepacs:clinic.{missing}: got nothing; it is required"


@pytest.mark.parametrize("nothing", [None, "x", 3, []])
def test_a_configuration_that_is_no_mapping_is_refused(nothing: object) -> None:
    """Something that is no mapping at all is refused in a line too."""
    with pytest.raises(ConfigurationError, match=r"^securepacs:clinic: got "):
        parse_clinic(nothing)


def test_a_pasted_private_key_is_not_shown(declared: dict[str, Any]) -> None:
    """A private key in the wrong place is refused without being repeated."""
    put(declared, "peers.0.certificate", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAsecret\n-----END PRIVATE KEY-----\n")
    line = refusal(declared)
    assert "secret" not in line
    assert "a private key" in line


def test_a_waiver_is_good_on_its_last_day(declared: dict[str, Any]) -> None:
    """A waiver that ends today is accepted, one that ended yesterday is not."""
    today = datetime.datetime.now(datetime.UTC).date()
    put(declared, "peers.0.plaintext", {**WAIVER, "until": today.isoformat()})
    assert parse_clinic(declared).peers[0].plaintext is not None
    put(declared, "peers.0.plaintext.until", (today - datetime.timedelta(days=1)).isoformat())
    assert "a waiver's expiry date is today or later" in refusal(declared)


def test_two_peers_with_one_key_are_refused(declared: dict[str, Any], make_csr: Callable[[str], str]) -> None:
    """Two peers may not have one certificate, whichever way they bring it."""
    csr = make_csr("CT01")
    put(declared, "peers.0.csr", csr)
    put(declared, "peers.1.csr", csr)
    assert "peers[1]: has the same key as peers[0]" in refusal(declared)


@pytest.mark.parametrize(
    ("flaw", "what"),
    [({"ca": True}, "CA:FALSE"), ({"ca": None}, "CA:FALSE"), ({"days": -1}, "in date, this one ended")],
)
def test_an_unsafe_own_certificate_is_refused(
    declared: dict[str, Any], make_own_certificate: Callable[..., str], flaw: dict[str, Any], what: str
) -> None:
    """A self-signed certificate that could sign others, or has ended, is refused; a sound one is accepted."""
    put(declared, "peers.0.certificate", make_own_certificate("CT01"))
    assert parse_clinic(declared).peers[0].certificate
    put(declared, "peers.0.certificate", make_own_certificate("CT01", **flaw))
    assert what in refusal(declared)


def test_a_peer_proves_itself_in_one_way(declared: dict[str, Any], make_csr: Callable[[str], str]) -> None:
    """A CSR and a waiver together are refused."""
    put(declared, "peers.0.csr", make_csr("CT01"))
    put(declared, "peers.0.plaintext", WAIVER)
    assert "one of certificate, csr and plaintext, this has csr and plaintext" in refusal(declared)


def test_a_csr_with_a_broken_signature_is_refused(declared: dict[str, Any], make_csr: Callable[[str], str]) -> None:
    """A CSR that was not signed by its own key proves nothing and is refused."""
    lines = make_csr("CT01").splitlines()
    lines[-2] = lines[-2][:4] + ("A" if lines[-2][4] != "A" else "B") + lines[-2][5:]
    put(declared, "peers.0.csr", "\n".join(lines))
    assert re.search("signature is wrong|one PEM block", refusal(declared))


def test_rights_default_to_none(declared: dict[str, Any]) -> None:
    """A peer without verbs may do nothing; move without destinations reaches only itself."""
    put(declared, "peers.0", {"ae_title": "CT01"})
    clinic = parse_clinic(declared)
    assert clinic.peers[0].verbs == []
    assert clinic.peers[0].destinations == []
    assert clinic.peers[1].destinations == ["WS01"]


def test_the_schema_accepts_what_is_accepted(declared: dict[str, Any]) -> None:
    """The published JSON Schema is sound, accepts a good clinic and refuses an unknown key."""
    schema = clinic_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(declared)
    assert not validator.is_valid({**declared, "colour": "blue"})


def _models(model: type[Model]) -> set[type[Model]]:
    return {model, *(inner for sub in model.__subclasses__() for inner in _models(sub))}


@pytest.mark.parametrize("model", sorted(_models(Model) - {Model}, key=str))
def test_every_part_refuses_unknown_keys(model: type[Model]) -> None:
    """No part of a clinic swallows a key that it does not know."""
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["frozen"]
