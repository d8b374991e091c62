"""Which products run inside a part, by their command lines, and the configuration files that those name."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Sequence
from typing import Final

from securepacs_harness.probes.inside import Inside

#: Product -> the endings of its configuration files in a folder that its command line names.
PRODUCTS: Final = {"orthanc": (".json",), "haproxy": (".cfg",), "dcmqrscp": (".cfg",)}
#: Of a product that needs no file on its command line: where it looks by itself.
_BY_ITSELF: Final = {"dcmqrscp": ("/etc/dcmtk/dcmqrscp.cfg",)}
#: Comments of JSON as Orthanc reads it; what stands in one is no setting. A string that holds `//` is left whole.
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Configured:
    """A running product and its configuration's files: path -> text, '' where it cannot be read."""

    product: str
    files: dict[str, str]


def product_of(words: Sequence[str]) -> str | None:
    """Give the product that a command line runs, also behind an init or a wrapper."""
    names = [posixpath.basename(word).lower() for word in words if not word.startswith("-")]
    return next((name for name in names if name in PRODUCTS), None)


def places_of(words: Sequence[str], product: str) -> tuple[str, ...]:
    """Give the files and folders that a command line names, the program itself left out."""
    named = tuple(word for word in words if word.startswith("/") and posixpath.basename(word).lower() != product)
    inits = tuple(word for word in named if posixpath.basename(word) not in {"docker-init", "tini", "dumb-init", "env", "sh", "bash"})
    return inits or _BY_ITSELF.get(product, ())


def without_comments(text: str) -> str:
    """Take the comments out of a JSON text."""
    return _COMMENT.sub(lambda found: found[1] or "", text)


def configured(inside: Inside) -> list[Configured]:
    """Give the products of a part with their configuration; a product that runs in several processes is given once."""
    found: dict[str, dict[str, str]] = {}
    for words in inside.commands():
        product = product_of(words)
        if product is None or product in found:
            continue
        files = [
            entry.path
            for place in places_of(words, product)
            for entry in inside.entries(place)
            if entry.kind.startswith("regular") and entry.path.endswith(PRODUCTS[product])
        ]
        read = {path: inside.read(path) for path in dict.fromkeys(files)}
        found[product] = {path: without_comments(text) if product == "orthanc" else text for path, text in read.items()}
    return [Configured(product, files) for product, files in found.items()]
