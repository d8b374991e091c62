"""What stands in the files of settings that a program hands to its containers: Orthanc's JSON, HAProxy's and nginx's listeners."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from securepacs_policies.adapters.parts import DICOM_PORTS
from securepacs_policies.reading import told
from securepacs_policies.things import Listener, OrthancSettings, Resource, Thing
from securepacs_policies.values import is_unknown

__all__ = ["in_environment", "in_text"]

#: Settings by which a JSON file is known to be Orthanc's, and those by which it is known to be its main one.
_ORTHANCS = frozenset(
    {"dicomaet", "dicomport", "httpport", "remoteaccessallowed", "authenticationenabled", "registeredusers", "dicommodalities"}
)
_MAIN = frozenset({"dicomaet", "dicomport", "httpport", "remoteaccessallowed", "authenticationenabled", "registeredusers"})

#: Comments in Orthanc's JSON (JsonCpp takes // and /* */); a text in quotes is passed over.
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)

_TLS_VERSIONS = {"sslv3": "0.3", "tlsv1": "1.0", "tlsv1.0": "1.0", "tlsv1.1": "1.1", "tlsv1.2": "1.2", "tlsv1.3": "1.3"}


def _spelt(name: str) -> str:
    """Give a setting's name in one spelling: DicomCheckCalledAet, DICOM_CHECK_CALLED_AET -> dicomcheckcalledaet."""
    return name.replace("_", "").lower()


def _orthanc(text: str) -> dict[str, Any] | None:
    """Give the settings of an Orthanc, or None where a text is none of its files."""
    if not text.lstrip().startswith(("{", "/")):
        return None
    try:
        said = json.loads(_COMMENT.sub(lambda found: found[1] or "", text))
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    spelt = {_spelt(name): value for name, value in said.items()}
    return spelt if _ORTHANCS & set(spelt) else None


def _option(words: list[str], name: str) -> str:
    """Give the word after an option; empty where it is not there."""
    return words[words.index(name) + 1] if name in words[:-1] else ""


def _port(address: str) -> int:
    found = re.search(r"(\d+)(-\d+)?$", address)
    return int(found[1]) if found else 0


def _haproxy(text: str, resource: Resource, path: str) -> Iterator[Listener]:
    """Yield the listeners of a HAProxy configuration (its manual, chapters 4.2 and 5.1)."""
    section, oldest = "", ""
    for line in text.splitlines():
        words = line.partition(" #")[0].split()
        match words:
            case ["frontend" | "listen" | "backend" | "defaults" | "global" | "resolvers" as kind, *rest]:
                section = f"{kind} {rest[0]}" if rest else kind
            case ["ssl-default-bind-options", *options]:
                oldest = _option(options, "ssl-min-ver")
            case ["bind", address, *options]:
                port = _port(address)
                own = _option(options, "ssl-min-ver") or oldest
                yield Listener(
                    resource=resource,
                    path=path,
                    section=section,
                    port=port,
                    tls="ssl" in options,
                    oldest=_TLS_VERSIONS.get(own.lower(), own),
                    client_certificates=_option(options, "verify") == "required",
                    dicom=port in DICOM_PORTS or "dicom" in section.lower(),
                )


def _nginx(text: str, resource: Resource, path: str) -> Iterator[Listener]:
    """Yield the listeners of an nginx configuration: one for each `listen` of each `server` block."""
    for block in re.findall(r"\bserver\s*\{((?:[^{}]|\{[^{}]*\})*)\}", re.sub(r"#[^\n]*", "", text)):
        statements = [statement.split() for statement in re.split(r"[;{}]", block)]
        values = {words[0]: words[1:] for words in statements if words}
        versions = sorted(_TLS_VERSIONS.get(word.lower(), word) for word in values.get("ssl_protocols", []))
        for words in statements:
            if words[:1] == ["listen"] and len(words) > 1:
                port = _port(words[1])
                yield Listener(
                    resource=resource,
                    path=path,
                    section=f"server {words[1]}",
                    port=port,
                    tls="ssl" in words or "quic" in words,
                    oldest=versions[0] if versions else "",
                    client_certificates=values.get("ssl_verify_client") == ["on"],
                    dicom=port in DICOM_PORTS,
                )


def in_text(text: str, resource: Resource, path: str) -> Iterator[Thing]:
    """Yield what a file of settings declares: settings and a listener that are unknown themselves where the text is."""
    if is_unknown(text):
        unknown: Any = text
        yield OrthancSettings(resource=resource, path=path, settings=unknown, whole=unknown)
        yield Listener(
            resource=resource,
            path=path,
            section=unknown,
            port=unknown,
            tls=unknown,
            oldest=unknown,
            client_certificates=unknown,
            dicom=unknown,
        )
        return
    said = _orthanc(text)
    if said is not None:
        yield OrthancSettings(resource=resource, path=path, settings=said, whole=bool(_MAIN & set(said)))
    elif re.search(r"^\s*bind\s", text, re.MULTILINE) and re.search(r"^(frontend|listen)\s", text, re.MULTILINE):
        yield from _haproxy(text, resource, path)
    elif re.search(r"\bserver\s*\{", text) and re.search(r"\blisten\s", text):
        yield from _nginx(text, resource, path)


def _said(value: str) -> object:
    """Read a variable as Orthanc's image does: JSON where it is some, else text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def in_environment(environment: Mapping[str, str], resource: Resource, path: str) -> Iterator[OrthancSettings]:
    """Yield the settings that ORTHANC__ variables make, as the image orthancteam/orthanc reads them."""
    if is_unknown(environment):
        yield OrthancSettings(resource=resource, path=path, settings=environment, whole=False)
        return
    named = {name: value for name, value in environment.items() if name.startswith("ORTHANC__") or name == "ORTHANC_JSON"}
    if not named:
        return
    settings: dict[str, Any] = told(lambda: _orthanc(named.pop("ORTHANC_JSON", "")) or {})
    if not is_unknown(settings):
        for name, value in named.items():
            settings[_spelt(name.removeprefix("ORTHANC__").partition("__")[0])] = value if is_unknown(value) else _said(value)
    yield OrthancSettings(resource=resource, path=path, settings=settings, whole=told(lambda: bool(_MAIN & set(settings))))
