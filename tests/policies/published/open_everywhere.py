"""DICOM and the web on every address of the host."""

import pulumi_docker as docker


def program() -> None:
    """Deploy an archive that answers on 0.0.0.0."""
    docker.Container(
        "pacs",
        image="jodogne/orthanc-plugins:1.12.4",
        ports=[
            docker.ContainerPortArgs(internal=4242, external=104, ip="0.0.0.0"),  # noqa: S104 - what is refused
            docker.ContainerPortArgs(internal=8042, external=80, ip="0.0.0.0"),  # noqa: S104 - what is refused
        ],
    )
