"""A PACS with one defect, and the checks that are made for it."""

from __future__ import annotations

import dataclasses

from mutants.blueprint import Blueprint, Edit, MutationError
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
    dead: tuple[str, ...] = ()
    """Groups of checks that ask for what this system serves nobody: none of them may pass."""
    alive: tuple[str, ...] = ()
    """Checks of those groups that may: they ask for what it serves still, or for nothing."""
    browser: bool = False
    """Whether it is made from the clinic in which people sign in in a browser, at the cost of two containers."""

    @property
    def whole(self) -> bool:
        """Whether it has no defect, so that every check must pass."""
        return not self.caught_by

    def made_from(self, blueprint: Blueprint) -> Blueprint:
        """Give the blueprint with the defect. Raises MutationError where that would be the same PACS, unless no defect is meant."""
        made = self.edit(blueprint)
        if not self.whole and made == blueprint:
            raise MutationError(f"mutant {self.name}: its edit changes nothing")
        return made


def unchanged(blueprint: Blueprint) -> Blueprint:
    """Leave it as it is."""
    return blueprint
