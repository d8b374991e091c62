"""Every resource of the provider, by its Pulumi type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securepacs.provider.authority import CertificateAuthority
from securepacs.provider.certificate import Certificate
from securepacs.provider.container import Container
from securepacs.provider.files import Files
from securepacs.provider.image import Image
from securepacs.provider.network import Network
from securepacs.provider.password import Password
from securepacs.provider.revocation import RevocationList
from securepacs.provider.volume import Volume

if TYPE_CHECKING:
    from securepacs.provider.resource import Resource

_KINDS: Final[tuple[type[Resource], ...]] = (
    Image,
    Network,
    Volume,
    Files,
    Container,
    CertificateAuthority,
    Certificate,
    RevocationList,
    Password,
)

RESOURCES: Final[dict[str, Resource]] = {kind.pulumi_type: kind() for kind in _KINDS}
