"""The package schema that Pulumi reads, made from the field tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from securepacs.provider.fields import Field, ListOf, MapOf, Record, Scalar, Type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securepacs.provider.resource import Resource

NAME = "securepacs"


#: The languages for which SDKs are generated, and take their version from the schema.
_LANGUAGES = ("csharp", "go", "java", "nodejs", "python")

Hosted: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
"""Components and their types, by their tokens, in the schema's form."""


def package_schema(resources: Mapping[str, Resource], version: str, hosted: Hosted) -> dict[str, Any]:
    """Give the schema as a JSON object (Pulumi Package Schema): the components that are hosted, and the resources they are made of."""
    components, types = hosted[0], dict(hosted[1])
    return {
        "name": NAME,
        "version": version,
        "description": "A clinic's picture archive, and what it is made of: hardened containers, secret files, certificates.",
        "license": "Apache-2.0",
        "resources": {**components, **{token: _resource(resource, types) for token, resource in resources.items()}},
        "types": types,
        "language": {language: {"respectSchemaVersion": True} for language in _LANGUAGES},
    }


def _resource(resource: Resource, types: dict[str, Any]) -> dict[str, Any]:
    inputs = [field for field in resource.inputs if not field.computed]
    shown = [field for field in resource.inputs if field.compared]
    certain = [field.name for field in shown if field.required or field.default is not None or field.computed or field.chosen]
    return {
        "description": resource.description,
        "inputProperties": {field.name: _property(field, types) for field in inputs},
        "requiredInputs": [field.name for field in inputs if field.required],
        "properties": {field.name: _property(field, types) for field in (*shown, *resource.outputs)},
        "required": [*certain, *(field.name for field in resource.outputs)],
    }


def _property(field: Field, types: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {**_type(field.type, types), "description": field.description}
    if isinstance(field.default, str | int | float | bool):
        told["default"] = field.default
    if field.secret:
        told["secret"] = True
    if field.replace:
        told["willReplaceOnChanges"] = True
    return told


def _type(kind: Type, types: dict[str, Any]) -> dict[str, Any]:
    match kind:
        case Scalar(name):
            return {"type": name}
        case ListOf(item):
            return {"type": "array", "items": _type(item, types)}
        case MapOf(item):
            return {"type": "object", "additionalProperties": _type(item, types)}
        case Record(name, table):
            token = f"{NAME}:index:{name}"
            types[token] = {
                "type": "object",
                "properties": {field.name: _property(field, types) for field in table},
                "required": [field.name for field in table if field.required],
            }
            return {"$ref": f"#/types/{token}"}
