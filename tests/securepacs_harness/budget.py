"""What a run may cost its target: so many connections, so many seconds, and never more at once than a few."""

from __future__ import annotations

import threading
import time
from typing import Final

from securepacs_harness.errors import BudgetError

#: How many attempts a check makes at a time where their order does not matter.
PARALLEL: Final = 4


class Spending:
    """Counts the connections of a run and ends it when its budget is spent."""

    def __init__(self, connections: int, seconds: float) -> None:
        self._most = connections
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._lock = threading.Lock()
        self.made = 0
        """Connections made until now."""

    def connect(self) -> None:
        """Count one more connection. Raises BudgetError when there is none left, or no time."""
        with self._lock:
            if self.made >= self._most:
                raise BudgetError(f"budget.connections: {self._most} connections were made; declare more, or run fewer checks")
            if time.monotonic() > self._until:
                raise BudgetError(f"budget.seconds: the run took {self._seconds:.0f} s; declare more, or run fewer checks")
            self.made += 1
