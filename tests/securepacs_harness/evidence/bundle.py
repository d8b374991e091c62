"""The evidence bundle: a folder with every form of a run and a manifest of digests, signed where a key is given."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from securepacs_harness.errors import EvidenceError
from securepacs_harness.evidence import WRITERS, signing
from securepacs_harness.evidence.manifest import MANIFEST, SIGNATURE, manifest_of
from securepacs_harness.evidence.redaction import redacted, refuse_secrets
from securepacs_harness.results import Run


def check_folder(folder: Path, signing_key: Path | None = None) -> None:
    """Find out before a run whether its evidence can be written and signed. Raises EvidenceError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise EvidenceError(f"{folder}: evidence cannot be written there ({error.strerror})") from None
    if signing_key:
        signing.read_key(signing_key)


def write_bundle(run: Run, folder: Path, *, signing_key: Path | None = None, secrets: Collection[str] = ()) -> None:
    """Write every form of the run, and the manifest last: without it a folder is no bundle.

    `secrets` (passwords, lines of keys, names of patients) stand in no file: what a target said is cleaned of them, and where one
    is still left nothing is written. Raises EvidenceError.
    """
    check_folder(folder)
    key = signing.read_key(signing_key) if signing_key else None
    run = redacted(run, secrets)
    written = {name: write(run).encode() for name, write in WRITERS.items()}
    manifest = manifest_of(run, written, key).model_dump_json(indent=2, exclude_none=True).encode() + b"\n"
    refuse_secrets({**written, MANIFEST: manifest}, secrets)
    try:
        for old in (MANIFEST, SIGNATURE):
            (folder / old).unlink(missing_ok=True)
        for name, content in written.items():
            _replace(folder / name, content)
        if key:
            _replace(folder / SIGNATURE, signing.sign(key, manifest))
        _replace(folder / MANIFEST, manifest)
    except OSError as error:
        raise EvidenceError(f"{folder}: evidence cannot be written there ({error.strerror})") from None


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place whole; only its owner reads it, for it tells where a system is open."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(content)
    unfinished.replace(path)
