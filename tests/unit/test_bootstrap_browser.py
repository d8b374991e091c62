"""The bootstrap's part for clinics with a viewer, on hosts that are faked."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path

import pytest

from unit.faked_host import Host

PROXY = 'echo "oauth2-proxy v7.15.4 (built with go)"'


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host whose engine has neither the viewer nor the sign-in."""
    made = Host(tmp_path)
    made.lacks_browser_images()
    return made


def vouch_for(host: Host, content: bytes) -> None:
    """Make npm give this package, and the pinned digest its."""
    packed = gzip.compress(content, mtime=0)
    (host.home / "package.tgz").write_bytes(packed)
    host.has("npm", f'echo "npm $*" >>"$CALLS"; cat "{host.home}/package.tgz" >fetched.tgz; echo fetched.tgz\n')
    package = host.checkout / "bootstrap" / "viewer" / "package"
    digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
    lines = [line for line in package.read_text().splitlines() if not line.startswith("integrity=")]
    package.write_text("\n".join([*lines, f"integrity=sha512-{digest}", ""]))


def imported(host: Host) -> list[str]:
    """Give the images that the engine was given."""
    return [line.split()[-1] for line in host.called() if "engine.py import" in line]


def test_both_images_are_made_and_said_before(host: Host) -> None:
    """The plan says what will be fetched and built; no script of the package runs; the next run finds all in place."""
    vouch_for(host, b"package")
    host.variables["FAKE_BUILT"] = "7.15.4"
    planned = host.run("--check")
    assert "viewer: fetch the viewer as securepacs-ohif:3.13.2" in planned.stdout
    assert "signin: build the sign-in with Go as securepacs-oauth2-proxy:7.15.4" in planned.stdout
    host.has("pulumi", "echo v3.259.0")
    done = host.run()
    assert done.returncode == 0, done
    assert sorted(imported(host)) == ["securepacs-oauth2-proxy:7.15.4", "securepacs-ohif:3.13.2"]
    assert any(line.startswith("npm pack") and "--ignore-scripts" in line for line in host.called())


def test_a_package_of_another_digest_is_never_imported(host: Host) -> None:
    """What npm gives is held against the pinned digest before anything looks into it."""
    host.has("pulumi", "echo v3.259.0")
    host.variables["FAKE_BUILT"] = "7.15.4"
    failed = host.run()
    assert failed.returncode == 1
    assert "viewer: failed" in failed.stderr
    assert "securepacs-ohif:3.13.2" not in imported(host)


def test_a_host_that_cannot_have_them_goes_on_without(host: Host) -> None:
    """Where npm is missing and cannot be installed, the viewer is left out and said to be; everything else is made."""
    host.lacks("npm")
    host.is_user(1000)
    host.has("pulumi", "echo v3.259.0")
    host.variables["FAKE_BUILT"] = "7.15.4"
    done = host.run()
    assert done.returncode == 0, done
    assert "left out, so that no clinic here can have a viewer" in done.stdout
    assert imported(host) == ["securepacs-oauth2-proxy:7.15.4"]
