"""Known ways in, by version and by setting: nothing is ever tried that would use one."""

from __future__ import annotations

import json

from securepacs_harness.bracket import NotAcceptedError, accepts
from securepacs_harness.check import check
from securepacs_harness.parts import NO_INSIDE
from securepacs_harness.probes import http, versions
from securepacs_harness.probes.configuration import PRODUCTS, configured
from securepacs_harness.probes.http import Request
from securepacs_harness.probes.options import JUDGES
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
    remedy="Turn the option off; where a product's default is on, write it down as off.",
)
def test_dangerous_options_are_off(verification: Verification, record: Record) -> None:
    """In the configuration of each product that is known here, each option that lets something in is off."""
    if not verification.target.inside:
        record.not_tested("options", NO_INSIDE)
    for part in verification.target.inside:
        known = configured(verification.inside(part))
        if not known:
            record.not_tested(f"options in {part}", f"none of {', '.join(PRODUCTS)} runs there")
        for found in known:
            what = f"configuration of {found.product} in {part}"
            unread = [path for path, text in found.files.items() if not text]
            if unread:
                record.unknown(what, f"cannot be read: {', '.join(unread)}")
                continue
            if not found.files:
                record.not_tested(what, "its command line names no configuration file")
                continue
            for setting in JUDGES[found.product](found.files.values()):
                record.fact(
                    f"{found.product} in {part}: {setting.name}", expected="not so", told=setting.told, holds=not setting.dangerous
                )
