"""Reading properties without believing them: absent is a default, unknown stays unknown, and what has another type is unknown too.

Each reader is typed as what it gives when the value is known; an `Unknown` in its place raises at the first use.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from securepacs_policies.values import Undecided, Unknown, is_unknown, known

__all__ = ["Property", "from_base64", "told"]

Told = TypeVar("Told")


def told(compute: Callable[[], Told]) -> Told:
    """Give what is computed, or a value that is unknown where that needs one that is."""
    try:
        return compute()
    except Undecided as undecided:
        return cast("Told", Unknown(undecided.path))


#: What programs write for a flag or a number in places that take text.
_FLAGS = {"true": True, "false": False}


def from_base64(text: str) -> str:
    """Give the text that stands in base64; unknown where that is, or where it is no text."""

    def decode() -> str:
        try:
            return base64.b64decode(known(text), validate=True).decode()
        except ValueError:
            return ""

    return told(decode)


class Property:
    """A value of a resource's properties, and the path to it."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str = "") -> None:
        self.value = value
        self.path = path

    def __getitem__(self, name: str) -> Property:
        """Give what stands under a name; absent where there is nothing, unknown where that cannot be told."""
        path = f"{self.path}.{name}" if self.path else name
        if isinstance(self.value, dict):
            return Property(self.value.get(name), path)
        return Property(None if self.value is None else Unknown(self.path), path)

    def at(self, *names: str) -> Property:
        """Give what stands at the end of a row of names."""
        found = self
        for name in names:
            found = found[name]
        return found

    @property
    def absent(self) -> bool:
        """Whether nothing is said."""
        return self.value is None

    def given(self) -> bool:
        """Tell whether something is said; unknown where that cannot be told."""
        return cast("bool", self.value) if is_unknown(self.value) else self.value is not None

    @property
    def unknown(self) -> Any:  # noqa: ANN401 - it stands in the place of a value of any type
        """The value that raises at its first use."""
        return self.value if is_unknown(self.value) else Unknown(self.path)

    def items(self) -> list[Property]:
        """Give the items of a list; a value in place of a list raises when one goes through it."""
        if self.value is None:
            return []
        if isinstance(self.value, list):
            return [Property(item, f"{self.path}[{index}]") for index, item in enumerate(self.value)]
        return cast("list[Property]", self.unknown)

    def entries(self) -> Iterator[tuple[str, Property]]:
        """Yield names and values of an object. Raises Undecided where it is not known."""
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            yield from self.unknown
        for name in cast("dict[str, object]", self.value):
            yield name, self[name]

    def flag(self, default: bool = False) -> bool:  # noqa: FBT001, FBT002 - the value that an absent flag has
        """Give a flag."""
        if self.value is None:
            return default
        if isinstance(self.value, str):
            return cast("bool", _FLAGS.get(self.value.lower(), self.unknown))
        return self.value if isinstance(self.value, bool) else cast("bool", self.unknown)

    def text(self, default: str = "") -> str:
        """Give a text; a number is one too."""
        if self.value is None:
            return default
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return self.value if isinstance(self.value, str) else str(self.value) if isinstance(self.value, int | float) else self.unknown

    def number(self, default: float = 0) -> float:
        """Give a number; a text that is one counts."""
        if self.value is None:
            return default
        if isinstance(self.value, int | float | str) and not isinstance(self.value, bool):
            try:
                number = float(self.value)
            except (ValueError, OverflowError):
                number = math.nan
            if math.isfinite(number):
                return number
        return cast("float", self.unknown)

    def integer(self, default: int = 0) -> int:
        """Give a whole number."""
        return told(lambda: int(self.number(default)))

    def texts(self) -> tuple[str, ...]:
        """Give a list of texts; each may be unknown for itself."""
        return told(lambda: tuple(item.text() for item in self.items()))

    def mapping(self) -> dict[str, str]:
        """Give names and texts; each text may be unknown for itself."""
        return told(lambda: {name: value.text() for name, value in self.entries()})
