"""What a machine is: a program that asks over HTTPS with a token of its own (RFC 6750), for some routes, until a day."""

from __future__ import annotations

import datetime
import hashlib
from typing import Annotated, Self

from pydantic import AfterValidator, Field, IPvAnyNetwork, model_validator

from securepacs.peers import Declared
from securepacs.roles import Role
from securepacs.routes import ROUTES

#: Characters of a token: each has 5.83 bits, so that it has 256 bits and cannot be guessed.
TOKEN_LENGTH = 44

#: A person's name has no colon, so that nobody is taken for a machine: in the gateway's tables, in its log, at the archive.
_PREFIX = "machine:"

UserName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,31}$")]


def _not_everywhere(value: IPvAnyNetwork) -> IPvAnyNetwork:
    if value.prefixlen == 0:
        raise ValueError("a source is some network: for a machine that asks from anywhere leave `sources` out")
    return value


Source = Annotated[IPvAnyNetwork, AfterValidator(_not_everywhere)]

_SECONDS_OF_A_DAY, _FIRST_DAY = 86_400, datetime.date(1970, 1, 1).toordinal()


class Machine(Declared):
    """A program that asks over HTTPS with a token of its own, in the rights of a role."""

    name: UserName
    """Name of the machine: lower-case letters, digits, '_', '.', '-'. No person has the same."""
    role: Role
    routes: Annotated[list[str], Field(min_length=1)] | None = None
    """Rows of the table of routes that it may use; by default all of its role's that lead to the archive."""
    until: datetime.date
    """The last day of its token, YYYY-MM-DD, in UTC. Afterwards the gateway refuses it; a clinic with an ended one is deployed as ever."""
    sources: Annotated[list[Source], Field(min_length=1)] | None = None
    """Addresses and networks (CIDR) from which its token counts, as the gateway sees them; by default all."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        able = routes_of_role(self.role)
        for name in self.routes or ():
            if name not in able:
                raise ValueError(f"routes: got '{name}'; a machine of the role {self.role} has some of {', '.join(able)}")
        return self

    @property
    def known_as(self) -> str:
        """The name under which the gateway knows it once its token was found right, and by which its log calls it."""
        return f"{_PREFIX}{self.name}"

    @property
    def allowed(self) -> list[str]:
        """Rows of the table of routes that it may use."""
        return routes_of_role(self.role) if self.routes is None else list(dict.fromkeys(self.routes))

    @property
    def ends(self) -> int:
        """The moment from which its token opens nothing: the first second after its last day, in seconds since 1970."""
        return (self.until.toordinal() + 1 - _FIRST_DAY) * _SECONDS_OF_A_DAY


def routes_of_role(role: Role) -> list[str]:
    """Name the rows that a machine of a role may have: those that lead to the archive. The viewer's pages are for people."""
    return [route.name for route in ROUTES if role in route.roles]


def token_hash(token: str) -> str:
    """Give the SHA-256 of a token, in lower-case hexadecimal.

    A fast hash is right here: a slow one makes guessing dear, and 256 random bits cannot be guessed (NIST SP 800-63B section 5.1.2.2
    asks for no more of look-up secrets with 112 bits). It is computed for each request.
    """
    return hashlib.sha256(token.encode("ascii")).hexdigest()
