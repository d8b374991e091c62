"""A way to the gateway from another network address than this host's: relays in a container on the edge network."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from deployed.deployment import docker
from securepacs_harness.probes.line import Line
from securepacs_harness.reach import Pacs


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """The relays' own address, as the gateway sees it; each port of the gateway's is relayed under its own number."""

    address: str

    def line(self, line: Line, port: int) -> Line:
        """Give the same line through the relay to the gateway's own port."""
        return dataclasses.replace(line, host=self.address, port=port)


def _networks(container: str) -> Mapping[str, Mapping[str, str]]:
    networks: Mapping[str, Mapping[str, str]] = json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"]
    return networks


def address_of(container: str, ends_with: str) -> str:
    """Give a container's address on its network whose name ends so."""
    (there,) = [told["IPAddress"] for network, told in _networks(container).items() if network.endswith(ends_with)]
    return there


@contextmanager
def relays(pacs: Pacs, image: str, name: str, ports: tuple[int, ...]) -> Iterator[Elsewhere]:
    """Stand up the relays on the gateway's edge network, and remove them."""
    gateway = pacs.target.inside["gateway"].removeprefix("docker://")
    ((network, there),) = [(network, told) for network, told in _networks(gateway).items() if network.endswith("edge")]
    relay = " & ".join(f"socat TCP-LISTEN:{port},fork,reuseaddr TCP:{there['IPAddress']}:{port}" for port in ports)
    docker("rm", "-f", name, check=False)
    docker("run", "-d", "--name", name, "--network", network, "--cap-drop", "ALL", "--read-only", image, "sh", "-c", f"{relay} & wait")
    try:
        time.sleep(0.5)
        yield Elsewhere(_networks(name)[network]["IPAddress"])
    finally:
        docker("rm", "-f", name, check=False)
