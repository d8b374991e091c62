"""securepacs:pki:CertificateAuthority."""

from __future__ import annotations

import datetime

from securepacs.provider import clock, pki
from securepacs.provider.fields import INTEGER, TEXT, Field, Values
from securepacs.provider.resource import Created, Resource
from securepacs.provider.validators import between, one_of, printable

#: X.509 writes years of four digits; a century is more than any clinic plans.
LONGEST_VALIDITY_DAYS = 36_500


class CertificateAuthority(Resource):
    """A self-signed authority. Every change makes a new one, since its name and key are what others trust."""

    pulumi_type = "securepacs:pki:CertificateAuthority"
    description = "A self-signed certificate authority (pathlen 0) that signs certificates and revocation lists."
    inputs = (
        Field("commonName", TEXT, "Common name.", required=True, replace=True, validator=printable),
        Field("organization", TEXT, "Organization name.", replace=True, validator=printable),
        Field("keyType", TEXT, "Kind of key.", replace=True, default="ecdsa-p256", validator=one_of(tuple(pki.KEY_TYPES))),
        Field("validityDays", INTEGER, "Days until it expires.", replace=True, default=3650, validator=between(1, LONGEST_VALIDITY_DAYS)),
    )
    outputs = (
        Field("certPem", TEXT, "The certificate in PEM."),
        Field("keyPem", TEXT, "The private key in PKCS #8 PEM.", secret=True),
        Field("notAfter", TEXT, "Expiry, RFC 3339 in UTC."),
        Field("serial", TEXT, "Serial number, lower-case hexadecimal."),
        Field("fingerprint", TEXT, "SHA-256 of the DER form, lower-case hexadecimal."),
    )

    def create(self, inputs: Values) -> Created:
        """Make the key and the certificate."""
        now = clock.now()
        made = pki.make_authority(inputs["commonName"], inputs.get("organization"), inputs["keyType"], inputs["validityDays"], now)
        fingerprint = pki.fingerprint(made.certificate)
        return Created(
            fingerprint,
            {
                "certPem": pki.pem(made.certificate),
                "keyPem": pki.key_pem(made.key),
                "notAfter": pki.timestamp(now + datetime.timedelta(days=inputs["validityDays"])),
                "serial": pki.serial(made.certificate),
                "fingerprint": fingerprint,
            },
        )
