from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped] # grpcio publishes no types
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from provider.conftest import OWNER, UID
from provider.stub import Provider, properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker

EXECUTABLE = Path(sys.executable).parent / "pulumi-resource-securepacs"
CONTAINER = "securepacs:docker:Container"
NAME = "sp-prov-orphan"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """Give a process that starts the provider as Pulumi does, and tells its process id, then its port."""
    script = f"{EXECUTABLE} 127.0.0.1:1 & echo $!; wait"
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_without_an_engine_it_says_what_it_is() -> None:
    """Started by hand it ends with one line and a status that is not 0."""
    done = subprocess.run([EXECUTABLE], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "is started by Pulumi" in done.stderr


def test_it_ends_with_the_engine_that_started_it(
    parent: subprocess.Popen[str], provider: Provider, engine: docker.DockerClient, image: str
) -> None:
    """When Pulumi is killed in the middle of a creation, the provider removes the half-made container and ends."""
    inputs: dict[str, Any] = {
        **OWNER,
        "name": NAME,
        "image": image,
        "user": f"{UID}:{UID}",
        "command": ["sleep", "600"],
        "networks": [{"name": "bridge"}],
        "memoryMb": 64,
        "cpus": 0.5,
        "pids": 16,
        "healthcheck": {"test": ["false"], "intervalSeconds": 1, "startSeconds": 600},
        "stopSignal": "SIGKILL",
    }
    checked = provider.checked(CONTAINER, inputs)
    assert parent.stdout is not None
    process, port = Path("/proc") / parent.stdout.readline().strip(), int(parent.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
        call = stub.Create.future(provider_pb2.CreateRequest(urn=Provider.urn(CONTAINER), properties=properties(checked)))
        _wait(lambda: NAME in _names(engine) or call.done())
        assert not call.done(), call.exception()
        parent.kill()
        _wait(lambda: not process.exists())
    assert NAME not in _names(engine)


def _names(engine: docker.DockerClient) -> set[str | None]:
    return {one.name for one in engine.containers.list(all=True, ignore_removed=True)}


def _wait(done: Any) -> None:  # noqa: ANN401 - a condition
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)
