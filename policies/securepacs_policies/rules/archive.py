"""Orthanc's own settings, where a program writes them: in a file, or in ORTHANC__ variables."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.rule import Parameters, rule
from securepacs_policies.things import OrthancSettings

#: What each verb's switch is where it is not written (Orthanc 1.12's default configuration).
_ALWAYS_ALLOW = {"Echo": True, "Store": True, "Find": False, "FindWorklist": False, "Get": False, "Move": False}

_RIGHTS = ("AllowEcho", "AllowStore", "AllowFind", "AllowFindWorklist", "AllowGet", "AllowMove", "AllowStorageCommitment")

#: Settings that let a caller run code or write files on the archive's host.
_DANGEROUS = ("ExecuteLuaEnabled", "RestApiWriteToFileSystemEnabled")


@rule(
    "orthanc-authentication",
    "The archive asks who one is",
    why="With AuthenticationEnabled off its REST API gives, changes and deletes everything for whoever asks.",
    remedy='Set "AuthenticationEnabled": true, with RegisteredUsers.',
    severity="critical",
    controls=("person-authentication",),
    needs=("settings",),
)
def orthanc_authentication(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield an Orthanc whose web interface asks for no login."""
    if orthanc.get("AuthenticationEnabled") is False:
        yield "AuthenticationEnabled is false"


@rule(
    "orthanc-open-verbs",
    "No DICOM verb is open to everybody",
    why="If one of the six DicomAlwaysAllow… is true, Orthanc looks at no calling AE title at all; Echo and Store are true by default.",
    remedy='Write all six: "DicomAlwaysAllowEcho": false, …Store, …Find, …FindWorklist, …Get, …Move.',
    severity="critical",
    controls=("peer-identity", "peer-rights"),
    needs=("settings", "whole"),
)
def orthanc_open_verbs(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield each verb that is open to every caller, by a setting or by its absence."""
    for verb, default in _ALWAYS_ALLOW.items():
        name = f"DicomAlwaysAllow{verb}"
        if orthanc.get(name, default) is True:
            yield f"{name} is true{'' if name in orthanc.settings else ' by default'}"


@rule(
    "orthanc-called-ae",
    "The archive answers to its own AE title",
    why="An archive that answers to any called AE title answers every scanner.",
    remedy='Set "DicomCheckCalledAet": true and "StrictAetComparison": true.',
    severity="medium",
    controls=("called-identity",),
    needs=("settings", "whole"),
)
def orthanc_called_ae(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield an Orthanc that looks at no called AE title."""
    if orthanc.get("DicomCheckCalledAet", default=False) is False:
        yield f"DicomCheckCalledAet is false{'' if 'DicomCheckCalledAet' in orthanc.settings else ' by default'}"


@rule(
    "orthanc-code",
    "The archive runs no code of its callers'",
    why="Lua over REST, and files written by REST, are a shell on the archive's host.",
    remedy=f"Set {' and '.join(_DANGEROUS)} to false.",
    severity="critical",
    controls=("known-vulnerabilities",),
    needs=("settings",),
)
def orthanc_code(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield each setting that lets callers run code or write files."""
    for name in _DANGEROUS:
        if orthanc.get(name) is True:
            yield f"{name} is true"


@rule(
    "orthanc-overwrite",
    "What is stored stays as it is",
    why="With OverwriteInstances a sender replaces a stored image by another under the same SOP instance UID, and nobody sees it.",
    remedy='Set "OverwriteInstances": false, or "IfChanged" with a filter that refuses.',
    severity="high",
    controls=("instance-integrity",),
    needs=("settings",),
)
def orthanc_overwrite(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield an Orthanc that replaces stored instances."""
    if orthanc.get("OverwriteInstances") in (True, "Always"):
        yield "OverwriteInstances replaces what is stored"


@rule(
    "modality-rights",
    "Each modality has its own verbs, written down",
    why="A right that is not written counts as granted: a list entry, or a missing Allow…, is every verb.",
    remedy=f"Write the modality as an object, with each of {', '.join(_RIGHTS)}.",
    severity="high",
    controls=("peer-rights",),
    needs=("settings",),
)
def modality_rights(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield each modality with a right that is not written, or with a wildcard for its AE title."""
    modalities = orthanc.get("DicomModalities")
    if not isinstance(modalities, dict):
        return
    for name, entry in modalities.items():
        if not isinstance(entry, dict):
            yield f"the modality '{name}' is a list, which grants every verb"
        elif str(entry.get("AET")) in {"*", "ANY", ""}:
            yield f"the modality '{name}' is '{entry.get('AET')}', which is nobody's title and everybody's"
        elif missing := [right for right in _RIGHTS if right not in entry]:
            yield f"the modality '{name}' is granted {', '.join(missing)} by not saying so"
