"""The secrets among a component's arguments: they are parted from the clinic, which is validated, shown and registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import pulumi

from securepacs import identity_provider, own_authority
from securepacs.errors import ConfigurationError

Place: TypeAlias = tuple[str, ...]

#: Where they stand.
AUTHORITY_KEY: Final[Place] = (own_authority.KEY, own_authority.SECRET)
CLIENT_SECRET: Final[Place] = ("sign_in", "oidc", identity_provider.SECRET)


def take_secrets(args: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Place, pulumi.Input[str]]]:
    """Part the arguments: the clinic without its secrets, and each secret that was given by its place."""
    clinic, taken = dict(args), {}
    for place in (AUTHORITY_KEY, CLIENT_SECRET):
        clinic, secret = _without(clinic, place)
        if secret is not None:
            taken[place] = secret
    return clinic, taken


def client_secret(provider: identity_provider.IdentityProvider, given: pulumi.Input[str] | None) -> pulumi.Input[str]:
    """Give the client's secret: the one that the program gave, or the file's.

    Raises ConfigurationError where there is none, or two.
    """
    if given is not None and provider.client_secret_file is not None:
        raise ConfigurationError(identity_provider.WHERE, got="client_secret and client_secret_file", expected="one of them")
    return provider.read_secret() if given is None else given


def _without(held: Mapping[str, Any], place: Place) -> tuple[dict[str, Any], Any]:
    name, *rest = place
    if name not in held:
        return dict(held), None
    if not rest:
        return {key: value for key, value in held.items() if key != name}, held[name]
    if not isinstance(held[name], Mapping):
        return dict(held), None  # whatever it is, it is refused as part of the clinic
    inner, secret = _without(held[name], tuple(rest))
    return {**held, name: inner}, secret
