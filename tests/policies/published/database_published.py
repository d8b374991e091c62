"""The index's database on the host's addresses, so that a graphical client reaches it."""

import pulumi_docker as docker


def program() -> None:
    """Deploy a database whose port is published."""
    docker.Container(
        "orthanc-index",
        image="postgres:15",
        envs=["POSTGRES_USER=postgres", "POSTGRES_PASSWORD=postgres"],
        ports=[docker.ContainerPortArgs(internal=5432, external=5432)],
    )
