"""`securepacs database`: writes into the stack's configuration where the index is to be, and moves it there."""

from __future__ import annotations

from typing import Annotated

import typer

from securepacs import inventory
from securepacs.clinic import CONFIG_KEY, DATABASES
from securepacs.commands import edits
from securepacs.commands.deployment import config_path, declared, hold_before, place_of
from securepacs.commands.terminal import Config, Stack, noted, told
from securepacs.errors import ConfigurationError
from securepacs.index import place as index_place
from securepacs.index.move import Move

Forget = Annotated[bool, typer.Option("--forget-old", help="Remove the old index that an earlier move kept.")]


def database(
    kind: Annotated[str, typer.Argument(metavar="sqlite|postgresql", help="Where the index is to be.")],
    stack: Stack = "dev",
    config: Config = None,
    forget_old: Forget = False,
) -> None:
    """Move the archive's index to another database, and prove that nothing was lost. The archive is away meanwhile.

    Example: securepacs database postgresql --stack dev
    """
    if kind not in DATABASES:
        raise ConfigurationError("database", got=f"'{kind}'", expected=" or ".join(DATABASES))
    path = config_path(stack, config)
    _, before = declared(stack, config)
    client = inventory.engine()
    if forget_old:
        if kind != before.database:
            raise ConfigurationError(f"{CONFIG_KEY}.database", got=f"'{before.database}'", expected=f"'{kind}'", do="move the index first")
        index_place.forget_old(client, before, stack)
        told.print("the old index is removed", highlight=False)
        return
    edit = edits.edit(path, edits.name_database(kind))
    hold_before(stack, edit.content)
    if kind != before.database:
        _write(edit)
    content, clinic = declared(stack, config)
    try:
        proved = Move(place_of(stack, content), content, clinic, client).run()
    except BaseException:
        # It was put back, or never touched: the file says so too.
        if kind != before.database and not index_place.is_in_place(client, clinic, stack):
            _write(edits.edit(path, edits.name_database(before.database)))
        raise
    if proved is None:
        told.print(f"the index is in {kind} already", highlight=False)
        return
    counts = ", ".join(f"{name} {value}" for name, value in proved.items())
    told.print(f"moved, row by row the same: {counts}", highlight=False, soft_wrap=True)
    kept = index_place.where_the_old_is(clinic)
    told.print(f"the old index is kept in {kept}; `securepacs database {kind} --forget-old` removes it", highlight=False, soft_wrap=True)


def _write(edit: edits.Edit) -> None:
    edit.write()
    noted.print(f"{edit.path}: {edit.wrote}", highlight=False, soft_wrap=True)
