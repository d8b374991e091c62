"""`securepacs token`: a machine's token, for the terminal or for a file that its owner alone reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from securepacs.bundles import write_secret
from securepacs.commands.deployment import outputs_of
from securepacs.commands.terminal import Json, Stack, told
from securepacs.errors import ConfigurationError, HostError, NotFoundError


def token(
    machine: str,
    stack: Stack = "dev",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there (0600) instead; FILE is replaced.")] = None,
    as_json: Json = False,
) -> None:
    """Show a machine's token, on the terminal only, or write it into a file.

    Example: securepacs token scanner --out scanner.token
    """
    tokens = outputs_of(stack).get("tokens", {})
    if machine not in tokens:
        known = ", ".join(sorted(tokens)) or "none, there is none"
        raise NotFoundError(f"machine '{machine}'", got="no such machine", expected=f"one of {known}")
    text = json.dumps({"machine": machine, "token": tokens[machine]}) if as_json else tokens[machine]
    if out is None:
        print(text)
        return
    if out.is_dir():
        raise ConfigurationError("--out", got=f"{out}: a folder", expected="a file")
    try:
        write_secret(out, f"{text}\n")
    except OSError as error:
        raise HostError(str(out), got=str(error.strerror), expected="a file that can be written") from None
    told.print(str(out), highlight=False, soft_wrap=True)
