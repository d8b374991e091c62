"""`securepacs verify`: the harness on one's own clinic, with all that it needs to know handed over for the time of the run."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from securepacs.bundles import write_bundle
from securepacs.commands.deployment import outputs_of, whole_numbers
from securepacs.commands.terminal import Stack, tell_mistake
from securepacs.errors import HostError, SecurePacsError
from securepacs.state.workspace import Workspace, workspace

#: What the harness needs beside our own dependencies.
_NEEDED = ("securepacs_harness", "pytest", "pynetdicom", "testinfra", "junitparser")

#: What the harness ends with where nothing was tried (docs/verify.md).
COULD_NOT_RUN = 3

Tier = Literal["passive", "safe", "write", "load"]


def verify(
    stack: Stack = "dev",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the evidence bundle there.")] = None,
    tier: Annotated[Tier, typer.Option(help="How much may be done: passive looks, safe asks, write stores a synthetic study.")] = "safe",
    only: Annotated[str, typer.Option(metavar="IDS", help='Checks whose ids match these patterns: "tls.*,dimse.find".')] = "",
    own: Annotated[list[Path] | None, typer.Option(metavar="PATH", help="Checks of one's own, beside the packaged ones.")] = None,
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help="PEM private key that signs the evidence's manifest.")] = None,
    vantage: Annotated[str, typer.Option(metavar="TEXT", help="From where this machine looks, in words.")] = "",
) -> None:
    """Prove of the running clinic what it refuses. Exit status: 0 clean, 1 findings, 2 inconclusive, 3 could not run.

    Example: securepacs verify --tier write --out evidence
    """
    given = [("--out", out), ("--sign", sign), ("--only", only), ("--vantage", vantage), *(("--own", path) for path in own or ())]
    options = [word for option, value in given if value for word in (option, str(value))]
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has it so
            signal.signal(number, signal.default_int_handler)  # keys lie in a folder meanwhile: it goes, however the run ends
    try:
        status = _verified(stack, [*options, "--tier", tier])
    except SecurePacsError as error:
        # The statuses of this command are the harness's, so that whoever reads them need not know who ended it.
        tell_mistake(error)
        status = COULD_NOT_RUN
    except KeyboardInterrupt:
        tell_mistake(KeyboardInterrupt("interrupted"))
        status = COULD_NOT_RUN
    raise typer.Exit(status)


def _verified(stack: str, options: list[str]) -> int:
    lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise HostError("securepacs verify", got=f"no {', '.join(lacking)}", expected="the harness", do="pip install 'securepacs[harness]'")
    outputs = outputs_of(stack)
    with tempfile.TemporaryDirectory(prefix="securepacs-verify-") as place:
        handed_over = _handed_over(Path(place), outputs, workspace(stack))
        return run_to_its_end([sys.executable, "-m", "securepacs_harness", *handed_over, *options])


def run_to_its_end(command: list[str]) -> int:
    """Run the harness, and give its exit status. Who asks it to end (Ctrl-C, SIGTERM) waits until it has removed what it stored."""
    # In a session of its own a Ctrl-C reaches it once, from here.
    with subprocess.Popen(command, start_new_session=True) as harness:
        while True:
            try:
                status = harness.wait()
            except KeyboardInterrupt:
                harness.terminate()
            else:
                return status if status >= 0 else COULD_NOT_RUN


def _handed_over(folder: Path, outputs: dict[str, Any], place: Workspace) -> list[str]:
    """Write what the harness needs into a folder that only we enter (0700, files 0600); give the options for it."""
    target, passwords = folder / "target.json", folder / "passwords.json"
    target.write_text(json.dumps(whole_numbers(outputs["target"])), encoding="utf-8")
    for peer, files in outputs["bundles"].items():
        write_bundle(folder / "bundles", peer, files)
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({**outputs["passwords"], **outputs.get("tokens", {})}), encoding="utf-8")
    options = [str(target), "--bundles", str(folder / "bundles"), "--passwords", str(passwords)]
    authority = _authority(place)
    if authority:
        write_bundle(folder, "authority", authority)
        options += ["--authority", str(folder / "authority")]
    return options


def _authority(place: Workspace) -> dict[str, str]:
    """Read the clinic's own authority out of the state; nothing where the clinic brought one whose key is not here."""
    exported = place.open_existing().export_stack().deployment or {}
    for resource in exported.get("resources", []):
        if resource["type"].endswith(":CertificateAuthority"):
            told = resource["outputs"]
            return {"cert.pem": _plain(told["certPem"]), "key.pem": _plain(told["keyPem"])}
    return {}


def _plain(value: object) -> str:
    """Give a secret's text: Pulumi's export shows a secret as an object that holds its JSON."""
    return str(json.loads(value["plaintext"])) if isinstance(value, dict) else str(value)
