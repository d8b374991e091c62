"""What the engine says of a resource's properties, as plain values that cannot be misread.

A value that is not known yet must not pass for one that is: `Unknown` raises `Undecided` at whatever is done with it, so that a
rule that touches it ends undecided instead of finding nothing. A text that the program marks as secret stays marked.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from google.protobuf import struct_pb2  # type: ignore[import-untyped] # protobuf publishes no types

__all__ = ["SecretText", "Undecided", "Unknown", "decoded", "is_unknown", "known"]

Value = TypeVar("Value")

#: How the engine writes a value that is not known during a preview, by its kind (resource/plugin/rpc.go of the engine).
UNKNOWN_WORDS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # text, and what has no type yet
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

#: The key that tells what an object of the wire stands for, and two of the things (sdk/go/common/resource/properties.go).
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of a secret, not one
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


class Undecided(Exception):  # noqa: N818 - no error: the rule is asked again when the value is known
    """A rule needs a value that is not known yet. `path` says which one."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)


class SecretText(str):
    """A text that the program marks as secret."""

    __slots__ = ()


class Unknown:
    """A value that is not known yet. Whatever is done with it raises Undecided; only `is_unknown` may look at it."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        object.__setattr__(self, "_path", path)

    def _undecided(self, *_: object) -> NoReturn:
        raise Undecided(object.__getattribute__(self, "_path"))

    def __getattr__(self, _: str) -> NoReturn:
        self._undecided()

    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _undecided
    __hash__ = __str__ = __format__ = __int__ = __float__ = __index__ = __add__ = __radd__ = __sub__ = __rsub__ = _undecided
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __mod__ = __and__ = __rand__ = __or__ = __ror__ = _undecided


def is_unknown(value: object) -> bool:
    """Tell whether a value is not known yet, without touching it."""
    return type(value) is Unknown


def known(value: Value) -> Value:
    """Give a value that is known. Raises Undecided: for places that would not touch it, as `is`, `isinstance` and `re` do not."""
    if is_unknown(value):
        bool(value)
    return value


def _text(value: str, path: str, *, secret: bool) -> object:
    if value in UNKNOWN_WORDS:
        return Unknown(path)
    return SecretText(value) if secret else value


def _object(fields: struct_pb2.Struct, path: str, *, secret: bool) -> object:
    signature = fields.fields.get(_SIGNATURE)
    kind = signature.string_value if signature is not None else ""
    if kind in {_SECRET, _OUTPUT}:
        if kind == _OUTPUT and "value" not in fields.fields:
            return Unknown(path)
        return _value(fields.fields["value"], path, secret=secret or kind == _SECRET or fields.fields["secret"].bool_value)
    named = ((name, _value(value, f"{path}.{name}" if path else name, secret=secret)) for name, value in fields.fields.items())
    # An asset or an archive keeps its text under the names that the SDKs use; no rule needs to know that it was one.
    return {name: value for name, value in named if name != _SIGNATURE}


def _value(value: struct_pb2.Value, path: str, *, secret: bool) -> object:
    """Give one value of the wire; `path` names where it stands."""
    match value.WhichOneof("kind"):
        case "string_value":
            return _text(value.string_value, path, secret=secret)
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_value(item, f"{path}[{index}]", secret=secret) for index, item in enumerate(value.list_value.values)]
        case "struct_value":
            return _object(value.struct_value, path, secret=secret)
        case _:
            return None


def decoded(properties: struct_pb2.Struct) -> dict[str, Any]:
    """Give a resource's properties as plain values; what is null is left out, as if it had not been said."""
    return {
        name: _value(value, name, secret=False) for name, value in properties.fields.items() if value.WhichOneof("kind") != "null_value"
    }
