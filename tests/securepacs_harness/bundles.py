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
    issued: Path | None = None
    """Folder of certificates that the run itself had signed, as _KIND/PEER; looked at first."""

    def _place(self, name: str, kind: str | None) -> Path:
        if kind is None:
            return self.folder / name
        own = self.issued / f"_{kind}" / name if self.issued else None
        return own if own and own.is_dir() else self.folder / f"_{kind}" / name

    def material(self, name: str, kind: str | None = None) -> Material:
        """Give a peer's bundle; with `kind` that of BUNDLES/_KIND/PEER (such as _expired, _revoked). Raises BundleError."""
        place = self._place(name, kind)
        for part in _PARTS:
            if not (place / part).is_file():
                raise BundleError(f"{place / part}: is missing; a bundle has {', '.join(_PARTS)}")
        mode = stat.S_IMODE((place / "key.pem").stat().st_mode)
        if mode & 0o077:
            raise BundleError(f"{place / 'key.pem'}: got mode {mode:04o}, expected 0600 or less; run chmod 600 on it")
        return Material(name, *(place / part for part in _PARTS))

    def has(self, name: str, kind: str | None = None) -> bool:
        """Tell whether there is such a bundle, whole: a peer that keeps its key to itself has none."""
        return all((self._place(name, kind) / part).is_file() for part in _PARTS)


def write_bundle(folder: Path, name: str, *, cert: str, key: str, ca: str) -> Material:
    """Write a bundle in the form above, files 0600."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for part, text in zip(_PARTS, (cert, key, ca), strict=True):
        path = folder / part
        path.touch(mode=0o600)
        path.write_text(text, encoding="ascii")
    return Material(name, *(folder / part for part in _PARTS))
