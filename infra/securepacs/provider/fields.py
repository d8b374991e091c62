"""The field tables: one description of a property drives check, diff and schema.

Values here are plain Python (str, int, float, bool, list, dict) or UNKNOWN, which stands for a value that a preview
does not know yet. Nothing here knows Pulumi or Docker.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final, TypeAlias

Values: TypeAlias = dict[str, Any]
"""Properties of a resource by their wire names; a table has checked their types."""

Validator: TypeAlias = Callable[[Any], str | None]
"""Gives what is wrong with a value of the right type, or None."""


class Unknown(enum.Enum):
    """The type of UNKNOWN."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Scalar:
    """A text, whole number, number or flag; `name` is its name in JSON Schema."""

    name: str
    said: str


TEXT = Scalar("string", "a text")
INTEGER = Scalar("integer", "a whole number")
NUMBER = Scalar("number", "a number")
FLAG = Scalar("boolean", "true or false")


@dataclass(frozen=True)
class ListOf:
    """A list whose items are all of one type."""

    item: Type
    validator: Validator | None = None


@dataclass(frozen=True)
class MapOf:
    """A map from any text to values of one type; `key` checks the text."""

    item: Type
    key: Validator | None = None
    validator: Validator | None = None


@dataclass(frozen=True)
class Record:
    """A map with its own table; `name` is its type's name in the schema."""

    name: str
    fields: tuple[Field, ...]


Type: TypeAlias = Scalar | ListOf | MapOf | Record


@dataclass(frozen=True)
class Field:
    """One property.

    secret: encrypted in the state. replace: a change makes a new object. default: used where the property is absent.
    compared: whether a change of it is a change of the resource. computed: set by the provider's check, never by the user.
    chosen: where it is absent the engine chooses, and any value of the state is right.
    """

    name: str
    type: Type
    description: str
    required: bool = False
    secret: bool = False
    replace: bool = False
    default: object = None
    validator: Validator | None = None
    compared: bool = True
    computed: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Failure:
    """A property that cannot be, by its dotted path."""

    path: str
    reason: str


class Kind(enum.Enum):
    """How a property differs."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Change:
    """One difference between what is and what is declared; `declared` is False where the engine's state, not an input, differs."""

    path: str
    kind: Kind
    replace: bool = False
    declared: bool = True


@dataclass
class Checked:
    """Normalised values and every failure found."""

    values: Values = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def check(table: tuple[Field, ...], given: Mapping[str, Any]) -> Checked:
    """Hold properties to a table: types, required ones, validators; fill in defaults. Unknown values pass."""
    return _record(table, given, "")


def _record(table: tuple[Field, ...], given: Mapping[str, Any], path: str) -> Checked:
    found = Checked()
    allowed = {entry.name: entry for entry in table if not entry.computed}
    for name in given:
        if name not in allowed and not name.startswith("__"):
            found.failures.append(Failure(join(path, name), f"is not a property here; expected one of {', '.join(sorted(allowed))}"))
    for name, entry in allowed.items():
        value = given.get(name)
        if value is None:
            value = entry.default
        if value is None:
            if entry.required:
                found.failures.append(Failure(join(path, name), "is required and was not given"))
            continue
        found.values[name] = _value(entry.type, value, join(path, name), entry.validator, found.failures)
    return found


def _value(kind: Type, value: Any, path: str, validator: Validator | None, failures: list[Failure]) -> Any:  # noqa: ANN401 - raw input
    if value is UNKNOWN:
        return value
    before = len(failures)
    match kind:
        case Scalar():
            value = _scalar(kind, value, path, failures)
        case ListOf(item, of_list):
            if not isinstance(value, list):
                failures.append(_wrong(path, value, "a list"))
                return value
            value = [_value(item, held, f"{path}[{index}]", None, failures) for index, held in enumerate(value)]
            validator = validator or of_list
        case MapOf(item, key, of_map):
            if not isinstance(value, dict):
                failures.append(_wrong(path, value, "a map"))
                return value
            failures.extend(Failure(join(path, name), wrong) for name in value if key and (wrong := key(name)))
            value = {name: _value(item, held, join(path, name), None, failures) for name, held in value.items()}
            validator = validator or of_map
        case Record(_, table):
            if not isinstance(value, dict):
                failures.append(_wrong(path, value, "a map"))
                return value
            checked = _record(table, value, path)
            failures.extend(checked.failures)
            value = checked.values
    if validator and len(failures) == before and not holds_unknown(value) and (wrong := validator(value)):
        failures.append(Failure(path, wrong))
    return value


def _scalar(kind: Scalar, value: Any, path: str, failures: list[Failure]) -> Any:  # noqa: ANN401 - raw input
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    right = {
        TEXT: isinstance(value, str),
        INTEGER: is_number and float(value).is_integer(),
        NUMBER: is_number,
        FLAG: isinstance(value, bool),
    }[kind]
    if not right:
        failures.append(_wrong(path, value, kind.said))
        return value
    return int(value) if kind is INTEGER else float(value) if kind is NUMBER else value


_SAID: Final = {bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", dict: "a map"}


def _wrong(path: str, value: object, expected: str) -> Failure:
    # The value itself is not told: it may be a secret.
    return Failure(path, f"got {_SAID.get(type(value), 'nothing')}, expected {expected}")


def holds_unknown(value: object) -> bool:
    """Tell whether a value is, or anywhere holds, UNKNOWN."""
    if isinstance(value, dict):
        return any(holds_unknown(held) for held in value.values())
    if isinstance(value, list):
        return any(holds_unknown(held) for held in value)
    return value is UNKNOWN


def join(path: str, name: str) -> str:
    """Add a name to a property path, in Pulumi's notation: `a.b`, `a["b.c"]`."""
    plain = name.replace("_", "").isalnum()
    if not path:
        return name if plain else f'["{name}"]'
    return f"{path}.{name}" if plain else f'{path}["{name}"]'


def compare(table: tuple[Field, ...], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Give every difference of compared properties, at its finest path."""
    return [
        change
        for entry in table
        if entry.compared and not (entry.chosen and new.get(entry.name) is None)
        for change in _differences(entry.type, old.get(entry.name), new.get(entry.name), entry.name, replace=entry.replace)
    ]


def _differences(kind: Type, old: Any, new: Any, path: str, *, replace: bool) -> Iterator[Change]:  # noqa: ANN401 - checked values
    if old == new and old is not UNKNOWN:
        return
    if old is None or new is None:
        yield Change(path, Kind.ADD if old is None else Kind.DELETE, replace)
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _differences(_under(kind, name), old.get(name), new.get(name), join(path, name), replace=replace)
    elif isinstance(old, list) and isinstance(new, list):
        for index, (was, becomes) in enumerate(zip_longest(old, new)):
            yield from _differences(_under(kind, ""), was, becomes, f"{path}[{index}]", replace=replace)
    else:
        yield Change(path, Kind.UPDATE, replace)


def _under(kind: Type, name: str) -> Type:
    match kind:
        case ListOf(item) | MapOf(item):
            return item
        case Record(_, table):
            return next((entry.type for entry in table if entry.name == name), TEXT)
        case Scalar():
            return kind


def echoed(table: tuple[Field, ...], inputs: Mapping[str, Any]) -> Values:
    """Give the inputs that belong in the state: those that the next diff compares."""
    return {entry.name: inputs[entry.name] for entry in table if entry.compared and entry.name in inputs}


def first_wrong(values: Iterable[Any], validator: Validator) -> str | None:
    """Give the first complaint of a validator about any of the values."""
    return next((wrong for value in values if (wrong := validator(value))), None)
