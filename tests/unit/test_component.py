"""The component under Pulumi's mocks: which resources it declares, and how they hang together."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from securepacs import SecurePacs
from securepacs.args import SecurePacsArgs
from securepacs.errors import ConfigurationError
from securepacs.provider import pki
from unit.noting_engine import NotingEngine


@pytest.fixture
def engine() -> Iterator[NotingEngine]:
    """An engine of Pulumi's that only takes notes."""
    engine = NotingEngine()
    pulumi.runtime.set_mocks(engine, project="securepacs", stack="test")
    yield engine


@pulumi.runtime.test  # type: ignore[untyped-decorator]  # the SDK leaves it untyped
def declare(declared: SecurePacsArgs) -> pulumi.Output[Any]:
    """Declare a clinic to the engine."""
    pacs = SecurePacs("pacs", declared)
    return pulumi.Output.all(pacs.target, pacs.bundles, pacs.passwords, pacs.certificates)


@pytest.fixture
def deployed(engine: NotingEngine, declared: SecurePacsArgs) -> NotingEngine:
    """The small clinic, declared to the noting engine."""
    declare(declared)
    return engine


def test_only_the_gateway_has_published_ports(deployed: NotingEngine) -> None:
    """The archive publishes nothing; the gateway publishes on the addresses that the clinic names."""
    containers = deployed.of("Container")
    assert set(containers) == {"pacs-archive", "pacs-gateway"}
    assert not containers["pacs-archive"].get("ports")
    assert {(port["hostIp"], port["hostPort"]) for port in containers["pacs-gateway"]["ports"]} == {
        ("127.0.0.1", 2762),
        ("127.0.0.1", 8443),
    }


def test_the_archive_is_on_the_inner_network_alone(deployed: NotingEngine) -> None:
    """The archive's one network is internal, and names outside it do not resolve there."""
    archive = deployed.of("Container")["pacs-archive"]
    assert [network["name"] for network in archive["networks"]] == ["clinic-a-inner"]
    assert archive["dns"] == ["127.0.0.1"]
    networks = deployed.of("Network")
    assert networks["pacs-inner"]["internal"] is True
    assert networks["pacs-edge"]["internal"] is False


def test_each_peer_with_tls_gets_a_certificate(deployed: NotingEngine) -> None:
    """A peer's certificate names its AE title; one that is never called cannot act as a server."""
    certificates = deployed.of("Certificate")
    assert certificates["pacs-peer-CT01"]["commonName"] == "CT01"
    assert certificates["pacs-peer-CT01"]["usages"] == ["client"]
    assert certificates["pacs-peer-WS01"]["usages"] == ["client", "server"]
    assert certificates["pacs-peer-WS01"]["dnsNames"] == ["ws01.example"]
    assert certificates["pacs-server"]["usages"] == ["server"]


def test_secrets_travel_as_files_only(deployed: NotingEngine) -> None:
    """No container's inputs hold a key, a password or a rendered configuration."""
    shown = str(deployed.of("Container"))
    for secret in ("keyPem", "<value of", "sha512crypt", "frontend dicom", "RegisteredUsers"):
        assert secret not in shown
    assert {path for files in deployed.of("Files").values() for path in files["files"]["value"]} >= {
        "haproxy.cfg",
        "orthanc.json",
        "server.pem",
    }
    assert {file["mode"] for files in deployed.of("Files").values() for file in files["files"]["value"].values()} == {"0400"}


def test_files_reach_a_running_service_without_a_restart_where_they_can(deployed: NotingEngine) -> None:
    """The gateway reloads for any of its files; the archive takes over its peers while it runs, and restarts for the rest."""
    gateway, archive = (deployed.of("Container")[f"pacs-{part}"] for part in ("gateway", "archive"))
    files = deployed.of("Files")["pacs-gateway-config"]["files"]["value"]
    assert gateway["reloadOn"] == {path: f"<{path} of pacs-gateway-config>" for path in files}
    assert "restartOn" not in gateway
    assert archive["reloadOn"] == {"peers.json": "<peers.json of pacs-archive-config>"}
    assert set(archive["restartOn"]) == {"orthanc.json", "authorization"}


def test_one_authority_signs_where_nothing_overlaps(deployed: NotingEngine) -> None:
    """A clinic without a rotation has one authority, and everything is signed by it."""
    assert list(deployed.of("CertificateAuthority")) == ["pacs-ca"]
    assert {inputs["caCertPem"] for inputs in deployed.of("Certificate").values()} == {"<certPem of pacs-ca>"}


@pytest.mark.parametrize(
    ("overlap", "authorities", "server_signed_by"),
    [(True, {"pacs-ca-3", "pacs-ca-2"}, "pacs-ca-2"), (False, {"pacs-ca-3"}, "pacs-ca-3")],
    ids=["overlap", "finished"],
)
def test_while_authorities_overlap_the_gateway_shows_the_old_one(
    engine: NotingEngine, declared: SecurePacsArgs, *, overlap: bool, authorities: set[str], server_signed_by: str
) -> None:
    """Peers get certificates of the new authority at once; the gateway shows the old one's until the overlap ends."""
    declared["authority"] = {"generation": 3, "overlap": overlap}
    declared["rotations"] = {"server": 2, "peers": {"CT01": 1}, "people": {"vera": 4}}
    declare(declared)
    assert set(engine.of("CertificateAuthority")) == authorities
    certificates = engine.of("Certificate")
    assert certificates["pacs-server"]["caCertPem"] == f"<certPem of {server_signed_by}>"
    assert certificates["pacs-peer-CT01"]["caCertPem"] == "<certPem of pacs-ca-3>"
    assert {name: inputs.get("keepers") for name, inputs in {**certificates, **engine.of("Password")}.items()} == {
        "pacs-server": {"rotation": "2"},
        "pacs-egress": {"rotation": "2"},
        "pacs-peer-CT01": {"rotation": "1"},
        "pacs-peer-WS01": None,
        "pacs-person-vera": {"rotation": "4"},
        "pacs-person-anna": None,
        "pacs-archive-login": None,
    }


def test_every_object_of_the_engine_is_labelled_with_its_stack(deployed: NotingEngine) -> None:
    """What stands on the engine says whose it is, so that nothing else is ever touched."""
    for kind in ("Image", "Network", "Volume", "Files", "Container"):
        for inputs in deployed.of(kind).values():
            assert (inputs["stack"], inputs["component"]) == ("securepacs/test", "pacs")


def test_the_volume_of_the_studies_is_protected(deployed: NotingEngine) -> None:
    """Only the volume that holds studies outlives its stack."""
    assert {name for name, inputs in deployed.of("Volume").items() if inputs["protectData"]} == {"pacs-archive-data"}


def test_a_bad_clinic_is_refused_before_any_resource(engine: NotingEngine, declared: SecurePacsArgs) -> None:
    """A configuration that cannot be ends before a single resource is declared but the component itself."""
    declared["archive"]["ae_title"] = "A" * 17
    with pytest.raises(ConfigurationError, match="has 17"):
        SecurePacs("pacs", declared)
    assert not [kind for kind, _ in engine.made if kind != "securepacs:index:SecurePacs"]


def own_files(engine: NotingEngine) -> dict[str, str]:
    """Give the gateway's files."""
    return {name: file["content"] for name, file in engine.of("Files")["pacs-gateway-config"]["files"]["value"].items()}


def test_ones_own_authority_signs_in_place_of_a_made_one(engine: NotingEngine, declared: SecurePacsArgs) -> None:
    """With an authority of one's own none is made; it signs each certificate and the list, and its key is registered nowhere else."""
    own = pki.make_authority("Hospital CA", None, "ecdsa-p256", 365, datetime.datetime.now(datetime.UTC))
    key = pki.key_pem(own.key)
    declared["own_authority"] = {"certificate": pki.pem(own.certificate), "key": pulumi.Output.secret(key)}

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # the SDK leaves it untyped
    def declare() -> pulumi.Output[Any]:
        pacs = SecurePacs("pacs", declared)
        return pulumi.Output.all(pacs.target, pacs.bundles)

    declare()
    assert not engine.of("CertificateAuthority")
    signed = {**engine.of("Certificate"), **engine.of("RevocationList")}
    assert {one["caCertPem"] for one in signed.values()} == {pki.pem(own.certificate)}
    assert all(one["caKeyPem"]["value"] == key for one in signed.values())
    assert key not in str({name: made for (_, name), made in engine.made.items() if name not in signed})
    assert own_files(engine)["peers-ca.pem"] == pki.pem(own.certificate)


def test_a_chosen_subnet_comes_before_those_that_the_engine_chooses(engine: NotingEngine, declared: SecurePacsArgs) -> None:
    """Where the clinic chooses one network's subnet, it is made first: else the engine could give that very one to another network."""
    declare(declared)
    assert [name for kind, name in engine.made if kind.endswith(":Network")] == ["pacs-edge", "pacs-inner"]
    engine.made.clear()
    declare({**declared, "network": {"inner_subnet": "10.9.8.0/24"}})
    assert [name for kind, name in engine.made if kind.endswith(":Network")] == ["pacs-inner", "pacs-edge"]
