"""The arguments of SecurePacs: the clinic, as typed dictionaries that other languages can be given.

They say the same as the models of clinic.py and peers.py, which validate them and describe each key; a test holds the
two together. No postponed annotations here: the component's schema is read from the real ones.
"""

from typing import NotRequired, TypedDict

import pulumi


class PlaintextArgs(TypedDict):
    """A waiver for a peer that cannot speak TLS."""

    reason: str
    until: str
    source: str
    port: int


class PeerArgs(TypedDict):
    """A DICOM application entity that may talk to the archive."""

    ae_title: str
    verbs: NotRequired[list[str]]
    address: NotRequired[str]
    move_to: NotRequired[list[str]]
    certificate: NotRequired[str]
    csr: NotRequired[str]
    plaintext: NotRequired[PlaintextArgs]


class ArchiveArgs(TypedDict):
    """The picture archive."""

    ae_title: str


class EndpointArgs(TypedDict):
    """A published port, on named addresses only."""

    addresses: NotRequired[list[str]]
    port: int


class NetworksArgs(TypedDict):
    """Subnets, where the clinic must choose them."""

    edge_subnet: NotRequired[str]
    inner_subnet: NotRequired[str]
    browser_subnet: NotRequired[str]


class PersonArgs(TypedDict):
    """Somebody who signs in over HTTPS."""

    name: str
    role: str


class LimitsArgs(TypedDict):
    """What one clinic may use, and one client of it."""

    storage_mb: NotRequired[int]
    associations: NotRequired[int]
    associations_per_peer: NotRequired[int]
    association_rate: NotRequired[int]
    connections_per_source: NotRequired[int]
    connection_rate: NotRequired[int]
    http_rate: NotRequired[int]
    wrong_passwords: NotRequired[int]
    request_mb: NotRequired[int]
    archive_memory_mb: NotRequired[int]
    cpus: NotRequired[float]


class AuthorityArgs(TypedDict):
    """The clinic's own certificate authority."""

    generation: NotRequired[int]
    overlap: NotRequired[bool]
    certificate_days: NotRequired[int]
    crl_days: NotRequired[int]
    renew_before_days: NotRequired[int]


class RotationsArgs(TypedDict):
    """How often each key or password was made anew."""

    server: NotRequired[int]
    login: NotRequired[int]
    peers: NotRequired[dict[str, int]]
    people: NotRequired[dict[str, int]]


class ImagesArgs(TypedDict):
    """What the containers' images are made of."""

    base: NotRequired[str]
    viewer: NotRequired[str]
    sign_in: NotRequired[str]


class IdentityProviderArgs(TypedDict):
    """An OpenID provider, and the client that the clinic is there."""

    issuer: str
    login_url: str
    token_url: str
    keys_url: str
    sign_out_url: NotRequired[str]
    authority: NotRequired[str]
    client_id: str
    client_secret: NotRequired[pulumi.Input[str]]
    client_secret_file: NotRequired[str]
    scopes: NotRequired[list[str]]
    name_claim: NotRequired[str]
    role_claim: NotRequired[str]
    roles: dict[str, str]
    ask_again: NotRequired[bool]
    locked_out: NotRequired[list[str]]


class SignInArgs(TypedDict):
    """How people sign in in a browser, and how long that lasts."""

    idle_minutes: NotRequired[int]
    session_hours: NotRequired[int]
    wrong_passwords: NotRequired[int]
    wrong_passwords_per_name: NotRequired[int]
    oidc: NotRequired[IdentityProviderArgs]


class BackupArgs(TypedDict):
    """Who copies the studies."""

    by: str
    to: str
    hours: int
    newest: NotRequired[str]


class RevocationArgs(TypedDict):
    """A certificate that opens nothing any more."""

    serial: str
    peer: NotRequired[str]
    date: str
    reason: NotRequired[str]


class OwnAuthorityArgs(TypedDict):
    """A self-signed authority that signs for this clinic alone, in place of the one that would be made."""

    certificate: str
    key: NotRequired[pulumi.Input[str]]
    key_file: NotRequired[str]


class SecurePacsArgs(TypedDict):
    """One clinic."""

    name: str
    archive: ArchiveArgs
    database: NotRequired[str]
    dicom: NotRequired[EndpointArgs]
    https: NotRequired[EndpointArgs]
    host_names: NotRequired[list[str]]
    network: NotRequired[NetworksArgs]
    viewer: NotRequired[bool]
    sign_in: NotRequired[SignInArgs]
    peers: NotRequired[list[PeerArgs]]
    people: NotRequired[list[PersonArgs]]
    limits: NotRequired[LimitsArgs]
    authority: NotRequired[AuthorityArgs]
    rotations: NotRequired[RotationsArgs]
    images: NotRequired[ImagesArgs]
    backup: NotRequired[BackupArgs]
    revoked: NotRequired[list[RevocationArgs]]
    own_authority: NotRequired[OwnAuthorityArgs]
