"""What the files of the command line share: the two consoles, and the options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

#: What a command answers, and what it tells meanwhile.
told, noted = Console(), Console(stderr=True)

Stack = Annotated[str, typer.Option("--stack", "-s", help="The stack: one stack is one clinic.", envvar="SECUREPACS_STACK")]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="The stack's configuration; default Pulumi.STACK.yaml of the project.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def tell_mistake(error: BaseException) -> None:
    """Tell what a user is to know of an error, a line of it each."""
    for line in str(error).splitlines():
        noted.print(f"[red]error:[/red] {escape(line)}", highlight=False, soft_wrap=True)


def consents(question: str, *, yes: bool) -> bool:
    """Tell whether a person agrees: beforehand by --yes, or now at a terminal."""
    return yes or (typer.get_text_stream("stdin").isatty() and typer.confirm(question))


def stack_option(stack: str) -> str:
    """Give the option with which the next command reaches the same stack."""
    return "" if stack == "dev" else f" --stack {stack}"
