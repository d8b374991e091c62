from __future__ import annotations

import pytest

from securepacs_harness.check import MARK, check, packaged
from securepacs_harness.errors import CatalogueError
from securepacs_harness.results import Tier


@pytest.mark.parametrize(
    ("id", "controls", "tier", "told"),
    [
        ("versions", (), "safe", "malformed id"),
        ("TLS.versions", (), "safe", "malformed id"),
        ("own.x", ("no-such-control",), "safe", "no-such-control, which the catalogue of controls does not have"),
        ("own.x", (), "furious", "got the tier 'furious'"),
        ("tls.versions", (), "safe", "declares it, and so does"),
    ],
)
def test_a_wrong_entry_is_refused(id: str, controls: tuple[str, ...], tier: str, told: str) -> None:
    """A malformed or taken id, a control that does not exist and an unknown tier end with one line."""
    packaged()

    def function() -> None:
        """Check nothing."""

    with pytest.raises(CatalogueError, match=told):
        check(id, "a title", controls=controls, tier=tier)(function)


def test_every_packaged_check_says_what_to_do() -> None:
    """Each entry of the catalogue has a title, a remedy and at least one control."""
    assert [made.id for made in packaged().values() if not (made.title and made.remedy and made.controls)] == []


def test_a_check_carries_its_entry() -> None:
    """The decorator leaves the function what it was, with its entry as a marker."""

    @check("own.entry", "a title", tier="load", controls=("tls-profile",))
    def function() -> int:
        """Check nothing."""
        return 7

    (marker,) = [mark for mark in function.pytestmark if mark.name == MARK]  # type: ignore[attr-defined] # pytest adds it
    assert (marker.args[0].id, marker.args[0].tier, marker.args[0].group, function()) == ("own.entry", Tier.LOAD, "own", 7)
