"""A Docker engine of a test's own: its disk is small, its network a namespace, and it may be killed.

The namespace is joined to the host by a pair of interfaces, so that what the engine publishes is reached from the test;
commands that look at ports or addresses run inside (`nsenter`, not `ip netns exec`, which would hide the host's mounts).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NAMESPACE = "failengine"
OUTSIDE, INSIDE = "10.213.33.1", "10.213.33.2"
_START_SECONDS = 60


def _run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=300)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-1500:]}")
    return done.stdout + ("" if check else done.stderr)


@dataclass
class SecondEngine:
    """The engine and its disk."""

    folder: Path
    disk_mb: int
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _containerd: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def disk(self) -> Path:
        """The small disk: images, containers, volumes, and what else a test puts there."""
        return self.folder / "disk"

    @property
    def host(self) -> str:
        """What DOCKER_HOST is for it."""
        return f"unix://{self.folder}/engine.sock"

    @property
    def inside(self) -> list[str]:
        """The words before a command that is to run in the engine's network."""
        return ["nsenter", f"--net=/run/netns/{NAMESPACE}"]

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the Docker client against this engine."""
        return _run("docker", "--host", self.host, *arguments, check=check)

    def lay(self) -> None:
        """Mount the disk and join the network. It has no way out, so that a name that nobody knows is told at once."""
        self.disk.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={self.disk_mb}m,mode=0700", "securepacs-test", str(self.disk))
        _run("ip", "netns", "add", NAMESPACE)
        _run("ip", "link", "add", "failout", "type", "veth", "peer", "name", "failin", "netns", NAMESPACE)
        _run("ip", "address", "add", f"{OUTSIDE}/30", "dev", "failout")
        _run("ip", "link", "set", "failout", "up")
        for command in (
            ["address", "add", f"{INSIDE}/30", "dev", "failin"],
            ["link", "set", "failin", "up"],
            ["link", "set", "lo", "up"],
        ):
            _run(*self.inside, "ip", *command)
        _run(*self.inside, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

        self._containerd = self._spawn("containerd", "--config", str(self._containerd_configuration()))

    def _containerd_configuration(self) -> Path:
        """Write the configuration of a containerd that outlives the engine, as the one of a host's own service does."""
        path = self.folder / "containerd.toml"
        places = f'root = "{self.disk}/containerd"\nstate = "{self.folder}/run/containerd"'
        path.write_text(
            f'version = 2\n{places}\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{self._containerd_address}"\n'
        )
        return path

    @property
    def _containerd_address(self) -> str:
        return f"{self.folder}/containerd.sock"

    def _spawn(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a program in the engine's network."""
        with (self.folder / "engine.log").open("ab") as log:
            return subprocess.Popen([*self.inside, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start(self) -> float:
        """Start the engine; give the seconds until it answers."""
        words = ["--host", self.host, "--data-root", f"{self.disk}/engine", "--exec-root", f"{self.folder}/run/engine"]
        words += ["--pidfile", f"{self.folder}/engine.pid", "--bip", "10.214.33.1/24", "--cgroup-parent", NAMESPACE]
        words += ["--default-address-pool", "base=10.215.0.0/16,size=24", "--storage-driver", "overlay2"]
        began = time.monotonic()
        self._process = self._spawn("dockerd", *words, "--containerd", self._containerd_address)
        while subprocess.run(["docker", "--host", self.host, "info"], capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > began + _START_SECONDS:
                raise AssertionError(f"the second engine did not start:\n{(self.folder / 'engine.log').read_text()[-2000:]}")
            time.sleep(0.2)
        return time.monotonic() - began

    def stop(self, number: signal.Signals) -> None:
        """Send the engine a signal and wait until it has ended. Containerd, and what runs the containers, is not told."""
        assert self._process is not None
        self._process.send_signal(number)  # nsenter became dockerd: the process is the engine itself
        self._process.wait(60)

    def load(self, images: Sequence[str]) -> None:
        """Bring images over from the host's engine."""
        saved = subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE)
        loaded = subprocess.run(["docker", "--host", self.host, "load"], stdin=saved.stdout, capture_output=True, text=True, check=False)
        if saved.wait() or loaded.returncode:
            raise AssertionError(f"images were not brought over: {loaded.stderr}")

    def fill(self) -> int:
        """Take all that is free on the disk, to the last page; give the bytes."""
        taken = 0
        with (self.disk / "ballast").open("ab", buffering=0) as ballast:
            for piece in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while written := ballast.write(bytes(piece)):
                        taken += written
        return taken

    def free(self) -> None:
        """Give it back."""
        (self.disk / "ballast").unlink(missing_ok=True)

    def clear(self) -> None:
        """Take everything away again: containers, engine, what it started, network, disk."""
        if self._process is not None and self._process.poll() is None:
            self.free()
            running = self.docker("ps", "-aq", check=False).split()
            if running:
                self.docker("rm", "-f", *running, check=False)
            self.stop(signal.SIGTERM)
        if self._containerd is not None:
            self._containerd.kill()
            self._containerd.wait()
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        _run("ip", "link", "delete", "failout", check=False)
        _run("ip", "netns", "delete", NAMESPACE, check=False)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((one for one in mounts if one.startswith(str(self.folder))), reverse=True):
            _run("umount", "-l", mount, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _left(self) -> Iterator[int]:
        """Find what the engine started and may have left: the shims name the address of its containerd."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self._containerd_address.encode() in (entry / "cmdline").read_bytes():
                    yield int(entry.name)
