"""Where the laboratory stands on the engine: names, ports and subnets. Runs in several places do not see each other."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from securepacs_harness.errors import HarnessError

#: Number of the place of this run; another checkout on the same engine takes another.
VARIABLE = "SECUREPACS_MUTANTS_PLACE"
#: Subnets that a place has: one of the base clinic, the rest of the instances.
SUBNETS = 6
#: How many places there are: the third numbers of their subnets begin at 181 and end before those of the deployed tests, at 250.
PLACES = 11


class PlaceError(HarnessError):
    """There is no such place."""


@dataclasses.dataclass(frozen=True)
class Place:
    """One place of the laboratory."""

    number: int = 0

    @property
    def _mark(self) -> str:
        return str(self.number) if self.number else ""

    @property
    def clinic(self) -> str:
        """Name of the base clinic, which is its stack's too."""
        return f"mutbase{self._mark}"

    @property
    def subnet(self) -> str:
        """The first three numbers of the base clinic's edge network."""
        return f"10.231.{181 + SUBNETS * self.number}"

    @property
    def ports(self) -> tuple[int, int, int]:
        """Ports of the base clinic: DICOM, the device without TLS, HTTPS."""
        first = 23762 + 2 * self.number
        return first, first + 1, 23443 + self.number

    @property
    def labels(self) -> dict[str, str]:
        """Labels of all that is made here besides the base clinic."""
        return {"securepacs.test": f"mutants{self._mark}"}

    def slot_name(self, slot: int) -> str:
        """Prefix of everything in a slot."""
        return f"mutlab{self._mark}-{slot}"

    def slot_subnet(self, slot: int) -> str:
        """The first three numbers of a slot's edge network."""
        return f"10.231.{181 + SUBNETS * self.number + 1 + slot}"

    def slot_address(self, slot: int) -> str:
        """The address of this host on which a slot is published, so that none sees another's ports."""
        return f"127.0.{1 + self.number}.{slot + 1}"


def chosen(environment: Mapping[str, str] = os.environ) -> Place:
    """Give the place that the environment names, or the first. Raises PlaceError."""
    told = environment.get(VARIABLE, "0")
    if not told.isascii() or not told.isdigit() or int(told) >= PLACES:
        raise PlaceError(f"{VARIABLE}: got '{told}', expected a number from 0 to {PLACES - 1}; leave it out for the first place")
    return Place(int(told))


try:
    HERE = chosen()
except PlaceError as error:
    raise SystemExit(f"error: {error}") from None
