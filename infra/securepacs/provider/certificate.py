"""securepacs:pki:Certificate."""

from __future__ import annotations

import datetime
import uuid

from securepacs.provider import clock, pki
from securepacs.provider.authority import LONGEST_VALIDITY_DAYS
from securepacs.provider.fields import INTEGER, TEXT, UNKNOWN, Change, Failure, Field, Kind, ListOf, MapOf, Values, first_wrong
from securepacs.provider.renewal import RENEW_BEFORE, SIGNER, is_due, period_failures
from securepacs.provider.resource import Created, Resource
from securepacs.provider.validators import between, hexadecimal, host_name, ip_address, not_empty, one_of, printable


def _usages(value: list[str]) -> str | None:
    if len(set(value)) != len(value):
        return "names a usage twice"
    return not_empty(value) or first_wrong(value, one_of(tuple(pki.USAGES)))


class Certificate(Resource):
    """An end entity's certificate. Every change issues anew, in place: nothing that depends on it need be replaced."""

    pulumi_type = "securepacs:pki:Certificate"
    description = "A certificate of a server or client, renewed before it expires; the renewal shows as a diff."
    inputs = (
        *SIGNER,
        Field("commonName", TEXT, "The one common name.", required=True, validator=printable),
        Field("dnsNames", ListOf(TEXT, lambda names: first_wrong(names, host_name)), "Host names."),
        Field("ipAddresses", ListOf(TEXT, lambda addresses: first_wrong(addresses, ip_address)), "IP addresses."),
        Field("usages", ListOf(TEXT, _usages), "Extended key usages: server, client.", required=True),
        Field("keyType", TEXT, "Kind of key.", default="ecdsa-p256", validator=one_of(tuple(pki.KEY_TYPES))),
        Field("validityDays", INTEGER, "Days until it expires.", default=397, validator=between(1, LONGEST_VALIDITY_DAYS)),
        RENEW_BEFORE,
        Field("keepers", MapOf(TEXT), "Any texts; a change of one issues anew."),
        Field("csrPem", TEXT, "A PKCS #10 request whose public key is certified; the private key stays away."),
        Field(
            "revokedSerials",
            ListOf(TEXT, lambda serials: first_wrong(serials, hexadecimal)),
            "Serials that are revoked; a certificate with one of them is issued anew.",
            compared=False,
        ),
    )
    outputs = (
        Field("certPem", TEXT, "The certificate in PEM."),
        Field("keyPem", TEXT, "The private key in PKCS #8 PEM; empty where a request was given.", secret=True),
        Field("notBefore", TEXT, "Begin of validity, RFC 3339 in UTC."),
        Field("notAfter", TEXT, "Expiry, RFC 3339 in UTC."),
        Field("serial", TEXT, "Serial number, lower-case hexadecimal."),
        Field("fingerprint", TEXT, "SHA-256 of the DER form, lower-case hexadecimal."),
    )

    def complete(self, inputs: Values) -> tuple[Values, list[Failure]]:
        """Hold the request and the renewal period to what they must be."""
        failures = []
        if isinstance(inputs.get("csrPem"), str):
            try:
                pki.requested_key(inputs["csrPem"])
            except pki.PkiError as wrong:
                failures.append(Failure("csrPem", f"got {wrong.got}, expected {wrong.expected}"))
        return {}, [*failures, *period_failures(inputs)]

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find a certificate that is due for renewal or revoked."""
        del resource_id
        changes = []
        if state["serial"] in inputs.get("revokedSerials", []):
            changes.append(Change("serial", Kind.UPDATE, declared=False))
        if self._is_due(state, inputs):
            changes.append(Change("notAfter", Kind.UPDATE, declared=False))
        return changes

    def _is_due(self, state: Values, inputs: Values) -> bool:
        end = pki.moment(state["notAfter"])
        if not is_due(end, inputs):
            return False
        if UNKNOWN in (inputs["caCertPem"], inputs["validityDays"]):
            return True
        # A certificate that ends with its authority gains nothing from being issued anew each time.
        return _end(inputs, clock.now()) > end + datetime.timedelta(days=1)

    def create(self, inputs: Values) -> Created:
        """Issue the first certificate."""
        return Created(str(uuid.uuid4()), self._issue(inputs))

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Issue anew, with a new key."""
        del resource_id, state
        return self._issue(inputs)

    def _issue(self, inputs: Values) -> Values:
        now = clock.now()
        authority = pki.Authority.load(inputs["caCertPem"], inputs["caKeyPem"])
        key = None if "csrPem" in inputs else pki.KEY_TYPES[inputs["keyType"]]()
        subject = pki.Subject(inputs["commonName"], inputs.get("dnsNames", ()), inputs.get("ipAddresses", ()), inputs["usages"])
        public = key.public_key() if key else pki.requested_key(inputs["csrPem"])
        made = pki.issue(authority, subject, public, _end(inputs, now), now)
        return {
            "certPem": pki.pem(made),
            "keyPem": pki.key_pem(key) if key else "",
            "notBefore": pki.timestamp(made.not_valid_before_utc),
            "notAfter": pki.timestamp(made.not_valid_after_utc),
            "serial": pki.serial(made),
            "fingerprint": pki.fingerprint(made),
        }


def _end(inputs: Values, now: datetime.datetime) -> datetime.datetime:
    authority = pki.load_certificate(inputs["caCertPem"], "caCertPem")
    return min(now + datetime.timedelta(days=inputs["validityDays"]), authority.not_valid_after_utc)
