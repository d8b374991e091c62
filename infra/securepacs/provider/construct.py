"""The component for programs in other languages: its part of the package schema, and what makes one when the engine asks.

The SDK's analyzer reads the types of the component and its arguments; the clinic's models describe each key. On the wire names
are camelCase (`aeTitle`), as every Pulumi package has them.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import pulumi
from pulumi.provider.experimental.analyzer import Analyzer, ComponentDefinition, PropertyDefinition, TypeDefinition
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import ConstructResponse
from pulumi.provider.experimental.schema import generate_schema
from pulumi.runtime import rpc

from securepacs import args, clinic, identity_provider, own_authority, peers
from securepacs.component import SecurePacs
from securepacs.errors import ConfigurationError
from securepacs.provider.fields import UNKNOWN
from securepacs.provider.schema import NAME
from securepacs.provider.wire import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi.provider.experimental.provider import ConstructRequest
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

#: The arguments' types, and the models that describe their keys.
MODELS: Final[Mapping[type, type[BaseModel]]] = {
    args.SecurePacsArgs: clinic.Clinic,
    args.ArchiveArgs: clinic.Archive,
    args.EndpointArgs: clinic.Endpoint,
    args.NetworksArgs: clinic.Networks,
    args.PersonArgs: clinic.Person,
    args.LimitsArgs: clinic.Limits,
    args.AuthorityArgs: clinic.Authority,
    args.RotationsArgs: clinic.Rotations,
    args.ImagesArgs: clinic.Images,
    args.BackupArgs: clinic.Backup,
    args.SignInArgs: clinic.SignIn,
    args.IdentityProviderArgs: identity_provider.IdentityProvider,
    args.RevocationArgs: clinic.Revocation,
    args.PeerArgs: peers.Peer,
    args.PlaintextArgs: peers.Plaintext,
    args.OwnAuthorityArgs: own_authority.OwnAuthority,
}

#: What is secret of the component's outputs, and of its arguments by the type that has it.
SECRET_OUTPUTS: Final = frozenset({"bundles", "passwords"})
_SECRET_ARGUMENTS: Final[Mapping[type, Mapping[str, str]]] = {
    args.OwnAuthorityArgs: {own_authority.SECRET: "The authority's private key in PEM, not encrypted; in place of key_file."},
    args.IdentityProviderArgs: {identity_provider.SECRET: "The client's secret at the provider; in place of client_secret_file."},
}

COMPONENT: Final = f"{NAME}:index:{SecurePacs.__name__}"


@cache
def _analyzed() -> tuple[ComponentDefinition, Mapping[str, TypeDefinition]]:
    found = Analyzer(NAME).analyze([SecurePacs])
    return found["component_definitions"][SecurePacs.__name__], found["type_definitions"]


def component_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the component and the types of its arguments as they stand in the package schema: (resources, types) by their tokens."""
    component, types = _analyzed()
    whole = _named(generate_schema(NAME, "", None, {component.name: component}, dict(types), []).to_json())
    made = whole["resources"][COMPONENT]
    # What it raises is said to a Python program; the others see the message.
    made["description"] = _paragraph(SecurePacs.__doc__).partition(" Raises ")[0]
    _describe(made["inputProperties"], component.inputs_mapping, args.SecurePacsArgs)
    for name, told in made["properties"].items():
        # The analyzer says the same of each part of a map.
        told["additionalProperties"] = _bare(told["additionalProperties"])
        if name in SECRET_OUTPUTS:
            told["secret"] = True
    for name, definition in types.items():
        told = whole["types"][type_token(name)]
        told["description"] = _paragraph(definition.python_type.__doc__)
        _describe(told["properties"], definition.properties_mapping, definition.python_type)
    return whole["resources"], whole["types"]


def type_token(name: str) -> str:
    """Give the token of an argument's type: SDKs put `Args` behind its name, so it has none of its own."""
    return f"{NAME}:index:{name.removesuffix('Args')}"


def _named(value: Any) -> Any:  # noqa: ANN401 - JSON has any shape
    """Give the schema with the tokens of its types as `type_token` has them."""
    if isinstance(value, dict):
        return {_named(key): _named(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_named(held) for held in value]
    return value.removesuffix("Args") if isinstance(value, str) and f"{NAME}:index:" in value else value


def _bare(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _bare(held) if isinstance(held, dict) else held for key, held in told.items() if key != "description"}


def _paragraph(text: str | None) -> str:
    return " ".join((text or "").split())


def _describe(properties: dict[str, Any], names: Mapping[str, str], typed: type) -> None:
    """Put each key's description, from the model that validates it, into the schema's properties."""
    secrets, model = _SECRET_ARGUMENTS.get(typed, {}), MODELS[typed]
    for wire_name, told in properties.items():
        name = names[wire_name]
        if name in secrets:
            told.update(description=secrets[name], secret=True)
        else:
            told["description"] = " ".join(_sentences(model, model.model_fields[name]))


def _sentences(model: type[BaseModel], field: FieldInfo) -> Iterator[str]:
    """Say what a key means, which words it takes, and what it is where it is left out."""
    if field.description:
        yield field.description if field.description.endswith(".") else f"{field.description}."
    else:
        about = next((typed for typed in _parts(field.annotation) if isinstance(typed, type) and typed in MODELS.values()), model)
        yield _paragraph(about.__doc__)
    words = [word for part in _parts(field.annotation) if get_origin(part) is Literal for word in get_args(part)]
    if words:
        yield f"One of: {', '.join(words)}."
    if isinstance(field.default, int | float | str):
        yield f"Default {field.default}."


def _parts(annotation: object) -> Iterator[object]:
    """Give an annotation and what it is made of, outermost first."""
    yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _parts(part)


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Translate wire names to the component's own; keys of maps that are data stay as they are.

    Raises ConfigurationError for a name that does not exist and for a value that is not known yet.
    """
    component, _ = _analyzed()
    return _record(given, component.inputs, component.inputs_mapping, clinic.CONFIG_KEY)


def _record(given: Mapping[str, Any], known: Mapping[str, PropertyDefinition], names: Mapping[str, str], path: str) -> dict[str, Any]:
    translated = {}
    for name, value in given.items():
        if name not in known:
            raise ConfigurationError(f"{path}.{name}", got="no such name", expected=f"one of {', '.join(sorted(known))}")
        translated[names[name]] = _value(value, known[name], f"{path}.{names[name]}")
    return translated


def _value(value: Any, kind: PropertyDefinition, path: str) -> Any:  # noqa: ANN401 - any plain value
    _, types = _analyzed()
    if value is UNKNOWN:
        raise ConfigurationError(path, got="a value that is known only after an update", expected="one that is known before")
    if isinstance(value, dict) and kind.ref:
        definition = types[kind.ref.rpartition(":")[2]]
        secrets = _SECRET_ARGUMENTS.get(definition.python_type, {})
        sealed = {name: _sealed(held) for name, held in value.items() if definition.properties_mapping.get(name) in secrets}
        bare = {name: held for name, held in value.items() if name not in sealed}
        return {**_record(bare, definition.properties, definition.properties_mapping, path), **sealed}
    if isinstance(value, dict) and kind.additional_properties:
        return {name: _value(held, kind.additional_properties, f"{path}.{name}") for name, held in value.items()}
    if isinstance(value, list) and kind.items:
        return [_value(held, kind.items, f"{path}[{index}]") for index, held in enumerate(value)]
    return value


def _sealed(value: Any) -> pulumi.Output[str]:  # noqa: ANN401 - any plain value
    """Make a secret of a value; what is not known yet stays so."""

    def settled(what: Any) -> asyncio.Future[Any]:  # noqa: ANN401 - as above
        future = asyncio.get_running_loop().create_future()
        future.set_result(what)
        return future

    known = value is not UNKNOWN
    return pulumi.Output(settled(set()), settled(value if known else None), settled(known), is_secret=settled(what=True))


async def construct(request: ConstructRequest) -> ConstructResponse:
    """Make the component as a Python program would, and give its outputs when they are known.

    Raises ConfigurationError where the clinic says something that cannot be.
    """
    if request.resource_type != COMPONENT:
        raise ConfigurationError("component", got=request.resource_type, expected=COMPONENT)
    made = SecurePacs(request.name, args.SecurePacsArgs(**arguments(plain(request.inputs))), request.options)  # type: ignore[typeddict-item] # held by parse_clinic
    component, _ = _analyzed()
    dependencies: dict[str, list[pulumi.Resource]] = {}
    outputs = {wire_name: getattr(made, name) for wire_name, name in component.outputs_mapping.items()}
    state = PropertyValue.unmarshal_map(await rpc.serialize_properties(outputs, dependencies))
    urn = await made.urn.future()
    return ConstructResponse(urn=urn or "", state=state, state_dependencies={})
