"""`pacs-verify`: the packaged checks against one target, with a progress display and a summary that a person reads."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from rich.console import Console

from securepacs_harness.check import packaged
from securepacs_harness.display import Display, catalogue
from securepacs_harness.errors import HarnessError, TargetError
from securepacs_harness.evidence.manifest import problems_of
from securepacs_harness.plugin import CLEAN, COULD_NOT_RUN, FINDINGS, INCONCLUSIVE
from securepacs_harness.reach import password_variable
from securepacs_harness.results import Tier, results_schema
from securepacs_harness.session import VERIFICATION, Given, Verification
from securepacs_harness.target import load_target, target_schema

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
_PASSWORDS = f'JSON {{"USER": "PASSWORD", "MACHINE": "TOKEN"}}, mode 0600; else the variables {password_variable("<user>")}.'

_AUTHORITY = "cert.pem and key.pem of the peers' authority, to sign certificates that must be refused."

#: What a run ends with; pytest has more, for its own options and files.
_OURS = (CLEAN, FINDINGS, INCONCLUSIVE, COULD_NOT_RUN)

told, noted = Console(), Console(stderr=True)


class Prepared:
    """Gives pytest a run that is begun already, so that what is wrong with it was told before."""

    def __init__(self, verification: Verification) -> None:
        self._verification = verification

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Hand the run over."""
        config.stash[VERIFICATION] = self._verification


def _stop(message: str) -> typer.Exit:
    for line in message.splitlines():
        noted.print(f"error: {line}", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(COULD_NOT_RUN)


def _about(*, listed: bool, schema: dict[str, Any] | None, bundle: Path | None, key: Path | None) -> None:
    """Answer what needs no target."""
    if listed:
        told.print(catalogue(packaged().values()))
    elif schema:
        told.print_json(json.dumps(schema))
    elif bundle:
        problems = problems_of(bundle, key)
        for problem in problems:
            told.print(problem, markup=False, highlight=False, soft_wrap=True)
        if problems:
            raise typer.Exit(FINDINGS)
        signed = "and its signature is this key's" if key else "(no key was given to hold its signature against)"
        told.print(f"{bundle}: every file is as it was written {signed}", markup=False, highlight=False, soft_wrap=True)
    else:
        return
    raise typer.Exit


def _asked(target: Path) -> dict[str, str]:
    web = load_target(target).https
    return {
        name: typer.prompt(f"password or token of {name} (nothing: leave out)", hide_input=True, default="", show_default=False, err=True)
        for name in (web.logins if web else ())
    }


def _there(own: list[Path]) -> None:
    """Find out whether the checks of one's own are there. Raises TargetError."""
    for path in own:
        if not Path(str(path).partition("::")[0]).exists():
            raise TargetError(f"--own {path}: is not there; it names a pytest file or a folder of them")


@app.command()
def verify(
    target: Annotated[Path | None, typer.Argument(metavar="TARGET", help="Target file (.toml or .json) that declares the PACS.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the evidence bundle there.")] = None,
    tier: Annotated[Tier, typer.Option(help="How much may be done: passive looks, safe asks, write stores a synthetic study.")] = Tier.SAFE,
    bundles: Annotated[Path | None, typer.Option(metavar="DIR", help="Peers' bundles (default: `bundles` beside TARGET).")] = None,
    passwords: Annotated[Path | None, typer.Option(metavar="FILE", help=_PASSWORDS)] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for the people's passwords.")] = False,
    only: Annotated[str, typer.Option(metavar="IDS", help='Checks whose ids match these patterns: "tls.*,dimse.find".')] = "",
    own: Annotated[list[Path] | None, typer.Option(metavar="PATH", help="Checks of one's own, beside the packaged ones.")] = None,
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help="PEM private key (Ed25519 or EC) that signs the manifest.")] = None,
    authority: Annotated[Path | None, typer.Option(metavar="DIR", help=_AUTHORITY)] = None,
    vantage: Annotated[str, typer.Option(metavar="TEXT", help="From where this machine looks, in words.")] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the packaged checks, and do nothing else.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the target file's JSON Schema, and do nothing else.")] = False,
    results: Annotated[bool, typer.Option("--results-schema", help="Print the JSON Schema of results.json, and do nothing else.")] = False,
    check_bundle: Annotated[Path | None, typer.Option(metavar="DIR", help="Hold an evidence bundle against its manifest.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="PUBLIC", help="With --check-bundle: whose signature it must be.")] = None,
) -> None:
    """Prove what a PACS refuses.

    Exit status: 0 clean, 1 findings, 2 inconclusive, 3 could not run.

    Example: pacs-verify target.toml --out evidence
    """
    _about(listed=list_, schema=target_schema() if schema else results_schema() if results else None, bundle=check_bundle, key=key)
    if target is None:
        raise _stop("TARGET: got nothing, expected a target file; `pacs-verify --schema` says what it holds")
    try:
        more = _asked(target) if ask else {}
        _there(own or [])
        given = Given(target, bundles, passwords, tier, vantage, out, sign, authority, more)
        verification = Verification(given)
    except HarnessError as error:
        raise _stop(str(error)) from None
    display = Display(told, noted)
    options = ["-p", "securepacs-harness", "--pyargs", "securepacs_harness.checks", *map(str, own or ()), "-s"]
    options += ["-p", "no:terminal", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(Path.cwd()), "--pacs-only", only]
    os.environ.pop("PYTEST_ADDOPTS", None)  # it is meant for the tests of somebody's own project
    status = int(pytest.main(options, plugins=[Prepared(verification), display]))
    if out and display.written:
        told.print(f"evidence: {out / 'report.html'}", markup=False, highlight=False, soft_wrap=True)
    if display.problems:
        raise _stop("\n".join(display.problems))
    raise typer.Exit(status if status in _OURS else COULD_NOT_RUN)


def main() -> None:
    """Run the command. Wrong usage cannot run either."""
    try:
        status = app(standalone_mode=False)
    except typer.Exit as ended:
        status = ended.exit_code
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        noted.print(f"error: {message()}", markup=False, highlight=False, soft_wrap=True)
        status = COULD_NOT_RUN
    sys.exit(status)
