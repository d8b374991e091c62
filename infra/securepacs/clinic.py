"""What a clinic declares, typed and validated: the one input of everything else."""

from __future__ import annotations

import datetime
import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, IPvAnyAddress, ValidationError, model_validator
from pydantic_core import ErrorDetails

from securepacs.errors import ConfigurationError
from securepacs.identity_provider import IdentityProvider
from securepacs.own_authority import OwnAuthority
from securepacs.peers import AETitle, Declared, HostName, Peer, Port
from securepacs.roles import Role

#: The key of the stack's configuration that holds the clinic.
CONFIG_KEY = "securepacs:clinic"

Database = Literal["sqlite", "postgresql"]
DATABASES: tuple[Database, ...] = get_args(Database)

RevocationReason = Literal["unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"]


def _one_address(value: IPvAnyAddress) -> IPvAnyAddress:
    if value.is_unspecified or value.is_multicast:
        raise ValueError("an address is one of this host's own, named: a wildcard would publish by accident")
    return value


ListenAddress = Annotated[IPvAnyAddress, AfterValidator(_one_address)]


def _private_subnet(value: ipaddress.IPv4Network) -> ipaddress.IPv4Network:
    if not value.is_private or not 16 <= value.prefixlen <= 28:
        raise ValueError("a subnet is a private IPv4 network of /16 to /28")
    return value


Subnet = Annotated[ipaddress.IPv4Network, AfterValidator(_private_subnet)]


class Archive(Declared):
    """The picture archive."""

    ae_title: AETitle
    """Called AE title of the archive."""


class Endpoint(Declared):
    """A published port, on named addresses only."""

    addresses: Annotated[list[ListenAddress], Field(min_length=1)] = [ipaddress.IPv4Address("127.0.0.1")]
    """The host's addresses on which the port is published (IPv4 or IPv6 literals)."""
    port: Port


class Networks(Declared):
    """Subnets, where the clinic must choose them; by default the engine does."""

    edge_subnet: Subnet | None = None
    inner_subnet: Subnet | None = None
    browser_subnet: Subnet | None = None


class Person(Declared):
    """Somebody who signs in over HTTPS."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,31}$")]
    """User name: lower-case letters, digits, '_', '.', '-'."""
    role: Role


class Limits(Declared):
    """What one clinic may use, and one client of it."""

    storage_mb: Annotated[int, Field(ge=100, le=100_000_000)] = 50_000
    """Size of the stored DICOM files, in MB; when it is reached the archive refuses new ones. With more than that it does not start."""
    associations: Annotated[int, Field(ge=1, le=256)] = 48
    """Open associations of all peers together."""
    associations_per_peer: Annotated[int, Field(ge=1, le=256)] = 8
    """Open associations of one peer."""
    association_rate: Annotated[int, Field(ge=1, le=10_000)] = 400
    """New associations of one peer in 10 seconds."""
    connections_per_source: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Open connections of one network address."""
    connection_rate: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """New connections of one network address in 10 seconds, counted before TLS."""
    http_rate: Annotated[int, Field(ge=1, le=100_000)] = 2000
    """HTTP requests of one network address in 10 seconds."""
    wrong_passwords: Annotated[int, Field(ge=1, le=1000)] = 20
    """Wrong passwords of one network address in 10 minutes; after that it is told to wait (429)."""
    request_mb: Annotated[int, Field(ge=1, le=10_000)] = 512
    """Size of one HTTP request's body, in MB."""
    archive_memory_mb: Annotated[int, Field(ge=512, le=1_000_000)] = 2048
    """Memory of the archive's container, in MB."""
    cpus: Annotated[float, Field(ge=0.5, le=256)] = 4.0
    """Processors that each container may use at most; it may be more than the host has."""


class Authority(Declared):
    """The clinic's own certificate authority, and how long what it signs is valid."""

    generation: Annotated[int, Field(ge=1, le=9999)] = 1
    """Which authority signs; `securepacs rotate ca` counts it up."""
    overlap: bool = False
    """While true the authority before is trusted too, and the gateway still shows its certificate: time to hand out new bundles."""
    certificate_days: Annotated[int, Field(ge=2, le=3650)] = 397
    """Days until a certificate of a peer or of the gateway expires."""
    crl_days: Annotated[int, Field(ge=2, le=3650)] = 397
    """Days until the revocation list expires; an expired one locks every peer out."""
    renew_before_days: Annotated[int, Field(ge=1, le=365)] = 30
    """Days before the expiry from which on the next `up` renews a certificate or the revocation list."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.overlap and self.generation == 1:
            raise ValueError("overlap is between two authorities, so that it needs generation 2 or later")
        shortest = min(self.certificate_days, self.crl_days)
        if self.renew_before_days >= shortest:
            raise ValueError(f"renew_before_days is less than certificate_days and crl_days, here less than {shortest}")
        return self


Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Rotations(Declared):
    """How often each key or password was made anew. A count that changes makes a new one; `securepacs rotate` counts."""

    server: Count = 0
    """The gateway's own certificates: the one it shows, and the one with which it calls peers."""
    login: Count = 0
    """The password with which the gateway reaches the archive."""
    peers: dict[AETitle, Count] = {}
    """Certificates of peers, by AE title."""
    people: dict[str, Count] = {}
    """Passwords of people, by name."""


ImageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,200}(:[A-Za-z0-9_.-]{1,128})?$")]


class Images(Declared):
    """What the containers' images are made of; bootstrap makes the defaults. Another one, or a rebuilt one, is an upgrade."""

    base: ImageName = "securepacs-base:forky"
    """Image on the engine that all are built on."""
    viewer: ImageName = "securepacs-ohif:3.13.2"
    """Image on the engine that holds the package of the viewer OHIF, under /package."""
    sign_in: ImageName = "securepacs-oauth2-proxy:7.15.4"
    """Image on the engine that holds the program oauth2-proxy."""


class SignIn(Declared):
    """How people sign in in a browser, and how long that lasts."""

    idle_minutes: Annotated[int, Field(ge=1, le=480)] = 15
    """Minutes without a click, a key or a request after which a session ends (HIPAA 164.312(a)(2)(iii))."""
    session_hours: Annotated[int, Field(ge=1, le=24)] = 10
    """Hours after which a session ends whatever is done in it."""
    wrong_passwords: Annotated[int, Field(ge=1, le=1000)] = 6
    """Wrong passwords for one name from one network address in 10 minutes; after that the two wait (429)."""
    wrong_passwords_per_name: Annotated[int, Field(ge=1, le=10_000)] = 60
    """The same for one name from all addresses together."""
    oidc: IdentityProvider | None = None
    """The identity provider at which people sign in; by default they do here, with the passwords of `people`."""


class Backup(Declared):
    """Who copies the studies. securepacs makes no copies itself: this says who answers for them, and the policies ask for it."""

    by: Annotated[str, Field(min_length=1, max_length=200)]
    """Whoever or whatever makes the copies: "restic on this host", "the hypervisor's snapshots"."""
    to: Annotated[str, Field(min_length=1, max_length=200)]
    """Where they go: a place that does not burn with this one."""
    hours: Annotated[int, Field(ge=1, le=8760)]
    """How old the newest copy may be."""
    newest: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """Command inside the archive that prints when the newest copy was made (ISO 8601, UTC); the harness then looks."""


class Revocation(Declared):
    """A certificate that opens nothing any more, though it is still in date."""

    serial: Annotated[str, Field(pattern=r"^[0-9a-f]{1,40}$")]
    """The certificate's serial number, lower-case hexadecimal (`securepacs status` shows it)."""
    peer: AETitle | None = None
    """AE title of the peer that held it; its open associations are ended too."""
    date: datetime.date
    """The day of the revocation, YYYY-MM-DD."""
    reason: RevocationReason = "unspecified"
    """By its name in RFC 5280 section 5.3.1."""


def _repeated(values: Iterable[str]) -> list[str]:
    """Give those values that stand more than once when case is not counted."""
    counted = Counter(value.casefold() for value in values)
    return sorted(value for value, times in counted.items() if times > 1)


class Clinic(Declared):
    """One clinic: an archive, the peers and people that may use it, and the limits of each."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,28}[a-z0-9]$")]
    """Name of the clinic: 2 to 30 lower-case letters, digits, hyphens. It begins the name of each object on the engine."""
    archive: Archive
    database: Database = "sqlite"
    """Where the archive's index stands: in a file of its own, or in a PostgreSQL beside it. `securepacs database` moves it."""
    dicom: Endpoint = Endpoint(port=2762)
    """DICOM over mutual TLS (PS3.15 annex B; 2762 is its registered port)."""
    https: Endpoint = Endpoint(port=8443)
    """HTTPS for people: DICOMweb and the archive's administration."""
    host_names: Annotated[list[HostName], Field(min_length=1)] = ["localhost"]
    """Names under which clients reach the gateway; they stand in its certificate."""
    network: Networks = Networks()
    viewer: bool = False
    """Whether people sign in and look at images in a browser; without it neither the viewer nor its routes exist."""
    sign_in: SignIn = SignIn()
    """How people sign in in a browser, where there is a viewer."""
    peers: list[Peer] = []
    people: list[Person] = []
    limits: Limits = Limits()
    authority: Authority = Authority()
    rotations: Rotations = Rotations()
    images: Images = Images()
    backup: Backup | None = None
    """Who copies the studies, where to and how often; the policy `backup-declared` asks for it."""
    revoked: list[Revocation] = []
    own_authority: OwnAuthority | None = None
    """The clinic's own certificate authority; by default one is made."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for problem in self._disagreements():
            raise ValueError(problem)
        return self

    def _disagreements(self) -> Iterator[str]:
        """Yield what is wrong between the parts, each as 'path: what'."""
        for kind, names in (
            ("peers", [self.archive.ae_title, *(peer.ae_title for peer in self.peers)]),
            ("people", [person.name for person in self.people]),
        ):
            for name in _repeated(names):
                yield f"{kind}: the name '{name}' stands more than once (case is not counted, the archive's own counts); each is unique"
        if self.viewer and not self.people and not self.sign_in.oidc:
            yield "people: got nobody; a clinic with a viewer declares who signs in, or sign_in.oidc"
        if self.sign_in.oidc and not self.viewer:
            yield "sign_in.oidc: got a provider without a viewer; only browsers are sent to one (viewer: true)"
        if self.sign_in.idle_minutes >= self.sign_in.session_hours * 60:
            yield "sign_in.idle_minutes: is less than session_hours, else no session ever ends by being idle"
        for serial in _repeated(entry.serial for entry in self.revoked):
            yield f"revoked: serial {serial} stands more than once"
        for kind, counted, declared in (
            ("peers", self.rotations.peers, {peer.ae_title for peer in self.peers}),
            ("people", self.rotations.people, {person.name for person in self.people}),
        ):
            for name in counted:
                if name not in declared:
                    yield f"rotations.{kind}: got '{name}', allowed are the names that {kind} declares"
        if self.own_authority and self.authority.generation > 1:
            yield "authority.generation: got more than 1; one's own authority is followed by another certificate under own_authority"
        yield from self._peers_that_disagree()
        yield from self._ports_that_clash()

    def _peers_that_disagree(self) -> Iterator[str]:
        known = {peer.ae_title: peer for peer in self.peers}
        keys: dict[bytes, int] = {}
        for index, peer in enumerate(self.peers):
            key = peer.public_key
            if key is not None:
                first = keys.setdefault(key, index)
                if first != index:
                    yield f"peers[{index}]: has the same key as peers[{first}]; each peer has a certificate of its own"
            for destination in peer.destinations:
                if destination not in known:
                    yield f"peers[{index}].move_to: got '{destination}', allowed are the AE titles of declared peers"
                elif known[destination].address is None:
                    yield f"peers[{index}].move_to: '{destination}' has no address; a destination of the verb move needs one (HOST:PORT)"

    def _ports_that_clash(self) -> Iterator[str]:
        taken: dict[tuple[str, int], str] = {}
        for where, endpoint in self.published():
            for address in endpoint.addresses:
                first = taken.setdefault((str(address), endpoint.port), where)
                if first != where:
                    yield f"{where}: {address}:{endpoint.port} is taken by {first}; each listener has a port of its own"

    def published(self) -> list[tuple[str, Endpoint]]:
        """Give each published listener with the path that declares it."""
        plain = [(f"peers[{index}].plaintext.port", endpoint) for index, endpoint in self.plaintext_endpoints().items()]
        return [("dicom.port", self.dicom), ("https.port", self.https), *plain]

    def plaintext_endpoints(self) -> dict[int, Endpoint]:
        """Give the listener of each peer with a waiver, by the peer's place; its port is the same inside and outside the container."""
        return {
            index: Endpoint(addresses=self.dicom.addresses, port=peer.plaintext.port)
            for index, peer in enumerate(self.peers)
            if peer.plaintext
        }

    def with_tls(self) -> list[Peer]:
        """Give the peers that prove themselves by a certificate."""
        return [peer for peer in self.peers if not peer.plaintext]

    def callable_peers(self) -> list[Peer]:
        """Give the peers that the archive may call: those with an address, in the order of their AE titles."""
        return sorted((peer for peer in self.peers if peer.address), key=lambda peer: peer.ae_title)


def _path(location: tuple[int | str, ...]) -> str:
    """Write pydantic's location as a path: ('peers', 0, 'verbs', 2) -> 'securepacs:clinic.peers[0].verbs[2]'."""
    path = CONFIG_KEY
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}"
    return path


_SHOWN = 60


def _shown(value: object) -> str:
    if isinstance(value, str) and "PRIVATE KEY" in value:
        return "a private key (keep it where it is: only certificates and CSRs belong here)"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _line(problem: ErrorDetails) -> str:
    """Tell one of pydantic's findings in one line: path, what was got, what is allowed."""
    where = _path(problem["loc"])
    allowed = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{where}: got nothing; it is required"
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no such key; remove it or mend its spelling (`securepacs schema` lists all)"
    if problem["type"] == "string_pattern_mismatch":
        allowed = f"allowed is text that matches {problem['ctx']['pattern']}"
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        # The parts are well-formed and do not agree; what the whole clinic finds begins with its own path.
        return f"{where}.{allowed}" if not problem["loc"] else f"{where}: {allowed}"
    return f"{where}: got {_shown(problem['input'])}; {allowed[:1].lower()}{allowed[1:]}"


def parse_clinic(declared: Any) -> Clinic:  # noqa: ANN401 - it comes from outside: anything is possible
    """Turn a stack's configuration into a clinic.

    Raises ConfigurationError with one line for each bad input: path, what was got, what is allowed.
    """
    try:
        return Clinic.model_validate(declared)
    except ValidationError as error:
        lines = list(dict.fromkeys(_line(problem) for problem in error.errors(include_url=False)))
        raise ConfigurationError("\n".join(lines)) from None


def clinic_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of what stands under `securepacs:clinic`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:securepacs:clinic:1",
        **Clinic.model_json_schema(),
    }
