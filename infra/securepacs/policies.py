"""The policies that a clinic is held to before it is made: the pack, what is configured for it, and whether it was asked already."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import securepacs_policies
from securepacs.errors import ConfigurationError
from securepacs.state.workspace import Workspace, installed_program, write_secret
from securepacs_policies.exceptions import Level, settings_of
from securepacs_policies.rule import Rule, catalogue

#: The key of the stack's configuration with parameters of rules and exceptions from them.
POLICIES_KEY = "securepacs:policies"

_PROGRAM = "securepacs-policies"

Words = Annotated[str, Field(min_length=1)]


class _Asked(BaseModel):
    """Base of what is configured: of the types that the engine takes, and nothing beside."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Exception(_Asked):
    reason: Words
    owner: Words
    until: Words
    resources: Annotated[list[Words], Field(min_length=1)] = ["*"]


class _Standard(_Asked):
    """What may stand under every rule."""

    enforcementLevel: Level = "mandatory"  # noqa: N815 - Pulumi's word
    exceptions: list[_Exception] = []


#: JSON Schema's types, as YAML gives them.
_TYPES: Mapping[str, tuple[type, str]] = {
    "integer": (int, "a whole number"),
    "array": (list, "a list"),
    "object": (dict, "a mapping"),
    "string": (str, "text"),
}


def _parameters(rule: Rule, asked: Mapping[str, Any], where: str) -> list[str]:
    """Give what is wrong with the parameters of a rule."""
    problems = []
    for name in asked.keys() & rule.parameters.keys():
        kind, words = _TYPES[rule.parameters[name]["type"]]
        if not isinstance(asked[name], kind) or isinstance(asked[name], bool):
            problems.append(f"{where}.{name}: got {asked[name]!r}, expected {words}")
        elif kind in {list, dict} and not all(isinstance(held, str) for held in (asked[name].values() if kind is dict else asked[name])):
            problems.append(f"{where}.{name}: got {asked[name]!r}, expected texts in it")
    return problems


def _hold(rule: Rule | None, name: str, asked: object, today: datetime.date) -> list[str]:
    """Give what is wrong with the configuration of one rule, each as one line."""
    where = f"{POLICIES_KEY}.{name}"
    if rule is None:
        return [f"{where}: there is no such rule; docs/rules.md lists all"]
    allowed = (*rule.parameters, *_Standard.model_fields)
    if not isinstance(asked, Mapping):
        return [f"{where}: got {asked!r}, expected a mapping with {', '.join(allowed)}"]
    unknown = [f"{where}.{key}: there is no such key, allowed are {', '.join(allowed)}" for key in asked if key not in allowed]
    wrong = _parameters(rule, asked, where)
    try:
        _Standard.model_validate({key: asked[key] for key in _Standard.model_fields if key in asked})
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in problem["loc"])
            message = problem["msg"][:1].lower() + problem["msg"][1:]
            got = "" if problem["type"] in {"missing", "extra_forbidden"} else f"got {problem['input']!r}; "
            wrong.append(f"{where}{steps}: {got}{message}")
    if wrong or unknown:
        return [*unknown, *wrong]
    return [f"{where}: {problem}" for problem in settings_of(rule, str(asked.get("enforcementLevel", "mandatory")), asked, today).problems]


def policy_settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a stack's configuration says of the policies, as the engine reads it from `--policy-pack-config`.

    Raises ConfigurationError with one line for each rule that does not exist, and for each exception that does not count.
    """
    asked = content["config"].get(POLICIES_KEY) or {}
    if not isinstance(asked, Mapping):
        raise ConfigurationError(POLICIES_KEY, got=repr(asked), expected="a mapping from rules to what is configured for them")
    rules, today = catalogue(), datetime.datetime.now(datetime.UTC).date()
    problems = [problem for name, said in asked.items() for problem in _hold(rules.get(str(name)), str(name), said, today)]
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
    """The pack for one stack, whose configuration is `content` and whose `policy_settings` are `settings`.

    What is asked is fixed when this is made: a rule or a file that changes meanwhile makes it another question.
    """

    def __init__(self, place: Workspace, content: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        said = json.dumps([content, settings], sort_keys=True, default=str).encode()
        sources = _written((Path(__file__).parent, Path(securepacs_policies.__file__).parent))
        self._settings = settings
        self._question = hashlib.sha256(said + sources).hexdigest()
        # Two runs of one stack may be configured otherwise: neither reads the other's.
        self._file = place.folder / f"policies.{self._question[:16]}.json"
        self._accepted = place.folder / "policies.accepted"

    def options(self) -> Options:
        """Give the options with which the engine asks the pack."""
        for old in self._file.parent.glob("policies.*.json"):
            if old != self._file and _is_old(old):
                old.unlink(missing_ok=True)
        write_secret(self._file, json.dumps(self._settings))
        return {"policy_packs": [str(installed_program(_PROGRAM))], "policy_pack_configs": [str(self._file)]}

    def asked_before(self) -> bool:
        """Whether a whole preview of the same declaration, by the same program, has passed the same rules.

        It saves a preview, no rule: each one is asked again in the run itself, before its resource is made.
        """
        return self._accepted.exists() and self._accepted.read_bytes() == self._question.encode()

    def accept(self) -> None:
        """Remember that a preview passed."""
        write_secret(self._accepted, self._question)

    def forget(self) -> None:
        """Ask anew the next time: what passed in the preview was refused in the run."""
        self._accepted.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    """Tell whether no run can still read a file: none lasts a day."""
    try:
        return datetime.datetime.now(datetime.UTC).timestamp() - path.stat().st_mtime > datetime.timedelta(days=1).total_seconds()
    except FileNotFoundError:
        return False
