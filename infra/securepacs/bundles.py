"""Writing a peer's bundle: what it needs to prove itself and to know the archive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from securepacs.errors import HostError


def write_secret(path: Path, text: str) -> None:
    """Write a file of mode 0600 in the place of whatever is there; a link's target stays as it is. Raises OSError."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def write_bundle(folder: Path, peer: str, files: Mapping[str, str]) -> list[Path]:
    """Write cert.pem, key.pem and ca.pem to FOLDER/PEER, each of mode 0600; an empty one (a key that was never here) is left out.

    Raises HostError where the folder cannot be written.
    """
    place = folder / peer
    written = []
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            if not text:
                continue
            path = place / name
            write_secret(path, text)
            written.append(path)
    except OSError as error:
        raise HostError(str(place), got=str(error.strerror), expected="a folder that can be written") from None
    return written
