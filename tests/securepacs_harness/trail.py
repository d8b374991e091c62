"""The records of a target, read from a moment on: a file inside a part, or what its container wrote."""

from __future__ import annotations

import datetime
import time

from securepacs_harness.errors import HarnessError
from securepacs_harness.probes.engine import engine_of
from securepacs_harness.session import Verification
from securepacs_harness.target import Log, finder

#: How long a record may take to be written.
SECONDS = 5.0
#: How far the clock of records may be off, in seconds: then they can still be laid beside those of other systems.
CLOCK = 120


class TrailError(HarnessError):
    """The declared log cannot be read: whether a record is in it cannot be said."""


class Trail:
    """The declared log. `begin` marks the moment; `has` looks at what was written since."""

    def __init__(self, verification: Verification, log: Log) -> None:
        self._log = log
        self._inside = verification.inside(log.part)
        self._engine = engine_of(verification.target.inside[log.part])
        if log.file is None and self._engine is None:
            raise TrailError(f"log: {log.part} is no container with a log of its own; declare log.file")
        self._since = ""
        self._start = 0

    def _written(self) -> str:
        """Give what a container wrote since a moment before the beginning, for the engine's clock may be behind."""
        return self._engine.logs(self._since) if self._engine else ""

    def _size(self, file: str) -> int:
        size = self._inside.size(file)
        if size is None:
            raise TrailError(f"log: {file} in {self._log.part} cannot be read")
        return size

    def begin(self) -> None:
        """Mark the moment from which records count. Raises TrailError or EngineError where there is nothing to read."""
        moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=CLOCK)
        self._since = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._start = self._size(self._log.file) if self._log.file else len(self._written())

    def _news(self) -> str:
        """Give what was written since. A log that is shorter than it was has been rotated: then all of it is new."""
        if self._log.file:
            return self._inside.read_from(self._log.file, self._start if self._size(self._log.file) >= self._start else 0)
        written = self._written()
        return written[self._start :] if len(written) >= self._start else written

    def has(self, pattern: str, **words: str) -> bool:
        """Wait for a record that a declared expression finds; words in braces in it are the probe's own."""
        wanted = finder(pattern, **words)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if wanted.search(self._news()):
                return True
            time.sleep(0.25)
        return False

    def clock(self) -> float | None:
        """Give how many seconds the part's clock is off, as this machine sees it; None where the part does not tell."""
        began = time.time()
        status, out = self._inside.run("date -u +%s")
        if status or not out.strip().isdigit():
            return None
        # It tells whole seconds, at some moment between asking and answering.
        told = int(out)
        return max(0.0, began - told - 1, told - time.time())
