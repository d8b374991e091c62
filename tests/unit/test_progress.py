"""What a person is told while the engine works."""

from __future__ import annotations

import io

from pulumi.automation.events import EngineEvent
from rich.console import Console

from securepacs.progress import Progress

KIND = "securepacs:docker:Volume"


def step(operation: str, *, kind: str = KIND, custom: bool = True, retained: bool = False) -> EngineEvent:
    """Give the event of a finished step."""
    urn = f"urn:pulumi:dev::securepacs::{kind}::pacs-data"
    state = {"type": kind, "urn": urn, "id": "i", "parent": "", "provider": "", "custom": custom, "retainOnDelete": retained}
    metadata = {"op": operation, "urn": urn, "type": kind, "provider": "", "old": state, "new": None if operation == "delete" else state}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "resOutputsEvent": {"metadata": metadata}})


def told(*events: EngineEvent) -> tuple[str, str]:
    """Give the lines shown for events, and the summary."""
    out = io.StringIO()
    progress = Progress(Console(file=out, width=100))
    for event in events:
        progress(event)
    return out.getvalue(), progress.summary()


def test_each_step_is_a_line_and_is_counted() -> None:
    """What was made and removed is told by kind and name, and summed up."""
    lines, summary = told(step("create"), step("same"), step("delete"))
    assert [line.split() for line in lines.splitlines()] == [["made", "Volume", "pacs-data"], ["removed", "Volume", "pacs-data"]]
    assert summary == "1 made, 1 removed"


def test_what_is_kept_is_not_called_removed() -> None:
    """A volume that outlives its stack is told as kept."""
    assert told(step("delete", retained=True))[1] == "1 kept"


def test_what_has_no_object_is_not_told() -> None:
    """The component, the stack and the provider are no objects on the engine."""
    events = step("create", custom=False), step("create", kind="pulumi:pulumi:Stack"), step("create", kind="pulumi:providers:securepacs")
    assert told(*events) == ("", "nothing to change")


class _Gone(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, f"nobody reads {text!r}")


def test_a_reader_that_goes_does_not_stop_the_engine() -> None:
    """When nobody reads any more (`securepacs up | head`), events are still taken and counted, and nothing is raised."""
    progress = Progress(Console(file=_Gone()))
    for _ in range(3):
        progress(step("create"))
    assert progress.summary() == "3 made"
