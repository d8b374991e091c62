"""The host's network and the engine's socket, so that 'it just works'."""

import pulumi_docker as docker


def program() -> None:
    """Deploy an archive that is the host."""
    docker.Container(
        "dcm4chee-arc",
        image="dcm4che/dcm4chee-arc-psql:5.33.1",
        network_mode="host",
        privileged=True,
        volumes=[docker.ContainerVolumeArgs(host_path="/var/run/docker.sock", container_path="/var/run/docker.sock")],
    )
