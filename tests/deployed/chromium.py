"""A real browser, in a container, driven over the Chrome DevTools Protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from playwright.sync_api import Browser, sync_playwright

from deployed.deployment import HERE, docker

IMAGE, NAME, PORT = "securepacs-test-chromium", "securepacs-test-chromium", 19222


@contextmanager
def chromium(*authorities: str, hosts: str = "") -> Iterator[Browser]:
    """Start the browser in this host's network; it trusts these authorities (PEM), and no other that Debian does not.

    `hosts` says where names are found that no name server knows (Chromium's --host-resolver-rules).
    """
    docker("build", "-q", "--network", "host", "-t", IMAGE, str(HERE / "images" / "chromium"), seconds=600)
    docker("rm", "-f", NAME, check=False)
    limits = ("--memory", "3g", "--shm-size", "512m", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    settings = ("-e", f"PORT={PORT}", "-e", f"CA={chr(10).join(authorities)}", "-e", f"HOSTS={hosts}")
    docker("run", "-d", "--name", NAME, "--network", "host", *limits, *settings, IMAGE)
    try:
        _wait()
        with sync_playwright() as driver:
            browser = driver.chromium.connect_over_cdp(f"http://127.0.0.1:{PORT}")
            yield browser
            browser.close()
    finally:
        docker("rm", "-f", NAME, check=False)


def _wait() -> None:
    end = time.monotonic() + 60
    while True:
        try:
            requests.get(f"http://127.0.0.1:{PORT}/json/version", timeout=2).raise_for_status()
        except requests.RequestException:
            if time.monotonic() > end:
                raise RuntimeError(f"Chromium does not answer:\n{docker('logs', NAME, check=False)[-2000:]}") from None
            time.sleep(0.2)
        else:
            return
