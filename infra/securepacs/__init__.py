"""A PACS on a private network with TLS and authentication, as a Pulumi component.

`SecurePacs` is the component; its arguments are `SecurePacsArgs`, the clinic. What it is made of stands in `securepacs.resources`.

What is named here is imported when it is first asked for: the provider, which every run starts, needs none of it.
"""

import typing as _typing
from importlib import import_module as _import_module

if _typing.TYPE_CHECKING:
    from securepacs.args import (
        ArchiveArgs,
        AuthorityArgs,
        BackupArgs,
        EndpointArgs,
        IdentityProviderArgs,
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
        SignInArgs,
    )
    from securepacs.component import SecurePacs
    from securepacs.errors import ConfigurationError, SecurePacsError

__all__ = [
    "ArchiveArgs",
    "AuthorityArgs",
    "BackupArgs",
    "ConfigurationError",
    "EndpointArgs",
    "IdentityProviderArgs",
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
    "SignInArgs",
]

#: The module of each name that is not an argument of the component.
_MODULES = {"SecurePacs": "component", "ConfigurationError": "errors", "SecurePacsError": "errors"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_MODULES.get(name, 'args')}"), name)
