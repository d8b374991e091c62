from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from provider.conftest import OWNER, UID, Maker
from provider.stub import Provider, Secret

if TYPE_CHECKING:
    import docker

CANARY = "sp-prov-canary-5d1f7c"


def arguments_and_environments() -> str:
    """Give the command line and environment of every process of this host, without those of this test itself."""
    told = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                told.append((process / name).read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return "\n".join(told)


def test_a_secret_is_in_its_file_and_nowhere_else(made: Maker, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """The content of a file is in no label, environment, inspection, image, log, event or process list."""
    network = made("securepacs:docker:Network", {**OWNER, "name": "sp-prov-secret"})
    volume = made("securepacs:docker:Volume", {**OWNER, "name": "sp-prov-secret"})
    written = {**OWNER, "volume": "sp-prov-secret", "image": image, "uid": UID, "gid": UID}
    files = made("securepacs:docker:Files", {**written, "files": {"key": {"content": Secret(CANARY)}}})
    container = made(
        "securepacs:docker:Container",
        {
            **OWNER,
            "name": "sp-prov-secret",
            "image": image,
            "user": f"{UID}:{UID}",
            "command": ["sleep", "600"],
            "networks": [{"name": "sp-prov-secret"}],
            "mounts": [{"volume": "sp-prov-secret", "target": "/conf"}],
            "memoryMb": 64,
            "cpus": 0.5,
            "pids": 16,
            "healthcheck": {"test": ["test", "-r", "/conf/key"], "intervalSeconds": 1},
            "stopSignal": "SIGKILL",
            "restartOn": files.state["revisions"],
        },
    )
    files = provider.update(files, {**written, "files": {"key": {"content": Secret(CANARY)}, "more": {"content": Secret(CANARY)}}})
    shown = engine.containers.get(container.id)
    seen = {
        "container": json.dumps(shown.attrs),
        "network": json.dumps(engine.networks.get(network.id).attrs),
        "volume": json.dumps(engine.volumes.get(volume.id).attrs),
        "image": json.dumps(engine.images.get(image).attrs) + json.dumps(engine.images.get(image).history()),
        "log": shown.logs().decode(),
        "processes": arguments_and_environments(),
        "revisions": json.dumps(files.output("revisions")),
        "layers": str(shown.diff()),
    }
    assert [name for name, text in seen.items() if CANARY in text] == []
    # The control: it is where it belongs, so that the search above could have found it.
    stream, _ = shown.get_archive("/conf/key")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        member = archive.extractfile("key")
        assert member is not None
        assert member.read().decode() == CANARY


def test_the_search_for_secrets_finds_one() -> None:
    """A secret on a command line would be found: the search itself is tried."""
    with subprocess.Popen(["sleep", "5"], env={"PLANTED": CANARY + "-planted"}) as planted:
        found = CANARY + "-planted" in arguments_and_environments()
        planted.kill()
    assert found
