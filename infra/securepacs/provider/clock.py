"""The time, in one place, so that a test can set it."""

from __future__ import annotations

import datetime


def now() -> datetime.datetime:
    """Give the present moment in UTC, to the second (the precision of X.509)."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
