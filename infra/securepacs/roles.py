"""The roles of those who come over HTTPS; what each may do stands in routes.py."""

from __future__ import annotations

from typing import Literal

Role = Literal["viewer", "clinician", "admin"]

#: The highest first.
ROLES: tuple[Role, ...] = ("admin", "clinician", "viewer")
