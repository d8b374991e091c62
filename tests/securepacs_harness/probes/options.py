"""Options of products that are known to be dangerous, by their configuration alone: nothing is ever tried that would use one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """An option of Orthanc: what it lets in, when it does so, and what it is where nobody wrote it down."""

    name: str
    consequence: str
    by_default: bool
    dangerous: bool = True


#: By the Orthanc Book ("Securing Orthanc"), the configuration that Orthanc ships with, and the advisories named.
ORTHANC: Final = (
    Option("AuthenticationEnabled", "whoever reaches the web port may do everything (CVE-2025-0896)", by_default=True, dangerous=False),
    Option("ExecuteLuaEnabled", "whoever may POST /tools/execute-script runs programs in the archive", by_default=False),
    Option("RestApiWriteToFileSystemEnabled", "exports write files of the archive's host (CVE-2023-33466)", by_default=False),
    Option("WebDavEnabled", "files come in and out past DICOM", by_default=True),
    Option("WebDavDeleteAllowed", "whoever mounts the archive as a folder deletes from it", by_default=False),
    Option("DicomAlwaysAllowEcho", "no association is held against the declared peers", by_default=True),
    Option("DicomAlwaysAllowStore", "whoever calls stores, declared or not", by_default=True),
    Option("DicomAlwaysAllowFind", "whoever calls searches, declared or not", by_default=False),
    Option("DicomAlwaysAllowFindWorklist", "whoever calls reads the worklist, declared or not", by_default=False),
    Option("DicomAlwaysAllowGet", "whoever calls fetches images, declared or not", by_default=False),
    Option("DicomAlwaysAllowMove", "whoever calls has images sent, declared or not", by_default=False),
    Option("DicomTlsRemoteCertificateRequired", "a peer needs no certificate", by_default=True, dangerous=False),
    Option("HttpsVerifyPeers", "the archive believes any server that it calls", by_default=True, dangerous=False),
    Option("HttpDescribeErrors", "errors tell what happened inside", by_default=True),
    Option("DeidentifyLogs", "logs hold patients' names", by_default=True, dangerous=False),
)

#: Lines of HAProxy's configuration, and what each lets in.
_HAPROXY: Final[Mapping[str, str]] = {
    r"option\s+accept-(unsafe-violations|invalid)-in-http-request|option\s+accept-invalid-http-request": (
        "requests that break the rules of HTTP are passed on"
    ),
    r"insecure-fork-wanted": "a worker may start programs",
    r"stats\s+enable": "the statistics page tells who is connected",
    r"(server|default-server)\s[^\n]*\sverify\s+none|ssl-server-verify\s+none": "a server behind it is believed with any certificate",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One option as it is: its name, whether it is dangerous so, and how it stands there."""

    name: str
    dangerous: bool
    told: str


def of_orthanc(files: Iterable[str]) -> list[Setting]:
    """Judge Orthanc's options, by the texts of its configuration (JSON without comments)."""
    texts = list(files)
    found = []
    for option in ORTHANC:
        values = [value == "true" for text in texts for value in re.findall(rf'"{option.name}"\s*:\s*(true|false)', text)]
        value = option.dangerous if option.dangerous in values else (values or [option.by_default])[0]
        state = f"{'on' if value else 'off'}{'' if values else ' by default'}"
        bad = value is option.dangerous
        found.append(Setting(option.name, bad, f"{state}: {option.consequence}" if bad else state))
    return found


def of_haproxy(files: Iterable[str]) -> list[Setting]:
    """Judge lines of HAProxy's configuration."""
    text = "\n".join(files)
    return [
        Setting(consequence, bool(there), f"'{' '.join(there[0].split()[:3])} …'" if there else "no line says so")
        for pattern, consequence in _HAPROXY.items()
        for there in [re.search(rf"(?m)^\s*({pattern})", text)]
    ]


def of_dcmqrscp(files: Iterable[str]) -> list[Setting]:
    """Judge the peers of DCMTK's dcmqrscp: the last word of a line of its AETable says who may call (dcmqrcnf.txt)."""
    tables = "\n".join(re.findall(r"(?ms)^AETable\s+BEGIN(.*?)^AETable\s+END", "\n".join(files)))
    areas = re.findall(r"(?m)^\s*(\S+)\s+\S+\s+R?W?\s+\([^)]*\)\s+(\S.*?)\s*$", tables)
    return [
        Setting(f"peers of {title}", peers == "ANY", "ANY: whoever calls is served, declared or not" if peers == "ANY" else "listed")
        for title, peers in areas
    ]


#: Product -> how its configuration is judged.
JUDGES: Final = {"orthanc": of_orthanc, "haproxy": of_haproxy, "dcmqrscp": of_dcmqrscp}
