"""The gateway acknowledges at once what it receives, so that a sender with Nagle's algorithm does not stand still after each instance.

What is counted is the kernel's own record of acknowledgements that it held back (proc_pid_net(5), TcpExt DelayedACKs) in the
gateway's network, so that no clock and no load of this machine decides.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage

from bench import samples
from deployed.conftest import STACK
from deployed.deployment import docker
from deployed.elsewhere import address_of
from securepacs_harness.bracket import accepts
from securepacs_harness.probes import dimse
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.reach import Pacs

GATEWAY = f"{STACK}-gateway"
INSTANCES = 40

#: What the engine or a run of ours does to a gateway, and what has to outlive it.
DONE = {
    "as it was made": (),
    "reloaded": ("exec", GATEWAY, "/usr/share/securepacs/reload"),
    "restarted": ("restart", GATEWAY),
    "killed": ("kill", "-s", "KILL", GATEWAY),
}


def _delayed() -> int:
    """Count the acknowledgements that the kernel held back in the gateway's network since that was made."""
    pid = docker("inspect", "-f", "{{.State.Pid}}", GATEWAY).strip()
    names, values = (line.split() for line in Path(f"/proc/{pid}/net/netstat").read_text(encoding="ascii").splitlines()[:2])
    return int(values[names.index("DelayedACKs")])


def _serving(pacs: Pacs) -> None:
    """Wait until the gateway answers again."""
    for _ in range(60):
        if docker("inspect", "-f", "{{.State.Health.Status}}", GATEWAY, check=False).strip() == "healthy":
            break
        docker("start", GATEWAY, check=False)
        time.sleep(0.5)
    accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")


@pytest.mark.parametrize("done", DONE)
def test_what_is_received_is_acknowledged_at_once(pacs: Pacs, dcmtk: Dcmtk, folder: Path, done: str) -> None:
    """An untouched storescu sends many CT images over one association, and no acknowledgement is held back; without us it is each fifth."""
    if DONE[done]:
        docker(*DONE[done])
    _serving(pacs)
    caller, path = pacs.caller("CT01"), folder / "images" / "slice.dcm"
    path.parent.mkdir(exist_ok=True)
    samples.image("slice", 0, 0, samples.Series("CT", CTImageStorage, 1, 512)).save_as(path, enforce_file_format=True)
    before = _delayed()
    words = ["-R", "-aet", "CT01", "-aec", caller.called, *Dcmtk.tls(caller), "--repeat", str(INSTANCES), "+II"]
    # Straight to the gateway: the engine's own relay on the loopback address would acknowledge in its place.
    status, said = dcmtk.run("storescu", *words, address_of(GATEWAY, "edge"), "2762", str(path))
    assert status == 0, said
    assert _delayed() - before < INSTANCES // 10
