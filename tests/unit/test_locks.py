"""Which locks of a stack are cleared: only those of a dead process of this host."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from securepacs.state.locks import PROJECT_LOCKS, clear_dead_locks, clear_unfinished


def lay(backend: Path, name: str, content: str) -> Path:
    """Write a lock of the stack `dev`, as Pulumi's file backend does."""
    folder = backend / PROJECT_LOCKS / "securepacs" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / f"{name}.json"
    lock.write_text(content)
    lock.with_name(f"{lock.name}.attrs").write_text("{}")
    return lock


@pytest.fixture
def dead_pid() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_cleared(tmp_path: Path, dead_pid: int) -> None:
    """A lock whose holder ended on this host goes, with its attributes."""
    lock = lay(tmp_path, "a", json.dumps({"pid": dead_pid, "hostname": socket.gethostname()}))
    assert clear_dead_locks(tmp_path, "securepacs", "dev") == 1
    assert not list(lock.parent.iterdir())


def test_a_process_that_got_the_number_since_does_not_count(tmp_path: Path) -> None:
    """A living process that is no Pulumi does not keep the lock."""
    lay(tmp_path, "a", json.dumps({"pid": os.getpid(), "hostname": socket.gethostname()}))
    assert clear_dead_locks(tmp_path, "securepacs", "dev") == 1


def start_pulumi(folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that has Pulumi's name, and only sleeps."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    running = folder / "pulumi"
    shutil.copy(sleep, running)
    return subprocess.Popen([running, "30"])


def test_the_lock_of_a_running_pulumi_stays(tmp_path: Path) -> None:
    """A lock whose holder is alive is kept."""
    process = start_pulumi(tmp_path)
    try:
        # Popen returns a moment before the kernel gives the process its new name.
        name, end = Path(f"/proc/{process.pid}/comm"), time.monotonic() + 5
        while name.read_text() != "pulumi\n" and time.monotonic() < end:
            time.sleep(0.01)
        lock = lay(tmp_path, "a", json.dumps({"pid": process.pid, "hostname": socket.gethostname()}))
        assert clear_dead_locks(tmp_path, "securepacs", "dev") == 0
        assert lock.exists()
    finally:
        process.kill()
        process.wait()


def test_the_lock_of_a_killed_pulumi_that_nobody_asked_about_is_cleared(tmp_path: Path) -> None:
    """A zombie has its name and its number still, and holds no lock."""
    process = start_pulumi(tmp_path)
    lay(tmp_path, "a", json.dumps({"pid": process.pid, "hostname": socket.gethostname()}))
    process.kill()
    stat, end = Path(f"/proc/{process.pid}/stat"), time.monotonic() + 5
    while ") Z" not in stat.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    try:
        assert clear_dead_locks(tmp_path, "securepacs", "dev") == 1
    finally:
        process.wait()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": "x", "hostname": "h"}', '{"pid": 1, "hostname": "another-host"}'])
def test_what_is_not_understood_stays(tmp_path: Path, content: str) -> None:
    """A lock of another host, or one that cannot be read, is kept."""
    lock = lay(tmp_path, "a", content)
    assert clear_dead_locks(tmp_path, "securepacs", "dev") == 0
    assert lock.exists()


def test_another_stack_is_not_touched(tmp_path: Path, dead_pid: int) -> None:
    """Only the named stack's locks are looked at, and a backend without any is fine."""
    lock = lay(tmp_path, "a", json.dumps({"pid": dead_pid, "hostname": socket.gethostname()}))
    assert clear_dead_locks(tmp_path, "securepacs", "other") == 0
    assert lock.exists()


def test_what_a_killed_run_had_begun_to_write_is_cleared(tmp_path: Path) -> None:
    """Unfinished files of the stack go once they are old; younger ones, whole ones, another stack's, and any while a lock stands stay."""
    backend = tmp_path / ".pulumi"
    old = [f"stacks/securepacs/dev.json.{n}.tmp" for n in "ab"] + ["history/securepacs/dev/x.tmp", "backups/securepacs/dev/y.tmp"]
    stays = ["stacks/securepacs/dev.json", "stacks/securepacs/dev2.json.1.tmp", "stacks/securepacs/dev.json.young.tmp"]
    for name in [*old, *stays]:
        path = backend / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        if "young" not in name:
            os.utime(path, (1, 1))
    lock = lay(tmp_path, "a", '{"pid": 1, "hostname": "another-host"}')
    assert clear_unfinished(tmp_path, "securepacs", "dev") == 0
    lock.unlink()
    assert clear_unfinished(tmp_path, "securepacs", "dev") == len(old)
    assert sorted(str(path.relative_to(backend)) for path in backend.rglob("*") if path.is_file() and "locks" not in path.parts) == sorted(
        stays
    )
