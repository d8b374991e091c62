"""Writes docs/checks.md: the catalogue of packaged checks, from the checks themselves. `make docs` runs it."""

from __future__ import annotations

from itertools import groupby

from securepacs_harness.check import packaged
from securepacs_policies.controls import FRAMEWORKS, clauses_in_words

HEAD = """# What is checked

The packaged checks of `pacs-verify`, by subject. A check passes when its title is so; [docs/mutants.md](mutants.md) shows for each a
system on which it fails. The tier says how much it does to its target: *passive* looks, *safe* asks for what leaves nothing behind,
*write* stores a synthetic study and removes it, *load* makes others wait or locks this machine out for a while.

Generated from the code by `make docs`.
"""


def page() -> str:
    """Give the whole page."""
    parts = [HEAD]
    in_order = sorted(packaged().values(), key=lambda check: check.id)
    for group, checks in groupby(in_order, key=lambda check: check.group):
        parts.append(f"## {group}\n\n| Check | Tier | What is so when it passes | Controls | To mend it |\n| --- | --- | --- | --- | --- |")
        parts += [
            f"| `{check.id}` | {check.tier} | {check.title} | {', '.join(check.controls)}<br>{clauses_in_words(check.controls)} |"
            f" {check.remedy} |"
            for check in checks
        ]
        parts.append("")
    editions = "; ".join(f"{framework.id}: {framework.title}, {framework.edition}" for framework in FRAMEWORKS.values())
    parts += [f"Editions: {editions}.", ""]
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
