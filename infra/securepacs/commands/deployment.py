"""One run of the engine for a stack: what the commands that deploy have in common."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation
from rich.markup import escape

from securepacs import inventory
from securepacs.clinic import Clinic
from securepacs.commands.progress import Progress
from securepacs.commands.terminal import noted
from securepacs.errors import HostError, NotFoundError
from securepacs.failures import engine_failed, gathered
from securepacs.index import place as index_place
from securepacs.policies import Options, Policies, policy_settings
from securepacs.state import recovery
from securepacs.state.pending import forget_half_made
from securepacs.state.stackfile import clinic_of, read_stack_file
from securepacs.state.workspace import Workspace, project_folder, workspace


def config_path(stack: str, config: Path | None) -> Path:
    """Give the file that declares a stack's clinic."""
    return config or project_folder() / f"Pulumi.{stack}.yaml"


def declared(stack: str, config: Path | None, *, signs: bool = True) -> tuple[dict[str, Any], Clinic]:
    """Read and validate the configuration; what `signs` needs the key of the clinic's own authority, where it has one."""
    path = config_path(stack, config)
    content = read_stack_file(path)
    return content, clinic_of(content, path, signs=signs)


def place_of(stack: str, content: dict[str, Any]) -> Workspace:
    """Lay out the stack's place, where its state is that of what stands on the engine. Nothing of the deployment is touched."""
    place = workspace(stack)
    recovery.guard(place, inventory.engine())
    place.prepare(content)
    return place


def outputs_of(stack: str) -> dict[str, Any]:
    """Read the outputs of a deployed stack, decrypted.

    Raises NotFoundError where the stack is not deployed.
    """
    place = workspace(stack)
    try:
        outputs = {name: output.value for name, output in place.open_existing().outputs().items()}
    except automation.CommandError as error:
        raise engine_failed(Progress(noted), error) from None
    except NotFoundError:
        # A clinic that stands without its state is told apart where an engine answers; the state itself needs none.
        with contextlib.suppress(HostError):
            recovery.guard(place, inventory.engine())
        raise
    if "target" not in outputs:
        raise NotFoundError(f"stack '{stack}'", got="nothing deployed", expected="a running clinic", do="run `securepacs up` first")
    return outputs


def whole_numbers(value: Any) -> Any:  # noqa: ANN401 - JSON has any shape
    """Undo what the state does to whole numbers: it knows only floating ones."""
    if isinstance(value, dict):
        return {key: whole_numbers(held) for key, held in value.items()}
    if isinstance(value, list):
        return [whole_numbers(held) for held in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def check_host(stack: str, clinic: Clinic) -> None:
    """Hold the clinic's name and ports to be free on this host, or its own stack's, and its index to be where it says.

    Raises HostError, ConfigurationError or RefusedError before anything is changed.
    """
    client = inventory.engine()
    inventory.check_name(client, clinic, stack)
    inventory.check_ports(clinic, inventory.published_by(client, stack))
    index_place.hold_in_place(client, clinic, stack)


@dataclass(frozen=True)
class Deployed:
    """What a run ended with: the clinic and its target, what expires and when, what was done, and the seconds that it took."""

    clinic: Clinic
    target: dict[str, Any]
    certificates: dict[str, dict[str, str]]
    progress: Progress
    seconds: float


def hold_to_policies(stack: automation.Stack, policies: Policies, progress: Progress) -> None:
    """Preview what is declared, and hold it to the policies; nothing is made.

    Raises PolicyError for what breaks one, DeploymentError where the preview fails.
    """
    try:
        _preview(stack, policies, progress)
    except automation.CommandError as error:
        raise engine_failed(progress, error) from None
    policies.accept()


def _preview(stack: automation.Stack, policies: Policies, progress: Progress) -> None:
    """Preview with the policies. One that failed without a word is asked again: the SDK's reader of events may miss the last of them."""
    options: dict[str, Any] = {"on_event": progress, "color": "never", "suppress_outputs": True, **policies.options()}
    try:
        stack.preview(**options)
    except automation.CommandError:
        if progress.refused or progress.problems:
            raise
        stack.preview(**options)


def hold_before(stack: str, content: dict[str, Any]) -> None:
    """Hold a declaration to the policies that is still to be written into the stack's file.

    Raises ConfigurationError, HostError or PolicyError; nothing was changed.
    """
    settings = policy_settings(content)
    policies = Policies(place := place_of(stack, content), content, settings)
    if policies.asked_before():
        return
    try:
        existing = place.open()
    except automation.CommandError as error:
        raise engine_failed(Progress(noted), error) from None
    hold_to_policies(existing, policies, Progress(noted, preview=True, quiet=True))


def bring_up(stack: str, config: Path | None, *, heeding: bool = True) -> Deployed:
    """Bring a stack to what its configuration says, and tell each step.

    Without `heeding` the policies are not asked: a stolen key is revoked whatever else is to be mended.
    """
    begun = time.monotonic()
    content, clinic = declared(stack, config)
    settings = policy_settings(content) if heeding else {}
    place = place_of(stack, content)
    policies = Policies(place, content, settings)
    check_host(stack, clinic)
    noted.print(f"[bold]{clinic.name}[/bold]: bringing the stack '{stack}' to its configuration")
    progress = Progress(noted)
    try:
        existing = place.open()
        forget_half_made(place)
        if heeding and not policies.asked_before():
            hold_to_policies(existing, policies, Progress(noted, preview=True, quiet=True))
        asked = policies.options() if heeding else Options(policy_packs=[], policy_pack_configs=[])
        done = existing.up(on_event=progress, color="never", suppress_outputs=True, show_secrets=False, **asked)
    except automation.CommandError as error:
        if progress.refused:
            policies.forget()
        raise engine_failed(progress, error) from None
    seconds = time.monotonic() - begun
    tell_excused(progress)
    noted.print(f"[green]ready[/green] in {seconds:.1f} s: {progress.summary()}")
    return Deployed(clinic, done.outputs["target"].value, done.outputs["certificates"].value, progress, seconds)


def tell_excused(progress: Progress) -> None:
    """Remind of what breaks a policy and is excused for the time being."""
    for message in gathered(progress.excused):
        noted.print(f"[yellow]excused:[/yellow] {escape(message)}", highlight=False, soft_wrap=True)
