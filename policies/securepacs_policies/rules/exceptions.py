"""Exceptions from the rules themselves."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.rule import Finding, Parameters, rule
from securepacs_policies.things import Stack


@rule(
    "exception-without-end",
    "A rule is turned off with a reason, an owner and a last day",
    why="An exception without an end is a rule that is gone, and nobody remembers who took it.",
    remedy="Write `exceptions: [{reason, owner, until}]` beside the rule, no more than a year ahead; `resources` narrows it.",
    severity="high",
    controls=("waiver-governance",),
    needs=("exceptions",),
)
def exception_without_end(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each exception that does not count: for want of a reason, an owner or a day, or because the day is past."""
    for problem in stack.exceptions:
        yield Finding(problem)
