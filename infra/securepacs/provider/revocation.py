"""securepacs:pki:RevocationList."""

from __future__ import annotations

import datetime
import uuid

from securepacs.provider import clock, pki
from securepacs.provider.fields import INTEGER, TEXT, UNKNOWN, Change, Failure, Field, Kind, ListOf, Record, Values
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
        Field("caCertPem", TEXT, "The authority's certificate in PEM.", required=True),
        Field("caKeyPem", TEXT, "The authority's private key in PEM.", required=True, secret=True, compared=False),
        Field("revoked", ListOf(REVOKED, _distinct), "What is revoked.", required=True),
        Field("validityDays", INTEGER, "Days until it expires.", default=90, validator=between(1, 3650)),
        Field("renewBeforeDays", INTEGER, "Days before expiry when it is renewed.", default=30, validator=between(0, 3650), compared=False),
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
        validity, renew = inputs["validityDays"], inputs["renewBeforeDays"]
        if UNKNOWN not in (validity, renew) and renew >= validity:
            failures.append(Failure("renewBeforeDays", f"got {renew}, expected fewer days than validityDays, which is {validity}"))
        return {}, failures

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find a list that is due for renewal."""
        del resource_id
        renew = inputs["renewBeforeDays"]
        if renew is UNKNOWN or clock.now() < pki.moment(state["nextUpdate"]) - datetime.timedelta(days=renew):
            return []
        return [Change("nextUpdate", Kind.UPDATE, declared=False)]

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
