"""What a planned change of a container means for those who use the clinic, in words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

#: Seconds that a restart of each part takes until it serves again, and that a swap for another container takes (measured).
SECONDS = {"archive": (3, 5), "gateway": (2, 3), "database": (4, 6), "viewer": (1, 2), "sign-in": (1, 2)}
_ANY_PART = (5, 8)

#: Who notices: whoever works with the clinic, or those in a browser only.
_OF_A_BROWSER = frozenset({"viewer", "sign-in"})


@dataclass(frozen=True)
class Consequence:
    """One row: the properties whose change means this, and the sentence. A container's first row that fits is told."""

    properties: frozenset[str]
    sentence: str


#: What is not named here needs a new container, so that the last row fits everything.
ROWS = (
    Consequence(frozenset({"reloadOn"}), "{part} takes over its files while it runs: nobody is interrupted"),
    Consequence(frozenset({"memoryMb", "cpus", "pids", "reloadOn"}), "{part} goes on while its limits change: nobody is interrupted"),
    Consequence(
        frozenset({"restartOn", "health", "name", "memoryMb", "cpus", "pids", "reloadOn"}),
        "{part} restarts: about {restart} s, {who} will retry",
    ),
)
REPLACED = "{part} is replaced: about {swap} s, {who} will retry; the old one comes back where the new one does not work"
REMOVED = "{part} is removed: {nobody} is served"


def consequence(operation: str, part: str, changed: Collection[str]) -> str | None:
    """Say what an operation on a part's container means; `changed` are paths of its properties. None where nobody can notice."""
    restart, swap = SECONDS.get(part, _ANY_PART)
    who, nobody = ("people in a browser", "nobody in a browser") if part in _OF_A_BROWSER else ("peers", "nobody")
    words = {"part": part, "restart": restart, "swap": swap, "who": who, "nobody": nobody}
    if operation in {"delete", "delete-replaced"}:
        return REMOVED.format(**words)
    if operation in {"replace", "create-replacement"}:
        return REPLACED.format(**words)
    if operation != "update":
        return None
    tops = {path.replace("[", ".", 1).split(".", 1)[0] for path in changed}
    sentence = next((row.sentence for row in ROWS if tops <= row.properties), REPLACED)
    return sentence.format(**words)
