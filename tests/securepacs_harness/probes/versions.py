"""Which version of a product runs: asked for as its own interface tells it, or inside. No known weakness is ever tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

#: Ways to see a version inside a part, by product: commands whose output holds it. The first that answers counts.
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "orthanc": ("Orthanc --version", "dpkg-query -W -f '${Version}' orthanc"),
    "haproxy": ("haproxy -v", "dpkg-query -W -f '${Version}' haproxy"),
    "dcmtk": ("dcmqrscp --version", "dpkg-query -W -f '${Version}' dcmtk"),
    "postgresql": ("postgres --version", "sh -c '/usr/lib/postgresql/*/bin/postgres --version'"),
    "nginx": ("nginx -v",),
    "openssl": ("openssl version", "dpkg-query -W -f '${Version}' libssl3t64"),
}

_NUMBERS = re.compile(r"(\d+(?:\.\d+){1,3})")


def numbers(text: str) -> tuple[int, ...] | None:
    """Give the first version in a text as numbers: "Orthanc version: 1.12.11" -> (1, 12, 11); None where there is none."""
    found = _NUMBERS.search(text)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def written(version: tuple[int, ...]) -> str:
    """Write a version with points."""
    return ".".join(map(str, version))


def at_least(seen: tuple[int, ...], floor: tuple[int, ...]) -> bool:
    """Tell whether a version is at or above its floor; missing parts count as zero."""
    length = max(len(seen), len(floor))
    return seen + (0,) * (length - len(seen)) >= floor + (0,) * (length - len(floor))
