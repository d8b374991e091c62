"""What a run leaves behind for others to read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from securepacs_harness.results import Run


def check_folder(folder: Path, signing_key: Path | None) -> None:
    """Find out before a run whether its evidence can be written."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_bundle(run: Run, folder: Path, *, signing_key: Path | None = None, secrets: Collection[str] = ()) -> None:
    """Write it."""
    (folder / "results.json").write_text(run.model_dump_json(indent=2))
