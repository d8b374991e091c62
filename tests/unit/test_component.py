"""The component under Pulumi's mocks: which resources it declares, and how they hang together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from securepacs import SecurePacs
from securepacs.args import SecurePacsArgs
from securepacs.errors import ConfigurationError
from unit.noting_engine import NotingEngine


@pytest.fixture
def engine() -> Iterator[NotingEngine]:
    """An engine of Pulumi's that only takes notes."""
    engine = NotingEngine()
    pulumi.runtime.set_mocks(engine, project="securepacs", stack="test")
    yield engine


@pytest.fixture
def deployed(engine: NotingEngine, declared: SecurePacsArgs) -> NotingEngine:
    """The small clinic, declared to the noting engine."""

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # the SDK leaves it untyped
    def declare() -> pulumi.Output[Any]:
        pacs = SecurePacs("pacs", declared)
        return pulumi.Output.all(pacs.target, pacs.bundles, pacs.passwords, pacs.certificates)

    declare()
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


def test_a_change_of_files_reloads_the_gateway_and_restarts_the_archive(deployed: NotingEngine) -> None:
    """New files reach a running gateway by a reload; the archive, which reads them once, restarts."""
    containers = deployed.of("Container")
    assert containers["pacs-gateway"]["reloadOn"] == {"files": "<revision of pacs-gateway-config>"}
    assert containers["pacs-gateway"]["reloadSignal"] == "SIGUSR2"
    assert containers["pacs-archive"]["restartOn"] == {"files": "<revision of pacs-archive-config>"}


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
