"""What can be judged at all."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.rule import Parameters, rule
from securepacs_policies.things import Unparsed, Unread
from securepacs_policies.values import known


@rule(
    "readable-resource",
    "What a resource declares can be read",
    why="A list that is only known when it is too late, or that is no list, hides whatever stands in it from every other rule.",
    remedy="Write the list in the program, in the shape that its provider documents; let single values in it depend on other resources.",
    severity="high",
    controls=("deployment-verification",),
    needs=("rest",),
)
def readable_resource(unread: Unread, _: Parameters) -> Iterator[str]:
    """Wait for what cannot be read; in a run, when it is too late to wait, that is the violation."""
    known(unread.rest)
    if unread.failed:
        yield f"it could not be read ({unread.failed}); that is a defect of the pack, please report it"


@rule(
    "readable-settings",
    "Settings can be read",
    why="Settings that no rule can read may say anything; a text that the product reads and nobody else is where a mistake hides.",
    remedy="Write Orthanc's settings as JSON, with comments if you like; look for a missing bracket, comma or quotation mark.",
    severity="medium",
    controls=("deployment-verification",),
    needs=("what",),
)
def readable_settings(unparsed: Unparsed, _: Parameters) -> Iterator[str]:
    """Yield a text that names settings and cannot be read."""
    yield f"it names {unparsed.what} and cannot be read as such"
