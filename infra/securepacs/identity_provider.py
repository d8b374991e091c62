"""The clinic's identity provider: where people prove who they are, and what that says of their role (OpenID Connect Core 1.0).

Its addresses stand in the configuration and are not looked up at the start: a sign-in that restarts while the provider is away
still knows whose sessions are open. `securepacs provider` writes the section from the provider's own discovery document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from pydantic import AfterValidator, Field, model_validator

from securepacs.errors import ConfigurationError
from securepacs.peers import Declared
from securepacs.roles import Role
from securepacs.secret_file import named_from_the_root, read_secret

#: The argument that holds the client's secret, and where a mistake stands.
SECRET: Final = "client_secret"  # noqa: S105 - a key's name
WHERE: Final = "securepacs:clinic.sign_in.oidc"

_HTTPS_PORT: Final = 443


def _address(url: str) -> str:
    """Hold an address of the provider to be HTTPS, with nothing in it that it would be asked with."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.hostname and not re.search(r"[a-z]", parts.hostname.rpartition(".")[2]):
        raise ValueError("a provider is called by its name, which is all that the gateway sees of it (RFC 6066 section 3)")
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment or port == 0:
        raise ValueError("an address of the provider is https://HOST[:PORT]/PATH, without user, query or fragment")
    return url


Address = Annotated[str, Field(max_length=500, pattern=r"^[!-~]+$"), AfterValidator(_address)]

ClaimName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:-]{1,100}$")]

#: A value of the role's claim. The sign-in takes a comma for the end of one.
ClaimValue = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^,\x00-\x1f\x7f]+$")]

ProvidedName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._@+-]{1,64}$")]


def _authorities(pem: str) -> str:
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise ValueError("the provider's authority is one or more PEM blocks 'CERTIFICATE'") from error
    return pem


class IdentityProvider(Declared):
    """An OpenID provider, and the client that the clinic is there: code flow with PKCE (RFC 7636) and a secret."""

    issuer: Address
    """The provider's name for itself, as its tokens have it."""
    login_url: Address
    """Its authorization endpoint: there a browser is sent."""
    token_url: Address
    """Its token endpoint: there the clinic asks, through the gateway, and nowhere else."""
    keys_url: Address
    """Its JWK set: keys that it signs with, fetched anew when it signs with one that is not known yet."""
    sign_out_url: Address | None = None
    """Its end-session endpoint: with it a sign-out ends the session there too (OpenID Connect RP-Initiated Logout 1.0)."""
    authority: Annotated[str, AfterValidator(_authorities)] | None = None
    """PEM of the authorities that its certificate is held against; by default those that Debian trusts."""
    client_id: Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]
    """What the clinic is called there."""
    client_secret_file: Annotated[str, AfterValidator(named_from_the_root)] | None = None
    """File of the client's secret (mode 0600) on the machine that deploys; a program gives the secret `client_secret` instead."""
    scopes: Annotated[list[Annotated[str, Field(pattern=r"^[!-~]{1,100}$")]], Field(min_length=1)] = ["openid", "profile"]
    """What is asked for; some providers give the role's claim for a scope of its own."""
    name_claim: ClaimName = "preferred_username"
    """The claim of the ID token that holds the person's name: up to 64 letters, digits and '._@+-'."""
    role_claim: ClaimName = "groups"
    """The claim of the ID token that holds a list, of which some values are roles. Keep it short: it travels in the session's cookie."""
    roles: Annotated[dict[ClaimValue, Role], Field(min_length=1)]
    """Value of that claim -> role here. Who has several has the highest, who has none has nothing."""
    ask_again: bool = True
    """Whether the provider asks for the password at each sign-in (`prompt=login`): right where several people use one machine."""
    locked_out: list[ProvidedName] = []
    """People who are refused at once, whatever the provider says: their open sessions end with the next `up`."""

    @model_validator(mode="before")
    @classmethod
    def _no_secret_in_the_open(cls, declared: Any) -> Any:  # noqa: ANN401 - anything may stand in a configuration
        if isinstance(declared, Mapping) and SECRET in declared:
            raise ValueError("a client's secret never stands in a configuration: name its file with client_secret_file")
        return declared

    @model_validator(mode="after")
    def _asks_for_identity(self) -> IdentityProvider:
        if "openid" not in self.scopes:
            raise ValueError("scopes hold 'openid', or the provider says nothing of who it is (OpenID Connect Core 3.1.2.1)")
        return self

    @property
    def name(self) -> str:
        """What it is called where people read: the host at which they sign in."""
        return (urlsplit(self.login_url).hostname or "").lower()

    def hosts(self) -> list[tuple[str, int]]:
        """Give host and port of each endpoint that the clinic itself asks."""
        found = (urlsplit(url) for url in (self.token_url, self.keys_url))
        return list(dict.fromkeys(((parts.hostname or "").lower(), parts.port or _HTTPS_PORT) for parts in found))

    def values_of(self, role: Role) -> list[str]:
        """Give the values of the claim that are a role."""
        return [value for value, meant in self.roles.items() if meant == role]

    def read_secret(self) -> str:
        """Read the client's secret from its file.

        Raises ConfigurationError in one line where it cannot be used.
        """
        where = f"{WHERE}.client_secret_file"
        if self.client_secret_file is None:
            do = "name the file of the client's secret"
            raise ConfigurationError(where, got="nothing", expected=f"a file (or, from a program, the secret `{SECRET}`)", do=do)
        text = read_secret(Path(self.client_secret_file), where, "the client's secret").strip()
        if not text or not text.isprintable():
            raise ConfigurationError(where, got="a file without one line of text", expected="the client's secret, as the provider shows it")
        return text
