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


def _self_signed(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    days = told(lambda: said["validityPeriodHours"].number() / _HOURS)
    yield (Authority if said["isCaCertificate"].flag() else Certificate)(resource=resource, days=days)


def _signed(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    yield Certificate(resource=resource, days=told(lambda: said["validityPeriodHours"].number() / _HOURS))


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "tls:index/privateKey:PrivateKey": _key,
        "tls:index/selfSignedCert:SelfSignedCert": _self_signed,
        "tls:index/locallySignedCert:LocallySignedCert": _signed,
    }
)
