"""`securepacs`: the command line. Each command reads, asks a module that knows, and tells."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import tomli_w
import typer
from pulumi import automation
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from securepacs import index_place, inventory
from securepacs.bundles import write_bundle
from securepacs.clinic import Clinic, clinic_schema
from securepacs.errors import ConfigurationError, DeploymentError, NotFoundError, RefusedError, SecurePacsError
from securepacs.index_move import Move
from securepacs.progress import Progress
from securepacs.stackfile import clinic_of, read_stack_file
from securepacs.workspace import Workspace, project_folder, workspace

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="One clinic's picture archive: deployed, refused to strangers, and looked after.",
)

told, noted = Console(), Console(stderr=True)

Stack = Annotated[str, typer.Option("--stack", "-s", help="The stack: one stack is one clinic.", envvar="SECUREPACS_STACK")]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="The stack's configuration; default Pulumi.STACK.yaml of the project.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def _read(stack: str, config: Path | None) -> tuple[Workspace, dict[str, Any], Clinic]:
    """Read and validate the configuration. Nothing is written."""
    path = config or project_folder() / f"Pulumi.{stack}.yaml"
    content = read_stack_file(path)
    return workspace(stack), content, clinic_of(content, path)


def _declared(stack: str, config: Path | None) -> tuple[Workspace, Clinic]:
    """Read and validate the configuration, and lay out the stack's place. Nothing of the deployment is touched."""
    place, content, clinic = _read(stack, config)
    place.prepare(content)
    return place, clinic


def _outputs(stack: str) -> dict[str, Any]:
    """Read the outputs of a deployed stack, decrypted.

    Raises NotFoundError where the stack is not deployed.
    """
    try:
        outputs = {name: output.value for name, output in workspace(stack).open_existing().outputs().items()}
    except automation.CommandError as error:
        raise _engine_failed(Progress(noted), error) from None
    if "target" not in outputs:
        raise NotFoundError(f"stack '{stack}'", got="nothing deployed", expected="a running clinic", do="run `securepacs up` first")
    return outputs


#: Words in the engine's failure -> what a person is told instead.
_KNOWN_FAILURES = {
    "incorrect passphrase": (
        "the passphrase is not the one of this state",
        "put back .securepacs/passphrase, or set PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    "currently locked": (
        "another run is working on this stack",
        "wait until it ends; if there is none, remove its lock with `pulumi cancel`",
    ),
}


def _engine_failed(progress: Progress, error: automation.CommandError) -> SecurePacsError:
    """Turn the engine's failure into the lines that say what happened."""
    for words, (what, do) in _KNOWN_FAILURES.items():
        if words in str(error):
            return DeploymentError(what, do=do)
    lines = [line.partition("error:")[2].strip() for line in str(error).splitlines() if "error:" in line]
    return DeploymentError("\n".join(dict.fromkeys(progress.problems or lines)) or str(error).strip())


@app.command()
def up(stack: Stack = "dev", config: Config = None, as_json: Json = False) -> None:
    """Deploy the clinic, or bring it to what its configuration says.

    Example: securepacs up --stack dev
    """
    begun = time.monotonic()
    place, clinic = _declared(stack, config)
    client = inventory.engine()
    inventory.check_ports(clinic, inventory.published_by(client, stack))
    index_place.hold_in_place(client, clinic, stack)
    noted.print(f"[bold]{clinic.name}[/bold]: bringing the stack '{stack}' to its configuration")
    progress = Progress(noted)
    try:
        outputs = place.open().up(on_event=progress, color="never", suppress_outputs=True, show_secrets=False).outputs
    except automation.CommandError as error:
        raise _engine_failed(progress, error) from None
    target: dict[str, Any] = outputs["target"].value
    seconds = time.monotonic() - begun
    if as_json:
        endpoints = {
            "dicom": target["dicom"],
            "https": target["https"]["base_url"],
            "changes": dict(progress.done),
            "seconds": round(seconds, 1),
        }
        told.print_json(json.dumps(endpoints))
        return
    noted.print(f"[green]ready[/green] in {seconds:.1f} s: {progress.summary()}")
    _tell_next_step(stack, target)


def _tell_next_step(stack: str, target: dict[str, Any]) -> None:
    dicom = target["dicom"]
    option = "" if stack == "dev" else f" --stack {stack}"
    told.print(f"DICOM  {dicom['host']}:{dicom['port']}  AE title {dicom['ae_title']}  (mutual TLS)", highlight=False)
    told.print(f"HTTPS  {target['https']['base_url']}", highlight=False)
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
    place, clinic = _declared(stack, config)
    noted.print(f"[bold]{clinic.name}[/bold]: what `up` would do to the stack '{stack}'")
    progress = Progress(noted, preview=True)
    try:
        place.open().preview(on_event=progress, color="never", suppress_outputs=True)
    except automation.CommandError as error:
        raise _engine_failed(progress, error) from None
    if as_json:
        told.print_json(json.dumps({"changes": dict(progress.done)}))
    else:
        told.print(progress.summary(), highlight=False)


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
    place, clinic = _declared(stack, config)
    if delete_data and delete_data != clinic.name:
        raise RefusedError(
            "--delete-data", got=f"'{delete_data}'", expected=f"the clinic's name, '{clinic.name}'", do="nothing was changed"
        )
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Take down {clinic.name} (stack '{stack}')?")):
        raise RefusedError("down", got="no consent", expected="--yes, or 'y' when asked", do="nothing was changed")
    progress = Progress(noted)
    existing = place.open_existing()
    try:
        existing.destroy(on_event=progress, color="never", suppress_outputs=True, show_secrets=False)
    except automation.CommandError as error:
        raise _engine_failed(progress, error) from None
    noted.print(f"[green]down[/green]: {progress.summary()}")
    client = inventory.engine()
    kept = [volume for volume in inventory.data_volumes(clinic) if inventory.volume_of(client, volume, stack)]
    if delete_data:
        for volume in kept:
            inventory.remove_volume(client, volume, stack)
        existing.workspace.remove_stack(stack)
        told.print(f"the studies were {f'removed with {_volumes(kept)}' if kept else 'gone already'}", highlight=False)
    else:
        told.print(f"the studies are kept in {_volumes(kept)}; --delete-data {clinic.name} gives them up", highlight=False)


def _volumes(names: list[str]) -> str:
    return f"the volume{'s' if len(names) > 1 else ''} {' and '.join(names)}"


@app.command()
def database(
    kind: Annotated[str, typer.Argument(metavar="sqlite|postgresql", help="Where the index is to be, as the configuration says it.")],
    stack: Stack = "dev",
    config: Config = None,
    forget_old: Annotated[bool, typer.Option("--forget-old", help="Remove the old index that an earlier move kept.")] = False,
) -> None:
    """Move the archive's index to the database that the configuration names, and prove that nothing was lost.

    The images stay where they are. The archive is away meanwhile; peers send again later.

    Example: securepacs database postgresql --stack dev
    """
    place, content, clinic = _read(stack, config)
    Move(place, content, clinic, noted, _engine_failed, inventory.engine()).command(kind, told, forget_old=forget_old)


@app.command()
def status(stack: Stack = "dev", as_json: Json = False) -> None:
    """Show what runs, how long each certificate lasts, and how much is stored.

    Example: securepacs status --json
    """
    outputs = _outputs(stack)
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
        return
    containers = Table("container", "state", "health", "since", title=name)
    for c in running:
        containers.add_row(c.name, c.state, c.health, c.started[:19])
    told.print(containers)
    lasting = Table("certificate", "days left", "until", Column("serial", overflow="fold"))
    for what, facts in certificates.items():
        lasting.add_row(what, str(facts["daysLeft"]), facts["notAfter"], facts.get("serial", ""))
    told.print(lasting)
    told.print(f"stored: {'unknown, the archive does not run' if stored is None else f'{stored} MB'}", highlight=False)


@app.command()
def bundle(
    peer: str, out: Annotated[Path, typer.Option("--out", help="A folder; the bundle goes to OUT/PEER.")], stack: Stack = "dev"
) -> None:
    """Write what a peer needs: cert.pem, key.pem, ca.pem, for its owner's eyes only (0600).

    Example: securepacs bundle CT01 --out bundles
    """
    bundles = _outputs(stack)["bundles"]
    if peer not in bundles:
        raise NotFoundError(f"peer '{peer}'", got="no such peer with a certificate", expected=f"one of {', '.join(sorted(bundles))}")
    for path in write_bundle(out, peer, bundles[peer]):
        told.print(str(path), highlight=False, soft_wrap=True)


@app.command()
def password(user: str, stack: Stack = "dev", as_json: Json = False) -> None:
    """Show a person's password, on the terminal only.

    Example: securepacs password vera
    """
    passwords = _outputs(stack)["passwords"]
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
    declared = _whole_numbers(_outputs(stack)["target"])
    try:
        out.write_text(writers[out.suffix](declared), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("--out", got=f"{out}: {error.strerror}", expected="a file that can be written") from None
    told.print(str(out), highlight=False, soft_wrap=True)


def _whole_numbers(value: Any) -> Any:  # noqa: ANN401 - JSON has any shape
    """Undo what the state does to whole numbers: it knows only floating ones."""
    if isinstance(value, dict):
        return {key: _whole_numbers(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(held) for held in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@app.command()
def schema() -> None:
    """Print the JSON Schema of a clinic's configuration.

    Example: securepacs schema > clinic.schema.json
    """
    print(json.dumps(clinic_schema(), indent=2))


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
        app()
    except SecurePacsError as error:
        for line in str(error).splitlines():
            noted.print(f"[red]error:[/red] {escape(line)}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_status)
