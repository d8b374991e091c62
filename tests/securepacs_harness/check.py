"""What a check is: its id, what it claims, how much it does to its target, and which controls it gives evidence for."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import pytest

from securepacs_harness.errors import CatalogueError
from securepacs_harness.results import Tier
from securepacs_policies.controls import CONTROLS

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*")

#: Name of pytest's marker that carries a Check.
MARK: Final = "pacs_check"


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One entry of the catalogue. `id` is GROUP.NAME; `title` says what is so when it passes; `remedy` what to do when it does not."""

    id: str
    title: str
    tier: Tier
    controls: tuple[str, ...]
    remedy: str

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]


_Function = TypeVar("_Function", bound=Callable[..., Any])

_KNOWN: dict[str, tuple[Check, str]] = {}


def check(
    id: str,
    title: str,
    *,
    tier: Tier | str = Tier.SAFE,
    controls: tuple[str, ...] = (),
    remedy: str = "",
) -> Callable[[_Function], _Function]:
    """Make a check of a pytest function. Raises CatalogueError for an id that is malformed or taken, a control or tier that is not there.

    >>> @check("own.research", "The research node may not move images", controls=("peer-rights",))
    ... def test_research(control, peer): ...
    """
    if not _ID.fullmatch(id):
        raise CatalogueError(f"check '{id}': got a malformed id, expected GROUP.NAME in small letters, digits and hyphens")
    unknown = [control for control in controls if control not in CONTROLS]
    if unknown:
        raise CatalogueError(f"check '{id}': got the controls {', '.join(unknown)}, which the catalogue of controls does not have")
    if tier not in tuple(Tier):
        raise CatalogueError(f"check '{id}': got the tier '{tier}', expected one of {', '.join(Tier)}")
    made = Check(id, title, Tier(tier), controls, remedy)

    def decorate(function: _Function) -> _Function:
        place = f"{function.__module__}.{function.__qualname__}"
        taken = _KNOWN.get(id)
        if taken and taken[1] != place:
            raise CatalogueError(f"check '{id}': {place} declares it, and so does {taken[1]}")
        _KNOWN[id] = (made, place)
        marked: _Function = getattr(pytest.mark, MARK)(made)(function)
        return marked

    return decorate


def packaged() -> Mapping[str, Check]:
    """Give the checks that come with the harness, by id, in the order of their files."""
    from securepacs_harness import checks

    for module in sorted(pkgutil.iter_modules(checks.__path__), key=lambda found: found.name):
        if module.name.startswith("test_"):
            importlib.import_module(f"{checks.__name__}.{module.name}")
    return {id: made for id, (made, place) in _KNOWN.items() if place.startswith(f"{checks.__name__}.")}
