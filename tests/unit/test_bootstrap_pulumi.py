"""How the bootstrap comes by a Pulumi CLI, on faked hosts."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from unit.faked_host import MODULE_VERSION, ROOT, Host

if TYPE_CHECKING:
    from pathlib import Path

GO_DIRECTIVE = "1.25.11"  # of bootstrap/pulumi-cli/go.mod


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a faked host."""
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ("v3.255.0", "3.255.0", True),
        ("v3.254.99", "3.255.0", False),
        ("3.1000.0", "3.255.0", True),
        ("v4.0.0", "3.255.0", True),
        ("v3.259.0-alpha.1+x86", "3.255.0", True),
        ("v3.255", "3.255.0", False),
        ("1.9", "1.21", False),
        ("1.25.11", "1.25.11", True),
        ("", "3.255.0", False),
        ("unknown", "3.255.0", False),
    ],
)
def test_versions_compare_as_numbers(have: str, want: str, *, expected: bool) -> None:
    """A version is new enough when its numbers are, whatever prefix or suffix it has; no version is never new enough."""
    script = 'source "$1"; at_least "$2" "$3"'
    result = subprocess.run(["bash", "-c", script, "bash", ROOT / "bootstrap" / "bootstrap", have, want], check=False, capture_output=True)
    assert (result.returncode == 0) is expected, result


@pytest.mark.parametrize(("trouble", "built"), [("fail-go", MODULE_VERSION), ("none", "3.1.0")])
def test_failed_build_leaves_no_pulumi(host: Host, trouble: str, built: str) -> None:
    """A build that fails, or gives another version than it should, leaves no pulumi behind and names its log."""
    (host.home / f"calls.{trouble}").touch()
    host.variables["FAKE_BUILT"] = built
    result = host.run()
    assert result.returncode == 1
    assert "pulumi: failed" in result.stderr
    assert ".tools/bootstrap-pulumi.log" in result.stderr
    assert not (host.checkout / ".tools" / "bin" / "pulumi").exists()


def test_interrupted_build_leaves_no_pulumi_and_no_process(host: Host) -> None:
    """An interrupted run ends its children, leaves no pulumi, and the next run finishes the work."""
    host.variables["FAKE_BUILD_SECONDS"] = "30"
    process = host.start()
    deadline = time.monotonic() + 10
    while "go build" not in host.calls.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)  # would time out if a child still held the output
    assert process.returncode == 130
    assert not (host.checkout / ".tools" / "bin" / "pulumi").exists()
    host.variables["FAKE_BUILD_SECONDS"] = "0"
    assert host.run().returncode == 0
    assert (host.checkout / ".tools" / "bin" / "pulumi").exists()
    assert list((host.checkout / ".tools").glob("building.*")) == []


def test_outdated_own_pulumi_gives_way(host: Host) -> None:
    """An own build of another version is removed when PATH has a Pulumi that is new enough."""
    host.has("pulumi", "echo v3.300.0")
    own = host.checkout / ".tools" / "bin" / "pulumi"
    own.parent.mkdir(parents=True)
    own.write_text("old")
    assert "remove .tools/bin/pulumi: outdated" in host.run("--check").stdout
    assert host.run().returncode == 0
    assert not own.exists()


@pytest.mark.parametrize(
    ("has", "toolchain", "fetched"),
    [
        ("1.26.1", "local", False),
        (GO_DIRECTIVE, "local", False),
        ("1.24.4", f"go{GO_DIRECTIVE}", False),
        ("1.21.0", f"go{GO_DIRECTIVE}", False),
        ("1.19.8", "local", True),
    ],
)
def test_old_go_fetches_a_newer_one(host: Host, has: str, toolchain: str, *, fetched: bool) -> None:
    """A Go that is new enough builds; one from 1.21 on is told to fetch the toolchain; an older one gets it as a module."""
    host.variables["FAKE_GO"] = has
    result = host.run()
    assert result.returncode == 0, result
    assert (host.checkout / ".tools" / "bin" / "pulumi").exists()
    (built,) = (line for line in host.called() if line.startswith("toolchain"))
    assert built.startswith(f"toolchain {toolchain} of ")
    assert ("/toolchain/go/bin" in built) is fetched
    module = f"golang.org/toolchain@v0.0.1-go{GO_DIRECTIVE}.linux-amd64"
    assert any(line.startswith("go mod download") and line.endswith(module) for line in host.called()) is fetched
