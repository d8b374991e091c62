"""The gateway's files: what a clinic turns into."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securepacs.clinic import Clinic, parse_clinic
from securepacs.gateway import GatewaySecrets, ae_hex, fingerprint, gateway_file_names, gateway_files, slug, word
from securepacs.machines import token_hash

#: A rule that counts: it decides nothing.
COUNTS = re.compile(r"tcp-request (connection|content) (track-sc4 \S+ table refusals$|sc-inc-gpc\()")

AE_TITLES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\/"), min_size=1, max_size=16)


def secrets_for(clinic: Clinic) -> GatewaySecrets:
    """Give secrets that can be recognised in the files."""
    return GatewaySecrets(
        ca_pem="CA-PEM\n",
        ca_common_names=[f"{clinic.name} CA"],
        server_pem="SERVER-PEM\n",
        egress_pem="EGRESS-PEM\n",
        crl_pem="CRL-PEM\n",
        password_hashes={person.name: f"$6$hash-of-{person.name}" for person in clinic.people},
        token_hashes={machine.name: token_hash(f"token-of-{machine.name}") for machine in clinic.machines},
        archive_authorization="Basic archive-password",
        not_after={"server": "2027-01-01T00:00:00Z"},
    )


def configuration(declared: dict[str, Any]) -> str:
    """Give the haproxy.cfg of a configuration."""
    clinic = parse_clinic(declared)
    return gateway_files(clinic, secrets_for(clinic))["haproxy.cfg"]


def section(text: str, name: str) -> list[str]:
    """Give the lines of one section of haproxy.cfg, without comments."""
    found = re.search(rf"^{re.escape(name)}\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section '{name}'"
    return [line.strip() for line in found[1].splitlines() if line.strip() and not line.strip().startswith("#")]


def test_an_ae_title_is_compared_by_all_16_bytes() -> None:
    """An AE title stands as 16 bytes padded with spaces, so that no other padding, case or NUL equals it."""
    assert ae_hex("CT01") == "43543031" + "20" * 12
    assert len({ae_hex("CT01"), ae_hex("ct01"), ae_hex(" CT01"), ae_hex("CT01\0")}) == 4


@given(AE_TITLES, AE_TITLES)
def test_no_two_ae_titles_share_a_slug(one: str, other: str) -> None:
    """The names made from AE titles are safe in HAProxy, Orthanc and Pulumi, and as different as the AE titles are."""
    assert re.fullmatch(r"[A-Za-z0-9_-]+", slug(one))
    assert (slug(one) == slug(other)) == (one == other)


@given(AE_TITLES)
def test_a_quoted_word_ends_where_it_ends(text: str) -> None:
    """A word in strong quotes cannot leave them: outside the quotes only an escaped quote is left."""
    quoted = word(text)
    assert re.fullmatch(r"('[^']*'|\\')+", quoted)
    assert shlex.split(quoted) == [text]


def test_the_file_names_are_known_before_their_content(declared: dict[str, Any], make_own_certificate: Callable[..., str]) -> None:
    """What is announced as a file is written, and nothing else."""
    declared["peers"][0]["certificate"] = make_own_certificate("CT01")
    clinic = parse_clinic(declared)
    assert sorted(gateway_files(clinic, secrets_for(clinic))) == sorted(gateway_file_names(clinic))


def test_only_the_configuration_holds_the_login_of_the_archive(clinic: Clinic) -> None:
    """Secrets go where they are needed: keys in PEM files, hashes and the archive's login in haproxy.cfg."""
    files = gateway_files(clinic, secrets_for(clinic))
    assert [name for name, text in files.items() if "SERVER-PEM" in text] == ["server.pem"]
    assert [name for name, text in files.items() if "$6$hash-of-vera" in text] == ["haproxy.cfg"]
    assert [name for name, text in files.items() if "Basic archive-password" in text] == ["haproxy.cfg"]


def test_each_peer_has_a_server_of_its_own_name(declared: dict[str, Any]) -> None:
    """What a peer has open stands under its own name, so that it can be ended alone; one with a waiver is never taken for one with TLS."""
    waiver = {"reason": "its firmware knows no TLS", "until": "2099-12-31", "source": "192.0.2.7", "port": 11113}
    declared["peers"].append({"ae_title": "XR 1", "verbs": ["store"], "plaintext": waiver})
    lines = section(configuration(declared), "backend archive_dicom")
    assert [line for line in lines if line.startswith("use-server")] == [
        "use-server CT01 if { var(sess.peer) -m str 'CT01' }",
        "use-server WS01 if { var(sess.peer) -m str 'WS01' }",
        "use-server XR_201 if { var(sess.peer) -m str 'plaintext-XR_201' }",
    ]
    assert [line.split()[1] for line in lines if line.startswith("server ")] == ["CT01", "WS01", "XR_201"]


def test_a_reload_is_told_whose_associations_end(declared: dict[str, Any]) -> None:
    """The reload reads who is declared, and which revoked certificate was whose; an entry that names no peer ends nothing."""
    declared["revoked"] = [{"serial": "a1", "date": "2026-01-01", "peer": "WS01"}, {"serial": "b2", "date": "2026-01-01"}]
    clinic = parse_clinic(declared)
    files = gateway_files(clinic, secrets_for(clinic))
    assert files["peers.list"] == "CT01\nWS01\n"
    assert files["revoked.list"] == "WS01 a1\n"


def test_every_rule_before_the_identity_fails_closed(clinic: Clinic) -> None:
    """While the A-ASSOCIATE-RQ is incomplete, every rule of the inspection is `reject unless`: a pause ends in a refusal."""
    rules = [line for line in section(configuration_of(clinic), "frontend dicom") if line.startswith("tcp-request content")]
    rules = [rule for rule in rules if not COUNTS.match(rule)]
    whole = [index for index, rule in enumerate(rules) if "req.payload(6,68) -m found" in rule]
    assert whole == [2]
    assert all(rule.startswith("tcp-request content reject unless") for rule in rules[:3])
    assert not any(" accept" in rule for rule in rules)


def configuration_of(clinic: Clinic) -> str:
    """Give the haproxy.cfg of a clinic."""
    return gateway_files(clinic, secrets_for(clinic))["haproxy.cfg"]


def test_the_calling_ae_title_is_the_certificates(clinic: Clinic) -> None:
    """The calling AE title must be that of the certificate, or the association is rejected."""
    lines = section(configuration_of(clinic), "frontend dicom")
    assert "tcp-request content use-service lua.associate_rj_calling unless { var(sess.calling),strcmp(sess.peer) eq 0 }" in lines
    bind = next(line for line in lines if line.startswith("bind"))
    assert "verify required" in bind
    assert "crl-file /etc/gateway/crl.pem" in bind


def test_an_own_certificate_is_known_by_its_fingerprint(declared: dict[str, Any], make_own_certificate: Callable[..., str]) -> None:
    """A peer's own certificate names it by its fingerprint; common names count only from the clinic's own authority."""
    assert "pinned.map" not in configuration(declared)
    own = make_own_certificate("anything")
    declared["peers"][0]["certificate"] = own
    clinic = parse_clinic(declared)
    files = gateway_files(clinic, secrets_for(clinic))
    assert files["pinned.map"] == f"{fingerprint(own)} CT01\n"
    assert files["peers-ca.pem"] == "CA-PEM\n" + own
    assert "tcp-request content unset-var(sess.peer) unless { ssl_c_i_dn(CN) -m str 'clinic-a CA' }" in files["haproxy.cfg"]


def test_a_waiver_serves_one_address_and_one_ae_title(declared: dict[str, Any]) -> None:
    """A peer without TLS gets a listener for its address and its AE title only; the TLS listener does not know it."""
    declared["peers"][0]["plaintext"] = {"reason": "its firmware knows no TLS", "until": "2099-12-31", "source": "192.0.2.7", "port": 11113}
    clinic = parse_clinic(declared)
    files = gateway_files(clinic, secrets_for(clinic))
    lines = section(files["haproxy.cfg"], "frontend plaintext_CT01")
    assert lines[1] == "bind :11113"
    lines = [line for line in lines if not COUNTS.match(line)]
    assert lines[2] == "tcp-request connection reject unless { src 192.0.2.7 }"
    assert f"tcp-request content use-service lua.associate_rj_calling unless {{ req.payload(26,16),hex -m str {ae_hex('CT01')} }}" in lines
    assert ae_hex("CT01") not in files["ae.map"]


def test_the_archive_reaches_a_peer_by_its_own_listener(clinic: Clinic) -> None:
    """Each peer with an address has a listener on the inner name only, and must prove its AE title by its certificate."""
    text = configuration_of(clinic)
    assert "bind gateway-inner:11200" in section(text, "frontend egress_WS01")
    server = next(line for line in section(text, "backend to_WS01") if line.startswith("server"))
    assert server.startswith("server peer ws01.example:11112 ")
    assert "verify required" in server
    assert "verifyhost 'WS01'" in server
    assert "egress_CT01" not in text


@pytest.mark.parametrize("weak", ["SSLv3", "TLSv1.0", "TLSv1.1", "CBC", "RSA+AES", "aNULL", "3DES"])
def test_no_weak_protocol_or_suite_is_named(clinic: Clinic, weak: str) -> None:
    """TLS 1.2 is the lowest, suites have ephemeral keys and AEAD, and sessions are not resumed (PS3.15 B.12)."""
    text = configuration_of(clinic)
    assert weak not in text
    assert "ssl-min-ver TLSv1.2 no-tls-tickets" in text
    assert "tune.ssl.cachesize 0" in text


def test_a_log_line_names_no_patient(clinic: Clinic) -> None:
    """Neither path nor query of a request is logged."""
    formats = [line for line in section(configuration_of(clinic), "frontend https") if line.startswith(("log-format", "error-log-format"))]
    assert len(formats) == 2
    assert not any(re.search(r"%HU|%HP|%HQ|%\[path|%\[query|%\[url|%r\b", line) for line in formats)
