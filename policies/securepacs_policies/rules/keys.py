"""Keys and certificates: how strong, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from securepacs_policies.rule import Parameters, rule
from securepacs_policies.things import Authority, Certificate, Key, RevocationList

#: Curves of 128 bits of strength and more (NIST SP 800-57 part 1, table 2).
_CURVES = frozenset({"p256", "p384", "p521", "ed25519", "x25519"})


def _longest(days: int) -> dict[str, dict[str, Any]]:
    return {"longest_days": {"type": "integer", "default": days, "description": "Most days that it may be valid."}}


@rule(
    "authority-lifetime",
    "An authority does not live for ever",
    why="Every certificate of the clinic hangs on this one key; the longer it lives, the more people have had it.",
    remedy="Give it ten years at most, and rotate it with an overlap.",
    severity="low",
    controls=("server-certificate",),
    needs=("days",),
    parameters=_longest(3660),
)
def authority_lifetime(authority: Authority, parameters: Parameters) -> Iterator[str]:
    """Yield an authority that is valid for longer."""
    if authority.days > parameters["longest_days"]:
        yield f"the authority is valid for {authority.days:.0f} days"


@rule(
    "certificate-lifetime",
    "A certificate ends within thirteen months",
    why="A device that is sold or stolen keeps its key: the certificate's end is the last lock.",
    remedy="Give it no more days than that; renewal is part of every `up`.",
    severity="medium",
    controls=("server-certificate", "peer-authentication"),
    needs=("days",),
    parameters=_longest(397),
)
def certificate_lifetime(certificate: Certificate, parameters: Parameters) -> Iterator[str]:
    """Yield a certificate that is valid for longer."""
    if certificate.days > parameters["longest_days"]:
        yield f"the certificate is valid for {certificate.days:.0f} days"


@rule(
    "revocation-lifetime",
    "A revocation list is made anew",
    why="A list that is valid for years can be replayed for years.",
    remedy="Give it no more days than that; renewal is part of every `up`.",
    severity="low",
    controls=("certificate-revocation",),
    needs=("days",),
    parameters=_longest(397),
)
def revocation_lifetime(listed: RevocationList, parameters: Parameters) -> Iterator[str]:
    """Yield a revocation list that is valid for longer."""
    if listed.days > parameters["longest_days"]:
        yield f"the revocation list is valid for {listed.days:.0f} days"


@rule(
    "key-strength",
    "Keys are strong enough for the years that they protect",
    why="Images are private for a lifetime: 112 bits of strength are not enough for data that is kept beyond 2030 (NIST SP 800-57).",
    remedy="ECDSA on P-256 or better, Ed25519, or RSA with 3072 bits.",
    severity="medium",
    controls=("server-certificate", "tls-profile"),
    needs=("algorithm", "bits", "curve"),
    parameters={"rsa_bits": {"type": "integer", "default": 3072, "description": "Least bits of an RSA key."}},
)
def key_strength(key: Key, parameters: Parameters) -> Iterator[str]:
    """Yield a key that is too short, or on a weak curve."""
    if key.algorithm == "RSA":
        if key.bits < parameters["rsa_bits"]:
            yield f"the RSA key has {key.bits} bits"
    elif key.algorithm == "ECDSA":
        if key.curve.replace("-", "") not in _CURVES:
            yield f"the curve {key.curve} is weak"
    elif key.algorithm != "ED25519":
        yield f"the algorithm '{key.algorithm}' is not known to be strong"
