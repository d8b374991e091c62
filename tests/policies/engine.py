"""The real engine with the real pack: a program that is data is previewed, or brought up, and what was refused and made is told."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi import automation
from pulumi.automation.events import EngineEvent, PolicyEvent

from policies import standin
from policies.programs.declared import Program
from policies.programs.on_docker import GENERATED

ROOT = Path(__file__).parents[2]
PACK = Path(sys.executable).with_name("securepacs-policies")
STAND_INS = ("docker", "docker-build", "kubernetes", "tls", "random", "standin")
PROJECT = "policed"


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended: what the policies said of it, what was made, and the engine's words where it failed."""

    refused: list[PolicyEvent]
    advised: list[PolicyEvent]
    made: list[str]
    failure: str

    @property
    def rules(self) -> set[str]:
        """The rules that refused it."""
        return {event.policy_name for event in self.refused}


def register(program: Program) -> None:
    """Declare a program's resources, as a Pulumi program of its own would."""
    for declared in program.values():
        options = pulumi.ResourceOptions(protect=declared.protect or None)
        pulumi.CustomResource(declared.type, declared.name, dict(declared.properties), options)


class Engine:
    """One stack with its own state in a folder; providers are stood in for, but our own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.log = folder / "made.log"
        providers = [standin.install(folder / "providers", name) for name in STAND_INS]
        own = {"name": "securepacs", "path": str(PACK.parent)}
        settings = {"name": PROJECT, "runtime": "python", "plugins": {"providers": [*providers, own]}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        (folder / "state").mkdir()
        (folder / "passphrase").write_text("a passphrase as long as one should be", encoding="utf-8")
        os.environ["PATH"] = f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "passphrase"),
            "STANDIN_LOG": str(self.log),
            "STANDIN_SECRET": GENERATED,
            **environment,
        }

    def run(self, run: Callable[[], None], *, up: bool = False, asked: Mapping[str, Any] | None = None, pack: Path | None = PACK) -> Ended:
        """Preview a program, or bring it up, with the pack and what is configured for it.

        The SDK's reader of events stops as soon as the engine has ended while it sleeps, a tenth of a second, and then misses the last
        of them (pulumi.automation._stack._watch_logs): a preview that failed without a word is asked again, which changes nothing.
        """
        ended = self._run(run, up=up, asked=asked, pack=pack)
        unheard = not up and ended.failure and not ended.refused and not ended.advised
        return self._run(run, up=up, asked=asked, pack=pack) if unheard else ended

    def _run(self, run: Callable[[], None], *, up: bool, asked: Mapping[str, Any] | None, pack: Path | None) -> Ended:
        configuration = self.folder / "policies.json"
        configuration.write_text(json.dumps(asked or {}), encoding="utf-8")
        self.log.write_text("", encoding="utf-8")
        events: list[PolicyEvent] = []

        def note(event: EngineEvent) -> None:
            if event.policy_event:
                events.append(event.policy_event)

        workspace = automation.LocalWorkspace(work_dir=str(self.folder), program=run, env_vars=self.environment)
        stack = automation.Stack.create_or_select("dev", workspace)
        options: dict[str, Any] = {"policy_packs": [str(pack)], "policy_pack_configs": [str(configuration)]} if pack else {}
        failure = ""
        try:
            stack.up(on_event=note, color="never", **options) if up else stack.preview(on_event=note, color="never", **options)
        except automation.CommandError as error:
            failure = str(error)
        return Ended(
            [event for event in events if event.enforcement_level == "mandatory"],
            [event for event in events if event.enforcement_level != "mandatory"],
            self.log.read_text(encoding="utf-8").splitlines(),
            failure,
        )
