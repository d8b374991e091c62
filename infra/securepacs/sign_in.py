"""The sign-in's files, as pure functions of a clinic and its secrets: the configuration of oauth2-proxy, which checks who somebody is,
here or at the clinic's identity provider, and mints the session's cookie. Who of them may do what, and when a session ends, is the
gateway's: it asks the sign-in for each request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from securepacs.clinic import Clinic
from securepacs.identity_provider import IdentityProvider
from securepacs.roles import ROLES

#: The user that oauth2-proxy runs as, in the image and in the files' ownership.
UID = GID = 10104

#: Where the files stand in the container.
FOLDER = "/etc/sign-in"

#: The port on the browser's network; it is not published.
PORT = 4180

#: The name on the browser's network.
HOST = "sign-in"

#: The prefix binds the cookie to this host, to HTTPS and to all of its paths (RFC 6265bis section 4.1.3.2).
COOKIE = "__Host-securepacs"

#: Where oauth2-proxy looks at a request's session and nothing else; the header in which it tells the name, of those who sign in here
#: and of a provider's.
CHECK_PATH, USER_HEADER, PROVIDED_NAME_HEADER = "/oauth2/auth", "x-auth-request-user", "x-auth-request-email"

#: The sign-in's files: what it restarts for; the names and hashes it reads anew by itself.
RESTARTS_FOR = ("sign-in.cfg", "cookie-secret")
FILE_NAMES = (*RESTARTS_FOR, "people")

#: Those of a clinic with an identity provider: the client's secret, and the authorities that the provider is held against.
PROVIDER_RESTARTS_FOR = (*RESTARTS_FOR, "client-secret", "provider-ca.pem")

#: How a provider may sign what it says (RFC 7518 section 3.1): by a private key, never by the client's secret.
_SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

#: The authorities that Debian trusts.
_DEBIANS = "/etc/ssl/certs/ca-certificates.crt"

#: oauth2-proxy asks for a provider though people are declared here; it leads nowhere, and the gateway has no route to it.
_NO_PROVIDER = "https://nowhere.invalid"


@dataclass(frozen=True)
class SignInSecrets:
    """What the sign-in's files are made of, beside the clinic."""

    cookie_secret: str
    """Text of 32 characters; with another one every session ends."""
    password_hashes: Mapping[str, str]
    """Person -> bcrypt hash."""
    client_secret: str = ""
    """Of the clinic at its identity provider, where it has one."""


def _value(value: object) -> str:
    return json.dumps(value)  # TOML's strings, whole numbers, booleans and lists of strings are written as JSON's are


def restarts_for(clinic: Clinic) -> tuple[str, ...]:
    """Name the files for which the sign-in restarts."""
    return PROVIDER_RESTARTS_FOR if clinic.sign_in.oidc else RESTARTS_FOR


def file_names(clinic: Clinic) -> tuple[str, ...]:
    """Name the sign-in's files."""
    return PROVIDER_RESTARTS_FOR if clinic.sign_in.oidc else FILE_NAMES


def _here() -> dict[str, object]:
    """Give the settings with which people sign in here."""
    return {
        "htpasswd_file": f"{FOLDER}/people",
        "display_htpasswd_form": True,
        "client_id": "nobody",
        "client_secret": "nobody",
        "oidc_issuer_url": _NO_PROVIDER,
        "login_url": f"{_NO_PROVIDER}/login",
        "redeem_url": f"{_NO_PROVIDER}/token",
        "oidc_jwks_url": f"{_NO_PROVIDER}/keys",
    }


def _at(provider: IdentityProvider) -> dict[str, object]:
    """Give the settings with which people sign in at a provider (OpenID Connect Core 3.1, RFC 7636)."""
    return {
        "client_id": provider.client_id,
        "client_secret_file": f"{FOLDER}/client-secret",
        "oidc_issuer_url": provider.issuer,
        "login_url": provider.login_url,
        "redeem_url": provider.token_url,
        "oidc_jwks_url": provider.keys_url,
        "provider_ca_files": [f"{FOLDER}/provider-ca.pem" if provider.authority else _DEBIANS],
        "scope": " ".join(provider.scopes),
        "code_challenge_method": "S256",
        "insecure_oidc_skip_nonce": False,
        # In letters that every provider sends back as they are.
        "encode_state": True,
        "oidc_enabled_signing_algs": list(_SIGNATURES),
        # The name is taken from the header of the address: what the provider calls an address is not needed.
        "oidc_email_claim": provider.name_claim,
        "oidc_groups_claim": provider.role_claim,
        "prompt": "login" if provider.ask_again else "",
        "approval_prompt": "auto",
        # Each tab signs in for itself, and only so many are begun.
        "cookie_csrf_per_request": True,
        "cookie_csrf_per_request_limit": 8,
        "cookie_csrf_expire": "15m",
        "cookie_csrf_samesite": "lax",
    }


def _configuration(clinic: Clinic) -> str:
    provider = clinic.sign_in.oidc
    settings: dict[str, object] = {
        "http_address": f"0.0.0.0:{PORT}",
        "upstreams": ["static://404"],
        "custom_templates_dir": "/usr/share/sign-in",
        "cookie_name": COOKIE,
        "cookie_secret_file": f"{FOLDER}/cookie-secret",
        "cookie_secure": True,
        "cookie_httponly": True,
        "cookie_samesite": "lax",
        "cookie_path": "/",
        "cookie_expire": f"{clinic.sign_in.session_hours}h",
        "cookie_refresh": "0s",
        "session_cookie_minimal": True,
        "set_xauthrequest": True,
        # What a request says of who sent it is not believed; the gateway's log knows.
        "reverse_proxy": False,
        "email_domains": ["*"],
        # What is asked is not logged: addresses hold identifiers of patients.
        "request_logging": False,
        "standard_logging": True,
        "auth_logging": True,
        "provider": "oidc",
        "provider_display_name": clinic.name,
        "skip_oidc_discovery": True,
        **(_at(provider) if provider else _here()),
    }
    return "".join(f"{name} = {_value(value)}\n" for name, value in settings.items())


def sign_in_files(clinic: Clinic, secrets: SignInSecrets) -> dict[str, str]:
    """Give the content of each file of the sign-in: name -> text."""
    provider = clinic.sign_in.oidc
    always = {"sign-in.cfg": _configuration(clinic), "cookie-secret": secrets.cookie_secret}
    if provider:
        return {**always, "client-secret": secrets.client_secret, "provider-ca.pem": provider.authority or ""}
    return {
        **always,
        "people": "".join(f"{person.name}:{secrets.password_hashes[person.name]}\n" for person in clinic.people),
    }


def role_values(clinic: Clinic) -> list[tuple[str, str]]:
    """Give each role with the values of the provider's claim that mean it, the highest role first; nothing where people sign in here."""
    provider = clinic.sign_in.oidc
    return [(role, ",".join(values)) for role in ROLES if (values := provider.values_of(role))] if provider else []


def provider_generation(provider: IdentityProvider) -> int:
    """Give the number that every session of a provider carries: with another issuer or client all of them end."""
    return generation(f"{provider.issuer} {provider.client_id}")


def generation(password_hash: str) -> int:
    """Give the number, from 1 to 2^31 - 1, that a session of a person carries: with another password it is another one.

    A session of a person who is gone, or whose password was changed, fits no number any more.
    """
    return int.from_bytes(hashlib.sha256(password_hash.encode()).digest()[:4]) % (2**31 - 1) + 1
