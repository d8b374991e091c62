"""Changes that a command writes into a stack's configuration file, so that what is declared stays the whole truth.

Comments, order and quotes of the file stay as they are. Nothing is written unless the result is a clinic that can be.
"""

from __future__ import annotations

import datetime
import io
import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from securepacs.clinic import CONFIG_KEY, Clinic, RevocationReason
from securepacs.errors import ConfigurationError, RefusedError
from securepacs.state.stackfile import clinic_of, parse_stack_text

Declared = MutableMapping[str, Any]
Change = Callable[[Declared], str]
"""Changes a clinic's declaration in place, and says in words what it wrote."""

_WIDTH = 4096  # no line of the file is folded anew


@dataclass(frozen=True)
class Edit:
    """A change of a file that is not written yet: the clinic as it is then, and what is written, in words."""

    path: Path
    clinic: Clinic
    wrote: str
    text: str

    @property
    def content(self) -> dict[str, Any]:
        """What the file says then."""
        return parse_stack_text(self.text, self.path)

    def write(self) -> None:
        """Write the file whole or not at all. Raises ConfigurationError where it cannot be written."""
        _replace(self.path, self.text)


def edit(path: Path, change: Change) -> Edit:
    """Change the clinic that a file declares; nothing is written yet.

    Raises ConfigurationError where the file cannot be read, or would declare what cannot be.
    """
    try:
        before = path.read_text(encoding="utf-8")
        yaml = _yaml_like(before)
        content = yaml.load(before)
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ConfigurationError(str(path), got=" ".join(str(error).split()), expected="the stack's configuration") from None
    wrote = change(content["config"][CONFIG_KEY])
    text = io.StringIO()
    yaml.dump(content, text)
    return Edit(path, clinic_of(parse_stack_text(text.getvalue(), path), path), wrote, text.getvalue())


def _yaml_like(text: str) -> YAML:
    """Give a writer that indents as a text does."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, _WIDTH
    _, sequence, offset = load_yaml_guess_indent(text)
    mapping = next((len(line) - len(line.lstrip(" ")) for line in text.splitlines() if line.startswith(" ")), 2)
    yaml.indent(mapping=mapping, sequence=sequence or mapping, offset=offset or 0)
    return yaml


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all, with the mode that it has. A link stays a link: what it names is written."""
    place = path.resolve()
    unfinished = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(place.stat().st_mode)
        unfinished.replace(place)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConfigurationError(str(path), got=str(error.strerror), expected="a file that can be written") from None


def count_rotation(*steps: str) -> Change:
    """Make the change that counts a rotation up: `server`, `login`, or `peers`, `people` or `machines` and a name."""

    def change(clinic: Declared) -> str:
        *folders, last = steps
        place = clinic.setdefault("rotations", {})
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = place.get(last, 0) + 1
        return f"rotations.{'.'.join(steps)}: {place[last]}"

    return change


def begin_authority(clinic: Declared) -> str:
    """Declare the next authority beside the present one."""
    authority = clinic.setdefault("authority", {})
    if authority.get("overlap"):
        raise RefusedError(
            "rotate ca",
            got="a rotation that is under way",
            expected="none",
            do="hand out the new bundles, then run `securepacs rotate ca --finish`",
        )
    authority["generation"] = authority.get("generation", 1) + 1
    authority["overlap"] = True
    return f"authority.generation: {authority['generation']}, authority.overlap: true"


def finish_authority(clinic: Declared) -> str:
    """Declare that the authority before is not trusted any more."""
    authority = clinic.get("authority", {})
    if not authority.get("overlap"):
        raise RefusedError(
            "rotate ca --finish", got="no rotation that is under way", expected="one", do="begin with `securepacs rotate ca`"
        )
    authority["overlap"] = False
    return "authority.overlap: false"


def revoke(peer: str, serial: str, date: datetime.date, reason: RevocationReason) -> Change:
    """Make the change that revokes a certificate; one that is revoked already stays as it is."""

    def change(clinic: Declared) -> str:
        revoked = clinic.setdefault("revoked", [])
        if any(str(entry["serial"]) == serial for entry in revoked):
            return f"revoked: {serial} stands there already"
        revoked.append({"serial": serial, "peer": peer, "date": date.isoformat(), "reason": reason})
        return f"revoked: serial {serial} of {peer}"

    return change


def name_database(kind: str) -> Change:
    """Make the change that names the database of the index."""

    def change(clinic: Declared) -> str:
        clinic["database"] = kind
        return f"database: {kind}"

    return change
