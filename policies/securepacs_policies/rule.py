"""What a rule is, and the table of all of them.

A rule is a function: it takes a thing and what is configured for it, and yields a sentence for each violation. It decides nothing
that it cannot know: where it touches a value that is not known yet, `Undecided` ends it, and it is asked again before the resource
is made.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from securepacs_policies.controls import CONTROLS
from securepacs_policies.things import Stack, Thing

__all__ = ["Finding", "Parameters", "Rule", "Severity", "catalogue", "rule"]

Severity = Literal["low", "medium", "high", "critical"]
Parameters = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Finding:
    """A violation: what is wrong, in one sentence, and on which resource; without one it is the whole stack's."""

    what: str
    thing: Thing | None = None


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule. `looks_at` is the kind of thing that it is given; a rule on `Stack` sees everything at once, at the run's end."""

    id: str
    title: str
    why: str
    remedy: str
    severity: Severity
    controls: tuple[str, ...]
    looks_at: type[Thing | Stack]
    needs: tuple[str, ...]
    """Fields of the thing without which it cannot decide; while one is not known it waits."""
    parameters: Mapping[str, Mapping[str, Any]]
    """JSON Schema of each parameter, with its default."""
    judge: Callable[[Any, Parameters], Iterable[str | Finding]]

    @property
    def subject(self) -> str:
        """The file that it stands in."""
        return self.judge.__module__.rpartition(".")[2]

    @property
    def of_stack(self) -> bool:
        """Whether it looks at the whole stack."""
        return self.looks_at is Stack

    def defaults(self) -> dict[str, Any]:
        """Give each parameter's default."""
        return {name: schema["default"] for name, schema in self.parameters.items()}


_rules: dict[str, Rule] = {}


def rule(
    id: str,
    title: str,
    *,
    why: str,
    remedy: str,
    severity: Severity,
    controls: tuple[str, ...],
    needs: tuple[str, ...],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[Callable[[Any, Parameters], Iterable[str | Finding]]], Callable[[Any, Parameters], Iterable[str | Finding]]]:
    """Enter a function into the table; the type of its first argument says what it looks at.

    Raises ValueError for an id that is taken, KeyError for a control that is in no catalogue.
    """

    def enter(judge: Callable[[Any, Parameters], Iterable[str | Finding]]) -> Callable[[Any, Parameters], Iterable[str | Finding]]:
        if id in _rules:
            raise ValueError(f"two rules are called {id}")
        for control in controls:
            CONTROLS[control]
        looks_at = judge.__globals__[next(iter(judge.__annotations__.values()))]
        _rules[id] = Rule(id, title, why, remedy, severity, controls, looks_at, needs, dict(parameters or {}), judge)
        return judge

    return enter


def catalogue() -> dict[str, Rule]:
    """Give every rule of the package by its id, in the order of their ids."""
    package = importlib.import_module("securepacs_policies.rules")
    for found in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{found.name}")
    return dict(sorted(_rules.items()))
