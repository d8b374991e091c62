"""A provider for all of these tests, and an engine that they leave as they found it."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import docker
import pytest
from docker.errors import APIError, NotFound

from provider.stub import Object, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PREFIX = "sp-prov-"
BASE = "securepacs-base:forky"
OWNER = {"stack": "sp-prov-test", "component": "tests"}
UID = 4242


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """Give the engine, without what an earlier run left, and leave nothing of these tests on it."""
    client = docker.from_env()
    sweep(client)
    yield client
    sweep(client)
    client.close()


def sweep(client: docker.DockerClient) -> None:
    """Remove every object whose name begins with this suite's prefix."""
    for container in client.containers.list(all=True, ignore_removed=True):
        if (container.name or "").startswith(PREFIX):
            with contextlib.suppress(NotFound):
                container.remove(force=True, v=True)
    for network in client.networks.list():
        if (network.name or "").startswith(PREFIX):
            network.remove()
    for volume in client.volumes.list():
        if volume.name.startswith(PREFIX):
            volume.remove()
    for image in client.images.list():
        for tag in image.tags:
            if tag.startswith(PREFIX):
                with contextlib.suppress(APIError):
                    client.images.remove(tag)


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """Give a provider over gRPC."""
    served = Provider()
    yield served
    served.stop()


@pytest.fixture
def made(provider: Provider, engine: docker.DockerClient) -> Iterator[Maker]:
    """Give a maker whose objects are deleted at the end, the last one first."""
    del engine
    maker = Maker(provider)
    yield maker
    maker.clear()


class Maker:
    """Creates resources and remembers them."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._made: list[Object] = []

    def __call__(self, kind: str, inputs: Mapping[str, object]) -> Object:
        """Create a resource."""
        one = self._provider.create(kind, inputs)
        self._made.append(one)
        return one

    def clear(self) -> None:
        """Delete everything, the last one first."""
        while self._made:
            self._provider.delete(self._made.pop())


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder with a Dockerfile: the base, and a folder for data that belongs to the tests' user."""
    folder = tmp_path_factory.mktemp("context")
    (folder / "Dockerfile").write_text(
        f"ARG BASE\nFROM ${{BASE}}\nRUN install -d -o {UID} -g {UID} -m 0700 /data\nCOPY greeting /greeting\n"
    )
    (folder / "greeting").write_text("hello\n")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def image(provider: Provider, engine: docker.DockerClient, context: Path) -> str:
    """Give the id of an image for containers."""
    del engine
    built = provider.create("securepacs:docker:Image", {**OWNER, "name": "sp-prov-image", "context": str(context), "baseImage": BASE})
    return str(built.output("imageId"))
