"""The bootstrap on hosts that are faked: what it plans, what it refuses, what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from unit.faked_host import DOCKERD, MMDEBSTRAP, MODULE_VERSION, ROOT, SYSTEMCTL, Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PINNED = "example/debian@sha256:" + "a" * 64


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a faked host."""
    return Host(tmp_path)


class Change(NamedTuple):
    """A way in which a host differs from the default one."""

    make: Callable[[Host], object]


BARE = [Change(lambda host: host.lacks("python3", "go")), Change(lambda host: host.engine(status=5))]
NOT_ROOT = Change(lambda host: host.is_user(1000))
NO_ENGINE = Change(lambda host: host.engine(status=5))
NO_IMAGE = Change(lambda host: host.engine(status=0))
STOPPED_ENGINE = [NO_ENGINE, Change(lambda host: host.has("dockerd", "")), Change(lambda host: host.has("iptables", ""))]


def system(release: str) -> Change:
    """Return the change to another operating system."""
    return Change(lambda host: host.is_system(release))


def pulumi(version: str) -> Change:
    """Return the change to a host with this Pulumi on PATH."""
    return Change(lambda host: host.has("pulumi", f"echo v{version}"))


def base(reference: str) -> Change:
    """Return the change to an environment that names this base image."""
    return Change(lambda host: host.variables.update(SECUREPACS_BASE_IMAGE=reference))


REFUSALS: dict[str, tuple[list[Change], str]] = {
    "nothing there, not root": ([*BARE, NOT_ROOT], "you are not root"),
    "nothing there, another system": ([*BARE, system("ID=fedora\nVERSION_ID=44\n")], "not Debian (it is fedora)"),
    "nothing there, no os-release": ([*BARE, system("")], "not Debian (it is unknown)"),
    "nothing there, old Debian": ([*BARE, system("ID=debian\nVERSION_ID=11\n")], "Debian 11 is older than 12"),
    "nothing there, no apt": ([*BARE, Change(lambda host: host.lacks("apt-get"))], "there is no apt-get"),
    "no engine, not root": ([NO_ENGINE, NOT_ROOT], "no Docker engine answers on unix:///var/run/docker.sock"),
    "engine stopped, not root": ([*STOPPED_ENGINE, NOT_ROOT], "it cannot be started: you are not root"),
    "engine refuses the user": ([Change(lambda host: host.engine(status=3)), NOT_ROOT], "refuses the user user1000"),
    "named engine is dead": (
        [NO_ENGINE, Change(lambda host: host.variables.update(DOCKER_HOST="tcp://192.0.2.1:2376"))],
        "tcp://192.0.2.1:2376 (start it, or unset DOCKER_HOST)",
    ),
    "no Go, no Pulumi, not root": ([NOT_ROOT, Change(lambda host: host.lacks("go"))], "no pulumi >= 3.255.0 on PATH and no Go"),
    "base image not pinned": ([NO_IMAGE, base("example/debian:forky")], "SECUREPACS_BASE_IMAGE=example/debian:forky is not pinned"),
    "no mmdebstrap, not root": ([NO_IMAGE, NOT_ROOT], "set SECUREPACS_BASE_IMAGE=NAME@sha256:... to pull one"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_host_is_left_unchanged(host: Host, case: str) -> None:
    """A host that cannot be set up gets one line that names what is missing, status 4, and no change."""
    changes, expected = REFUSALS[case]
    for change in changes:
        change.make(host)
    before = host.files()
    result = host.run()
    assert result.returncode == 4, result
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("bootstrap: this host cannot be set up: ")
    assert result.stderr.endswith("Nothing was changed.\n")
    assert host.files() == before
    assert host.called() == []


PLANS: dict[str, tuple[list[Change], list[str]]] = {
    "bare Debian": (
        BARE,
        [
            "python: install python3 python3-venv: no Python 3.11 or newer with venv on PATH",
            "engine: install docker.io iptables: no Docker engine answers on unix://",
            "pulumi: install golang-go: ",
            "venv: make .venv from requirements.lock: there is none",
            "image: install mmdebstrap: ",
        ],
    ),
    "Debian without a number is new": ([*BARE, system("ID=debian\nVERSION_CODENAME=forky\n")], ["python: install "]),
    "engine stopped": (STOPPED_ENGINE, ["engine: start dockerd: no Docker engine answers"]),
    "Pulumi too old": ([pulumi("3.254.9")], [f"pulumi: build {MODULE_VERSION} with Go into .tools/bin: "]),
    "Pulumi just new enough": ([pulumi("3.255.0")], ["pulumi: ready ("]),
    "pinned image": ([NO_IMAGE, base(PINNED)], [f"image: pull {PINNED}: "]),
    "mmdebstrap there": ([NO_IMAGE, Change(lambda host: host.has("mmdebstrap", ""))], ["image: make securepacs-base:forky with "]),
}


@pytest.mark.parametrize("case", PLANS)
def test_check_says_what_and_changes_nothing(host: Host, case: str) -> None:
    """--check prints a line for each part that will be installed, with the reason, and changes nothing."""
    changes, expected = PLANS[case]
    for change in changes:
        change.make(host)
    before = host.files()
    result = host.run("--check")
    assert (result.returncode, result.stderr) == (0, "")
    for line in expected:
        assert any(printed.startswith(f"bootstrap: {line}") for printed in result.stdout.splitlines()), result.stdout
    assert host.files() == before
    assert host.called() == []


def test_running_engine_is_used_where_python_is_missing(host: Host) -> None:
    """A host without Python, but with an engine that answers on its socket, is not given another engine."""
    host.lacks("python3")
    assert "engine: ready" in host.run("--check").stdout


def test_second_run_does_nothing(host: Host) -> None:
    """A finished host is told so in one line, and nothing is called again."""
    host.engine(status=0)
    host.has("mmdebstrap", MMDEBSTRAP)
    first = host.run()
    assert first.returncode == 0, first
    assert [line.split()[0] for line in host.called()].count("mmdebstrap") == 1
    assert any("engine.py import securepacs-base:forky" in line for line in host.called())
    host.engine(status=0, image=True)
    host.calls.write_text("")
    before = host.files()
    second = host.run()
    assert (second.returncode, second.stdout, second.stderr) == (0, "bootstrap: everything is in place\n", "")
    assert host.called() == []
    assert host.files() == before


def test_half_made_environment_is_made_anew(host: Host) -> None:
    """An environment whose packages failed to install is not taken for finished; the next run begins it again."""
    refuse = host.home / "calls.fail-pip"
    refuse.touch()
    failed = host.run()
    assert failed.returncode == 1
    assert "venv: failed" in failed.stderr
    assert "mend what is named above" in failed.stderr
    assert "anew" in host.run("--check").stdout
    refuse.unlink()
    assert host.run().returncode == 0
    assert [line for line in host.called() if line.startswith("python3 -m venv")] != []
    assert host.run().stdout == "bootstrap: everything is in place\n"


@pytest.mark.parametrize(("file", "venvs", "installs"), [("requirements.lock", 1, 2), ("pyproject.toml", 0, 1)])
def test_changed_project_is_installed_again(host: Host, file: str, venvs: int, installs: int) -> None:
    """A changed lock makes the environment anew; a changed pyproject.toml only installs the project again."""
    assert host.run().returncode == 0
    host.calls.write_text("")
    (host.checkout / file).write_text("# changed\n")
    assert host.run().returncode == 0
    assert sum("-m venv" in line for line in host.called()) == venvs
    assert sum(" install " in line for line in host.called()) == installs
    assert host.run().stdout == "bootstrap: everything is in place\n"


def test_packages_are_installed_with_hashes(host: Host) -> None:
    """Packages come from the lock with their hashes required; the project itself is installed without any dependency."""
    assert host.run().returncode == 0
    packages, project = (line for line in host.called() if " install " in line)
    assert "--require-hashes --requirement" in packages
    assert "--no-build-isolation --no-deps --editable" in project


def test_truncated_root_is_never_imported(host: Host) -> None:
    """When mmdebstrap fails half-way, the engine is given no image."""
    host.engine(status=0)
    host.has("mmdebstrap", MMDEBSTRAP)
    (host.home / "calls.fail-image").touch()
    result = host.run()
    assert result.returncode == 1
    assert "image: failed" in result.stderr
    assert not any("engine.py import" in line for line in host.called())


def test_started_engine_holds_nothing_of_ours(host: Host) -> None:
    """A Docker daemon that the bootstrap started outlives it, but keeps neither its output nor its lock open."""
    host.engine(status=5)
    for name, body in {"dockerd": DOCKERD, "systemctl": SYSTEMCTL, "iptables": "", "mmdebstrap": ""}.items():
        host.has(name, body)
    daemon = host.home / "calls.dockerd"
    try:
        first = host.run()  # times out where the daemon holds the output
        assert first.returncode == 0, first
        assert "engine: done" in first.stdout
        second = host.run()  # waits for ever where the daemon holds the lock
        assert second.stdout == "bootstrap: everything is in place\n"
        os.kill(int(daemon.read_text()), 0)  # it still runs
    finally:
        if daemon.exists():
            os.kill(int(daemon.read_text()), signal.SIGKILL)


def test_failed_packages_stop_the_run(host: Host) -> None:
    """When apt-get cannot install, the run ends with status 1, names the packages and its log, and starts nothing else."""
    host.lacks("go")
    result = host.run()
    assert result.returncode == 1
    assert "packages: apt-get could not install golang-go" in result.stderr
    assert not (host.checkout / ".venv").exists()


def test_two_runs_at_once_do_the_work_once(host: Host) -> None:
    """Of two runs started together one works, the other waits for it and finds everything in place."""
    runs = [host.start() for _ in range(2)]
    outputs = [run.communicate(timeout=20)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum("-m venv" in line for line in host.called()) == 1
    assert sum("go build" in line for line in host.called()) == 1
    assert sum("everything is in place" in output for output in outputs) == 1


def test_the_image_is_made_anew_where_that_is_asked_for(host: Host) -> None:
    """`--renew-image` makes and imports the base image of a host that is prepared; a plain run after it does nothing."""
    host.has("mmdebstrap", MMDEBSTRAP)
    assert host.run().returncode == 0
    assert not any(line.startswith("mmdebstrap") for line in host.called())
    done = host.run("--renew-image")
    assert done.returncode == 0
    assert "image: make securepacs-base:forky with mmdebstrap: today's packages are asked for" in done.stdout
    assert any("engine.py import securepacs-base:forky" in line for line in host.called())
    assert host.run().stdout == "bootstrap: everything is in place\n"


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("--nonsense", 2)])
def test_usage_is_printed(host: Host, argument: str, status: int) -> None:
    """--help prints the usage and succeeds; an unknown option prints it and fails with status 2."""
    result = host.run(argument)
    assert result.returncode == status
    assert "bootstrap/bootstrap --check" in result.stdout
    assert "Exit status:" in result.stdout
    assert host.called() == []


def test_prepared_checkout_costs_under_two_seconds() -> None:
    """On a host that is set up, this one, the bootstrap says so in under two seconds."""
    environment = {name: value for name, value in os.environ.items() if name != "BOOTSTRAP_OS_RELEASE"}
    started = time.monotonic()
    command = ["bash", str(ROOT / "bootstrap" / "bootstrap"), "--check"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (result.stdout, result.stderr) == ("bootstrap: everything is in place\n", "")
    assert time.monotonic() - started < 2
