"""Where a stack's state lives, and the Pulumi engine that works on it.

Everything that a run makes is in one folder of mode 0700 beside the project (`.securepacs`, or $SECUREPACS_HOME): the
encrypted state, its passphrase, and a copy of the stack's configuration with the salt that belongs to the passphrase.
$PULUMI_BACKEND_URL and $PULUMI_CONFIG_PASSPHRASE[_FILE] are honoured where they are set.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation

from securepacs.errors import HostError, NotFoundError
from securepacs.program import program
from securepacs.state.locks import clear_dead_locks, clear_unfinished

PROJECT = "securepacs"

#: The first CLI that runs an executable policy pack and a provider by its path.
PULUMI_FLOOR = (3, 255)

_STACK_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def project_folder() -> Path:
    """Give the folder of the project: the nearest one upwards with a Pulumi.yaml, else the working folder."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "Pulumi.yaml").is_file()), here)


def home_folder() -> Path:
    """Give the folder of state and passphrase."""
    named = os.environ.get("SECUREPACS_HOME")
    return Path(named).absolute() if named else project_folder() / ".securepacs"


def pulumi_command() -> automation.PulumiCommand:
    """Find a Pulumi CLI that is new enough: on PATH, else the one that bootstrap built.

    Raises HostError where there is none.
    """
    found = "none"
    for root in (None, str(project_folder() / ".tools")):
        try:
            command = automation.PulumiCommand(root, skip_version_check=True)
        except FileNotFoundError:
            continue
        except (OSError, subprocess.CalledProcessError):
            found = "one that does not run"
            continue
        if command.version is not None and (command.version.major, command.version.minor) >= PULUMI_FLOOR:
            return command
        found = f"v{command.version}" if command.version else "one without a version"
    floor = ".".join(map(str, PULUMI_FLOOR))
    raise HostError(
        "Pulumi CLI", got=found, expected=f"version {floor} or later", do="run `make bootstrap`, or install it and put it on PATH"
    )


class _Workspace(automation.LocalWorkspace):
    """Pulumi's workspace, that asks for the outputs once: whether one is a secret is not asked here, and each question takes 0.3 s."""

    def stack_outputs(self, stack_name: str) -> automation.OutputMap:
        asked = ["stack", "output", "--json", "--show-secrets", "--stack", stack_name]
        shown = self.pulumi_command.run(asked, self.work_dir, dict(self.env_vars))
        return {name: automation.OutputValue(value, secret=True) for name, value in json.loads(shown.stdout).items()}


def installed_program(name: str) -> Path:
    """Find a program of ours: beside this Python, or where an installation for one user puts its programs.

    Raises HostError where it is in neither.
    """
    folders = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")))]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise HostError(name, got="no such program", expected=f"it in {' or '.join(map(str, folders))}", do="install securepacs with pip")


def provider_folder() -> Path:
    """Find the folder of `pulumi-resource-securepacs`. Raises HostError where it is not installed."""
    return installed_program(f"pulumi-resource-{PROJECT}").parent


@dataclass(frozen=True)
class Workspace:
    """One stack's place: its name and the folder that holds the state of all stacks."""

    stack: str
    home: Path

    @property
    def folder(self) -> Path:
        """The stack's own folder: Pulumi.yaml, and the configuration with its salt."""
        return self.home / "stacks" / self.stack

    @property
    def config_file(self) -> Path:
        """The copy of the stack's configuration that the engine reads."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def is_own_backend(self) -> bool:
        """Whether the state lies in the folder of this place, and not where $PULUMI_BACKEND_URL says."""
        return "PULUMI_BACKEND_URL" not in os.environ

    def environment(self) -> dict[str, str]:
        """Give the variables with which the engine (and plain `pulumi`) finds this state."""
        given = os.environ
        variables = {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
        if self.is_own_backend:
            variables["PULUMI_BACKEND_URL"] = (self.home / "backend").as_uri()
            variables["PULUMI_HOME"] = str(self.home / "pulumi")
        if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(given):
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self.home / "passphrase")
        return variables

    def prepare(self, content: dict[str, Any]) -> None:
        """Make the folders, the passphrase, and the copy of the configuration, whose salt is kept."""
        for folder in (self.home, self.home / "backend", self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._prepare_passphrase()
        settings = {
            "name": PROJECT,
            "runtime": "python",
            "plugins": {"providers": [{"name": PROJECT, "path": str(provider_folder())}]},
        }
        write_secret(self.folder / "Pulumi.yaml", yaml.safe_dump(settings))
        write_secret(self.config_file, yaml.safe_dump({**self._salt(), **content}))

    def _prepare_passphrase(self) -> None:
        passphrase = self.home / "passphrase"
        if passphrase.exists() or "PULUMI_CONFIG_PASSPHRASE_FILE" not in self.environment():
            return
        if self._salt() or self._has_states():
            do = "put it back from your copy of this folder; without it the state, and the authority's key in it, cannot be read"
            raise HostError(str(passphrase), got="no such file", expected="the passphrase of the state that stands here", do=do)
        write_secret(passphrase, secrets.token_urlsafe(48))

    def configuration(self) -> dict[str, Any]:
        """Give the copy of the configuration, with its salt; empty where there is none."""
        if not self.config_file.exists():
            return {}
        kept: dict[str, Any] = yaml.safe_load(self.config_file.read_text(encoding="utf-8")) or {}
        return kept

    def _salt(self) -> dict[str, Any]:
        kept = self.configuration()
        return {key: kept[key] for key in ("encryptionsalt", "encryptedkey", "secretsprovider") if key in kept}

    def _has_states(self) -> bool:
        """Tell whether a stack has a state here: all are encrypted with the one passphrase."""
        return any((self.home / "backend" / ".pulumi" / "stacks" / PROJECT).glob("*.json"))

    def take_salt(self, salt: str) -> None:
        """Make a salt that of the stack's configuration, in place of the one that is there."""
        write_secret(self.config_file, yaml.safe_dump({**self.configuration(), "encryptionsalt": salt}))

    def _automation(self, run: Callable[[], None] = program) -> automation.LocalWorkspace:
        command = pulumi_command()
        if (folder := Path(command.command).parent) != Path():  # where the stand-in for the language host is, too
            os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
        clear_dead_locks(self.home / "backend", PROJECT, self.stack)
        clear_unfinished(self.home / "backend", PROJECT, self.stack)
        return _Workspace(str(self.folder), program=run, env_vars=self.environment(), pulumi_command=command)

    def open(self, run: Callable[[], None] = program) -> automation.Stack:
        """Give the stack, made where it does not exist; `run` is the program that declares it."""
        return automation.Stack.create_or_select(self.stack, self._automation(run))

    def open_existing(self) -> automation.Stack:
        """Give the stack that exists.

        Raises NotFoundError where it does not.
        """
        if self.config_file.exists():
            try:
                return automation.Stack.select(self.stack, self._automation())
            except automation.StackNotFoundError:
                pass
        raise NotFoundError(
            f"stack '{self.stack}'", got="no such stack", expected="one that `securepacs up` made", do="name another with --stack"
        )


def workspace(stack: str) -> Workspace:
    """Give the place of a stack.

    Raises NotFoundError for a name that no stack can have.
    """
    if not _STACK_NAME.fullmatch(stack):
        raise NotFoundError("--stack", got=repr(stack), expected="letters, digits, '.', '_' and '-'")
    return Workspace(stack, home_folder())


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)
