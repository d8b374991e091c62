"""`securepacs`: the command line. Each command reads, asks a module that knows, and tells."""

from __future__ import annotations

import datetime
import errno
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import tomli_w
import typer
from pulumi import automation
from rich.table import Column, Table

from securepacs import inventory
from securepacs.bundles import write_bundle
from securepacs.clinic import clinic_schema
from securepacs.commands import database as cli_database
from securepacs.commands import keys as cli_keys
from securepacs.commands import provider as cli_provider
from securepacs.commands import verify as cli_verify
from securepacs.commands.deployment import (
    bring_up,
    check_host,
    declared,
    hold_to_policies,
    outputs_of,
    place_of,
    tell_excused,
    whole_numbers,
)
from securepacs.commands.progress import Progress
from securepacs.commands.terminal import Config, Json, Stack, Yes, consents, noted, stack_option, tell_mistake, told
from securepacs.errors import ConfigurationError, ExpiryError, NotFoundError, RefusedError, SecurePacsError
from securepacs.failures import engine_failed, known_failure
from securepacs.gateway import slug
from securepacs.identity_provider import IdentityProvider
from securepacs.index.errand import sweep
from securepacs.policies import Policies, policy_settings
from securepacs.provider.adapter import whole_schema
from securepacs.state import recovery
from securepacs.state.pending import forget_half_made
from securepacs.state.workspace import workspace

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="One clinic's picture archive: deployed, refused to strangers, and looked after.",
)

app.add_typer(cli_keys.rotate, name="rotate")
app.command()(cli_keys.revoke)
app.command()(cli_database.database)
app.command()(cli_verify.verify)
app.command()(cli_provider.provider)


@app.command()
def up(stack: Stack = "dev", config: Config = None, as_json: Json = False) -> None:
    """Deploy the clinic, or bring it to what its configuration says.

    Example: securepacs up --stack dev
    """
    done = bring_up(stack, config)
    target = done.target
    if as_json:
        endpoints = {
            "dicom": target["dicom"],
            "https": target["https"]["base_url"],
            "changes": dict(done.progress.done),
            "consequences": done.progress.consequences,
            "excused": done.progress.excused,
            "seconds": round(done.seconds, 1),
        }
        told.print_json(json.dumps(endpoints))
        return
    _tell_first_expiry(done.certificates)
    renewed = [peer for peer in target["peers"] if any(name.endswith(f"-peer-{slug(peer)}") for name in done.progress.renewed)]
    if renewed:
        told.print(f"hand over new bundles to {', '.join(renewed)}: the old ones work until they expire or are revoked", soft_wrap=True)
    _tell_next_step(stack, target, done.clinic.sign_in.oidc)


def _tell_first_expiry(certificates: dict[str, dict[str, str]]) -> None:
    """Say until when nobody is locked out by a date, if nothing is done."""
    what, facts = min(certificates.items(), key=lambda item: item[1]["notAfter"])
    told.print(
        f"VALID  until {facts['notAfter'][:10]}  first to expire: {what}; an `up` in its last days renews it",
        highlight=False,
        soft_wrap=True,
    )


def _who_reads(users: dict[str, Any], option: str, provider: IdentityProvider | None) -> str:
    """Name somebody who may look at images, and how they sign in."""
    if provider:
        return f"as anybody with a role at {provider.name}"
    reader = min(users, key=lambda user: users[user]["role"] == "admin")
    return f"as {reader}: securepacs password {reader}{option}"


def _tell_next_step(stack: str, target: dict[str, Any], provider: IdentityProvider | None) -> None:
    dicom = target["dicom"]
    option = stack_option(stack)
    told.print(f"DICOM  {dicom['host']}:{dicom['port']}  AE title {dicom['ae_title']}  (mutual TLS)", highlight=False)
    told.print(f"HTTPS  {target['https']['base_url']}", highlight=False)
    if "viewer" in target["inside"]:
        port = target["https"]["base_url"].rpartition(":")[2]
        place = f"https://{target['https']['server_name']}:{port}"
        told.print(f"IMAGES {place}  {_who_reads(target['https']['users'], option, provider)}", highlight=False)
    storing = next(
        (peer for peer, rights in target["peers"].items() if {"echo", "store"} <= set(rights["verbs"]) and "plaintext" not in rights), None
    )
    if storing:
        told.print("Next, as that peer:", highlight=False)
        told.print(f"  securepacs bundle {shlex.quote(storing)}{option} --out bundles", highlight=False)
        of_peer = f"bundles/{shlex.quote(storing)}"
        told.print(
            f"  echoscu -aet {shlex.quote(storing)} -aec {shlex.quote(dicom['ae_title'])} +tls {of_peer}/key.pem {of_peer}/cert.pem"
            f" +cf {of_peer}/ca.pem {dicom['host']} {dicom['port']}",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
def preview(stack: Stack = "dev", config: Config = None, as_json: Json = False) -> None:
    """Say what `up` would do, and do none of it.

    Example: securepacs preview --stack dev
    """
    content, clinic = declared(stack, config)
    settings = policy_settings(content)
    place = place_of(stack, content)
    check_host(stack, clinic)
    noted.print(f"[bold]{clinic.name}[/bold]: what `up` would do to the stack '{stack}'")
    progress = Progress(noted, preview=True)
    try:
        existing = place.open()
    except automation.CommandError as error:
        raise engine_failed(progress, error) from None
    hold_to_policies(existing, Policies(place, content, settings), progress)
    if as_json:
        ahead = {"changes": dict(progress.done), "consequences": progress.consequences, "excused": progress.excused}
        told.print_json(json.dumps(ahead))
        return
    tell_excused(progress)
    told.print(progress.summary(), highlight=False)
    for means in progress.consequences:
        told.print(means, highlight=False, soft_wrap=True)


@app.command()
def down(
    stack: Stack = "dev",
    config: Config = None,
    delete_data: Annotated[
        str, typer.Option("--delete-data", metavar="CLINIC", help="Give up all studies too; takes the clinic's name.")
    ] = "",
    yes: Yes = False,
) -> None:
    """Take the clinic down. Its studies stay in their volume, and a later `up` finds them.

    Example: securepacs down --stack dev
    """
    content, clinic = declared(stack, config, signs=False)
    if delete_data and delete_data != clinic.name:
        raise RefusedError(
            "--delete-data", got=f"'{delete_data}'", expected=f"the clinic's name, '{clinic.name}'", do="nothing was changed"
        )
    if not consents(f"Take down {clinic.name} (stack '{stack}')?", yes=yes):
        raise RefusedError("down", got="no consent", expected="--yes, or 'y' when asked", do="nothing was changed")
    progress = Progress(noted)
    place = place_of(stack, content)
    client = inventory.engine()
    sweep(client, clinic.name)
    try:
        existing = place.open_existing()
        forget_half_made(place)
        existing.destroy(on_event=progress, color="never", suppress_outputs=True, show_secrets=False)
    except automation.CommandError as error:
        raise engine_failed(progress, error) from None
    noted.print(f"[green]down[/green]: {progress.summary()}")
    kept = [volume for volume in inventory.data_volumes(clinic) if inventory.volume_of(client, volume, stack)]
    if delete_data:
        for volume in kept:
            inventory.remove_volume(client, volume, stack)
        existing.workspace.remove_stack(stack)
        told.print(f"the studies were {f'removed with {_volumes(kept)}' if kept else 'gone already'}", highlight=False, soft_wrap=True)
    else:
        told.print(f"the studies are kept in {_volumes(kept)}; --delete-data {clinic.name} gives them up", highlight=False, soft_wrap=True)


def _volumes(names: list[str]) -> str:
    return f"the volume{'s' if len(names) > 1 else ''} {' and '.join(names)}"


@app.command()
def recover(
    stack: Stack = "dev",
    new_authority: Annotated[bool, typer.Option("--new-authority", help="Give up a state that no passphrase opens any more.")] = False,
    yes: Yes = False,
) -> None:
    """Find a clinic whose state was lost or damaged: put the newest good state back, or begin anew on its studies.

    Example: securepacs recover --stack dev
    """
    place, client = workspace(stack), inventory.engine()
    finding = recovery.look(place, client)
    told.print(recovery.table(finding))
    told.print(recovery.told(finding), highlight=False)
    way = recovery.way(finding, new_authority=new_authority)
    if way is recovery.Way.BEGIN_ANEW and not consents(recovery.QUESTION, yes=yes):
        raise RefusedError("recover", got="no consent to new keys", expected="--yes, or 'y' when asked", do="nothing was changed")
    for line in recovery.carry_out(way, finding, place, client):
        told.print(line, highlight=False, soft_wrap=True)


@app.command()
def status(
    stack: Stack = "dev",
    as_json: Json = False,
    check: Annotated[
        int, typer.Option("--check", metavar="DAYS", help="End with status 8 where something expires within so many days.")
    ] = 0,
) -> None:
    """Show what runs, how long each certificate lasts, and how much is stored.

    Example: securepacs status --check 14
    """
    outputs = outputs_of(stack)
    client = inventory.engine()
    name = outputs["target"]["name"]
    now = datetime.datetime.now(datetime.UTC)
    running = inventory.containers(client, stack)
    certificates = {
        what: {**facts, "daysLeft": (datetime.datetime.fromisoformat(facts["notAfter"]) - now).days}
        for what, facts in sorted(outputs["certificates"].items())
    }
    stored = inventory.stored_mb(client, name)
    if as_json:
        shown = {"name": name, "containers": [vars(c) for c in running], "certificates": certificates, "storedMb": stored}
        told.print_json(json.dumps(shown))
        _hold_in_date(certificates, check)
        return
    containers = Table("container", "state", "health", "since", title=name)
    for c in running:
        containers.add_row(c.name, c.state, c.health, c.started[:19])
    told.print(containers)
    lasting = Table("certificate", "days left", "until", Column("serial", overflow="fold"))
    for what, facts in certificates.items():
        soon = "[red]" if facts["daysLeft"] < _SOON_DAYS else ""
        lasting.add_row(what, f"{soon}{facts['daysLeft']}", facts["notAfter"], facts.get("serial", ""))
    told.print(lasting)
    told.print(f"stored: {'unknown, the archive does not run' if stored is None else f'{stored} MB'}", highlight=False)
    _hold_in_date(certificates, check)


#: What ends sooner is shown in red: an `up` should have renewed it by then.
_SOON_DAYS = 14


def _hold_in_date(certificates: dict[str, dict[str, Any]], days: int) -> None:
    """Raise ExpiryError for what expires within so many days."""
    soon = [f"{what} in {facts['daysLeft']} days" for what, facts in certificates.items() if facts["daysLeft"] < days]
    if soon:
        raise ExpiryError(
            "certificates", got=f"{', '.join(soon)}", expected=f"{days} days and more", do="run `securepacs up`, which renews them"
        )


@app.command()
def bundle(
    peer: str, out: Annotated[Path, typer.Option("--out", help="A folder; the bundle goes to OUT/PEER.")], stack: Stack = "dev"
) -> None:
    """Write what a peer needs: cert.pem, key.pem, ca.pem, for its owner's eyes only (0600).

    Example: securepacs bundle CT01 --out bundles
    """
    bundles = outputs_of(stack)["bundles"]
    if peer not in bundles:
        raise NotFoundError(f"peer '{peer}'", got="no such peer with a certificate", expected=f"one of {', '.join(sorted(bundles))}")
    for path in write_bundle(out, peer, bundles[peer]):
        told.print(str(path), highlight=False, soft_wrap=True)


@app.command()
def password(user: str, stack: Stack = "dev", as_json: Json = False) -> None:
    """Show a person's password, on the terminal only.

    Example: securepacs password vera
    """
    passwords = outputs_of(stack)["passwords"]
    if user not in passwords:
        raise NotFoundError(f"person '{user}'", got="no such person", expected=f"one of {', '.join(sorted(passwords))}")
    print(json.dumps({"user": user, "password": passwords[user]}) if as_json else passwords[user])


@app.command()
def target(out: Annotated[Path, typer.Option("--out", help="FILE.toml or FILE.json.")], stack: Stack = "dev") -> None:
    """Write the target file: what the system promises, for the harness that tests it. It holds no secret.

    Example: securepacs target --out target.toml
    """
    writers = {".toml": tomli_w.dumps, ".json": lambda declared: json.dumps(declared, indent=2) + "\n"}
    if out.suffix not in writers:
        raise ConfigurationError("--out", got=str(out), expected="a file that ends in .toml or .json")
    declared = whole_numbers(outputs_of(stack)["target"])
    try:
        out.write_text(writers[out.suffix](declared), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("--out", got=f"{out}: {error.strerror}", expected="a file that can be written") from None
    told.print(str(out), highlight=False, soft_wrap=True)


@app.command()
def schema(package: Annotated[bool, typer.Option("--package", help="Print Pulumi's package schema instead.")] = False) -> None:
    """Print the JSON Schema of a clinic's configuration.

    Example: securepacs schema > clinic.schema.json
    """
    print(json.dumps(whole_schema() if package else clinic_schema(), indent=2))


@app.command()
def env(stack: Stack = "dev", as_json: Json = False) -> None:
    """Print the variables with which plain `pulumi` reaches the same state. They name files, and hold no secret.

    Example: eval "$(securepacs env)"; pulumi preview --stack dev --config-file "$SECUREPACS_CONFIG_FILE"
    """
    place = workspace(stack)
    variables = {**place.environment(), "SECUREPACS_CONFIG_FILE": str(place.config_file)}
    if as_json:
        told.print_json(json.dumps(variables))
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


def main() -> None:
    """Run the command line; a mistake of the user's ends in its lines and its exit status."""
    try:
        try:
            app()
        except OSError as failed:
            # The state, or a file that is made for a moment, found no place on the disk.
            raise known_failure(os.strerror(failed.errno).lower() if failed.errno == errno.ENOSPC else "") or failed from None
    except SecurePacsError as error:
        tell_mistake(error)
        sys.exit(error.exit_status)
