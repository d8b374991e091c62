"""The manifest of an evidence bundle: the digest of every file. It is written last and read first."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from securepacs_harness.errors import EvidenceError
from securepacs_harness.evidence import signing
from securepacs_harness.results import Run

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: A name in the bundle's own folder: no path leads out of it.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Told):
    """One file: the SHA-256 of its content, lower-case hexadecimal, and its length."""

    sha256: Digest
    bytes: int


class SignedBy(_Told):
    """Where the detached signature of the manifest stands, and with which key it was made."""

    file: Literal["manifest.sig"] = "manifest.sig"
    algorithm: str
    public_key_sha256: Digest
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER)."""


class Manifest(_Told):
    """What a bundle consists of, and of which run."""

    form: Literal[1] = 1
    tool: str
    target: str
    declaration_sha256: str
    ended: datetime.datetime
    exit_code: int
    files: dict[FileName, Entry]
    signature: SignedBy | None = None


def manifest_of(run: Run, written: Mapping[str, bytes], key: signing.Key | None) -> Manifest:
    """Make the manifest of a run's files."""
    return Manifest(
        tool=f"{run.tool} {run.version}",
        target=run.target.name,
        declaration_sha256=run.target.declaration,
        ended=run.ended,
        exit_code=run.exit_code,
        files={name: Entry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content)) for name, content in written.items()},
        signature=SignedBy(algorithm=signing.algorithm(key), public_key_sha256=signing.fingerprint(key.public_key())) if key else None,
    )


def problems_of(folder: Path, public_key: Path | None = None) -> list[str]:
    """Hold a bundle against its manifest, and the manifest against its signature; give what does not match, nothing for a sound one."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        manifest = Manifest.model_validate_json(raw)
    except (OSError, ValidationError):
        return [f"{folder / MANIFEST}: is missing or no manifest: the bundle is not whole"]
    found = [problem for name, entry in manifest.files.items() if (problem := _problem_of(folder / name, entry))]
    known = {*manifest.files, MANIFEST, *([SIGNATURE] if manifest.signature else [])}
    found += [f"{path}: is not of the bundle" for path in sorted(folder.iterdir()) if path.name not in known]
    if manifest.signature and not (folder / SIGNATURE).is_file():
        found.append(f"{folder / SIGNATURE}: is missing")
    elif public_key:
        found += _signature_problems(folder, raw, manifest.signature, public_key)
    return found


def _problem_of(path: Path, told: Entry) -> str:
    if not path.is_file():
        return f"{path}: is missing"
    content = path.read_bytes()
    if len(content) != told.bytes:
        return f"{path}: was changed after it was written: got {len(content)} bytes, expected {told.bytes}"
    return "" if hashlib.sha256(content).hexdigest() == told.sha256 else f"{path}: was changed after it was written"


def _signature_problems(folder: Path, manifest: bytes, told: SignedBy | None, public_key: Path) -> list[str]:
    try:
        key = signing.read_public_key(public_key)
    except EvidenceError as error:
        return [str(error)]
    if told is None:
        return [f"{folder / MANIFEST}: was not signed"]
    if told.public_key_sha256 != signing.fingerprint(key):
        return [f"{folder / MANIFEST}: got the signature of the key {told.public_key_sha256}, expected that of {signing.fingerprint(key)}"]
    if not signing.is_signature(key, (folder / SIGNATURE).read_bytes(), manifest):
        return [f"{folder / SIGNATURE}: is not this key's signature of the manifest"]
    return []
