"""Turning a rule off: the standard levels, held to a reason, an owner and a last day.

In the pack's configuration (`--policy-pack-config FILE`) each rule has its parameters, `enforcementLevel`, and `exceptions`:

    {"host-mount": {"exceptions": [{"reason": "the NAS is mounted on the host", "owner": "it@clinic-a.example",
                                    "until": "2027-03-31", "resources": ["orthanc-*"]}]}}

What an exception covers is still told, as advisory, until its day is past. A level below mandatory counts beside an exception for
every resource only; without one the rule stays mandatory, and `exception-without-end` says why.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from securepacs_policies.rule import Rule

__all__ = ["EXCEPTIONS_SCHEMA", "Excuse", "Level", "Settings", "settings_of"]

Level = Literal["mandatory", "advisory", "disabled"]

#: An exception that is granted for longer is none: it would outlive those who granted it.
LONGEST_DAYS: Final = 366

#: The rule that tells which exceptions do not count has none itself.
_WITHOUT: Final = "exception-without-end"

EXCEPTIONS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "array",
    "default": [],
    "description": "Departures from this rule that somebody answers for, each until a day.",
    "items": {
        "type": "object",
        "required": ["reason", "owner", "until"],
        "additionalProperties": False,
        "properties": {
            "reason": {"type": "string", "minLength": 1, "description": "Why the risk is taken."},
            "owner": {"type": "string", "minLength": 1, "description": "Who answers for it."},
            "until": {"type": "string", "format": "date", "description": "The last day, YYYY-MM-DD."},
            "resources": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string"},
                "description": "Names of resources, * and ? allowed; all, if left out.",
            },
        },
    },
}


@dataclasses.dataclass(frozen=True)
class Excuse:
    """A departure from a rule that counts today."""

    reason: str
    owner: str
    until: datetime.date
    resources: tuple[str, ...]

    @property
    def of_all(self) -> bool:
        """Whether it is for every resource."""
        return "*" in self.resources

    def covers(self, name: str) -> bool:
        """Tell whether it is for a resource of this name; a finding on the whole stack has the name ''."""
        return any(fnmatch.fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in self.resources)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is configured for a rule today."""

    level: Level = "mandatory"
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    exceptions: tuple[Excuse, ...] = ()
    problems: tuple[str, ...] = ()
    """Why an exception or a level that was asked for does not count."""

    def exception_for(self, name: str) -> Excuse | None:
        """Give the exception that covers a resource."""
        return next((exception for exception in self.exceptions if exception.covers(name)), None)


def _read(asked: Mapping[str, Any], today: datetime.date) -> Excuse | str:
    """Give an exception, or why it does not count."""
    missing = [key for key in ("reason", "owner", "until") if not str(asked.get(key) or "").strip()]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    try:
        until = datetime.date.fromisoformat(str(asked["until"]))
    except ValueError:
        return f"its last day is '{asked['until']}', expected YYYY-MM-DD"
    if until < today:
        return f"it ended on {until}"
    if (until - today).days > LONGEST_DAYS:
        return f"it ends on {until}, more than {LONGEST_DAYS} days ahead"
    resources = asked.get("resources", ["*"])
    if not isinstance(resources, list) or not resources:
        return "it names no resources (leave `resources` out for all of them)"
    return Excuse(" ".join(str(asked["reason"]).split()), str(asked["owner"]), until, tuple(str(name) for name in resources))


def settings_of(rule: Rule, level: str, properties: Mapping[str, Any], today: datetime.date) -> Settings:
    """Give what counts of a rule's configuration on a day."""
    asked: Iterable[Mapping[str, Any]] = properties.get("exceptions") or ()
    read = [_read(exception, today) for exception in asked]
    exceptions = tuple(exception for exception in read if isinstance(exception, Excuse))
    problems = [f"an exception from '{rule.id}' does not count: {why}" for why in read if isinstance(why, str)]
    wanted: Level = level if level in {"advisory", "disabled"} else "mandatory"  # type: ignore[assignment] # just held to be one
    if rule.id == _WITHOUT and (exceptions or wanted != "mandatory"):
        return Settings(problems=(f"'{rule.id}' has no exceptions",))
    if wanted != "mandatory" and not any(exception.of_all for exception in exceptions):
        problems.append(f"'{rule.id}' is set to {wanted} without an exception that says why, who answers for it, and until when")
        wanted = "mandatory"
    parameters = {**rule.defaults(), **{name: value for name, value in properties.items() if name in rule.parameters}}
    return Settings(wanted, parameters, exceptions, tuple(problems))
