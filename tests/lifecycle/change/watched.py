"""An association that a peer keeps open and uses, to see when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, build_context

from securepacs_harness.probes.dimse import SOP_CLASSES, Caller

_PACE = 0.2


class Watched(threading.Thread):
    """Echoes on one association until that ends, and keeps the moment."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(daemon=True)
        self._caller = caller
        self._done = threading.Event()
        self.ended: float | None = None
        """Monotonic seconds when an echo got no answer; None while they do."""
        self.association = self._associate()

    def _associate(self) -> Any:  # noqa: ANN401 - pynetdicom's association
        caller, offer = self._caller, self._caller.line.offer
        ae = AE(ae_title=caller.calling)
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = caller.timeout
        made = ae.associate(
            caller.line.host,
            caller.line.port,
            contexts=[build_context(SOP_CLASSES["echo"])],
            ae_title=caller.called,
            tls_args=(offer.context(), offer.server_name) if offer else None,
        )
        if not made.is_established:
            raise ConnectionError(f"{caller.calling} gets no association")
        return made

    def run(self) -> None:
        """Echo, until told to stop or not answered."""
        while not self._done.wait(_PACE):
            try:
                answered = "Status" in self.association.send_c_echo()
            except RuntimeError:
                answered = False
            if not answered:
                self.ended = time.monotonic()
                return

    def ends_within(self, seconds: float) -> float | None:
        """Wait for its end; give the moment, or None where it goes on."""
        self.join(seconds)
        return self.ended

    def close(self) -> None:
        """Let it go."""
        self._done.set()
        self.join(15)
        if self.association.is_established:
            self.association.release()


@contextmanager
def watching(*callers: Caller) -> Iterator[list[Watched]]:
    """Keep an association of each caller open."""
    watched = [Watched(caller) for caller in callers]
    for one in watched:
        one.start()
    try:
        yield watched
    finally:
        for one in watched:
            one.close()
