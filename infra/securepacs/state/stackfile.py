"""Reading the stack's configuration file, Pulumi.<stack>.yaml. What is read here is never written; commands/edits.py changes it."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from securepacs.clinic import CONFIG_KEY, Clinic, parse_clinic
from securepacs.errors import ConfigurationError

_NAMESPACE = CONFIG_KEY.partition(":")[0]
_KEYS = (CONFIG_KEY, f"{_NAMESPACE}:policies")


class _Strict(yaml.SafeLoader):
    """YAML as PyYAML's safe loader reads it, but a key that stands twice is an error and a date stays text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Refuse a mapping in which a key stands twice: the second would silently win."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Strict.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: str(node.value))


def read_stack_file(path: Path) -> dict[str, Any]:
    """Read a stack's configuration file.

    Raises ConfigurationError where it is missing or not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            str(path),
            got="no such file",
            expected="the stack's configuration",
            do="copy Pulumi.dev.yaml and change it, or name a file with --config",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), got=str(error), expected="a readable text file") from None
    return parse_stack_text(text, path)


def parse_stack_text(text: str, path: Path) -> dict[str, Any]:
    """Read what a stack's configuration file says; `path` is where it stands, for the errors."""
    try:
        content = yaml.load(text, Loader=_Strict)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        at = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError(f"{path}{at}", got=str(error.problem), expected="YAML") from None
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise ConfigurationError(str(path), got="no mapping 'config'", expected=f"config: with {CONFIG_KEY}:", do="see Pulumi.dev.yaml")
    for key in content["config"]:
        if str(key).startswith(f"{_NAMESPACE}:") and key not in _KEYS:
            raise ConfigurationError(f"{path}: {key}", got="a key that nobody reads", expected=" or ".join(_KEYS))
    return content


def clinic_of(content: dict[str, Any], path: Path, *, signs: bool = True) -> Clinic:
    """Give the clinic that a configuration file declares; with `signs` the secrets that it names by their files are read too.

    Raises ConfigurationError with one line for each bad input.
    """
    declared = content["config"].get(CONFIG_KEY)
    if declared is None:
        raise ConfigurationError(f"{path}: {CONFIG_KEY}", got="nothing", expected="a clinic", do="see Pulumi.dev.yaml")
    clinic = parse_clinic(declared)
    if signs and clinic.own_authority:
        clinic.own_authority.read_key()
    if signs and clinic.sign_in.oidc:
        clinic.sign_in.oidc.read_secret()
    return clinic
