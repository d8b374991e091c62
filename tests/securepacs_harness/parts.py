"""The declared parts of a target, for checks that ask their engine. What cannot be asked is told; it is never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_harness.probes.engine import Engine, EngineError, engine_of
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

#: How much of a log file is read, from its end.
_BYTES = 16_000_000

NO_INSIDE = "the target does not say how to look inside any part (inside)"
NO_CONTAINER = "it is no container of Docker's or Podman's"


def containers(verification: Verification, record: Record) -> Iterator[tuple[str, Engine]]:
    """Give each declared part that is a container and that its engine knows.

    One that does not run is given too: what its settings show wrong is a finding, but they are no pass.
    """
    if not verification.target.inside:
        record.not_tested("containers", NO_INSIDE)
    for part, specification in verification.target.inside.items():
        engine = engine_of(specification)
        if engine is None:
            record.not_tested(part, NO_CONTAINER)
            continue
        try:
            state = engine.inspect()["State"]
        except EngineError as error:
            record.unknown(part, str(error))
            continue
        if not state.get("Running"):
            record.unknown(part, f"it does not run ({state.get('Status', 'no status')})")
        yield part, engine


def logs(verification: Verification, record: Record) -> Iterator[tuple[str, str]]:
    """Give what the parts wrote, by where it stands: the containers' own logs, and the file that the target declares (log.file).

    Only what was written lately, where it is much. A log that is empty or kept elsewhere is told, and is no pass.
    """
    for part, engine in containers(verification, record):
        where = f"log of {part}"
        if engine.inspect()["HostConfig"]["LogConfig"]["Type"] == "none":
            record.not_tested(where, "its engine keeps none")
            continue
        try:
            text = engine.logs()
        except EngineError as error:
            record.unknown(where, str(error))
            continue
        if text.strip():
            yield where, text
        else:
            record.not_tested(where, "it has written nothing")
    log = verification.target.log
    if log and log.file:
        where, inside = f"{log.file} of {log.part}", verification.inside(log.part)
        size = inside.size(log.file)
        if size is None:
            record.unknown(where, "it cannot be read")
        elif size == 0:
            record.not_tested(where, "it is empty")
        else:
            yield where, inside.read_from(log.file, max(0, size - _BYTES))
