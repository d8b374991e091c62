"""A PACS on a private network with TLS and authentication, as a Pulumi component.

`SecurePacs` is the component; its arguments are `SecurePacsArgs`, the clinic. What it is made of stands in `securepacs.resources`.
"""

from securepacs.args import (
    ArchiveArgs,
    AuthorityArgs,
    BackupArgs,
    EndpointArgs,
    ImagesArgs,
    LimitsArgs,
    NetworksArgs,
    OwnAuthorityArgs,
    PeerArgs,
    PersonArgs,
    PlaintextArgs,
    RevocationArgs,
    RotationsArgs,
    SecurePacsArgs,
)
from securepacs.component import SecurePacs
from securepacs.errors import ConfigurationError, SecurePacsError

__all__ = [
    "ArchiveArgs",
    "AuthorityArgs",
    "BackupArgs",
    "ConfigurationError",
    "EndpointArgs",
    "ImagesArgs",
    "LimitsArgs",
    "NetworksArgs",
    "OwnAuthorityArgs",
    "PeerArgs",
    "PersonArgs",
    "PlaintextArgs",
    "RevocationArgs",
    "RotationsArgs",
    "SecurePacs",
    "SecurePacsArgs",
    "SecurePacsError",
]
