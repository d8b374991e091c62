"""Logins that anybody can look up, and how stored ones are kept. No function tells a password."""

from __future__ import annotations

import json
import re
from typing import Final

from securepacs_policies.secrecy import looks_random

#: Pairs that products ship with, or that are published in their examples (user, password). Few: a wrong one counts towards a lock-out.
DEFAULT_LOGINS: tuple[tuple[str, str], ...] = (
    ("orthanc", "orthanc"),
    ("admin", "admin"),
    ("demo", "demo"),
    ("alice", "alicePassword"),
)

#: Prefixes of crypt(5) whose hashes take long to guess.
_SLOW: Final = ("$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$argon2")
#: Rounds of SHA-crypt when none are written down; fewer are weak.
_USUAL_ROUNDS: Final = 5000


def weakness_of(stored: str) -> str:
    """Say what is weak about a stored password, by its crypt(5) form; '' for a slow hash."""
    if not stored.startswith("$"):
        return "DES crypt" if re.fullmatch(r"[./0-9A-Za-z]{13}", stored) else "no hash that is known"
    if not stored.startswith(_SLOW):
        return f"the fast hash {stored[: stored.index('$', 1) + 1] if '$' in stored[1:] else '$'}"
    rounds = re.match(r"\$[56]\$rounds=(\d+)\$", stored)
    return f"only {rounds[1]} rounds" if rounds and int(rounds[1]) < _USUAL_ROUNDS else ""


def in_haproxy(text: str) -> dict[str, str]:
    """Give the users of HAProxy's userlists, and what is weak about how each one's password is stored ('' for nothing)."""
    found = re.findall(r"(?m)^\s*user\s+(\S+)\s+(insecure-password|password)\s+(\S+)", text)
    return {user: "it stands there as it is" if kind == "insecure-password" else weakness_of(stored) for user, kind, stored in found}


def in_orthanc(text: str) -> dict[str, str]:
    """Give Orthanc's registered users: their passwords stand there as they are, which only a long random one can bear."""
    try:
        users = json.loads(text).get("RegisteredUsers", {})
    except (ValueError, AttributeError):
        return {}
    if not isinstance(users, dict):
        return {}
    return {user: "" if looks_random(str(password)) else "it stands there as it is" for user, password in users.items()}


#: Product -> how its configuration's users are read.
STORED: Final = {"haproxy": in_haproxy, "orthanc": in_orthanc}
