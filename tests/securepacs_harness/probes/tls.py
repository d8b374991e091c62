"""TLS as a client offers it: contexts that may be weak on purpose, alerts by their names, and sessions to resume."""

from __future__ import annotations

import dataclasses
import re
import ssl
import warnings
from collections.abc import Mapping

from securepacs_harness.bundles import Material
from securepacs_harness.errors import CannotOfferError
from securepacs_harness.observation import Layer, Observation, Outcome

#: Protocol versions by the names of the RFCs.
VERSIONS: Mapping[str, ssl.TLSVersion] = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}

#: TLS 1.2 suites that BCP 195 (RFC 9325 section 4.1, 4.2) does not recommend, by OpenSSL's names.
WEAK_SUITES: tuple[str, ...] = (
    "AES128-SHA",
    "AES256-SHA",
    "AES128-SHA256",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "DHE-RSA-AES128-SHA",
    "DHE-RSA-AES256-SHA256",
    "AES256-SHA256",
    "CAMELLIA128-SHA",
    "AECDH-AES128-SHA",
    "ADH-AES128-GCM-SHA256",
    "ECDHE-ECDSA-NULL-SHA",
    "ECDHE-RSA-NULL-SHA",
    "NULL-SHA256",
)

#: TLS 1.2 suites that BCP 195 and PS3.15 annex B.12 ask for.
STRONG_SUITES: tuple[str, ...] = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)


def _reason(error: ssl.SSLError) -> str:
    """Give OpenSSL's name for a failure; some are raised by Python itself and have only a text."""
    return str(getattr(error, "reason", None) or error)


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """What a client offers: trust in `ca` (PEM text), the name it expects, its own material (None: anonymous), versions, suites."""

    ca: str
    server_name: str
    material: Material | None = None
    lowest: str = "TLS 1.2"
    highest: str = "TLS 1.3"
    suites: str | None = None
    """OpenSSL cipher list for TLS 1.2 and below."""

    def context(self) -> ssl.SSLContext:
        """Make the context. Raises CannotOfferError where this machine's library refuses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        weak = self.suites or VERSIONS[self.lowest] < ssl.TLSVersion.TLSv1_2
        try:
            if weak:
                # Level 0 lets the library offer what it would not by itself; a prefix of the list, it changes no suite.
                context.set_ciphers(f"{self.suites or 'ALL:eNULL'}:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = VERSIONS[self.lowest]
                context.maximum_version = VERSIONS[self.highest]
            context.load_verify_locations(cadata=self.ca)
            # What is declared is trusted, also where it is no root but the authority below one.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            if self.material:
                context.load_cert_chain(self.material.cert, self.material.key)
        except ssl.SSLError as error:
            raise CannotOfferError(f"this TLS library cannot offer it: {_reason(error)}") from None
        return context


#: Local reasons of the library (OpenSSL's names) after which nothing is known about the server.
_LOCAL: Mapping[str, str] = {
    "NO_CIPHERS_AVAILABLE": "could-not-offer",
    "NO_PROTOCOLS_AVAILABLE": "could-not-offer",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "could-not-offer",
    "CERTIFICATE_VERIFY_FAILED": "server-not-trusted",
    "UNSUPPORTED_PROTOCOL": "other-version-chosen",
}
_ALERT = re.compile(r"^(?:SSLV3|TLSV1|TLSV13)_ALERT_(.+)$")
#: Alerts whose OpenSSL name has no "ALERT_" part.
_ALERT_NAMES: Mapping[str, str] = {"TLSV1_UNRECOGNIZED_NAME": "unrecognized_name", "TLSV1_UNSUPPORTED_EXTENSION": "unsupported_extension"}


def alert_name(reason: str) -> str | None:
    """Give the TLS alert's name (RFC 8446 section 6) in OpenSSL's reason, None where it is no alert.

    "TLSV1_ALERT_UNKNOWN_CA" -> "unknown_ca".
    """
    found = _ALERT.match(reason)
    return found[1].lower() if found else _ALERT_NAMES.get(reason)


def failed(error: Exception, layer: Layer) -> Observation:
    """Classify what ended a connection. `layer` is the one that was at work."""
    if isinstance(error, CannotOfferError):
        return Observation(Layer.TLS, Outcome.INCONCLUSIVE, "could-not-offer", str(error))
    if isinstance(error, TimeoutError):
        return Observation(layer, Outcome.TIMEOUT, "time-out")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Observation(layer, Outcome.REFUSED, "closed")
    if isinstance(error, ssl.SSLError):
        reason = _reason(error)
        alert = alert_name(reason)
        if alert:
            return Observation(Layer.TLS, Outcome.REFUSED, alert, "TLS alert")
        if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}:
            return Observation(Layer.TLS, Outcome.REFUSED, "not-tls", reason)
        return Observation(Layer.TLS, Outcome.INCONCLUSIVE, _LOCAL.get(reason, "local-error"), reason)
    if isinstance(error, ConnectionRefusedError):
        return Observation(Layer.TCP, Outcome.REFUSED, "refused")
    if isinstance(error, ConnectionError):
        return Observation(layer, Outcome.REFUSED, "reset")
    return Observation(Layer.TCP, Outcome.INCONCLUSIVE, type(error).__name__, str(error))


def can_offer(offer: Offer) -> bool:
    """Tell whether this machine's TLS library can offer it at all."""
    try:
        offer.context()
    except CannotOfferError:
        return False
    return True


def shown_certificates(offer: Offer) -> ssl.SSLContext:
    """Make a context that takes whatever certificate comes, weak and old ones too, so that it can be looked at; nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    if offer.material:
        context.load_cert_chain(offer.material.cert, offer.material.key)
    return context
