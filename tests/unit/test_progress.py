"""What a person is told while the engine works."""

from __future__ import annotations

import io

from pulumi.automation.events import EngineEvent
from rich.console import Console

from securepacs.commands.progress import Progress

KIND = "securepacs:docker:Volume"


def step(
    operation: str, *, kind: str = KIND, name: str = "pacs-data", custom: bool = True, retained: bool = False, changed: str = ""
) -> EngineEvent:
    """Give the event of a finished step."""
    urn = f"urn:pulumi:dev::securepacs::{kind}::{name}"
    state = {"type": kind, "urn": urn, "id": "i", "parent": "", "provider": "", "custom": custom, "retainOnDelete": retained}
    metadata = {"op": operation, "urn": urn, "type": kind, "provider": "", "old": state, "new": None if operation == "delete" else state}
    if changed:
        metadata["detailedDiff"] = {changed: {"diffKind": "update", "inputDiff": True}}
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


def test_what_a_change_means_is_collected_once() -> None:
    """A container that restarts is told in words, once however often its step is reported; other objects mean nothing to peers."""
    progress = Progress(Console(file=io.StringIO()))
    container = step("update", kind="securepacs:docker:Container", name="pacs-archive", changed='restartOn["orthanc.json"]')
    for event in (container, container, step("update", changed="protectData")):
        progress(event)
    assert progress.consequences == ["archive restarts: about 3 s, peers will retry"]


def test_a_certificate_that_was_made_anew_is_remembered() -> None:
    """A renewed certificate is to be handed over; one that was made for the first time is not news."""
    progress = Progress(Console(file=io.StringIO()))
    progress(step("update", kind="securepacs:pki:Certificate", name="pacs-peer-CT01"))
    progress(step("create", kind="securepacs:pki:Certificate", name="pacs-peer-CT02"))
    assert progress.renewed == ["pacs-peer-CT01"]


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
