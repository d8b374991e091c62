"""Pulumi's property values to plain values and back; with `adapter` the only module that knows the wire's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import struct_pb2  # type: ignore[import-untyped] # protobuf publishes no types
from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind
from pulumi.runtime import rpc

from securepacs.provider.fields import UNKNOWN, Change, Field, Kind, ListOf, MapOf, Record, Type, Values

if TYPE_CHECKING:
    from collections.abc import Iterable

_ABSENT: Final = {
    "value": struct_pb2.Value(string_value=rpc.UNKNOWN),
    "dependencies": struct_pb2.Value(list_value=struct_pb2.ListValue()),
    "secret": struct_pb2.Value(bool_value=False),
}

_KINDS: Final = {
    (Kind.ADD, False): PropertyDiffKind.ADD,
    (Kind.ADD, True): PropertyDiffKind.ADD_REPLACE,
    (Kind.DELETE, False): PropertyDiffKind.DELETE,
    (Kind.DELETE, True): PropertyDiffKind.DELETE_REPLACE,
    (Kind.UPDATE, False): PropertyDiffKind.UPDATE,
    (Kind.UPDATE, True): PropertyDiffKind.UPDATE_REPLACE,
}


def complete_outputs(values: struct_pb2.Struct) -> None:
    """Write out what an output value on the wire leaves unsaid: known as unknown, no dependencies, not secret.

    The engine leaves empty parts out, and the SDK's reader fails on an output value that lacks one (pulumi 3.272).
    """
    mark = values.fields.get(rpc._special_sig_key)
    if mark is not None and mark.string_value == rpc._special_output_value_sig:
        for name, absent in _ABSENT.items():
            if name not in values.fields:
                values.fields[name].CopyFrom(absent)
    for held in values.fields.values():
        _complete(held)


def _complete(value: struct_pb2.Value) -> None:
    if value.HasField("struct_value"):
        complete_outputs(value.struct_value)
    elif value.HasField("list_value"):
        for held in value.list_value.values:
            _complete(held)


def plain(values: Mapping[str, PropertyValue]) -> Values:
    """Unwrap properties; null means absent, and what is unknown becomes UNKNOWN."""
    return {name: _plain(value) for name, value in values.items() if value.value is not None}


def _plain(value: PropertyValue) -> Any:  # noqa: ANN401 - any value of the wire
    held = value.value
    # An unknown input arrives as the engine's sentinel text, not as Computed.
    if isinstance(held, Computed) or held == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(held, Mapping):
        return plain(held)
    if isinstance(held, Sequence) and not isinstance(held, str):
        return [_plain(item) for item in held]
    # The wire knows doubles only; a table's whole numbers are Python's.
    return int(held) if isinstance(held, float) and held.is_integer() else held


def secret_names(values: Mapping[str, PropertyValue]) -> set[str]:
    """Give the names of the properties that are secret, or hold a secret."""
    return {name for name, value in values.items() if _is_secret(value)}


def _is_secret(value: PropertyValue) -> bool:
    if value.is_secret:
        return True
    if isinstance(value.value, Mapping):
        return any(_is_secret(item) for item in value.value.values())
    if isinstance(value.value, Sequence) and not isinstance(value.value, str):
        return any(_is_secret(item) for item in value.value)
    return False


def holds_secret_field(kind: Type) -> bool:
    """Tell whether a type has a secret field inside."""
    match kind:
        case ListOf(item) | MapOf(item):
            return holds_secret_field(item)
        case Record(_, table):
            return any(field.secret or holds_secret_field(field.type) for field in table)
    return False


def wrap(table: Iterable[Field], values: Values, secret: Iterable[str] = ()) -> dict[str, PropertyValue]:
    """Wrap properties for the wire: secret where the table says so, or where the name is in `secret`."""
    known = {field.name: field for field in table}
    also = set(secret)
    wrapped = {}
    for name, value in values.items():
        field = known.get(name)
        sealed = bool(field and field.secret) or (name in also and not (field and holds_secret_field(field.type)))
        wrapped[name] = _wrap(field.type if field else None, value, sealed=sealed)
    return wrapped


def _wrap(kind: Type | None, value: Any, *, sealed: bool) -> PropertyValue:  # noqa: ANN401 - any plain value
    if value is UNKNOWN:
        return PropertyValue(rpc.UNKNOWN)
    if isinstance(value, dict):
        return PropertyValue(_wrap_map(kind, value), is_secret=sealed)
    if isinstance(value, list):
        item = kind.item if isinstance(kind, ListOf) else None
        return PropertyValue([_wrap(item, held, sealed=False) for held in value], is_secret=sealed)
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value), is_secret=sealed)
    return PropertyValue(value, is_secret=sealed)


def _wrap_map(kind: Type | None, value: Values) -> dict[str, PropertyValue]:
    if isinstance(kind, Record):
        return wrap(kind.fields, value)
    item = kind.item if isinstance(kind, MapOf) else None
    return {name: _wrap(item, held, sealed=False) for name, held in value.items()}


def property_diffs(changes: Iterable[Change]) -> dict[str, PropertyDiff]:
    """Give the detailed diff."""
    return {change.path: PropertyDiff(_KINDS[change.kind, change.replace], input_diff=change.declared) for change in changes}
