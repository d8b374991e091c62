"""Validators of single values, for the field tables; each gives what is wrong, or None."""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securepacs.provider.fields import Validator

_OBJECT_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_REPOSITORY: Final = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+){0,20}")
_MODE: Final = re.compile(r"0[0-7]{3}")
_USER: Final = re.compile(r"[0-9]{1,9}:[0-9]{1,9}")
_SECRET_NAME: Final = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|KEY", re.IGNORECASE)
_ENVIRONMENT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_SIGNAL: Final = re.compile(r"SIG[A-Z0-9]+")


def matches(pattern: re.Pattern[str], said: str) -> Validator:
    """Make a validator for texts that a whole pattern matches."""
    return lambda value: None if pattern.fullmatch(value) else f"got {value!r}, expected {said}"


def one_of(allowed: Sequence[str]) -> Validator:
    """Make a validator for texts of a closed list."""
    return lambda value: None if value in allowed else f"got {value!r}, expected one of {', '.join(allowed)}"


def between(low: float, high: float) -> Validator:
    """Make a validator for numbers from low to high, both included."""
    return lambda value: None if low <= value <= high else f"got {value}, expected {low} to {high}"


object_name = matches(_OBJECT_NAME, "a name of an engine's object: a letter or digit, then letters, digits, '_', '.', '-'")
repository = matches(_REPOSITORY, "an image name: lower-case letters and digits, parted by '.', '_', '-' or '/'")
octal_mode = matches(_MODE, "an octal mode of four digits such as 0400")
user = matches(_USER, "UID:GID in numbers")
signal_name = matches(_SIGNAL, "a signal's name such as SIGHUP")
host_name = matches(_HOST_NAME, "a host name (RFC 1123)")
hexadecimal = matches(re.compile(r"[0-9a-f]{1,40}"), "lower-case hexadecimal digits, at most 40")
calendar_date = matches(re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"), "a date, YYYY-MM-DD")
printable = matches(re.compile(r"[ -~]{1,64}"), "1 to 64 printable ASCII characters")
image_id = matches(re.compile(r"sha256:[0-9a-f]{64}"), "an image's id, sha256:…")
label_value = matches(re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,127}"), "letters, digits, '_', '.', '/', '-'")


def ip_address(value: str) -> str | None:
    """Hold a value to a literal IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return f"got {value!r}, expected a literal IPv4 or IPv6 address"
    return None


def ipv4_address(value: str) -> str | None:
    """Hold a value to a literal IPv4 address."""
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return f"got {value!r}, expected a literal IPv4 address"
    return None


def ipv4_subnet(value: str) -> str | None:
    """Hold a value to an IPv4 network in CIDR notation, without host bits."""
    try:
        ipaddress.IPv4Network(value)
    except ValueError:
        return f"got {value!r}, expected an IPv4 network such as 172.30.0.0/24"
    return None


def relative_path(value: str) -> str | None:
    """Hold a value to a path that stays inside its folder."""
    parts = PurePosixPath(value).parts
    bad = not parts or value.startswith("/") or ".." in parts or "\0" in value or str(PurePosixPath(value)) != value or value == "."
    return f"got {value!r}, expected a relative path without '..', '.', doubled or trailing slashes" if bad else None


def absolute_path(value: str) -> str | None:
    """Hold a value to an absolute path, not the root itself."""
    bad = not value.startswith("/") or ".." in PurePosixPath(value).parts or "\0" in value or value == "/"
    return f"got {value!r}, expected an absolute path below /" if bad else None


def environment_name(value: str) -> str | None:
    """Hold a value to an environment variable's name that does not promise a secret."""
    if not _ENVIRONMENT_NAME.fullmatch(value):
        return f"got {value!r}, expected a name of letters, digits and '_'"
    if _SECRET_NAME.search(value):
        return "looks like a secret, and the environment is plain to whoever may inspect the container; put it into a file (Files)"
    return None


def not_empty(value: Sequence[object]) -> str | None:
    """Hold a list to at least one item."""
    return None if value else "is empty, expected at least one item"
