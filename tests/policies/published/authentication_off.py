"""Sign-in switched off 'for now', in a file of settings."""

import json

import pulumi_docker as docker


def program() -> None:
    """Deploy an archive that asks nobody who they are."""
    settings = {"DicomAet": "ORTHANC", "RemoteAccessAllowed": True, "AuthenticationEnabled": False, "DicomAlwaysAllowStore": True}
    docker.Container(
        "orthanc",
        image="jodogne/orthanc",
        uploads=[docker.ContainerUploadArgs(file="/etc/orthanc/orthanc.json", content=json.dumps(settings))],
    )
