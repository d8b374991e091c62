"""A browser before two archives: the clinic's own viewer, and the same viewer as others serve it before an open Orthanc."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, StorageState

from bench import slices
from bench.stand import HERE, NAME, SENDER, Contender, Stand, build, run
from deployed.chromium import chromium
from deployed.deployment import docker
from deployed.elsewhere import address_of
from securepacs.clinic import Images

#: Both are hosts that a browser takes for secure, so that no feature of it is lacking where there is no TLS.
_CLINIC, _OPEN = "https://localhost:8443", "http://open.localhost"
_VIEWER = HERE.parents[1] / "infra" / "securepacs" / "images" / "viewer"
_PERSON = "anna"
_CHROMIUM = f"{NAME}-chromium"
_PROBE = (HERE / "viewing.js").read_text(encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class Reader:
    """How one archive is read in the browser."""

    contender: Contender
    """With the browser and each server that stands before the archive among its containers."""
    base: str

    def address(self) -> str:
        """Give the study's address."""
        return f"{self.base}/viewer?StudyInstanceUIDs={slices.STUDY}"


@dataclasses.dataclass(frozen=True)
class Room:
    """The browser and its readers."""

    stand: Stand
    browser: Browser
    readers: Mapping[str, Reader]
    password: str = dataclasses.field(repr=False)

    def sign_in(self) -> tuple[float, StorageState]:
        """Sign in at the clinic; give the seconds from the click until the page comes, and the session."""
        with self._context() as context:
            page = context.new_page()
            page.goto(_CLINIC)
            page.get_by_label("Name").fill(_PERSON)
            page.get_by_label("Password").fill(self.password)
            began = time.monotonic()
            page.get_by_role("button", name="Sign in").click(no_wait_after=True)
            page.wait_for_url(f"{_CLINIC}/", wait_until="commit")
            return time.monotonic() - began, context.storage_state()

    @contextlib.contextmanager
    def visitor(self, session: StorageState | None) -> Iterator[BrowserContext]:
        """Give a browser's profile that has nothing in its cache, and this session; its pages tell what they draw (viewing.js)."""
        with self._context(storage_state=session) as context:
            context.add_init_script(_PROBE)
            yield context

    @contextlib.contextmanager
    def _context(self, **options: Any) -> Iterator[BrowserContext]:  # noqa: ANN401 - Playwright's own
        context = self.browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(60_000)
        try:
            yield context
        finally:
            context.close()

    def cool(self, reader: Reader) -> None:
        """Restart a reader's archive, with nothing of what it stored in the kernel's memory, and wait until it answers through all."""
        container = reader.contender.containers["archive"]
        docker("stop", container)
        for mount in json.loads(docker("inspect", container))[0]["Mounts"]:
            if mount["Type"] == "volume":
                forget(Path(mount["Source"]))
        docker("start", container)
        end = time.monotonic() + 60
        while not self._answers(reader):
            if time.monotonic() > end:
                raise RuntimeError(f"{container} does not answer through {reader.base}")
            time.sleep(0.5)

    def _answers(self, reader: Reader) -> bool:
        _, told = self.stand.shell(
            f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' --noproxy '*' {' '.join(reader.contender.curl)}"
            f" '{reader.contender.web}/dicom-web/studies?limit=1' || true"
        )
        return told.strip() == "200"


def forget(folder: Path) -> None:
    """Have the kernel forget what it keeps in memory of a folder's files; what is not yet on the disk is written first."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def room(stand: Stand) -> Iterator[Room]:
    """Store the series in both archives, stand up the open one's viewer, and start the browser."""
    slices.write(stand.folder / "images")
    stock, clinic = stand.contenders["stock"], stand.contenders["clinic"]
    for contender in (stock, clinic):
        stand.shell(contender.dcmtk("storescu +sd", SENDER) + f" {stand.folder}/images/{slices.FOLDER}")
    opened = _open_viewer(stand.folder / "open-viewer")
    where = address_of(opened, f"{NAME}-third")
    theirs = {**stock.containers, "viewer": opened, "browser": _CHROMIUM}
    ours = {**clinic.containers, "viewer": f"{NAME}-viewer", "sign-in": f"{NAME}-sign-in", "browser": _CHROMIUM}
    readers = {
        "stock": Reader(dataclasses.replace(stock, containers=theirs, web=f"http://{where}"), _OPEN),
        "clinic": Reader(dataclasses.replace(clinic, containers=ours), _CLINIC),
    }
    hosts = f"MAP localhost {clinic.host},MAP open.localhost {where}"
    ca = (stand.folder / "bundles" / SENDER / "ca.pem").read_text(encoding="ascii")
    password = json.loads(stand.stack.securepacs("password", _PERSON, "--json"))["password"]
    client = f"{NAME}-client"
    try:
        with _inside(stand.pid(client)), chromium(ca, hosts=hosts, name=_CHROMIUM, network=f"container:{client}") as browser:
            yield Room(stand, browser, readers, password)
    finally:
        docker("rm", "-f", opened, check=False)


@contextlib.contextmanager
def _inside(pid: int) -> Iterator[None]:
    """Put this thread, and what it starts, into the network of a container's process (setns(2)).

    In the host's own a browser would notice each network that the engine makes for somebody else, and break off what it loads.
    """
    change = ctypes.CDLL(None, use_errno=True).setns
    with Path("/proc/thread-self/ns/net").open("rb") as here, Path(f"/proc/{pid}/ns/net").open("rb") as there:
        if change(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), f"setns to the network of process {pid}")
        try:
            yield
        finally:
            change(here.fileno(), 0)


def _open_viewer(context: Path) -> str:
    """Serve the viewer before the open Orthanc, with the configuration that the clinic's own has; give the container."""
    shutil.copytree(HERE / "images" / "open_viewer", context)
    shutil.copy(_VIEWER / "app-config.js", context)
    image = build(f"{NAME}-open-viewer", context, OHIF=Images().viewer)
    return run(f"{NAME}-open-viewer", image, "--network", f"{NAME}-third")
