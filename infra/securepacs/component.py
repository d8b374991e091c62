"""SecurePacs: one clinic's deployed system. The only file that wires resources together.

No postponed annotations here: the component's schema is read from the real ones.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

import pulumi

from securepacs import archive, gateway, resources
from securepacs.args import SecurePacsArgs
from securepacs.browser_wiring import AttachedBrowser, declare_browser
from securepacs.clinic import Endpoint, parse_clinic
from securepacs.database_wiring import AttachedDatabase, declare_database
from securepacs.secret_arguments import AUTHORITY_KEY, CLIENT_SECRET, client_secret, take_secrets
from securepacs.signer import signer
from securepacs.target import container_name, target
from securepacs.trust import Trust, counted

_IMAGES = Path(__file__).parent / "images"

#: Debian's package servers are reached as the host reaches them; the containers themselves never have this network.
_BUILD_NETWORK = "host"

_RELOAD = ["/usr/share/securepacs/reload"]

_GATEWAY_MEMORY_MB, _GATEWAY_PIDS, _GATEWAY_NOFILE, _ARCHIVE_PIDS = 512, 64, 16384, 768


class _Owner(TypedDict):
    """Whose an object on the engine is; it stands in the object's labels."""

    stack: str
    component: str


def _bindings(endpoint: Endpoint, container_port: int) -> list[resources.PortBinding]:
    return [resources.PortBinding(str(address), endpoint.port, container_port) for address in endpoint.addresses]


class SecurePacs(pulumi.ComponentResource):
    """An Orthanc archive behind a gateway: mutual TLS and per-peer rights for DICOM, sign-in and roles for HTTPS.

    The archive stands on a network without a route out; only the gateway is reached from outside, on the addresses
    that the clinic names. Raises ConfigurationError where the clinic says something that cannot be.
    """

    # False in the program that moves the index: then the containers of archive and gateway are not there, and all else is.
    _serves = True

    #: How the engine asks a part that starts quickly.
    _health = resources.HealthCheck(test=["/usr/share/securepacs/health"], interval_seconds=3, timeout_seconds=5, retries=5)

    target: pulumi.Output[dict[str, Any]]
    """What the system promises: the harness's target file. Holds no secret."""
    bundles: pulumi.Output[dict[str, dict[str, str]]]
    """AE title -> cert.pem, key.pem (where it was made here), ca.pem. A secret."""
    passwords: pulumi.Output[dict[str, str]]
    """Person -> password. A secret."""
    certificates: pulumi.Output[dict[str, dict[str, str]]]
    """Certificate -> serial, notAfter; and the revocation list's nextUpdate."""

    def __init__(self, name: str, args: SecurePacsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        declared, secrets = take_secrets(args)
        super().__init__("securepacs:index:SecurePacs", name, declared, opts)
        self._name = name
        self._clinic = parse_clinic(declared)
        self._own = signer(self._clinic.own_authority, secrets.get(AUTHORITY_KEY)) if self._clinic.own_authority else None
        provider = self._clinic.sign_in.oidc
        self._client_secret = client_secret(provider, secrets.get(CLIENT_SECRET)) if provider else None
        self._owner: _Owner = {"stack": f"{pulumi.get_project()}/{pulumi.get_stack()}", "component": name}
        self._chosen: list[resources.Network] = []
        self._wire()

    def _child(self, **more: Any) -> pulumi.ResourceOptions:  # noqa: ANN401 - ResourceOptions' own arguments
        return pulumi.ResourceOptions(parent=self, **more)

    def _wire(self) -> None:
        clinic, rotations = self._clinic, self._clinic.rotations
        trust = Trust(self._name, clinic, self, self._own)
        slow_hash = (clinic.viewer and not clinic.sign_in.oidc) or None
        people = {
            person.name: self._password(f"person-{person.name}", rotations.people.get(person.name, 0), slow_hash=slow_hash)
            for person in clinic.people
        }
        archive_login = self._password("archive-login", rotations.login, length=40)

        parts = sorted(("edge", "inner", *(["browser"] if clinic.viewer else [])), key=self._takes_any_subnet)
        networks = {part: self._network(part, internal=part != "edge") for part in parts}
        edge, inner = networks["edge"], networks["inner"]
        database = declare_database(self, trust)
        browser = declare_browser(self, networks.get("browser"), people)
        stored = self._archive(inner, archive_login, database)
        self._gateway(edge, inner, stored, browser, self._gateway_secrets(trust, people, archive_login))
        self._declare_outputs(trust, people)

    def _password(self, part: str, rotation: int, length: int | None = None, *, slow_hash: bool | None = None) -> resources.Password:
        return resources.Password(
            f"{self._name}-{part}", length=length, keepers=counted(rotation), slow_hash=slow_hash, opts=self._child()
        )

    def _takes_any_subnet(self, part: str) -> bool:
        return getattr(self._clinic.network, f"{part}_subnet", None) is None

    def _network(self, part: str, *, internal: bool) -> resources.Network:
        subnet = getattr(self._clinic.network, f"{part}_subnet", None)
        network = resources.Network(
            f"{self._name}-{part}",
            name=container_name(self._clinic, part),
            internal=internal,
            subnet=str(subnet) if subnet else None,
            # Those that choose come first: the engine gives the others what is free, which could be what they have chosen.
            opts=self._child(depends_on=None if subnet else list(self._chosen)),
            **self._owner,
        )
        if subnet:
            self._chosen.append(network)
        return network

    def _volume(self, part: str, *, data: bool = False) -> resources.Volume:
        return resources.Volume(
            f"{self._name}-{part}",
            name=container_name(self._clinic, part),
            protect_data=data,
            opts=self._child(retain_on_delete=data),
            **self._owner,
        )

    def _image(self, part: str, *, further: Mapping[str, str] | None = None, **build_args: str) -> resources.Image:
        return resources.Image(
            f"{self._name}-{part}-image",
            name=container_name(self._clinic, part),
            context=str(_IMAGES / part),
            base_image=self._clinic.images.base,
            build_args=build_args,
            images=further,
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

    def _archive(self, inner: resources.Network, login: resources.Password, database: AttachedDatabase) -> resources.Container | None:
        clinic = self._clinic
        image = self._image("archive", ORTHANC_FLOOR=archive.ORTHANC_FLOOR)
        data = self._volume("archive-data", data=True)
        own = login.value.apply(lambda value: archive.archive_files(clinic, value))
        content = pulumi.Output.all(own, pulumi.Output.from_input(database.files)).apply(lambda known: {**known[0], **known[1]})
        volume, files = self._files("archive", image, archive.UID, [*archive.FILE_NAMES, *database.files], content)
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
            healthcheck=self._health,
            stop_seconds=20,
            restart_on={name: files.revisions[name] for name in (*archive.RESTARTS_FOR, *database.restarts_for)},
            reload_on={name: files.revisions[name] for name in archive.RELOADS},
            reload_command=_RELOAD,
            opts=self._child(depends_on=database.depends_on),
            **self._owner,
        )

    def _gateway_secrets(
        self, trust: Trust, people: Mapping[str, resources.Password], archive_login: resources.Password
    ) -> pulumi.Output[gateway.GatewaySecrets]:
        return pulumi.Output.all(
            ca=trust.ca_pem,
            server=pulumi.Output.concat(trust.server.cert_pem, trust.server.key_pem),
            egress=pulumi.Output.concat(trust.egress.cert_pem, trust.egress.key_pem),
            crl=trust.crl_pem,
            people=pulumi.Output.all(**{name: password.sha512crypt for name, password in people.items()}),
            archive=archive_login.value,
        ).apply(
            lambda known: gateway.GatewaySecrets(
                ca_pem=known["ca"],
                ca_common_names=trust.common_names,
                server_pem=known["server"],
                egress_pem=known["egress"],
                crl_pem=known["crl"],
                password_hashes=known["people"],
                archive_authorization=archive.authorization(known["archive"]),
            )
        )

    def _gateway(
        self,
        edge: resources.Network,
        inner: resources.Network,
        archive_container: resources.Container | None,
        browser: AttachedBrowser,
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
            networks=[
                *(resources.Attachment(edge.name), resources.Attachment(inner.name, aliases=[gateway.INNER_NAME])),
                *browser.networks,
            ],
            ports=[
                *_bindings(clinic.dicom, gateway.PORT_DICOM),
                *_bindings(clinic.https, gateway.PORT_HTTPS),
                *(binding for endpoint in clinic.plaintext_endpoints().values() for binding in _bindings(endpoint, endpoint.port)),
            ],
            mounts=[resources.Mount(volume.name, gateway.FOLDER)],
            tmpfs={gateway.RUN_FOLDER: f"rw,noexec,nosuid,nodev,size=1m,mode=0700,uid={gateway.UID},gid={gateway.GID}"},
            memory_mb=_GATEWAY_MEMORY_MB,
            cpus=clinic.limits.cpus,
            pids=_GATEWAY_PIDS,
            nofile=_GATEWAY_NOFILE,
            healthcheck=self._health,
            # HAProxy's master takes SIGUSR1 as the order to finish what is open.
            stop_signal="SIGTERM",
            reload_check=["/usr/sbin/haproxy", "-c", "-q", "-f", f"{gateway.FOLDER}/haproxy.cfg"],
            reload_command=_RELOAD,
            reload_on=files.revisions,
            opts=self._child(depends_on=[archive_container, *browser.depends_on]),
            **self._owner,
        )

    def _declare_outputs(self, trust: Trust, people: Mapping[str, resources.Password]) -> None:
        clinic, ca_pem = self._clinic, trust.ca_pem
        self.target = ca_pem.apply(lambda pem: target(clinic, pem))
        made: dict[str, dict[str, pulumi.Input[str]]] = {
            peer: {"cert.pem": certificate.cert_pem, "key.pem": certificate.key_pem, "ca.pem": ca_pem}
            for peer, certificate in trust.peers.items()
        }
        own: dict[str, dict[str, Any]] = {
            peer.ae_title: {"cert.pem": peer.certificate, "key.pem": "", "ca.pem": ca_pem} for peer in clinic.with_tls() if peer.certificate
        }
        self.bundles = pulumi.Output.secret(cast("Any", {**made, **own}))
        self.passwords = pulumi.Output.secret(cast("Any", {name: password.value for name, password in people.items()}))
        self.certificates = pulumi.Output.from_input(cast("Any", trust.told()))
        self.register_outputs(
            {"target": self.target, "bundles": self.bundles, "passwords": self.passwords, "certificates": self.certificates}
        )
