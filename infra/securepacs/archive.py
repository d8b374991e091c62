"""The archive's files, as pure functions of a clinic and its secrets: Orthanc's configuration.

Each option that protects is written down, though some are today's defaults: defaults change.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from securepacs.clinic import Clinic
from securepacs.database import archive_section, uses_postgresql
from securepacs.gateway import INNER_NAME, egress_ports, slug
from securepacs.index.schema import SERVER
from securepacs.peers import Peer, Verb

#: The user that Orthanc runs as, in the image and in the files' ownership.
UID = GID = 10102

#: Where the configuration and the data stand in the container.
FOLDER, DATA_FOLDER = "/etc/archive", "/var/lib/archive"
STORAGE_FOLDER = f"{DATA_FOLDER}/db"

#: Ports on the inner network; none is published.
PORT_DICOM, PORT_HTTP = 4242, 8042

#: Whom the archive knows over HTTP: the gateway, and nobody else.
USER = "gateway"

#: Versions below have known ways in (CVE-2026-5437 to 5445).
ORTHANC_FLOOR = "1.12.11"

#: What Orthanc calls each verb. The first six decide also whether an association is looked at at all.
RIGHT_OF_VERB: Mapping[Verb, str] = {
    "echo": "AllowEcho",
    "store": "AllowStore",
    "find": "AllowFind",
    "worklist": "AllowFindWorklist",
    "get": "AllowGet",
    "move": "AllowMove",
    "commit": "AllowStorageCommitment",
}

PLUGINS = ("libOrthancDicomWeb.so", "libModalityWorklists.so", "libOrthancPython.so")
DATABASE_PLUGIN = "libOrthancPostgreSQLIndex.so"

#: This part of the archive's memory holds files that were stored last.
_CACHED_SHARE = 8

_NOWHERE = {"Host": "nowhere.invalid", "Port": 1}

_FIXED: dict[str, Any] = {
    # Who may talk DICOM: an association is held against DicomModalities only if all of the first six are false.
    "DicomAlwaysAllowEcho": False,
    "DicomAlwaysAllowStore": False,
    "DicomAlwaysAllowFind": False,
    "DicomAlwaysAllowFindWorklist": False,
    "DicomAlwaysAllowGet": False,
    "DicomAlwaysAllowMove": False,
    "DicomCheckCalledAet": True,
    "StrictAetComparison": True,
    # The gateway is the one client: its address says nothing of the peer's.
    "DicomCheckModalityHost": False,
    "DicomModalitiesInDatabase": False,
    "UnknownSopClassAccepted": False,
    # Who may talk HTTP: the gateway, on the inner network, with a password.
    "RemoteAccessAllowed": True,
    "AuthenticationEnabled": True,
    "SslEnabled": False,
    "OrthancExplorerEnabled": False,
    "WebDavEnabled": False,
    "HttpDescribeErrors": False,
    "ExecuteLuaEnabled": False,
    "RestApiWriteToFileSystemEnabled": False,
    "OrthancPeers": {},
    "OrthancPeersInDatabase": False,
    "LuaScripts": [],
    # What is stored stays as it is: the guard refuses other content under a stored SOP instance UID.
    # With "Never" Orthanc would acknowledge and drop it without asking the guard.
    "OverwriteInstances": "IfChanged",
    "MaximumStorageMode": "Reject",
    "SyncStorageArea": True,
    "SaveJobs": False,
    "DatabaseServerIdentifier": SERVER,
    "LogExportedResources": True,
    "DeidentifyLogs": True,
    # A search reads the index, and gives so many answers.
    "StorageAccessOnFind": "Never",
    "LimitFindResults": 200,
    "LimitFindInstances": 1000,
    # An idle association ends, so that it holds no worker.
    "DicomScpTimeout": 30,
    "DicomScuTimeout": 10,
    "MaximumPduLength": 131072,
    "StoreMD5ForAttachments": True,
    "HttpThreadsCount": 50,
    "HttpRequestTimeout": 30,
    "TcpNoDelay": True,
    "KeepAlive": True,
    "KeepAliveTimeout": 60,
    "TemporaryDirectory": "/tmp",  # noqa: S108 - the container's own tmpfs
}


def _modality(clinic: Clinic, peer: Peer) -> dict[str, Any]:
    """Write a peer's entry in DicomModalities. Each right is written, because a missing one counts as granted."""
    ports = egress_ports(clinic)
    where = {"Host": INNER_NAME, "Port": ports[peer.ae_title]} if peer.address else _NOWHERE
    rights = {right: verb in peer.verbs for verb, right in RIGHT_OF_VERB.items()}
    return {"AET": peer.ae_title, **where, **rights, "UseDicomTls": False}


def peers_configuration(clinic: Clinic) -> dict[str, Any]:
    """Give the part of Orthanc's configuration that says who the peers are; the guard takes it over while Orthanc runs.

    The section `SecurePacs` is read by the guard, the archive's own plugin script: who may have images sent where.
    """
    return {
        "DicomModalities": {slug(peer.ae_title): _modality(clinic, peer) for peer in clinic.peers},
        "SecurePacs": {"Moves": {peer.ae_title: peer.destinations for peer in clinic.peers}},
    }


def orthanc_configuration(clinic: Clinic, gateway_password: str) -> dict[str, Any]:
    """Give the rest of Orthanc's configuration; a change of it is a restart."""
    plugins = [*PLUGINS, DATABASE_PLUGIN] if uses_postgresql(clinic) else PLUGINS
    return {
        **_FIXED,
        **({"PostgreSQL": archive_section(FOLDER)} if uses_postgresql(clinic) else {}),
        "Name": clinic.name,
        "DicomAet": clinic.archive.ae_title,
        "DicomPort": PORT_DICOM,
        "HttpPort": PORT_HTTP,
        "StorageDirectory": STORAGE_FOLDER,
        "IndexDirectory": STORAGE_FOLDER,
        "MaximumStorageSize": clinic.limits.storage_mb,
        # Twice as many workers as associations that the gateway lets through: an idle one never makes another wait, nor do
        # those that a reload leaves to the gateway's old process.
        "DicomThreadsCount": 2 * clinic.limits.associations,
        # Files that were stored last are held in memory: a file from the disk is checked against its MD5 each time.
        "MaximumStorageCacheSize": clinic.limits.archive_memory_mb // _CACHED_SHARE,
        "MaximumRequestBodySizeMB": clinic.limits.request_mb,
        "MaximumFileSizeInArchiveMB": clinic.limits.request_mb,
        "RegisteredUsers": {USER: gateway_password},
        "Plugins": [f"/usr/share/orthanc/plugins/{plugin}" for plugin in plugins],
        "PythonScript": "/usr/share/securepacs/guard.py",
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        "Worklists": {"Enable": True, "Database": f"{DATA_FOLDER}/worklists"},
    }


def authorization(gateway_password: str) -> str:
    """Give the value of the header Authorization with which the archive is asked (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{USER}:{gateway_password}".encode()).decode()


#: The archive's files: what it restarts for, and what it takes over while it runs.
RESTARTS_FOR, RELOADS = ("orthanc.json", "authorization"), ("peers.json",)
FILE_NAMES = (*RESTARTS_FOR, *RELOADS)


def archive_files(clinic: Clinic, gateway_password: str) -> dict[str, str]:
    """Give the content of each file of the archive: name -> text."""
    return {
        "orthanc.json": json.dumps(orthanc_configuration(clinic, gateway_password), indent=2) + "\n",
        "peers.json": json.dumps(peers_configuration(clinic), indent=2) + "\n",
        "authorization": authorization(gateway_password) + "\n",
    }
