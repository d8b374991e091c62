"""A clinician and a stranger, each in a real browser: what they see, and what stays when they have gone."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from deployed.chromium import chromium
from deployed.pictures import Series, greys, write_series
from deployed.web import COOKIE, SIGN_IN, web
from securepacs_harness import canary
from securepacs_harness.bracket import accepts
from securepacs_harness.probes import dimse
from securepacs_harness.reach import Pacs

#: Grey levels (of 255) by which a picture on the screen may differ from the stored one: it is scaled, and its window is rounded.
TOLERANCE = 3
#: The slice that the viewer shows first: it goes from the head down.
FIRST = 20
#: First pictures are drawn without a graphics card.
DRAWN_MS = 60_000
#: Parts of a study's page that come late, some of them in some runs only: of workers, of what is behind a click, of what both need.
LATE = {"histogram-worker", "8097", "341", "3552", "5448", "5910", "7463", "899", "9068"}
#: Names a folder in which pictures of what these tests see are kept: docs/browser has such.
SHOTS = "SECUREPACS_TEST_PICTURES"


@pytest.fixture(scope="module")
def browser(pacs: Pacs) -> Iterator[Browser]:
    """Debian's Chromium, which trusts the clinic's authority."""
    with chromium(pacs.target.ca) as running:
        yield running


@pytest.fixture(scope="module")
def series(pacs: Pacs, folder: Path) -> Series:
    """A CT series that the scanner has just sent."""
    made = write_series(folder / "quarters", 20, "Quarters^Ann")
    for path in sorted(made.folder.glob("*.dcm")):
        accepts(dimse.store(pacs.caller("CT01"), canary.described(path)), code="0x0000")
    return made


@pytest.fixture
def asked() -> list[str]:
    """The addresses that the page asked for."""
    return []


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained of: scripts that failed, and what a policy forbade."""
    return []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser's profile of its own, as on a machine that nobody has used."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(DRAWN_MS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, asked: list[str], complaints: list[str]) -> Page:
    """An empty page whose requests and complaints are noted."""
    made = context.new_page()
    made.on("request", lambda request: asked.append(request.url))
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    return made


def sign_in(page: Page, pacs: Pacs, name: str = "vera", path: str = "/") -> None:
    """Go to a page of the clinic as a stranger, and sign in."""
    page.goto(web(pacs).base + path)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(pacs.passwords[name])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Sign out")).to_be_visible()


def shown_greys(page: Page) -> tuple[int, ...]:
    """Give the greys in the middles of the picture's quarters as they are on the screen: upper left, and on clockwise."""
    canvas = page.locator("canvas.cornerstone-canvas").first
    pixels = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("L"))
    height, width = pixels.shape
    step = min(height, width) // 4
    middles = ((-1, -1), (-1, 1), (1, 1), (1, -1))
    return tuple(int(pixels[height // 2 + step * down, width // 2 + step * right]) for down, right in middles)


def differs(page: Page, number: int) -> int:
    """Give by how much the picture on the screen differs from a slice, at most."""
    return max(abs(shown - stored) for shown, stored in zip(shown_greys(page), greys(number), strict=True))


def wait_for_slice(page: Page, number: int) -> None:
    """Wait until a slice is on the screen."""
    end = time.monotonic() + 30
    while differs(page, number) > TOLERANCE:
        assert time.monotonic() < end, f"slice {number}: got {shown_greys(page)}, expected {greys(number)}"
        page.wait_for_timeout(200)


def open_study(page: Page, pacs: Pacs, series: Series) -> None:
    """Sign in and open the study by the address that another system would give."""
    sign_in(page, pacs, path=f"/viewer?StudyInstanceUIDs={series.study}")
    expect(page.locator("canvas.cornerstone-canvas").first).to_be_visible()
    if (confirm := page.get_by_role("button", name="Confirm and hide")).is_visible():
        confirm.click()


def cookie_of(page: Page) -> str:
    """Give the session's cookie that the browser holds."""
    (held,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == COOKIE]
    return held


def opens(pacs: Pacs, cookie: str) -> int:
    """Give the status of what everybody may read who is signed in, for whoever has a copy of a cookie."""
    thief = web(pacs)
    thief.cookie = cookie
    return thief.ask("GET", "/dicom-web/studies?limit=1").status_code


def shoot(page: Page, name: str) -> None:
    """Keep a picture, where that is asked for."""
    if folder := os.environ.get(SHOTS):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_clinician_signs_in_finds_the_study_and_reads_it(
    page: Page, pacs: Pacs, series: Series, asked: list[str], complaints: list[str]
) -> None:
    """From the one address to the list, to the study, through its slices: each picture is the stored one, and nobody else is asked."""
    sign_in(page, pacs)
    row = page.get_by_text("Quarters, Ann").first
    expect(row).to_be_visible()
    shoot(page, "list")
    row.dblclick()
    page.wait_for_url(re.compile(r"/viewer\?"))
    expect(page.locator("canvas.cornerstone-canvas").first).to_be_visible()
    if (confirm := page.get_by_role("button", name="Confirm and hide")).is_visible():
        confirm.click()
    assert _becomes(page, FIRST)
    shoot(page, "viewer")
    page.locator("canvas.cornerstone-canvas").first.hover()
    for turn in range(1, 4):
        page.mouse.wheel(0, 100)
        wait_for_slice(page, FIRST - turn)
    assert {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))} == {urlsplit(web(pacs).base).netloc}
    assert complaints == []
    assert series.slices == 20


def _becomes(page: Page, number: int) -> bool:
    """Tell whether the picture on the screen becomes that slice."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if differs(page, number) <= TOLERANCE:
            return True
        page.wait_for_timeout(200)
    return False


def test_a_stranger_sees_a_sign_in_and_nothing_more(page: Page, pacs: Pacs, series: Series, asked: list[str]) -> None:
    """Without a session every address ends at the form, which loads nothing else; a wrong password says so, and no more."""
    for path in ("/", f"/viewer?StudyInstanceUIDs={series.study}", "/dicom-web/studies"):
        page.goto(web(pacs).base + path)
        assert urlsplit(page.url).path == SIGN_IN
    shoot(page, "sign-in")
    assert all(urlsplit(url).path in {"/", "/viewer", "/dicom-web/studies", SIGN_IN, "/favicon.ico"} for url in asked), asked
    page.get_by_label("Name").fill("vera")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    assert page.context.cookies() == []


def test_after_the_sign_out_the_back_button_shows_nothing(page: Page, pacs: Pacs, series: Series) -> None:
    """A click ends the session; neither the back button nor the address shows an image again, and the cookie opens nothing."""
    open_study(page, pacs, series)
    assert _becomes(page, FIRST)
    cookie = cookie_of(page)
    assert opens(pacs, cookie) == 200
    page.get_by_text("Sign out").click()
    page.wait_for_url(re.compile(SIGN_IN))
    page.go_back()
    page.wait_for_timeout(2000)
    assert page.locator("canvas").count() == 0
    assert urlsplit(page.url).path == SIGN_IN
    page.goto(web(pacs).base + f"/viewer?StudyInstanceUIDs={series.study}")
    assert urlsplit(page.url).path == SIGN_IN
    assert opens(pacs, cookie) == 401


def test_an_idle_page_logs_off_and_clears_the_screen(page: Page, pacs: Pacs, series: Series) -> None:
    """When nobody has touched the page for the declared minute, the image is gone from the screen and the session from the server."""
    open_study(page, pacs, series)
    assert _becomes(page, FIRST)
    cookie = cookie_of(page)
    assert opens(pacs, cookie) == 200
    page.wait_for_url(re.compile(SIGN_IN), timeout=90_000)
    assert page.locator("canvas").count() == 0
    assert opens(pacs, cookie) == 401


def test_work_without_a_request_keeps_the_session(page: Page, pacs: Pacs, series: Series) -> None:
    """Whoever moves through slices that are loaded already is not logged off, though the page needs nothing from the server."""
    open_study(page, pacs, series)
    assert _becomes(page, FIRST)
    page.locator("canvas.cornerstone-canvas").first.hover()
    for _ in range(16):
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(5000)
    assert urlsplit(page.url).path == "/viewer"
    assert page.evaluate("fetch('/session').then(answer => answer.status)") == 200


def test_no_image_stays_in_the_browser(page: Page, pacs: Pacs, series: Series) -> None:
    """What the archive sends is kept nowhere: each answer says no-store, and no cache, storage or worker of the page holds any."""
    kept: list[str] = []
    page.on(
        "response",
        lambda answer: kept.append(answer.url)
        if "/dicom-web/" in answer.url and answer.headers.get("cache-control") != "no-store"
        else None,
    )
    open_study(page, pacs, series)
    assert _becomes(page, FIRST)
    assert kept == []
    held = page.evaluate("""async () => ({
        caches: await caches.keys(), workers: (await navigator.serviceWorker.getRegistrations()).length,
        local: JSON.stringify(localStorage), databases: (await indexedDB.databases()).map(one => one.name)})""")
    assert (held["caches"], held["workers"], held["databases"]) == ([], 0, [])
    assert "Quarters" not in held["local"]
    assert series.study not in held["local"]


def test_a_study_asks_at_once_for_all_that_it_needs(page: Page, pacs: Pacs, series: Series, asked: list[str]) -> None:
    """The page of a study names the parts that run in it, and no other; what it does not name of them is known, and comes late."""
    sign_in(page, pacs)
    page.goto("about:blank")  # what the list still loads is not the study's
    asked.clear()
    answer = page.goto(f"{web(pacs).base}/viewer?StudyInstanceUIDs={series.study}")
    assert answer
    named = set(re.findall(r'(?:href|src)="/([^"]+\.(?:js|css))"', answer.text()))
    assert _becomes(page, FIRST)
    loaded = {urlsplit(url).path.removeprefix("/") for url in asked if re.search(r"\.(js|css)$", url)}
    assert {name.split(".")[0] for name in loaded - named} <= LATE
    parts = sorted({name.split(".")[0] for name in named if re.match(r"\d+\.bundle\.", name)})
    # OHIF's own list of the parts that run, under its packer's name for it.
    missing = "parts => parts.filter(part => !globalThis.rspackChunk.some(run => run[0].map(String).includes(part)))"
    end = time.monotonic() + 20
    while (left := page.evaluate(missing, parts)) and time.monotonic() < end:
        page.wait_for_timeout(500)
    assert left == []


def test_the_sign_in_is_accessible(page: Page, pacs: Pacs) -> None:
    """The form, before and after a wrong password and on a phone, breaks none of axe's rules; the keyboard alone signs in."""
    page.goto(web(pacs).base + "/")
    assert Axe().run(page).response["violations"] == []
    page.keyboard.type("vera")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.set_viewport_size({"width": 360, "height": 640})
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_label("Name").fill("vera")
    page.keyboard.press("Tab")
    page.keyboard.type(pacs.passwords["vera"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("Sign out")).to_be_visible()
    assert Axe().run(page, context="#session").response["violations"] == []
