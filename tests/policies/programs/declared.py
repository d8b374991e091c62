"""What a program declares, as data: a unit test hands it to the rules, an engine's test registers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import FunctionType
from typing import Any, Final

#: As the engine writes it in a preview.
UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

#: A value that takes the property away.
ABSENT: Final = object()
#: An index that adds to a list.
APPEND: Final = -1
#: A name in place of a property's: the resource option `protect`.
PROTECT: Final = "(protect)"

Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class Declared:
    """One resource of a program."""

    type: str
    name: str
    properties: Mapping[str, Any]
    protect: bool = False


Program = Mapping[str, Declared]


def program(*resources: Declared) -> dict[str, Declared]:
    """Give a program by its resources' names."""
    return {resource.name: resource for resource in resources}


def _held(value: Any, step: str | int) -> Any:  # noqa: ANN401 - properties have any shape
    """Give what stands at a step of a path, made where there is nothing yet."""
    if isinstance(step, int):
        return value[step]
    if value.get(step) is None:
        value[step] = {}
    return value[step]


def _copied(value: Any) -> Any:  # noqa: ANN401 - properties have any shape
    """Copy dictionaries and lists; what is in them (a Pulumi output, say) stays itself."""
    if isinstance(value, Mapping):
        return {name: _copied(held) for name, held in value.items()}
    return [_copied(held) for held in value] if isinstance(value, list) else value


def changed(declared: Declared, path: Path, value: object) -> Declared:
    """Change one property. A function as value is given what stands there."""
    if path == (PROTECT,):
        return dataclasses.replace(declared, protect=bool(value))
    properties: dict[str, Any] = _copied(declared.properties)
    place: Any = properties
    for step in path[:-1]:
        place = _held(place, step)
    last = path[-1]
    if isinstance(value, FunctionType):
        value = value(place[last])
    if value is ABSENT:
        del place[last]
    elif last == APPEND:
        place.append(value)
    else:
        place[last] = value
    return dataclasses.replace(declared, properties=properties)
