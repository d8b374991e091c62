"""The declared parts of a target, for checks that ask their engine. What cannot be asked is told; it is never passed over."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_harness.probes.engine import Engine, EngineError, engine_of
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

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
