"""A PACS with one defect, and the checks that are made for it."""

from __future__ import annotations

import dataclasses

from mutants.blueprint import Blueprint, Edit
from securepacs_harness.results import Tier


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One defect: what is wrong, how it is made, and which checks must find it (each of them)."""

    name: str
    defect: str
    caught_by: tuple[str, ...]
    edit: Edit
    tier: Tier = Tier.WRITE
    only: str = ""
    """Patterns of the checks that are made, where the others would take too long on such a system."""
    conclusive: bool = True
    """Whether the checks must find it; of a system that serves nobody they can only say that nothing was shown."""


def unchanged(blueprint: Blueprint) -> Blueprint:
    """Leave it as it is."""
    return blueprint
