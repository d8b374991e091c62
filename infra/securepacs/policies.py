"""The policies that a clinic is held to before it is made: the pack, what is configured for it, and whether it was asked already."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import securepacs_policies
from securepacs.errors import ConfigurationError
from securepacs.state.workspace import Workspace, installed_program, write_secret
from securepacs_policies.exceptions import settings_of
from securepacs_policies.rule import Rule, catalogue

#: The key of the stack's configuration with parameters of rules and exceptions from them.
POLICIES_KEY = "securepacs:policies"

_PROGRAM = "securepacs-policies"

#: What may stand under a rule beside its parameters.
_STANDARD = ("enforcementLevel", "exceptions")


def _hold(rule: Rule | None, name: str, asked: object, today: datetime.date) -> list[str]:
    """Give what is wrong with the configuration of one rule, each as one line."""
    where = f"{POLICIES_KEY}.{name}"
    if rule is None:
        return [f"{where}: there is no such rule; docs/rules.md lists all"]
    allowed = (*rule.parameters, *_STANDARD)
    if not isinstance(asked, Mapping):
        return [f"{where}: got {asked!r}, expected a mapping with {', '.join(allowed)}"]
    unknown = [f"{where}.{key}: there is no such key, allowed are {', '.join(allowed)}" for key in asked if key not in allowed]
    given = asked.get("exceptions") or []
    if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
        return [*unknown, f"{where}.exceptions: expected a list of {{reason, owner, until, resources}}"]
    problems = settings_of(rule, str(asked.get("enforcementLevel", "mandatory")), asked, today).problems
    return [*unknown, *(f"{where}: {problem}" for problem in problems)]


def policy_settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a stack's configuration says of the policies, as the engine reads it from `--policy-pack-config`.

    Raises ConfigurationError with one line for each rule that does not exist, and for each exception that does not count.
    """
    asked = content["config"].get(POLICIES_KEY) or {}
    if not isinstance(asked, Mapping):
        raise ConfigurationError(POLICIES_KEY, got=repr(asked), expected="a mapping from rules to what is configured for them")
    rules, today = catalogue(), datetime.datetime.now(datetime.UTC).date()
    problems = [problem for name, said in asked.items() for problem in _hold(rules.get(name), name, said, today)]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return dict(asked)


def _written(folders: tuple[Path, ...]) -> bytes:
    """Give one digest of everything that a program's folders say."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(str(path).encode())
        digest.update(path.read_bytes())
    return digest.digest()


class Options(TypedDict):
    """What the engine's `up` and `preview` take."""

    policy_packs: list[str]
    policy_pack_configs: list[str]


class Policies:
    """The pack for one stack, whose configuration is `content` and whose `policy_settings` are `settings`."""

    def __init__(self, place: Workspace, content: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._content = content
        self._file = place.folder / "policies.json"
        self._accepted = place.folder / "policies.accepted"

    def options(self) -> Options:
        """Give the options with which the engine asks the pack."""
        write_secret(self._file, json.dumps(self._settings))
        return {"policy_packs": [str(installed_program(_PROGRAM))], "policy_pack_configs": [str(self._file)]}

    def _question(self) -> str:
        """Give a digest of what is declared, by which program, to which rules: another one has to be asked anew."""
        said = json.dumps([self._content, self._settings], sort_keys=True, default=str).encode()
        sources = _written((Path(__file__).parent, Path(securepacs_policies.__file__).parent))
        return hashlib.sha256(said + sources).hexdigest()

    def asked_before(self) -> bool:
        """Whether a whole preview of the same declaration, by the same program, has passed the same rules.

        It saves a preview, no rule: each one is asked again in the run itself, before its resource is made.
        """
        return self._accepted.exists() and self._accepted.read_text(encoding="utf-8") == self._question()

    def accept(self) -> None:
        """Remember that a preview passed."""
        write_secret(self._accepted, self._question())
