"""Orthanc's settings, wherever a program writes them: JSON files, and the variables of the image orthancteam/orthanc."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from securepacs_policies.things import ELSEWHERE, OrthancSettings, Resource, Thing, Unparsed
from securepacs_policies.values import Unknown, is_unknown

__all__ = ["merged", "settings_in", "written_in"]

#: Settings by which a file is known to be the main one: what does not stand beside them has Orthanc's default.
_MAIN: Final = frozenset({"DicomAet", "DicomPort", "HttpPort", "RemoteAccessAllowed", "AuthenticationEnabled", "RegisteredUsers"})

#: Every setting that a rule reads; Orthanc takes a name as it is written, and no other.
_READ: Final = _MAIN | {
    "DicomModalities",
    *(f"DicomAlwaysAllow{verb}" for verb in ("Echo", "Store", "Find", "FindWorklist", "Get", "Move")),
    "DicomCheckCalledAet",
    "ExecuteLuaEnabled",
    "RestApiWriteToFileSystemEnabled",
    "OverwriteInstances",
    "DicomTlsEnabled",
    "DicomTlsRemoteCertificateRequired",
    "DicomTlsMinimumProtocolVersion",
}

#: The image's older names of variables (its env-var-legacy.json).
_LEGACY: Final = {
    "AC_AUTHENTICATION_ENABLED": "AuthenticationEnabled",
    "AC_REGISTERED_USERS": "RegisteredUsers",
    "DICOM_MODALITIES": "DicomModalities",
    "IMPORT_OVERWRITE_INSTANCES": "OverwriteInstances",
    "EXECUTE_LUA_ENABLED": "ExecuteLuaEnabled",
}

_PREFIX: Final = "ORTHANC__"

#: What JsonCpp takes and JSON does not: comments, a comma before a bracket; and a variable that the image fills in. Texts are passed over.
_TEXT: Final = r'("(?:\\.|[^"\\])*")'
_COMMENT: Final = re.compile(rf"{_TEXT}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_VARIABLE: Final = re.compile(rf"{_TEXT}|\$\{{[^}}]*\}}")
_LAST_COMMA: Final = re.compile(rf"{_TEXT}|,(?=\s*[}}\]])")


def _spelt(name: str) -> str:
    """Give a name as variables spell it: DicomCheckCalledAet -> dicomcheckcalledaet."""
    return name.replace("_", "").lower()


_BY_SPELLING: Final = {_spelt(name): name for name in _READ}


def settings_in(text: str) -> dict[str, Any] | None:
    """Give the settings of a JSON file of Orthanc's; None where a text is none, or cannot be read."""
    plain = _COMMENT.sub(lambda found: found[1] or "", text)
    plain = _VARIABLE.sub(lambda found: found[1] or json.dumps(ELSEWHERE), plain)
    plain = _LAST_COMMA.sub(lambda found: found[1] or "", plain)
    try:
        said = json.loads(plain, strict=False)
    except ValueError:
        return None
    return said if isinstance(said, dict) and _READ & set(said) else None


def _names_some(text: str) -> bool:
    """Tell whether a text names settings as Orthanc's files do, whatever else is wrong with it."""
    return re.search(rf'"({"|".join(sorted(_READ))})"\s*:', text) is not None


def _value(text: str) -> object:
    """Read a variable as the image does: JSON where it is some, else text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _by_variable(environment: Mapping[str, str]) -> Iterator[tuple[list[str], object]]:
    """Yield what each variable sets: the path of the setting, and its value."""
    for name, value in environment.items():
        path = [_LEGACY[name]] if name in _LEGACY else name.removeprefix(_PREFIX).split("__") if name.startswith(_PREFIX) else []
        if not path:
            continue
        in_file = path[-1].endswith("_SECRET")  # it names a file under /run/secrets with the value
        path[-1] = path[-1].removesuffix("_SECRET")
        path[0] = _BY_SPELLING.get(_spelt(path[0]), path[0])
        yield path, ELSEWHERE if in_file else value if is_unknown(value) or value == ELSEWHERE else _value(value)


def _set(settings: dict[str, Any], path: list[str], value: object) -> None:
    for step in path[:-1]:
        held = settings.get(step)
        settings[step] = dict(held) if isinstance(held, dict) else {}
        settings = settings[step]
    settings[path[-1]] = value


def merged(
    texts: Iterable[str], environment: Mapping[str, str], resource: Resource, path: str, *, whole: bool = True
) -> Iterator[OrthancSettings]:
    """Yield the settings of one Orthanc, of all its files and variables together, as the image merges them.

    `whole`: no other source is known to hold more of them. A source that is not known yet makes every setting that no other says
    unknown.
    """
    settings: dict[str, Any] = {}
    rest: object = None
    for text in texts:
        if is_unknown(text):
            rest = text
        else:
            settings.update(settings_in(text) or {})
    variables: Mapping[str, str] = {} if is_unknown(environment) else environment
    json_of = variables.get("ORTHANC_JSON", "")
    # Variables win over files: one of them that is not known may say anything of what no other variable says.
    unknown: object = next(
        (value for name, value in variables.items() if is_unknown(value) and name in {_path_of(value), "ORTHANC_JSON"}), None
    )
    unknown = environment if is_unknown(environment) else unknown
    if unknown is not None:
        settings, rest = {}, unknown
    elif json_of == ELSEWHERE:
        whole = False
    else:
        settings.update(settings_in(json_of) or {})
    for steps, value in _by_variable(variables):
        _set(settings, steps, value)
    if settings or rest is not None:
        yield OrthancSettings(resource=resource, path=path, settings=settings, whole=whole and bool(_MAIN & set(settings)), rest=rest)


def _path_of(value: object) -> str:
    """Give the path of a value that is not known; another has none."""
    return str(object.__getattribute__(value, "_path")) if isinstance(value, Unknown) else ""


def written_in(text: str, resource: Resource, path: str) -> Iterator[Thing]:
    """Yield a file that names Orthanc's settings and cannot be read as one of its files."""
    if not is_unknown(text) and settings_in(text) is None and text.lstrip().startswith(("{", "/")) and _names_some(text):
        yield Unparsed(resource=resource, path=path, what="Orthanc's settings")
