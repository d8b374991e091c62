"""What a deployment is made of, whatever tool makes it: the things that rules look at.

Adapters make them from resources. A field whose value is not known yet holds an `Unknown`, which raises at its first use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

from securepacs_policies.values import known

__all__ = [
    "ELSEWHERE",
    "Adapter",
    "Authority",
    "Build",
    "Certificate",
    "Clinic",
    "ConfigFile",
    "DataVolume",
    "Expression",
    "Ingress",
    "Key",
    "Listener",
    "Mount",
    "Network",
    "NetworkPolicy",
    "OrthancSettings",
    "Part",
    "Peer",
    "Port",
    "Resource",
    "RevocationList",
    "SecretFile",
    "Service",
    "Stack",
    "Thing",
    "Unparsed",
    "Unread",
    "Workload",
]  # fmt: skip


#: The value of a setting that is said, and not here: by a reference, by a file of secrets, or by a variable inside a file.
ELSEWHERE: Final = "(said elsewhere)"


class Part(Enum):
    """What a workload does in a PACS."""

    ARCHIVE = "archive"
    DATABASE = "database"
    GATEWAY = "gateway"
    METRICS = "metrics"
    OTHER = "other"


@dataclasses.dataclass(frozen=True, eq=False)
class Resource:
    """A resource as the engine knows it."""

    urn: str
    type: str
    name: str
    properties: Mapping[str, Any]
    protect: bool = False

    @property
    def shown(self) -> str:
        """What a person calls it: 'Container orthanc'."""
        return f"{self.type.rpartition(':')[2]} {self.name}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Thing:
    """Something that a resource declares. `path` is where, within the resource's properties."""

    resource: Resource
    path: str = ""

    @property
    def shown(self) -> str:
        """Where it is declared, in words."""
        return f"{self.resource.shown}, {self.path}" if self.path else self.resource.shown


#: What reads the resources of a type.
Adapter: TypeAlias = Callable[[Resource], Iterator[Thing]]


@dataclasses.dataclass(frozen=True, eq=False)
class Port:
    """A port of a container that answers on the host's addresses; an empty address is all of them."""

    number: int
    published: int
    address: str | None
    """None where this kind of resource has no way to name one."""
    path: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Mount:
    """What a container sees of something outside: a folder of the host (`bind`), or a volume by its name."""

    bind: bool
    source: str
    target: str
    read_only: bool


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Workload(Thing):
    """A container. None means that this kind of resource has no way to say it."""

    name: str
    part: Part
    image: str
    ports: tuple[Port, ...] = ()
    networks: tuple[str, ...] | None = ()
    """Names of the networks that it joins."""
    host_namespaces: tuple[str, ...] = ()
    """Of the host's: network, pid, ipc, uts, user, cgroup."""
    privileged: bool = False
    capabilities_added: tuple[str, ...] = ()
    capabilities_dropped: tuple[str, ...] = ()
    no_new_privileges: bool = False
    unconfined: tuple[str, ...] = ()
    """Confinements that are switched off: seccomp, apparmor, label."""
    user: str = ""
    devices: tuple[str, ...] = ()
    read_only_root: bool = False
    mounts: tuple[Mount, ...] = ()
    memory: bool = False
    processors: bool = False
    processes: bool | None = None
    health_check: bool | None = False
    log_limit: bool | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    command: tuple[str, ...] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    namespace: str = ""
    port_names: Mapping[str, int] = dataclasses.field(default_factory=dict)
    pod_labels: Mapping[str, str] | None = None
    """Labels by which Kubernetes' services and network policies choose it."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Network(Thing):
    """A network of containers."""

    name: str
    internal: bool


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DataVolume(Thing):
    """A volume; `kept` when a mistake in the program does not delete it, `folder` where it is a folder of the host's."""

    name: str
    kept: bool
    folder: str = ""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Service(Thing):
    """A Kubernetes Service: which pods it leads to, and whether from outside the cluster."""

    name: str
    namespace: str
    selector: Mapping[str, str]
    targets: tuple[str, ...]
    """Ports of the pods that it leads to, by number or name."""
    kind: str
    external_addresses: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Ingress(Thing):
    """A Kubernetes Ingress: the services that it leads to from outside, and the hosts for which it has a certificate."""

    namespace: str
    services: tuple[str, ...]
    hosts: tuple[str, ...]
    tls_hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Expression:
    """A condition of a selector on labels (In, NotIn, Exists, DoesNotExist)."""

    key: str
    operator: str
    values: tuple[str, ...]

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it."""
        there, among = self.key in labels, labels.get(self.key) in self.values
        return {"In": among, "NotIn": not among, "Exists": there, "DoesNotExist": not there}.get(self.operator, False)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NetworkPolicy(Thing):
    """A Kubernetes NetworkPolicy. `open_ingress` and `open_egress`: a rule of it lets anybody in, or out to anywhere."""

    namespace: str
    selector: Mapping[str, str]
    expressions: tuple[Expression, ...]
    types: tuple[str, ...]
    open_ingress: bool
    open_egress: bool


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Build(Thing):
    """The making of an image, and what is given to it."""

    arguments: Mapping[str, str]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ConfigFile(Thing):
    """A file of settings that is no secret to the platform: whoever may look at the deployment may read it."""

    name: str
    text: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SecretFile(Thing):
    """A file that is written into a container's file system, its text, and who may read it (octal)."""

    name: str
    mode: str
    text: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class OrthancSettings(Thing):
    """Orthanc's settings by their names, of all its files and variables that are known together."""

    settings: Mapping[str, Any]
    whole: bool
    """Whether a setting that does not stand here has Orthanc's default; not so for one file of several."""
    rest: Any = None
    """Unknown where a source of settings is: what no other source says may stand there."""

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - a setting has any shape
        """Give a setting by Orthanc's name for it: where it does not stand, its default if this is the whole configuration, else None.

        Raises Undecided where it is not known yet.
        """
        said = known(self.settings.get(name))
        if said is None:
            known(self.rest)
        return default if said is None and default is not None and self.whole else said


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Listener(Thing):
    """A listener of a gateway (HAProxy, nginx)."""

    section: str
    port: int
    tls: bool
    oldest: str
    """The oldest TLS version that it takes, '1.2'; empty where that is the product's default."""
    client_certificates: bool
    dicom: bool
    redirects: bool = False
    """Whether it does nothing but send a browser to HTTPS."""


@dataclasses.dataclass(frozen=True, eq=False)
class Peer:
    """A DICOM peer as a clinic declares it."""

    path: str
    ae_title: str
    verbs: tuple[str, ...]
    plaintext: bool
    port: int
    """Of its own listener without TLS."""
    reason: str
    until: str


@dataclasses.dataclass(frozen=True, eq=False)
class Machine:
    """A program that asks over HTTPS with a token, as a clinic declares it."""

    name: str
    until: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Clinic(Thing):
    """What a clinic declares: its peers and machines, and how its studies are copied."""

    peers: tuple[Peer, ...]
    machines: tuple[Machine, ...]
    backup: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Authority(Thing):
    """A certificate authority."""

    days: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Certificate(Thing):
    """An end entity's certificate."""

    days: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RevocationList(Thing):
    """A revocation list."""

    days: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Key(Thing):
    """A key pair: 'RSA' with its bits, or an elliptic curve's name."""

    algorithm: str
    bits: int
    curve: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Unparsed(Thing):
    """A text that looks like settings which rules read, and cannot be read as such."""

    what: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Unread(Thing):
    """What stands in a resource and cannot be read yet, not even how much it is."""

    rest: object
    failed: str = ""
    """The kind of error where reading it broke, which is a defect of the pack."""


AnyThing = TypeVar("AnyThing", bound=Thing)


@dataclasses.dataclass(frozen=True, eq=False)
class Stack:
    """Everything that a program declares, and what is known of the run."""

    things: tuple[Thing, ...]
    secrets: tuple[tuple[str, str], ...] = ()
    """Secrets that the stack made: the resource that made it, and the secret."""
    passphrase: int | None = None
    """Length of the passphrase with which the state is encrypted; None where another service encrypts it."""
    exceptions: tuple[str, ...] = ()
    """What is wrong with exceptions that were asked for."""

    def of(self, kind: type[AnyThing]) -> Iterator[AnyThing]:
        """Yield the things of a kind."""
        return (thing for thing in self.things if isinstance(thing, kind))

    def workloads(self, *parts: Part) -> Iterator[Workload]:
        """Yield the workloads, or those of some parts. Raises Undecided where a part cannot be told yet."""
        return (workload for workload in self.of(Workload) if not parts or workload.part in parts)
