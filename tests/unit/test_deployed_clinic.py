"""The clinic of the deployed tests is one that can be deployed."""

from __future__ import annotations

from pathlib import Path

import yaml

from deployed.deployment import CLINIC_KEY, CSR_PEER, PINNED_PEER, PLAIN_PEER, make_own_keys, write_configuration
from securepacs.clinic import Clinic, parse_clinic


def _clinic(path: Path) -> Clinic:
    return parse_clinic(yaml.safe_load(path.read_text())["config"][CLINIC_KEY])


def test_the_deployed_clinic_is_sound(tmp_path: Path) -> None:
    """With its gaps filled, clinic.yaml is a valid configuration with one peer of each kind."""
    path = tmp_path / "clinic.yaml"
    write_configuration(path, make_own_keys())
    peers = {peer.ae_title: peer for peer in _clinic(path).peers}
    assert peers[CSR_PEER].csr
    assert peers[PINNED_PEER].certificate
    assert peers[PLAIN_PEER].plaintext


def test_a_change_reaches_the_configuration(tmp_path: Path) -> None:
    """A revocation that a test adds stands in the clinic that is written."""
    path = tmp_path / "clinic.yaml"
    entry = {"serial": "0a1b", "date": "2026-01-02", "reason": "keyCompromise"}
    write_configuration(path, make_own_keys(), {"revoked": [entry]})
    assert [revocation.serial for revocation in _clinic(path).revoked] == ["0a1b"]
