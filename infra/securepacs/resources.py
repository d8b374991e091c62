"""Typed classes for the provider's resources: what a Pulumi program writes.

Each class takes snake_case arguments and gives its outputs as attributes; on the wire the names are camelCase
(so `ignore_changes` and `replace_on_changes` name the camelCase property). Every argument may be an Output unless
its type says otherwise. Defaults and limits stand in the provider's tables; nothing here repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import ClassVar, Literal, TypeAlias

import pulumi

__all__ = [
    "Attachment",
    "Certificate",
    "CertificateAuthority",
    "Container",
    "File",
    "Files",
    "HealthCheck",
    "Image",
    "Mount",
    "Network",
    "Password",
    "PortBinding",
    "RevocationList",
    "Revoked",
    "Volume",
]

Text: TypeAlias = pulumi.Input[str]
Number: TypeAlias = pulumi.Input[int]
Flag: TypeAlias = pulumi.Input[bool]
Texts: TypeAlias = pulumi.Input[Sequence[pulumi.Input[str]]]
TextMap: TypeAlias = pulumi.Input[Mapping[str, pulumi.Input[str]]]

KeyType = Literal["ecdsa-p256", "rsa-3072"]
Usage = Literal["server", "client"]
RevocationReason = Literal["unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"]


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)


def _wire(value: object) -> object:
    """Give the wire form of a record (camelCase, without what is left out), of what holds records, or of a plain value."""
    if is_dataclass(value) and not isinstance(value, type):
        named = ((_camel(field.name), getattr(value, field.name)) for field in fields(value))
        return {name: _wire(held) for name, held in named if held is not None}
    if isinstance(value, Mapping):
        return {key: _wire(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(held) for held in value]
    return value


def _declared(local: Mapping[str, object]) -> dict[str, object]:
    """Give the arguments of a constructor from its `locals()`, without what is the SDK's."""
    return {name: value for name, value in local.items() if name not in {"self", "__class__", "resource_name", "opts"}}


@dataclass(frozen=True)
class Attachment:
    """A network that a container joins, the names it has there, and its address where it must be a fixed one."""

    name: Text
    aliases: Texts | None = None
    ipv4: Text | None = None
    links: TextMap | None = None
    """Names that this container alone knows here: name -> the container that it means."""


@dataclass(frozen=True)
class PortBinding:
    """A container's TCP port, published on one literal address of the host."""

    host_ip: Text
    host_port: Number
    container_port: Number


@dataclass(frozen=True)
class Mount:
    """A volume in a container; read-only unless `read_only` is False."""

    volume: Text
    target: Text
    read_only: Flag | None = None


@dataclass(frozen=True)
class HealthCheck:
    """How the engine tells that a container works: `test` is a command and its arguments, times are seconds."""

    test: Texts
    interval_seconds: Number | None = None
    timeout_seconds: Number | None = None
    retries: Number | None = None
    start_seconds: Number | None = None


@dataclass(frozen=True)
class File:
    """A file of a volume: its text (always treated as a secret), its mode as octal text, its owner."""

    content: Text
    mode: Text | None = None
    uid: Number | None = None
    gid: Number | None = None


@dataclass(frozen=True)
class Revoked:
    """A certificate that is revoked: serial in hexadecimal, date as YYYY-MM-DD, reason by its RFC 5280 name."""

    serial: Text
    date: Text
    reason: pulumi.Input[RevocationReason] = "unspecified"


class _Resource(pulumi.CustomResource):
    """A resource of the provider. The SDK resolves outputs by wire names: its own translation would rename keys of data too."""

    pulumi_type: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]
    secret_outputs: ClassVar[tuple[str, ...]] = ()
    delete_before_replace: ClassVar[bool] = False

    def __init__(self, resource_name: str, arguments: Mapping[str, object], opts: pulumi.ResourceOptions | None) -> None:
        given = {_camel(name): _wire(value) for name, value in arguments.items() if value is not None}
        absent = {name: None for name in self.outputs if name not in given}
        standard = pulumi.ResourceOptions(
            additional_secret_outputs=list(self.secret_outputs), delete_before_replace=self.delete_before_replace or None
        )
        super().__init__(self.pulumi_type, resource_name, {**given, **absent}, pulumi.ResourceOptions.merge(standard, opts))
        for name in self.outputs:
            setattr(self, _snake(name), self.__dict__[name])


class Image(_Resource):
    """A container image built from a folder; its tag is the hash of what it is built from."""

    pulumi_type = "securepacs:docker:Image"
    outputs = ("name", "contextHash", "imageId", "reference")

    name: pulumi.Output[str]
    context_hash: pulumi.Output[str]
    image_id: pulumi.Output[str]
    """sha256:… of the image."""
    reference: pulumi.Output[str]
    """NAME:HASH, the hash cut to 12 digits."""

    def __init__(
        self,
        resource_name: str,
        *,
        stack: Text,
        component: Text,
        name: Text,
        context: Text,
        base_image: Text,
        build_args: TextMap | None = None,
        images: TextMap | None = None,
        build_network: Text | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, _declared(locals()), opts)


class Network(_Resource):
    """A bridge network, without IPv6; `internal` has no route out."""

    pulumi_type = "securepacs:docker:Network"
    delete_before_replace = True
    outputs = ("name", "networkId", "subnet", "gateway")

    name: pulumi.Output[str]
    network_id: pulumi.Output[str]
    subnet: pulumi.Output[str]
    gateway: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        stack: Text,
        component: Text,
        name: Text,
        internal: Flag | None = None,
        subnet: Text | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, _declared(locals()), opts)


class Volume(_Resource):
    """A named volume. An existing one with the same labels is adopted, so that data outlives the stack.

    With `protect_data` a volume that has vanished is an error, never silently an empty new one; and the deletion of
    the resource leaves the volume on the engine.
    """

    pulumi_type = "securepacs:docker:Volume"
    delete_before_replace = True
    outputs = ("name", "mountpoint")

    name: pulumi.Output[str]
    mountpoint: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        stack: Text,
        component: Text,
        name: Text,
        protect_data: Flag | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, _declared(locals()), opts)


class Files(_Resource):
    """The files of a volume: contents, modes and owners are kept; what is not declared is removed."""

    pulumi_type = "securepacs:docker:Files"
    delete_before_replace = True
    outputs = ("revisions",)

    revisions: pulumi.Output[dict[str, str]]
    """Path to a random text, a new one where the file was written with anything new."""

    def __init__(
        self,
        resource_name: str,
        *,
        stack: Text,
        component: Text,
        volume: Text,
        image: Text,
        files: Mapping[str, File],
        uid: Number | None = None,
        gid: Number | None = None,
        mode: Text | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        files = {path: File(pulumi.Output.secret(file.content), file.mode, file.uid, file.gid) for path, file in files.items()}
        super().__init__(resource_name, _declared(locals()), opts)


class Container(_Resource):
    """A hardened, long-running container; it exists when it is healthy.

    Always: read-only root, no capability, no new privileges, private IPC, restart unless stopped, rotated log. Nothing
    here may be a secret: `environment`, `command` and labels are plain to whoever may inspect the container.
    """

    pulumi_type = "securepacs:docker:Container"
    delete_before_replace = True
    outputs = ("name", "containerId", "health")

    name: pulumi.Output[str]
    container_id: pulumi.Output[str]
    health: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        stack: Text,
        component: Text,
        name: Text,
        image: Text,
        user: Text,
        networks: Sequence[Attachment],
        memory_mb: Number,
        cpus: pulumi.Input[float],
        pids: Number,
        healthcheck: HealthCheck,
        command: Texts | None = None,
        entrypoint: Texts | None = None,
        ports: Sequence[PortBinding] | None = None,
        mounts: Sequence[Mount] | None = None,
        tmpfs: TextMap | None = None,
        environment: TextMap | None = None,
        extra_hosts: TextMap | None = None,
        dns: Texts | None = None,
        nofile: Number | None = None,
        shm_mb: Number | None = None,
        stop_signal: Text | None = None,
        stop_seconds: Number | None = None,
        log_max_mb: Number | None = None,
        log_files: Number | None = None,
        restart_on: TextMap | None = None,
        reload_on: TextMap | None = None,
        reload_check: Texts | None = None,
        reload_signal: Text | None = None,
        reload_command: Texts | None = None,
        healthy_seconds: Number | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, _declared(locals()), opts)


class CertificateAuthority(_Resource):
    """A certificate authority of one's own: it signs certificates and revocation lists, and no other authority."""

    pulumi_type = "securepacs:pki:CertificateAuthority"
    outputs = ("certPem", "keyPem", "notAfter", "serial", "fingerprint")
    secret_outputs = ("keyPem",)

    cert_pem: pulumi.Output[str]
    key_pem: pulumi.Output[str]
    not_after: pulumi.Output[str]
    serial: pulumi.Output[str]
    fingerprint: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        common_name: Text,
        organization: Text | None = None,
        key_type: pulumi.Input[KeyType] | None = None,
        validity_days: Number | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, _declared(locals()), opts)


class Certificate(_Resource):
    """An end entity's certificate, renewed before it expires; with `csr_pem` the key stays where it was made."""

    pulumi_type = "securepacs:pki:Certificate"
    outputs = ("certPem", "keyPem", "notBefore", "notAfter", "serial", "fingerprint")
    secret_outputs = ("keyPem",)

    cert_pem: pulumi.Output[str]
    key_pem: pulumi.Output[str]
    """Empty where a CSR was given."""
    not_before: pulumi.Output[str]
    not_after: pulumi.Output[str]
    serial: pulumi.Output[str]
    fingerprint: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        ca_cert_pem: Text,
        ca_key_pem: Text,
        common_name: Text,
        usages: pulumi.Input[Sequence[pulumi.Input[Usage]]],
        dns_names: Texts | None = None,
        ip_addresses: Texts | None = None,
        key_type: pulumi.Input[KeyType] | None = None,
        validity_days: Number | None = None,
        renew_before_days: Number | None = None,
        keepers: TextMap | None = None,
        csr_pem: Text | None = None,
        revoked_serials: Texts | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        ca_key_pem = pulumi.Output.secret(ca_key_pem)
        super().__init__(resource_name, _declared(locals()), opts)


class RevocationList(_Resource):
    """A CRL (RFC 5280 section 5), renewed before it expires; its number only grows."""

    pulumi_type = "securepacs:pki:RevocationList"
    outputs = ("crlPem", "number", "nextUpdate")

    crl_pem: pulumi.Output[str]
    number: pulumi.Output[str]
    next_update: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        ca_cert_pem: Text,
        ca_key_pem: Text,
        revoked: Sequence[Revoked] = (),
        validity_days: Number | None = None,
        renew_before_days: Number | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        ca_key_pem = pulumi.Output.secret(ca_key_pem)
        super().__init__(resource_name, _declared(locals()), opts)


class Password(_Resource):
    """A random password and its hashes (bcrypt with `slow_hash`); any change of `keepers` makes a new one."""

    pulumi_type = "securepacs:index:Password"
    outputs = secret_outputs = ("value", "sha512crypt", "bcrypt")

    value: pulumi.Output[str]
    sha512crypt: pulumi.Output[str]
    bcrypt: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        length: Number | None = None,
        keepers: TextMap | None = None,
        slow_hash: pulumi.Input[bool] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, _declared(locals()), opts)
