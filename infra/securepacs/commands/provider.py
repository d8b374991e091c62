"""`securepacs provider`: writes the section of an identity provider from what the provider tells of itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import requests
import typer
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from securepacs.commands.terminal import noted
from securepacs.errors import ConfigurationError, HostError
from securepacs.identity_provider import Address

Authority = Annotated[
    Path | None, typer.Option("--authority", metavar="FILE", help="PEM of the authority that signed its certificate.")
]

#: Where a provider tells of itself (OpenID Connect Discovery 1.0 section 4).
_DISCOVERY = "/.well-known/openid-configuration"

#: Key of the section -> what the provider calls it (Discovery 3, RP-Initiated Logout 2.1), and whether it must be there.
_ENDPOINTS = {
    "login_url": ("authorization_endpoint", True),
    "token_url": ("token_endpoint", True),
    "keys_url": ("jwks_uri", True),
    "sign_out_url": ("end_session_endpoint", False),
}

_REST = """\
    client_id: securepacs                        # what the provider calls this clinic
    client_secret_file: ~/.securepacs/client-secret   # mode 0600; holds the client's secret
    role_claim: groups                           # the claim of its ID token that lists what somebody is
    roles: {pacs-admins: admin, pacs-clinicians: clinician, pacs-viewers: viewer}
"""


def provider(
    issuer: Annotated[str, typer.Argument(metavar="ISSUER", help="The provider's name: https://HOST/PATH.")], authority: Authority = None
) -> None:
    """Print the section `sign_in.oidc` for an identity provider, from what it tells of itself; the rest of it is yours to fill in.

    Example: securepacs provider https://idp.example/realms/clinic --authority idp-ca.pem
    """
    try:
        TypeAdapter(Address).validate_python(issuer)
    except ValidationError as error:
        raise ConfigurationError("ISSUER", got=f"'{issuer}'", expected=error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    own = {"authority": LiteralScalarString(_read(authority))} if authority else {}
    found = section(issuer, _discovered(issuer.rstrip("/"), authority))
    text = io.StringIO()
    YAML().dump({**found, **own}, text)
    print("sign_in:\n  oidc:")
    print("".join(f"    {line}\n" for line in text.getvalue().splitlines()) + _REST, end="")
    noted.print("put it under securepacs:clinic; register https://HOST:PORT/oauth2/callback there as the client's way back", soft_wrap=True)


def section(issuer: str, told: dict[str, Any]) -> dict[str, str]:
    """Give the section's keys that a discovery document fills in.

    Raises ConfigurationError where it is another provider's, lacks an endpoint, or says that it takes no challenge by S256.
    """
    if told.get("issuer") != issuer:
        raise ConfigurationError("ISSUER", got=f"'{issuer}'", expected=f"'{told.get('issuer')}', as the provider calls itself")
    methods = told.get("code_challenge_methods_supported")
    if methods is not None and "S256" not in methods:
        raise ConfigurationError(issuer, got="no PKCE with S256", expected="a provider that takes a code's challenge (RFC 7636)")
    found = {"issuer": issuer}
    for key, (name, needed) in _ENDPOINTS.items():
        if isinstance(told.get(name), str):
            found[key] = told[name]
        elif needed:
            raise ConfigurationError(issuer, got=f"no {name}", expected="a discovery document of OpenID Connect")
    return found


def _read(authority: Path) -> str:
    try:
        return authority.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("--authority", got=str(authority), expected="a file in PEM that can be read") from None


def _discovered(issuer: str, authority: Path | None) -> dict[str, Any]:
    try:
        answer = requests.get(issuer + _DISCOVERY, verify=str(authority) if authority else True, timeout=10, allow_redirects=False)
        told = answer.json() if answer.ok else None
    except requests.exceptions.SSLError:
        do = "name the authority that signed it with --authority"
        raise HostError(issuer, got="a certificate that nobody vouches for", expected="one of a known authority", do=do) from None
    except (requests.RequestException, OSError):
        raise HostError(issuer, got="no answer", expected="the provider's discovery document", do="look whether it runs") from None
    if not isinstance(told, dict):
        raise HostError(issuer, got=f"status {answer.status_code} and no JSON", expected=f"its discovery document at {issuer}{_DISCOVERY}")
    return told
