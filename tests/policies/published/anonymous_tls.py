"""TLS that hides the images from the network, and gives them to everybody."""

import json

import pulumi_docker as docker


def program() -> None:
    """Deploy an archive that asks no peer for a certificate."""
    settings = {
        "DicomAet": "ARCHIVE",
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": "/etc/orthanc/server.crt",
        "DicomTlsPrivateKey": "/etc/orthanc/server.key",
        "DicomTlsRemoteCertificateRequired": False,
    }
    docker.Container(
        "archive",
        image="orthancteam/orthanc:24.9.1",
        uploads=[docker.ContainerUploadArgs(file="/etc/orthanc/tls.json", content=json.dumps(settings))],
        ports=[docker.ContainerPortArgs(internal=4242, external=2762, ip="192.0.2.10")],
    )
