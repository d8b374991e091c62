"""`securepacs verify`: the harness on one's own clinic, with all that it needs to know handed over for the time of the run."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from securepacs.bundles import write_bundle
from securepacs.commands.deployment import outputs_of, whole_numbers
from securepacs.commands.terminal import Stack
from securepacs.errors import HostError
from securepacs.state.workspace import Workspace, workspace

#: What the harness needs beside our own dependencies.
_NEEDED = ("securepacs_harness", "pytest", "pynetdicom", "testinfra", "junitparser")

Tier = Literal["passive", "safe", "write", "load"]


def verify(
    stack: Stack = "dev",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the evidence bundle there.")] = None,
    tier: Annotated[Tier, typer.Option(help="How much may be done: passive looks, safe asks, write stores a synthetic study.")] = "safe",
    only: Annotated[str, typer.Option(metavar="IDS", help='Checks whose ids match these patterns: "tls.*,dimse.find".')] = "",
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help="PEM private key that signs the evidence's manifest.")] = None,
) -> None:
    """Prove of the running clinic what it refuses. Exit status: 0 clean, 1 findings, 2 inconclusive, 3 could not run.

    Example: securepacs verify --tier write --out evidence
    """
    lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise HostError("securepacs verify", got=f"no {', '.join(lacking)}", expected="the harness", do="pip install 'securepacs[harness]'")
    outputs = outputs_of(stack)
    with tempfile.TemporaryDirectory(prefix="securepacs-verify-") as place:
        options = _handed_over(Path(place), outputs, workspace(stack))
        given = {"--out": out, "--sign": sign, "--only": only or None}
        options += [word for option, value in given.items() if value is not None for word in (option, str(value))]
        done = subprocess.run([sys.executable, "-m", "securepacs_harness", *options, "--tier", tier], check=False)
    raise typer.Exit(done.returncode)


def _handed_over(folder: Path, outputs: dict[str, Any], place: Workspace) -> list[str]:
    """Write target, bundles, passwords and authority into a folder that only we enter (0700, files 0600); give the options for them."""
    target, passwords = folder / "target.json", folder / "passwords.json"
    target.write_text(json.dumps(whole_numbers(outputs["target"])), encoding="utf-8")
    for peer, files in outputs["bundles"].items():
        write_bundle(folder / "bundles", peer, files)
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps(outputs["passwords"]), encoding="utf-8")
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
