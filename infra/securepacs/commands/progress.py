"""Telling a person what the engine does: its events in, lines out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pulumi.automation import events
from rich.console import Console

from securepacs.commands.consequences import consequence

#: What the engine says when a run failed, whatever the cause was.
_ENDINGS = frozenset({"update failed", "preview failed", "destroy failed"})

#: Ours; what other packs advise is theirs to tell.
_PACK = "securepacs"

#: What the engine calls an operation, and what a person would.
_WORDS = {
    "create": "made",
    "update": "changed",
    "delete": "removed",
    "replace": "replaced",
    "create-replacement": "made anew",
    "delete-replaced": "removed the old",
}


def _short(urn: str) -> str:
    """'urn:pulumi:dev::securepacs::…$securepacs:docker:Container::pacs-gateway' -> 'Container pacs-gateway'."""
    *_, kind, name = urn.split("::")
    return f"{kind.rpartition(':')[2]} {name}"


@dataclass
class Progress:
    """Collects the engine's events; shows each finished step on the console."""

    console: Console
    preview: bool = False
    quiet: bool = False
    """Whether steps are not shown: what is looked at is only whether it may be done."""
    done: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    consequences: list[str] = field(default_factory=list)
    """What the steps on containers mean for those who use the clinic."""
    renewed: list[str] = field(default_factory=list)
    """Names of the certificates that were made anew."""
    refused: list[str] = field(default_factory=list)
    """What breaks a policy, each in a few lines."""
    excused: list[str] = field(default_factory=list)
    """What would, but for an exception."""

    def __call__(self, event: events.EngineEvent) -> None:
        """Take one event of the engine."""
        if event.resource_pre_event and self.preview:
            self._step(event.resource_pre_event.metadata)
        if event.res_outputs_event and not self.preview:
            self._step(event.res_outputs_event.metadata)
        if event.policy_event and event.policy_event.policy_pack_name == _PACK:
            told = self.refused if event.policy_event.enforcement_level == "mandatory" else self.excused
            message = event.policy_event.message.strip()
            if message not in told:
                told.append(message)
        diagnostic = event.diagnostic_event
        if diagnostic and diagnostic.severity == "error":
            text = " ".join(diagnostic.message.split())
            if text and text not in _ENDINGS:
                self.problems.append(text)

    def _step(self, step: events.StepEventMetadata) -> None:
        operation = getattr(step.op, "value", str(step.op))
        word = _WORDS.get(operation)
        state = step.new or step.old
        # What has no object of its own (the component, the stack, the provider) is not told.
        if word is None or step.type.startswith("pulumi:") or (state is not None and not state.custom):
            return
        if operation == "delete" and step.old and step.old.retain_on_delete:
            word = "kept"
        self.done[word] += 1
        changed = sorted(step.detailed_diff or {})
        self._note_consequence(step, operation, changed)
        if operation == "update" and step.type.endswith(":Certificate"):
            self.renewed.append(step.urn.rpartition("::")[2])
        why = f" [dim]({', '.join(changed)})[/dim]" if changed and operation in {"update", "replace"} else ""
        self._tell(f"  {'would be ' if self.preview else ''}{word:<10} {_short(step.urn)}{why}")

    def _note_consequence(self, step: events.StepEventMetadata, operation: str, changed: list[str]) -> None:
        if step.type.endswith(":Container"):
            means = consequence(operation, _short(step.urn).rpartition("-")[2], changed)
            if means and means not in self.consequences:
                self.consequences.append(means)

    def _tell(self, line: str) -> None:
        """Show a line. A reader that has gone (`| head`) ends the telling, never the deployment: the engine waits for this callback."""
        if self.quiet:
            return
        try:
            self.console.print(line, highlight=False)
        except (OSError, SystemExit):  # Rich turns a broken pipe into an exit
            self.console.quiet = True

    def summary(self) -> str:
        """Say in one line how much was done."""
        return ", ".join(f"{count} {word}" for word, count in self.done.items()) or "nothing to change"
