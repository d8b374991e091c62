"""What the gateway knows for its status page, as pure functions of a clinic: what it counts, and what it is told of the deployment."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from securepacs.clinic import Clinic
from securepacs.database import uses_postgresql


@dataclass(frozen=True)
class Refusal:
    """One row: why the gateway refuses, by its name in JSON, and in words."""

    name: str
    told: str


#: What the gateway counts. A row's place is the place of its counter in HAProxy's table, so that no text of a caller's becomes a key.
REFUSALS = (
    Refusal("tls", "no TLS, or no certificate that opens anything"),
    Refusal("malformed", "no whole association request in time"),
    Refusal("calling-ae", "calling AE title not the certificate's"),
    Refusal("called-ae", "called AE title not the archive's"),
    Refusal("limit", "too many associations"),
    Refusal("connections", "too many connections of one address"),
    Refusal("source", "a waiver's port from another address"),
    Refusal("password", "wrong password over HTTPS"),
    Refusal("role", "a route that the role has not"),
)

#: Refusals and associations are counted by the hour, this one and those before it.
HOURS = 24

#: How long it is known when a peer came last. HAProxy's timers end at 2^31 ms.
SEEN_DAYS = 24

#: Where a browser goes on from the page, in a clinic with a viewer.
_LINKS = {"Images": "/", "Sign out": "/oauth2/sign_out?rd=%2F"}


@dataclass(frozen=True)
class Question:
    """One row: the gateway's own way to a part, which is the part's name on its loopback; the path there, and the backend."""

    part: str
    path: str
    backend: str


_ARCHIVE = (Question("archive", "/statistics", "archive_http"),)
_BROWSER = (Question("viewer", "/healthz", "viewer"), Question("sign-in", "/ping", "sign_in"))


def questions(clinic: Clinic) -> tuple[Question, ...]:
    """Give what the gateway may ask its neighbours on its own account."""
    return (*_ARCHIVE, *_BROWSER) if clinic.viewer else _ARCHIVE


def told_to_gateway(clinic: Clinic, known_as: Mapping[str, str], not_after: Mapping[str, str]) -> dict[str, Any]:
    """Give what stands in the gateway's status.json.

    `known_as`: AE title -> the peer's name in the gateway's tables. `not_after`: what expires -> when (ISO 8601). It holds no secret.
    """
    return {
        "name": clinic.name,
        "hours": HOURS,
        "seen_days": SEEN_DAYS,
        "refusals": [{"name": refusal.name, "told": refusal.told} for refusal in REFUSALS],
        "peers": dict(known_as),
        "certificates": {what: int(datetime.datetime.fromisoformat(when).timestamp()) for what, when in not_after.items()},
        "storage_mb": clinic.limits.storage_mb,
        "parts": [question.part for question in questions(clinic)],
        # The archive answers only where its index does.
        "behind_archive": ["database"] if uses_postgresql(clinic) else [],
        "links": [{"told": told, "to": to} for told, to in _LINKS.items()] if clinic.viewer else [],
        "backup": clinic.backup.model_dump(include={"by", "to", "hours"}) if clinic.backup else None,
        # The command that sees it is not for the gateway, which is told what it saw.
        "backup_is_seen": bool(clinic.backup and clinic.backup.newest),
    }
