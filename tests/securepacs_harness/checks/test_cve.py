"""Known ways in, by version and by setting: nothing is ever tried that would use one."""

from __future__ import annotations

import json
import re

from securepacs_harness.bracket import NotAcceptedError, accepts
from securepacs_harness.check import check
from securepacs_harness.probes import http, versions
from securepacs_harness.probes.http import Request
from securepacs_harness.record import Record
from securepacs_harness.session import Verification


@check(
    "cve.floor",
    "No product is below its floor version",
    tier="passive",
    controls=("known-vulnerabilities",),
    remedy="Bring the product to its floor version or above it.",
)
def test_versions_are_at_their_floor(verification: Verification, record: Record) -> None:
    """Each product with a declared floor is seen, by its own interface or inside, and is at or above it."""
    if not verification.target.floor:
        record.not_tested("versions", "the target declares no floor")
    for product, floor in verification.target.floor.items():
        least = versions.numbers(floor)
        seen = _told_by_itself(verification, product) or _seen_inside(verification, product)
        if least is None:
            record.unknown(f"version of {product}", f"its floor '{floor}' is no version")
        elif seen is None:
            record.unknown(f"version of {product}", "it could not be seen: neither its own interface nor a part inside told it")
        else:
            verification.versions[product] = versions.written(seen)
            told = versions.written(seen)
            record.fact(f"version of {product}", expected=f"{floor} or later", told=told, holds=versions.at_least(seen, least))


def _told_by_itself(verification: Verification, product: str) -> tuple[int, ...] | None:
    """Ask Orthanc's own /system, as somebody who may."""
    pacs = verification.pacs
    if product != "orthanc" or pacs.target.https is None:
        return None
    https = pacs.https
    able = [user for user in pacs.people() if https.allows(https.users[user].role, "GET", "/system")]
    login = pacs.login(able[0]) if able else {}
    try:
        (body,) = accepts(http.ask("version", pacs.web, Request("GET", "/system", login)), code="200").payload
        return versions.numbers(str(json.loads(body).get("Version", "")))
    except (NotAcceptedError, ValueError, AttributeError):
        return None


def _seen_inside(verification: Verification, product: str) -> tuple[int, ...] | None:
    for part in verification.target.inside:
        for command in versions.COMMANDS.get(product, ()):
            status, out = verification.inside(part).run(command)
            found = versions.numbers(out) if status == 0 else None
            if found:
                return found
    return None


@check(
    "cve.options",
    "Options that are known to be dangerous are off",
    tier="passive",
    controls=("known-vulnerabilities", "peer-rights"),
    remedy="Turn the option off; where Orthanc's default is on, write it down as off.",
)
def test_dangerous_options_are_off(verification: Verification, record: Record) -> None:
    """In the archive's own configuration each option that lets something in is off."""
    if "archive" not in verification.target.inside:
        record.not_tested("options", "the target does not say how to look inside the archive (inside.archive)")
        return
    files = _configurations(verification)
    if not files:
        record.not_tested("options", "no configuration of a product that is known here was found inside")
        return
    for option, (consequence, by_default) in versions.ORTHANC_OPTIONS.items():
        on = versions.is_on(option, by_default, files.values())
        record.fact(option, expected="off", told=f"on: {consequence}" if on else "off", holds=not on)


def _configurations(verification: Verification) -> dict[str, str]:
    """Read Orthanc's configuration where its command line says that it stands."""
    inside = verification.inside("archive")
    command = inside.read("/proc/1/cmdline").split("\0")
    places = [word for word in command[1:] if word.startswith("/")]
    found: dict[str, str] = {}
    for place in places:
        for entry in inside.entries(place):
            if entry.path.endswith(".json"):
                # Comments are allowed there; what stands in one is no setting.
                found[entry.path] = re.sub(r"(?m)^\s*//.*$|/\*.*?\*/", "", inside.read(entry.path), flags=re.DOTALL | re.MULTILINE)
    return found
