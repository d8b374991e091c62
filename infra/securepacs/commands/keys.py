"""`securepacs rotate` and `securepacs revoke`: each writes its change into the stack's configuration, and brings the clinic there."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, get_args

import typer

from securepacs import inventory
from securepacs.clinic import Clinic, RevocationReason
from securepacs.commands import edits
from securepacs.commands.deployment import bring_up, config_path, declared, hold_before, outputs_of
from securepacs.commands.terminal import Config, Stack, Yes, consents, noted, stack_option, told
from securepacs.errors import ConfigurationError, NotFoundError, RefusedError
from securepacs.trust import authority_name

rotate = typer.Typer(
    no_args_is_help=True,
    help="Make a key or a password anew, while the clinic runs.\n\nExample: securepacs rotate server",
)

Later = Annotated[bool, typer.Option("--declare-only", help="Write it into the configuration, and leave `up` to later.")]


def _carry_out(stack: str, config: Path | None, change: edits.Change, *, later: bool, heeding: bool = True) -> Clinic:
    edit = edits.edit(config_path(stack, config), change)
    if not later:
        inventory.engine()  # where none answers, nothing is written
        if heeding:
            hold_before(stack, edit.content)
    edit.write()
    noted.print(f"{edit.path}: {edit.wrote}", highlight=False, soft_wrap=True)
    if not later:
        bring_up(stack, config, heeding=heeding)
    return edit.clinic


@rotate.command()
def server(stack: Stack = "dev", config: Config = None, later: Later = False) -> None:
    """Make the gateway's own keys and certificates anew. Peers notice nothing.

    Example: securepacs rotate server
    """
    _carry_out(stack, config, edits.count_rotation("server"), later=later)


@rotate.command()
def login(stack: Stack = "dev", config: Config = None, later: Later = False) -> None:
    """Make the password anew with which the gateway reaches the archive. The archive restarts.

    Example: securepacs rotate login
    """
    _carry_out(stack, config, edits.count_rotation("login"), later=later)


@rotate.command()
def peer(name: Annotated[str, typer.Argument(metavar="PEER")], stack: Stack = "dev", config: Config = None, later: Later = False) -> None:
    """Give a peer a new key and certificate. The old one goes on until it expires or is revoked, so that there is time to hand over.

    Example: securepacs rotate peer CT01
    """
    _, clinic = declared(stack, config)
    _signed_peer(clinic, name, "rotate peer")
    _carry_out(stack, config, edits.count_rotation("peers", name), later=later)
    told.print(f"now hand it over: securepacs bundle {name}{stack_option(stack)} --out bundles", highlight=False, soft_wrap=True)


def _hold_declared(kind: str, name: str, declared_names: list[str], nobody: str) -> None:
    """Raise NotFoundError where the clinic declares no such person or machine."""
    if name not in declared_names:
        known = ", ".join(sorted(declared_names)) or f"none, there is {nobody}"
        raise NotFoundError(f"{kind} '{name}'", got=f"no such {kind}", expected=f"one of {known}")


@rotate.command()
def person(name: Annotated[str, typer.Argument(metavar="USER")], stack: Stack = "dev", config: Config = None, later: Later = False) -> None:
    """Give a person a new password. The old one opens nothing any more.

    Example: securepacs rotate person vera
    """
    _, clinic = declared(stack, config)
    _hold_declared("person", name, [one.name for one in clinic.people], "nobody")
    _carry_out(stack, config, edits.count_rotation("people", name), later=later)
    told.print(f"now hand it over: securepacs password {name}{stack_option(stack)}", highlight=False, soft_wrap=True)


@rotate.command()
def machine(
    name: Annotated[str, typer.Argument(metavar="MACHINE")], stack: Stack = "dev", config: Config = None, later: Later = False
) -> None:
    """Give a machine a new token. The old one opens nothing any more.

    Example: securepacs rotate machine scanner
    """
    _, clinic = declared(stack, config)
    _hold_declared("machine", name, [one.name for one in clinic.machines], "none")
    _carry_out(stack, config, edits.count_rotation("machines", name), later=later)
    told.print(f"now hand it over: securepacs token {name}{stack_option(stack)} --out {name}.token", highlight=False, soft_wrap=True)


@rotate.command()
def ca(
    stack: Stack = "dev",
    config: Config = None,
    finish: Annotated[bool, typer.Option("--finish", help="End the overlap: what the old authority signed opens nothing then.")] = False,
    later: Later = False,
    yes: Yes = False,
) -> None:
    """Follow the certificate authority by a new one. Both are trusted until --finish, so that each peer can take its new bundle.

    Example: securepacs rotate ca
    """
    _, clinic = declared(stack, config)
    if not finish:
        clinic = _carry_out(stack, config, edits.begin_authority, later=later)
        peers = ", ".join(one.ae_title for one in clinic.with_tls())
        told.print(f"now hand a new bundle to each of {peers or 'no peers'}; the old ones work meanwhile", highlight=False, soft_wrap=True)
        told.print(f"when all have theirs: securepacs rotate ca --finish{stack_option(stack)}", highlight=False, soft_wrap=True)
        return
    if not later and clinic.authority.overlap:
        _hold_all_have_new(clinic, yes=yes)
    _carry_out(stack, config, edits.finish_authority, later=later)


def _hold_all_have_new(clinic: Clinic, *, yes: bool) -> None:
    """Ask before peers are locked out that the gateway has not seen with the new authority's certificate."""
    newest = authority_name(clinic, clinic.authority.generation)
    seen = inventory.authorities_seen(inventory.engine(), clinic)
    late = [one.ae_title for one in clinic.with_tls() if not one.certificate and seen.get(one.ae_title) != newest]
    if not late:
        return
    told.print(f"not seen yet with a certificate of '{newest}': {', '.join(late)}", highlight=False, soft_wrap=True)
    if not consents("They are locked out until they use their new bundle. Go on?", yes=yes):
        raise RefusedError(
            "rotate ca --finish", got=f"{len(late)} peers without their new bundle", expected="none, or --yes", do="nothing was changed"
        )


def _signed_peer(clinic: Clinic, name: str, command: str) -> None:
    """Hold a name to a peer whose certificate the clinic's authority signs."""
    known = {one.ae_title: one for one in clinic.peers}
    if name not in known:
        raise NotFoundError(f"peer '{name}'", got="no such peer", expected=f"one of {', '.join(sorted(known)) or 'none, there is no peer'}")
    if known[name].certificate or known[name].plaintext:
        has = "no TLS" if known[name].plaintext else "a certificate of its own"
        raise ConfigurationError(
            f"{command} {name}",
            got=f"a peer with {has}",
            expected="one whose certificate the clinic's authority signed",
            do="change the peer's entry in the configuration instead, or take it out",
        )


def revoke(
    name: Annotated[str, typer.Argument(metavar="PEER")],
    stack: Stack = "dev",
    config: Config = None,
    reason: Annotated[str, typer.Option("--reason", help=f"One of {', '.join(get_args(RevocationReason))}.")] = "keyCompromise",
    later: Later = False,
) -> None:
    """Revoke a peer's certificate: it opens nothing any more, and what the peer has open ends. The peer gets a new one.

    Example: securepacs revoke CT01 --reason keyCompromise
    """
    reasons: dict[str, RevocationReason] = {one: one for one in get_args(RevocationReason)}
    if reason not in reasons:
        raise ConfigurationError("--reason", got=repr(reason), expected=f"one of {', '.join(reasons)}")
    _, clinic = declared(stack, config)
    _signed_peer(clinic, name, "revoke")
    serial = outputs_of(stack)["certificates"][f"peer {name}"]["serial"]
    today = datetime.datetime.now(datetime.UTC).date()
    # A policy that is broken elsewhere does not keep a stolen key alive.
    _carry_out(stack, config, edits.revoke(name, serial, today, reasons[reason]), later=later, heeding=False)
    told.print(f"the new one: securepacs bundle {name}{stack_option(stack)} --out bundles", highlight=False, soft_wrap=True)
