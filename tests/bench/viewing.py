"""How soon a clinician sees something: the first image and all of a CT of 200 slices in a browser that has nothing of it, and the way
through them."""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, StorageState

from bench import slices
from bench.browsing import Reader, Room, room
from bench.figure import Figure, median_of
from bench.stand import Stand

#: From one key to the next. Without a graphics card the browser draws some seven pictures of this size a second, whosever they are.
PACE_SECONDS = 0.2
_PATIENCE_SECONDS = 90
_READERS = ("stock", "clinic")


@dataclass(frozen=True)
class Visit:
    """What one look at the study took."""

    first: float
    """Seconds from the navigation until the first picture is on the canvas."""
    series: float
    """Seconds from the navigation until the last slice has come."""
    waits: Sequence[float]
    """Milliseconds from each key until the picture of its slice, or of one beyond it."""
    shown: float
    """Percent of the slices asked for that were drawn: what comes too late is left out for the next."""
    cpu_ms: dict[str, float] = field(default_factory=dict)
    """Processor time of each process until all slices have come."""


def waits(keys: Sequence[float], drawn: Sequence[tuple[float, int]], first: int) -> list[float]:
    """Give how long each key waited for the picture of its slice, or of one beyond it.

    `keys` are times; `drawn` are times with the slice that was drawn, in their order; the nth key asks for slice `first` - n.
    Raises ValueError where a slice never came.
    """
    came: dict[int, float] = {}
    times = [at for at, _ in drawn]
    for number, key in enumerate(keys, 1):
        wanted = first - number
        later = next((at for at, slice_ in drawn[bisect.bisect_left(times, key) :] if slice_ <= wanted), None)
        if later is None:
            raise ValueError(f"slice {wanted} was asked for at {key:.0f} ms and never drawn")
        came[number] = later - key
    return list(came.values())


def viewing(stand: Stand, rounds: int) -> Iterator[Figure]:
    """Measure both viewers, in turn, and the order turned in every other round; the first round is not counted."""
    first = Figure("viewer-first", "First image of a CT of 200 in a browser with nothing in its cache", "s", "less", group="viewer")
    series = Figure("viewer-series", "All 200 slices of it in the browser", "s", "less", group="viewer")
    longest = Figure("viewer-longest", "The longest wait for a picture, five slices a second", "ms", "less", group="viewer")
    shown = Figure("viewer-shown", "Slices that were drawn on this way, and not left out", "%", "more", group="viewer")
    sign_in = Figure("viewer-sign-in", "Sign in: from the click until the page comes", "s", "less", group="viewer")
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in _READERS}
    with room(stand) as open_room:
        for number in range(rounds + 1):
            seconds, session = open_room.sign_in()
            for name in _READERS if number % 2 else reversed(_READERS):
                visit = look(open_room, open_room.readers[name], session if name == "clinic" else None)
                if number:
                    first.samples.setdefault(name, []).append(visit.first)
                    series.samples.setdefault(name, []).append(visit.series)
                    longest.samples.setdefault(name, []).append(max(visit.waits))
                    shown.samples.setdefault(name, []).append(visit.shown)
                    spent[name].append(visit.cpu_ms)
                print(f"{name}: first {visit.first:.2f} s, all {visit.series:.2f} s, longest wait {max(visit.waits):.0f} ms", flush=True)
            if number:
                sign_in.samples.setdefault("clinic", []).append(seconds)
    series.cpu_ms = {name: median_of(taken) for name, taken in spent.items()}
    yield from (first, series, longest, shown, sign_in)


def look(open_room: Room, reader: Reader, session: StorageState | None) -> Visit:
    """Open the study, wait until all of it has come, and go through it. Raises RuntimeError with what the page complained of."""
    open_room.cool(reader)
    complaints: list[str] = []
    with open_room.visitor(session) as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            with open_room.stand.spending(reader.contender, 1) as spent:
                page.goto(reader.address(), wait_until="commit")
                _until(page, f"Object.keys(viewing.frames).length === {slices.SERIES.instances} && viewing.first !== null")
            told = page.evaluate("viewing")
            keys, drawn = _through(page)
        except TimeoutError as error:
            raise RuntimeError(f"{reader.contender.name}: {error}; the page complained of {complaints[:3]}") from None
    del spent["client"]
    shown = 100 * len({slice_ for _, slice_ in drawn[1:]}) / len(keys)
    return Visit(told["first"] / 1000, max(told["frames"].values()) / 1000, waits(keys, drawn, drawn[0][1]), shown, spent)


def _through(page: Page) -> tuple[list[float], list[tuple[float, int]]]:
    """Press the key for the next slice at a steady pace until the last; give the times of the keys, and what was drawn when."""
    if (confirm := page.get_by_role("button", name="Confirm and hide")).is_visible():
        confirm.click()
    page.locator("canvas.cornerstone-canvas").first.hover()
    # OHIF begins with the middle slice at times, and goes from the head down: so to the last, and back to the first.
    for key, slice_ in (("End", 1), ("Home", slices.SERIES.instances)):
        page.keyboard.press(key)
        _until(page, f"viewing.drawn.at(-1)[1] === {slice_}")
    page.wait_for_timeout(1000)
    page.evaluate("viewing.drawn = [viewing.drawn.at(-1)]; viewing.keys = []")
    began = time.monotonic()
    for number in range(slices.SERIES.instances - 1):
        page.wait_for_timeout(max(0.0, 1000 * (began + number * PACE_SECONDS - time.monotonic())))
        page.keyboard.press("ArrowDown")
    _until(page, "viewing.drawn.at(-1)[1] === 1")
    told: dict[str, Any] = page.evaluate("viewing")
    return told["keys"], [(at, slice_) for at, slice_ in told["drawn"]]


def _until(page: Page, condition: str) -> None:
    """Wait until a condition is true in the page. It is asked from outside: the clinic's page runs no text as code. Raises TimeoutError."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not page.evaluate(condition):
        if time.monotonic() > end:
            raise TimeoutError(f"not after {_PATIENCE_SECONDS} s: {condition}; drawn was {page.evaluate('viewing.drawn.slice(-3)')}")
        page.wait_for_timeout(100)
