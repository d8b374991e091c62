"""The component's typed arguments and the models that validate them say the same."""

from __future__ import annotations

from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pulumi
import pytest

from securepacs import args, clinic, identity_provider, own_authority, peers
from securepacs.peers import Declared

PAIRS = [
    (args.SecurePacsArgs, clinic.Clinic),
    (args.ArchiveArgs, clinic.Archive),
    (args.EndpointArgs, clinic.Endpoint),
    (args.NetworksArgs, clinic.Networks),
    (args.PersonArgs, clinic.Person),
    (args.LimitsArgs, clinic.Limits),
    (args.AuthorityArgs, clinic.Authority),
    (args.RotationsArgs, clinic.Rotations),
    (args.ImagesArgs, clinic.Images),
    (args.BackupArgs, clinic.Backup),
    (args.SignInArgs, clinic.SignIn),
    (args.IdentityProviderArgs, identity_provider.IdentityProvider),
    (args.RevocationArgs, clinic.Revocation),
    (args.PeerArgs, peers.Peer),
    (args.PlaintextArgs, peers.Plaintext),
    (args.OwnAuthorityArgs, own_authority.OwnAuthority),
]

#: What a program alone may give: a secret has no place in a configuration.
SECRETS = {args.OwnAuthorityArgs: {"key"}, args.IdentityProviderArgs: {"client_secret"}}


def _hints(typed: Any) -> dict[str, Any]:  # noqa: ANN401 - a typed dictionary has no type of its own
    # Pulumi's Input names, as text, what its own module knows.
    return get_type_hints(typed, localns={"Output": pulumi.Output, "T": str})


@pytest.mark.parametrize(("typed", "model"), PAIRS)
def test_the_arguments_have_the_keys_of_the_model(typed: Any, model: type[Declared]) -> None:  # noqa: ANN401 - a typed dictionary has no type of its own
    """Every key of the model is an argument, required where the model requires it."""
    assert set(_hints(typed)) - SECRETS.get(typed, set()) == set(model.model_fields)
    assert typed.__required_keys__ == {name for name, field in model.model_fields.items() if field.is_required()}


def test_every_part_of_the_clinic_is_held() -> None:
    """No typed dictionary of the module is left out above."""
    assert {typed for typed, _ in PAIRS} == {value for value in vars(args).values() if is_typeddict(value)}


@pytest.mark.parametrize(("typed", "_model"), PAIRS)
def test_the_arguments_can_be_offered_to_other_languages(typed: Any, _model: type[Declared]) -> None:  # noqa: ANN401 - as above
    """Only what Pulumi's schema can say is used: plain types, lists and maps of them, typed dictionaries."""
    for name, hint in _hints(typed).items():
        if name in SECRETS.get(typed, set()):
            continue
        plain = get_args(hint)[-1] if get_origin(hint) in {list, dict} else hint
        assert plain in {str, int, float, bool} or is_typeddict(plain)
