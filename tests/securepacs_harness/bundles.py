"""Certificates and keys: the folder of bundles, read."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

from securepacs_harness.errors import BundleError

_PARTS = ("cert.pem", "key.pem", "ca.pem")


@dataclasses.dataclass(frozen=True, slots=True)
class Material:
    """What a client proves itself by: `cert` (with its chain, if any), its `key`, and the authority it trusts. All PEM files."""

    name: str
    cert: Path
    key: Path
    ca: Path


@dataclasses.dataclass(frozen=True, slots=True)
class Bundles:
    """A folder with PEER/cert.pem, PEER/key.pem and PEER/ca.pem (key readable by its owner only)."""

    folder: Path

    def material(self, name: str, kind: str | None = None) -> Material:
        """Give a peer's bundle; with `kind` that of BUNDLES/_KIND/PEER (such as _expired, _revoked). Raises BundleError."""
        place = self.folder / f"_{kind}" / name if kind else self.folder / name
        for part in _PARTS:
            if not (place / part).is_file():
                raise BundleError(f"{place / part}: is missing; a bundle has {', '.join(_PARTS)}")
        mode = stat.S_IMODE((place / "key.pem").stat().st_mode)
        if mode & 0o077:
            raise BundleError(f"{place / 'key.pem'}: got mode {mode:04o}, expected 0600 or less; run chmod 600 on it")
        return Material(name, *(place / part for part in _PARTS))

    def has(self, name: str, kind: str | None = None) -> bool:
        """Tell whether there is such a bundle."""
        return ((self.folder / f"_{kind}" / name if kind else self.folder / name) / "cert.pem").is_file()


def write_bundle(folder: Path, name: str, *, cert: str, key: str, ca: str) -> Material:
    """Write a bundle in the form above, files 0600."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for part, text in zip(_PARTS, (cert, key, ca), strict=True):
        path = folder / part
        path.touch(mode=0o600)
        path.write_text(text, encoding="ascii")
    return Material(name, *(folder / part for part in _PARTS))
