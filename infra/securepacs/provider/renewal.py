"""What a certificate and a revocation list share: an authority signs them, and they are renewed before they expire."""

from __future__ import annotations

import datetime

from securepacs.provider import clock
from securepacs.provider.fields import INTEGER, TEXT, UNKNOWN, Failure, Field, Values
from securepacs.provider.validators import between

#: The authority that signs.
SIGNER = (
    Field("caCertPem", TEXT, "The authority's certificate in PEM.", required=True),
    Field("caKeyPem", TEXT, "The authority's private key in PEM.", required=True, secret=True, compared=False),
)
RENEW_BEFORE = Field(
    "renewBeforeDays", INTEGER, "Days before expiry when it is renewed.", default=30, validator=between(0, 3650), compared=False
)


def period_failures(inputs: Values) -> list[Failure]:
    """Hold the renewal period to less than the validity; a longer one would renew at every run."""
    validity, renew = inputs["validityDays"], inputs["renewBeforeDays"]
    if UNKNOWN in (validity, renew) or renew < validity:
        return []
    return [Failure("renewBeforeDays", f"got {renew}, expected fewer days than validityDays, which is {validity}")]


def is_due(end: datetime.datetime, inputs: Values) -> bool:
    """Tell whether the time of renewal has come; not while the period is unknown."""
    renew = inputs["renewBeforeDays"]
    return renew is not UNKNOWN and clock.now() >= end - datetime.timedelta(days=renew)
