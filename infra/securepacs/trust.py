"""Whom the clinic trusts: its certificate authority, what that signs, and what is revoked.

An authority is followed by the next one in two steps. While they overlap both are trusted; peers get certificates of the new
one, and the gateway still shows one of the old, which every peer knows. When each peer has its new bundle the overlap ends:
the gateway shows a certificate of the new authority, and the old one and its key are gone.
"""

from __future__ import annotations

import ipaddress
from typing import Any, cast

import pulumi

from securepacs import gateway, resources
from securepacs.clinic import Clinic
from securepacs.database import HOST, uses_postgresql
from securepacs.peers import Peer
from securepacs.signer import OwnSigner
from securepacs.target import container_name


def authority_name(clinic: Clinic, generation: int) -> str:
    """Name an authority. Each generation has a name of its own, so that certificates and revocation lists tell theirs."""
    if clinic.own_authority:
        return clinic.own_authority.common_name
    return f"{clinic.name} CA" if generation == 1 else f"{clinic.name} CA {generation}"


def trusted_generations(clinic: Clinic) -> list[int]:
    """Give the generations of the authorities that are trusted, the newest first."""
    newest = clinic.authority.generation
    return [newest, newest - 1] if clinic.authority.overlap else [newest]


def authority_names(clinic: Clinic) -> list[str]:
    """Name the authorities that are trusted, the newest first."""
    return [authority_name(clinic, generation) for generation in trusted_generations(clinic)]


def _alternative_names(peer: Peer) -> tuple[list[str], list[str]]:
    """Give the DNS names and IP addresses under which a peer is called."""
    if not peer.address:
        return [], []
    host = peer.address.rpartition(":")[0].strip("[]")
    try:
        return [], [str(ipaddress.ip_address(host))]
    except ValueError:
        return [host], []


class Trust:
    """The authorities, certificates and revocation lists of one clinic, as children of its component."""

    def __init__(self, name: str, clinic: Clinic, parent: pulumi.Resource, own: OwnSigner | None = None) -> None:
        self._name, self._clinic, self._parent, self._own = name, clinic, parent, own
        self._generations = trusted_generations(clinic)
        self._authorities = {generation: self._authority(generation) for generation in self._generations}
        self._lists = {generation: self._revocation_list(generation) for generation in self._generations}
        self.peers = {peer.ae_title: self._peer(peer) for peer in clinic.with_tls() if not peer.certificate}
        self.server = self._server()
        self.egress = self._certificate("egress", clinic.archive.ae_title, ["client"], self._generations[-1], clinic.rotations.server)
        self.database = self._database() if uses_postgresql(clinic) else None

    @property
    def common_names(self) -> list[str]:
        """Names of the trusted authorities: the gateway believes a common name only from these issuers."""
        return authority_names(self._clinic)

    @property
    def ca_pem(self) -> pulumi.Output[str]:
        """Certificates of the trusted authorities, the newest first."""
        return pulumi.Output.concat(*(authority.cert_pem for authority in self._authorities.values()))

    @property
    def crl_pem(self) -> pulumi.Output[str]:
        """Revocation lists of the trusted authorities."""
        return pulumi.Output.concat(*(revocations.crl_pem for revocations in self._lists.values()))

    def told(self) -> dict[str, dict[str, pulumi.Output[str]]]:
        """Say of everything that expires what it is, its serial or number, and when."""
        certificates = {"server": self.server, "egress": self.egress, **{f"peer {name}": made for name, made in self.peers.items()}}
        if self.database:
            certificates["database"] = self.database
        told = {what: {"serial": made.serial, "notAfter": made.not_after} for what, made in certificates.items()}
        for generation, authority in self._authorities.items():
            which = "" if generation == self._clinic.authority.generation else " before"
            told[f"authority{which}"] = {"serial": authority.serial, "notAfter": authority.not_after}
            told[f"revocations{which}"] = {"number": self._lists[generation].number, "notAfter": self._lists[generation].next_update}
        return told

    def _options(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self._parent)

    def _resource_name(self, part: str, generation: int) -> str:
        return f"{self._name}-{part}" if generation == 1 else f"{self._name}-{part}-{generation}"

    def _authority(self, generation: int) -> resources.CertificateAuthority | OwnSigner:
        return self._own or resources.CertificateAuthority(
            self._resource_name("ca", generation),
            common_name=authority_name(self._clinic, generation),
            organization=self._clinic.name,
            opts=self._options(),
        )

    def _revocation_list(self, generation: int) -> resources.RevocationList:
        clinic = self._clinic
        return resources.RevocationList(
            self._resource_name("crl", generation),
            ca_cert_pem=self._authorities[generation].cert_pem,
            ca_key_pem=self._authorities[generation].key_pem,
            revoked=[resources.Revoked(entry.serial, entry.date.isoformat(), entry.reason) for entry in clinic.revoked],
            validity_days=clinic.authority.crl_days,
            renew_before_days=clinic.authority.renew_before_days,
            opts=self._options(),
        )

    def _certificate(
        self,
        part: str,
        common_name: str,
        usages: list[resources.Usage],
        generation: int,
        rotation: int,
        **more: Any,  # noqa: ANN401 - Certificate's own arguments
    ) -> resources.Certificate:
        clinic = self._clinic
        return resources.Certificate(
            f"{self._name}-{part}",
            ca_cert_pem=self._authorities[generation].cert_pem,
            ca_key_pem=self._authorities[generation].key_pem,
            common_name=common_name,
            usages=cast("Any", usages),
            validity_days=clinic.authority.certificate_days,
            renew_before_days=clinic.authority.renew_before_days,
            keepers=counted(rotation),
            revoked_serials=[entry.serial for entry in clinic.revoked],
            opts=self._options(),
            **more,
        )

    def _peer(self, peer: Peer) -> resources.Certificate:
        dns_names, ip_addresses = _alternative_names(peer)
        usages: list[resources.Usage] = ["client", "server"] if peer.address else ["client"]
        return self._certificate(
            f"peer-{gateway.slug(peer.ae_title)}",
            peer.ae_title,
            usages,
            self._generations[0],
            self._clinic.rotations.peers.get(peer.ae_title, 0),
            dns_names=dns_names,
            ip_addresses=ip_addresses,
            csr_pem=peer.csr,
        )

    def _server(self) -> resources.Certificate:
        clinic = self._clinic
        addresses = dict.fromkeys(str(address) for endpoint in (clinic.dicom, clinic.https) for address in endpoint.addresses)
        return self._certificate(
            "server",
            clinic.host_names[0],
            ["server"],
            self._generations[-1],
            clinic.rotations.server,
            dns_names=clinic.host_names,
            ip_addresses=list(addresses),
        )

    def _database(self) -> resources.Certificate:
        # The archive trusts all the authorities that are trusted, so that the newest can sign at once.
        name, clinic = container_name(self._clinic, "database"), self._clinic
        names = [name, HOST]
        return self._certificate("database-server", name, ["server"], self._generations[0], clinic.rotations.server, dns_names=names)


def counted(rotation: int) -> dict[str, str] | None:
    """Give the keepers of a key that was rotated so often; none for the first, which is as it was before there were rotations."""
    return {"rotation": str(rotation)} if rotation else None
