"""securepacs:pki:RevocationList."""

from __future__ import annotations

import datetime
import uuid

from securepacs.provider import clock, pki
from securepacs.provider.fields import INTEGER, TEXT, Change, Failure, Field, Kind, ListOf, Record, Values
from securepacs.provider.renewal import RENEW_BEFORE, SIGNER, is_due, period_failures
from securepacs.provider.resource import Created, Resource
from securepacs.provider.validators import between, calendar_date, hexadecimal, one_of

REVOKED = Record(
    "RevokedCertificate",
    (
        Field("serial", TEXT, "Serial number, lower-case hexadecimal.", required=True, validator=hexadecimal),
        Field("date", TEXT, "Day of the revocation, YYYY-MM-DD.", required=True, validator=calendar_date),
        Field("reason", TEXT, "RFC 5280 section 5.3.1.", required=True, validator=one_of(tuple(pki.REASONS))),
    ),
)


def _distinct(revoked: list[dict[str, str]]) -> str | None:
    serials = [int(entry["serial"], 16) for entry in revoked]
    return None if len(set(serials)) == len(serials) else "names a serial twice"


class RevocationList(Resource):
    """A certificate revocation list; a server that checks it refuses everybody once it has expired, so it is renewed early."""

    pulumi_type = "securepacs:pki:RevocationList"
    description = "A certificate revocation list, renewed before it expires; its number only grows."
    inputs = (
        *SIGNER,
        Field("revoked", ListOf(REVOKED, _distinct), "What is revoked.", required=True),
        Field("validityDays", INTEGER, "Days until it expires.", default=90, validator=between(1, 3650)),
        RENEW_BEFORE,
    )
    outputs = (
        Field("crlPem", TEXT, "The list in PEM."),
        Field("number", TEXT, "CRL number, decimal."),
        Field("nextUpdate", TEXT, "Expiry, RFC 3339 in UTC."),
    )

    def complete(self, inputs: Values) -> tuple[Values, list[Failure]]:
        """Hold the dates and the renewal period to what they must be."""
        failures = [
            Failure(f"revoked[{index}].date", f"got {entry['date']!r}, expected a day of the calendar")
            for index, entry in enumerate(inputs["revoked"] if isinstance(inputs["revoked"], list) else [])
            if isinstance(entry, dict) and isinstance(entry["date"], str) and not _is_a_day(entry["date"])
        ]
        return {}, [*failures, *period_failures(inputs)]

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find a list that is due for renewal."""
        del resource_id
        return [Change("nextUpdate", Kind.UPDATE, declared=False)] if is_due(pki.moment(state["nextUpdate"]), inputs) else []

    def create(self, inputs: Values) -> Created:
        """Sign the first list."""
        return Created(str(uuid.uuid4()), self._sign(inputs, 0))

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Sign a list with a higher number."""
        del resource_id
        return self._sign(inputs, int(state["number"]))

    def _sign(self, inputs: Values, last: int) -> Values:
        now = clock.now()
        authority = pki.Authority.load(inputs["caCertPem"], inputs["caKeyPem"])
        # Seconds since 1970 keep the number growing where the state, and the last number with it, was lost.
        number = max(last + 1, int(now.timestamp()))
        next_update = now + datetime.timedelta(days=inputs["validityDays"])
        made = pki.make_revocation_list(authority, inputs["revoked"], number, next_update, now)
        return {"crlPem": pki.pem(made), "number": str(number), "nextUpdate": pki.timestamp(next_update)}


def _is_a_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
