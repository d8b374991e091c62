"""A violation in words: what, where, which control, how to mend it, where to read on."""

from __future__ import annotations

from securepacs_policies.controls import clauses_in_words
from securepacs_policies.judge import Violation
from securepacs_policies.rule import Rule

__all__ = ["controls_in_words", "page_of", "told"]

#: The frameworks whose clauses a message names; docs/controls.md has all.
_SHOWN = ("HIPAA", "800-53")


def page_of(rule: Rule) -> str:
    """Give the rule's page in the documentation."""
    return f"docs/rules/{rule.id}.md"


def controls_in_words(rule: Rule) -> str:
    """Name a rule's controls, and the clauses that they answer."""
    clauses = clauses_in_words(rule.controls, _SHOWN)
    return f"{', '.join(rule.controls)} ({clauses})" if clauses else ", ".join(rule.controls)


def told(violation: Violation) -> str:
    """Tell a violation in a few lines, the first of which says what is wrong."""
    rule = violation.rule
    lines = [
        f"{violation.what[:1].upper()}{violation.what[1:]}.",
        f"  rule     {rule.id}: {rule.title}",
        f"  where    {violation.where}",
        f"  control  {controls_in_words(rule)}",
        f"  mend     {rule.remedy}",
        f"  more     {page_of(rule)}",
    ]
    if violation.exception:
        excuse = violation.exception
        lines.append(f"  excused  until {excuse.until} by {excuse.owner}: {excuse.reason}")
    return "\n".join(lines)
