"""The login of the manual, handed over in the environment."""

import pulumi_docker as docker


def program() -> None:
    """Deploy an archive with the login orthanc/orthanc."""
    docker.Container(
        "orthanc",
        image="orthancteam/orthanc:latest",
        envs=['ORTHANC__REGISTERED_USERS={"orthanc": "orthanc"}'],
        ports=[docker.ContainerPortArgs(internal=8042, external=8042)],
    )
