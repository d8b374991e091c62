"""The sign-in's files, as pure functions of a clinic and its secrets: the configuration of oauth2-proxy, which checks who somebody is
and mints the session's cookie. Who of them may do what, and when a session ends, is the gateway's: it asks the sign-in for each request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from securepacs.clinic import Clinic

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

#: Of whom oauth2-proxy says the name; where it looks at a request's session and nothing else.
CHECK_PATH, USER_HEADER = "/oauth2/auth", "x-auth-request-user"

#: The sign-in's files: what it restarts for; the names and hashes it reads anew by itself.
RESTARTS_FOR = ("sign-in.cfg", "cookie-secret")
FILE_NAMES = (*RESTARTS_FOR, "people")

#: oauth2-proxy asks for a provider though people are declared here; it leads nowhere, and the gateway has no route to it.
_NO_PROVIDER = "https://nowhere.invalid"


@dataclass(frozen=True)
class SignInSecrets:
    """What the sign-in's files are made of, beside the clinic."""

    cookie_secret: str
    """Text of 32 characters; with another one every session ends."""
    password_hashes: Mapping[str, str]
    """Person -> bcrypt hash."""


def _value(value: object) -> str:
    return json.dumps(value)  # TOML's strings, whole numbers, booleans and lists of strings are written as JSON's are


def _configuration(clinic: Clinic) -> str:
    settings: dict[str, object] = {
        "http_address": f"0.0.0.0:{PORT}",
        "upstreams": ["static://404"],
        "custom_templates_dir": "/usr/share/sign-in",
        "htpasswd_file": f"{FOLDER}/people",
        "display_htpasswd_form": True,
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
        "client_id": "nobody",
        "client_secret": "nobody",
        "skip_oidc_discovery": True,
        "oidc_issuer_url": _NO_PROVIDER,
        "login_url": f"{_NO_PROVIDER}/login",
        "redeem_url": f"{_NO_PROVIDER}/token",
        "oidc_jwks_url": f"{_NO_PROVIDER}/keys",
    }
    return "".join(f"{name} = {_value(value)}\n" for name, value in settings.items())


def sign_in_files(clinic: Clinic, secrets: SignInSecrets) -> dict[str, str]:
    """Give the content of each file of the sign-in: name -> text."""
    return {
        "sign-in.cfg": _configuration(clinic),
        "cookie-secret": secrets.cookie_secret,
        "people": "".join(f"{person.name}:{secrets.password_hashes[person.name]}\n" for person in clinic.people),
    }


def generation(password_hash: str) -> int:
    """Give the number, from 1 to 2^31 - 1, that a session of a person carries: with another password it is another one.

    A session of a person who is gone, or whose password was changed, fits no number any more.
    """
    return int.from_bytes(hashlib.sha256(password_hash.encode()).digest()[:4]) % (2**31 - 1) + 1
