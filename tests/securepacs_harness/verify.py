"""`pacs-verify`: the packaged checks against one target, with a progress display and a summary that a person reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from securepacs_harness.results import Tier

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def verify(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Target file (.toml or .json) that declares the PACS.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the evidence bundle there.")] = None,
    bundles: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of bundles (default: bundles beside TARGET).")] = None,
    passwords: Annotated[Path | None, typer.Option(metavar="FILE", help='JSON {"USER": "PASSWORD"}, mode 0600.')] = None,
    tier: Annotated[Tier, typer.Option(help="How much may be done to the target.")] = Tier.SAFE,
) -> None:
    """Prove what a PACS refuses."""
    given = {"--pacs-target": target, "--pacs-out": out, "--pacs-bundles": bundles, "--pacs-passwords": passwords, "--pacs-tier": tier}
    options = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    plain = ["--pyargs", "securepacs_harness.checks", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "-c", "/dev/null"]
    raise typer.Exit(int(pytest.main([*plain, *options])))


def main() -> None:
    """Run the command."""
    sys.exit(app())
