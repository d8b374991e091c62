"""SecurePacs: one clinic's deployed system. The only file that wires resources together.

No postponed annotations here: the component's schema is read from the real ones.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

import pulumi

from securepacs import archive, gateway, resources
from securepacs.args import SecurePacsArgs
from securepacs.clinic import Endpoint, parse_clinic
from securepacs.database_wiring import Attached, declare_database
from securepacs.peers import Peer
from securepacs.target import container_name, target

_IMAGES = Path(__file__).parent / "images"

#: The image that bootstrap makes; both of the clinic's images are built on it.
BASE_IMAGE = "securepacs-base:forky"

#: Debian's package servers are reached as the host reaches them; the containers themselves never have this network.
_BUILD_NETWORK = "host"

_HEALTH = resources.HealthCheck(test=["/usr/share/securepacs/health"], interval_seconds=3, timeout_seconds=5, retries=5)

_GATEWAY_MEMORY_MB, _GATEWAY_PIDS, _GATEWAY_NOFILE, _ARCHIVE_PIDS = 512, 64, 16384, 768


class _Owner(TypedDict):
    """Whose an object on the engine is; it stands in the object's labels."""

    stack: str
    component: str


def _alternative_names(peer: Peer) -> tuple[list[str], list[str]]:
    """Give the DNS names and IP addresses under which a peer is called."""
    if not peer.address:
        return [], []
    host = peer.address.rpartition(":")[0].strip("[]")
    try:
        return [], [str(ipaddress.ip_address(host))]
    except ValueError:
        return [host], []


def _bindings(endpoint: Endpoint, container_port: int) -> list[resources.PortBinding]:
    return [resources.PortBinding(str(address), endpoint.port, container_port) for address in endpoint.addresses]


class SecurePacs(pulumi.ComponentResource):
    """An Orthanc archive behind a gateway: mutual TLS and per-peer rights for DICOM, sign-in and roles for HTTPS.

    The archive stands on a network without a route out; only the gateway is reached from outside, on the addresses
    that the clinic names. Raises ConfigurationError where the clinic says something that cannot be.
    """

    # False in the program that moves the index: then the containers of archive and gateway are not there, and all else is.
    _serves = True

    target: pulumi.Output[dict[str, Any]]
    """What the system promises: the harness's target file. Holds no secret."""
    bundles: pulumi.Output[dict[str, dict[str, str]]]
    """AE title -> cert.pem, key.pem (where it was made here), ca.pem. A secret."""
    passwords: pulumi.Output[dict[str, str]]
    """Person -> password. A secret."""
    certificates: pulumi.Output[dict[str, dict[str, str]]]
    """Certificate -> serial, notAfter; and the revocation list's nextUpdate."""

    def __init__(self, name: str, args: SecurePacsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("securepacs:index:SecurePacs", name, cast("Mapping[str, Any]", args), opts)
        self._name = name
        self._clinic = parse_clinic(args)
        # The gateway believes a common name only from this issuer.
        self._authority_name = f"{self._clinic.name} CA"
        self._owner: _Owner = {"stack": f"{pulumi.get_project()}/{pulumi.get_stack()}", "component": name}
        self._wire()

    def _child(self, **more: Any) -> pulumi.ResourceOptions:  # noqa: ANN401 - ResourceOptions' own arguments
        return pulumi.ResourceOptions(parent=self, **more)

    def _wire(self) -> None:
        clinic = self._clinic
        self._authority = resources.CertificateAuthority(
            f"{self._name}-ca", common_name=self._authority_name, organization=clinic.name, opts=self._child()
        )
        peers = {peer.ae_title: self._peer_certificate(peer) for peer in clinic.with_tls() if not peer.certificate}
        server, egress = self._server_certificate(), self._certificate("egress", clinic.archive.ae_title, ["client"])
        revocations = self._revocation_list()
        people = {person.name: resources.Password(f"{self._name}-person-{person.name}", opts=self._child()) for person in clinic.people}
        archive_login = resources.Password(f"{self._name}-archive-login", length=40, opts=self._child())

        edge, inner = self._network("edge", internal=False), self._network("inner", internal=True)
        database = declare_database(self)
        stored = self._archive(inner, archive_login, database)
        self._gateway(edge, inner, stored, self._gateway_secrets(server, egress, revocations, people, archive_login))
        self._declare_outputs(peers, {"server": server, "egress": egress, **database.certificates}, revocations, people)

    def _certificate(self, part: str, common_name: str, usages: list[resources.Usage], **more: Any) -> resources.Certificate:  # noqa: ANN401 - Certificate's own arguments
        return resources.Certificate(
            f"{self._name}-{part}",
            ca_cert_pem=self._authority.cert_pem,
            ca_key_pem=self._authority.key_pem,
            common_name=common_name,
            usages=usages,
            revoked_serials=[entry.serial for entry in self._clinic.revoked],
            opts=self._child(),
            **more,
        )

    def _peer_certificate(self, peer: Peer) -> resources.Certificate:
        dns_names, ip_addresses = _alternative_names(peer)
        usages: list[resources.Usage] = ["client", "server"] if peer.address else ["client"]
        return self._certificate(
            f"peer-{gateway.slug(peer.ae_title)}",
            peer.ae_title,
            usages,
            dns_names=dns_names,
            ip_addresses=ip_addresses,
            csr_pem=peer.csr,
        )

    def _server_certificate(self) -> resources.Certificate:
        clinic = self._clinic
        addresses = dict.fromkeys(str(address) for endpoint in (clinic.dicom, clinic.https) for address in endpoint.addresses)
        return self._certificate("server", clinic.host_names[0], ["server"], dns_names=clinic.host_names, ip_addresses=list(addresses))

    def _revocation_list(self) -> resources.RevocationList:
        return resources.RevocationList(
            f"{self._name}-crl",
            ca_cert_pem=self._authority.cert_pem,
            ca_key_pem=self._authority.key_pem,
            revoked=[resources.Revoked(entry.serial, entry.date.isoformat(), entry.reason) for entry in self._clinic.revoked],
            opts=self._child(),
        )

    def _network(self, part: str, *, internal: bool) -> resources.Network:
        subnet = getattr(self._clinic.network, f"{part}_subnet", None)
        return resources.Network(
            f"{self._name}-{part}",
            name=container_name(self._clinic, part),
            internal=internal,
            subnet=str(subnet) if subnet else None,
            opts=self._child(),
            **self._owner,
        )

    def _volume(self, part: str, *, data: bool = False) -> resources.Volume:
        return resources.Volume(
            f"{self._name}-{part}",
            name=container_name(self._clinic, part),
            protect_data=data,
            opts=self._child(retain_on_delete=data),
            **self._owner,
        )

    def _image(self, part: str, **build_args: str) -> resources.Image:
        return resources.Image(
            f"{self._name}-{part}-image",
            name=container_name(self._clinic, part),
            context=str(_IMAGES / part),
            base_image=BASE_IMAGE,
            build_args=build_args,
            build_network=_BUILD_NETWORK,
            opts=self._child(),
            **self._owner,
        )

    def _files(
        self, part: str, image: resources.Image, owner: int, names: list[str], content: pulumi.Output[dict[str, str]]
    ) -> tuple[resources.Volume, resources.Files]:
        """Make a volume of secret files that only `owner` reads."""
        volume = self._volume(f"{part}-files")
        rendered: pulumi.Output[dict[str, str]] = pulumi.Output.secret(content)
        files = resources.Files(
            f"{self._name}-{part}-config",
            volume=volume.name,
            image=image.image_id,
            uid=owner,
            gid=owner,
            mode="0500",
            files={name: resources.File(rendered[name], mode="0400") for name in names},
            opts=self._child(),
            **self._owner,
        )
        return volume, files

    def _archive(self, inner: resources.Network, login: resources.Password, database: Attached) -> resources.Container | None:
        clinic = self._clinic
        image = self._image("archive", ORTHANC_FLOOR=archive.ORTHANC_FLOOR)
        data = self._volume("archive-data", data=True)
        own = login.value.apply(lambda value: archive.archive_files(clinic, value))
        content = pulumi.Output.all(own, pulumi.Output.from_input(database.files)).apply(lambda known: {**known[0], **known[1]})
        volume, files = self._files("archive", image, archive.UID, ["orthanc.json", *database.files], content)
        if not self._serves:
            return None
        return resources.Container(
            f"{self._name}-archive",
            name=container_name(clinic, "archive"),
            image=image.image_id,
            user=f"{archive.UID}:{archive.GID}",
            networks=[resources.Attachment(inner.name, aliases=["archive"]), *database.networks],
            mounts=[resources.Mount(volume.name, archive.FOLDER), resources.Mount(data.name, archive.DATA_FOLDER, read_only=False)],
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=512m,mode=1777"},  # noqa: S108 - a tmpfs of the container's own
            # Nagle's algorithm costs 40 ms on each C-STORE of a sender that waits for its answer.
            environment={"TCP_NODELAY": "1", "MALLOC_ARENA_MAX": "5"},
            # Names outside the inner network do not resolve: a name server is a way out too.
            dns=["127.0.0.1"],
            memory_mb=clinic.limits.archive_memory_mb,
            cpus=clinic.limits.cpus,
            pids=_ARCHIVE_PIDS,
            healthcheck=_HEALTH,
            stop_seconds=20,
            restart_on={"files": files.revision},
            opts=self._child(depends_on=database.depends_on),
            **self._owner,
        )

    def _gateway_secrets(
        self,
        server: resources.Certificate,
        egress: resources.Certificate,
        revocations: resources.RevocationList,
        people: Mapping[str, resources.Password],
        archive_login: resources.Password,
    ) -> pulumi.Output[gateway.GatewaySecrets]:
        return pulumi.Output.all(
            ca=self._authority.cert_pem,
            server=pulumi.Output.concat(server.cert_pem, server.key_pem),
            egress=pulumi.Output.concat(egress.cert_pem, egress.key_pem),
            crl=revocations.crl_pem,
            people=pulumi.Output.all(**{name: password.sha512crypt for name, password in people.items()}),
            archive=archive_login.value,
        ).apply(
            lambda known: gateway.GatewaySecrets(
                ca_pem=known["ca"],
                ca_common_name=self._authority_name,
                server_pem=known["server"],
                egress_pem=known["egress"],
                crl_pem=known["crl"],
                password_hashes=known["people"],
                archive_password=known["archive"],
            )
        )

    def _gateway(
        self,
        edge: resources.Network,
        inner: resources.Network,
        archive_container: resources.Container | None,
        secrets: pulumi.Output[gateway.GatewaySecrets],
    ) -> resources.Container | None:
        clinic = self._clinic
        image = self._image("gateway")
        volume, files = self._files(
            "gateway",
            image,
            gateway.UID,
            gateway.gateway_file_names(clinic),
            secrets.apply(lambda known: gateway.gateway_files(clinic, known)),
        )
        if archive_container is None:
            return None
        return resources.Container(
            f"{self._name}-gateway",
            name=container_name(clinic, "gateway"),
            image=image.image_id,
            user=f"{gateway.UID}:{gateway.GID}",
            networks=[resources.Attachment(edge.name), resources.Attachment(inner.name, aliases=[gateway.INNER_NAME])],
            ports=[
                *_bindings(clinic.dicom, gateway.PORT_DICOM),
                *_bindings(clinic.https, gateway.PORT_HTTPS),
                *(binding for endpoint in clinic.plaintext_endpoints().values() for binding in _bindings(endpoint, endpoint.port)),
            ],
            mounts=[resources.Mount(volume.name, gateway.FOLDER)],
            memory_mb=_GATEWAY_MEMORY_MB,
            cpus=clinic.limits.cpus,
            pids=_GATEWAY_PIDS,
            nofile=_GATEWAY_NOFILE,
            healthcheck=_HEALTH,
            # HAProxy's master takes SIGUSR1 as the order to finish what is open, SIGUSR2 as the order to reload.
            stop_signal="SIGTERM",
            reload_signal="SIGUSR2",
            reload_check=["/usr/sbin/haproxy", "-c", "-q", "-f", f"{gateway.FOLDER}/haproxy.cfg"],
            reload_on={"files": files.revision},
            opts=self._child(depends_on=[archive_container]),
            **self._owner,
        )

    def _declare_outputs(
        self,
        peers: Mapping[str, resources.Certificate],
        servers: Mapping[str, resources.Certificate],
        revocations: resources.RevocationList,
        people: Mapping[str, resources.Password],
    ) -> None:
        clinic = self._clinic
        ca_pem = self._authority.cert_pem
        self.target = ca_pem.apply(lambda pem: target(clinic, pem))
        made: dict[str, dict[str, pulumi.Input[str]]] = {
            peer: {"cert.pem": certificate.cert_pem, "key.pem": certificate.key_pem, "ca.pem": ca_pem}
            for peer, certificate in peers.items()
        }
        own: dict[str, dict[str, Any]] = {
            peer.ae_title: {"cert.pem": peer.certificate, "key.pem": "", "ca.pem": ca_pem} for peer in clinic.with_tls() if peer.certificate
        }
        self.bundles = pulumi.Output.secret(cast("Any", {**made, **own}))
        self.passwords = pulumi.Output.secret(cast("Any", {name: password.value for name, password in people.items()}))
        told: dict[str, dict[str, pulumi.Output[str]]] = {
            what: {"serial": certificate.serial, "notAfter": certificate.not_after} for what, certificate in {**servers, **peers}.items()
        }
        told["authority"] = {"serial": self._authority.serial, "notAfter": self._authority.not_after}
        told["revocations"] = {"number": revocations.number, "notAfter": revocations.next_update}
        self.certificates = pulumi.Output.from_input(cast("Any", told))
        self.register_outputs(
            {"target": self.target, "bundles": self.bundles, "passwords": self.passwords, "certificates": self.certificates}
        )
