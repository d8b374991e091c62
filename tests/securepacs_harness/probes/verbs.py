"""The seven verbs as a table, for checks that go through all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt
from securepacs_harness.probes import dimse
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.sink import Sink
from securepacs_harness.target import Verb

#: A study that no archive has: a query for it brings nobody's data.
NO_STUDY = "2.25.0"


@dataclasses.dataclass(frozen=True)
class Means:
    """What some verbs need: an image, where it may be sent, and who receives."""

    image: Instance
    destination: str = "NOWHERE"
    received: bool = False
    """Whether somebody stands at the destination."""
    sink: Sink | None = None


#: Verbs that leave nothing behind and bring nobody's data.
HARMLESS: Mapping[Verb, Callable[[Caller], Attempt]] = {
    "echo": dimse.echo,
    "find": lambda caller: dimse.find(caller, StudyInstanceUID=NO_STUDY),
    "worklist": dimse.worklist,
}

#: Verbs that need a stored synthetic image.
WITH_IMAGE: Mapping[Verb, Callable[[Caller, Means], Attempt]] = {
    "store": lambda caller, means: dimse.store(caller, means.image),
    "get": lambda caller, means: dimse.get(caller, means.image),
    "move": lambda caller, means: dimse.move(caller, means.image, means.destination, received=means.received),
    "commit": lambda caller, means: dimse.commit(caller, means.image, means.sink),
}
