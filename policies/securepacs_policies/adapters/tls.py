"""The keys and certificates of pulumi-tls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from securepacs_policies.reading import Property, told
from securepacs_policies.things import Adapter, Authority, Certificate, Key, Resource, Thing

_HOURS = 24


def _key(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    # The provider's own defaults: RSA of 2048 bits, and P224.
    yield Key(
        resource=resource,
        algorithm=told(lambda: said["algorithm"].text().upper()),
        bits=said["rsaBits"].integer(2048),
        curve=told(lambda: said["ecdsaCurve"].text("P224").lower()),
    )


def _certificate(resource: Resource) -> Iterator[Thing]:
    """Of `SelfSignedCert` and `LocallySignedCert` alike."""
    said = Property(resource.properties)
    days = told(lambda: said["validityPeriodHours"].number() / _HOURS)
    yield (Authority if said["isCaCertificate"].flag() else Certificate)(resource=resource, days=days)


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "tls:index/privateKey:PrivateKey": _key,
        "tls:index/selfSignedCert:SelfSignedCert": _certificate,
        "tls:index/locallySignedCert:LocallySignedCert": _certificate,
    }
)
