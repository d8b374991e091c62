from __future__ import annotations

import re
from collections import Counter

import pytest

from mutants.base import all_mutants
from mutants.blueprint import Blueprint, File, MutationError, Part, both, lines, replaced, setting
from mutants.lab import Base, Slot
from mutants.matrix import SLOTS, unguarded
from mutants.mutant import Mutant, unchanged
from mutants.place import PLACES, SUBNETS, VARIABLE, Place, PlaceError, chosen
from securepacs_harness import forge
from securepacs_harness.check import packaged
from unit.harness.rendered_clinic import rendered

AUTHORITY, OTHER = forge.new_authority("CA"), forge.new_authority("Other CA")
MUTANTS = all_mutants(AUTHORITY, OTHER, "localhost")


def blueprint(text: str = "one\ntwo\n") -> Blueprint:
    """Give a blueprint with a configuration of that text."""
    gateway = Part({}, {}, {}, {"haproxy.cfg": File(text.encode(), 0o400, 1)})
    archive = Part({}, {}, {}, {"orthanc.json": File(b'{"A": false}', 0o400, 1)})
    return Blueprint({"gateway": gateway, "archive": archive}, {})


def test_there_are_many_and_each_has_its_name() -> None:
    """There are at least the mutants that were promised, each under a name of its own, with its defect in words."""
    assert len(MUTANTS) >= 45
    assert [name for name, count in Counter(mutant.name for mutant in MUTANTS).items() if count > 1] == []
    assert [mutant.name for mutant in MUTANTS if not re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)*", mutant.name) or not mutant.defect] == []


def test_every_check_has_a_mutant_and_every_mutant_a_check() -> None:
    """No packaged check is without a defect that it must find, and no mutant names a check that does not exist."""
    assert unguarded(MUTANTS) == []
    assert [id for mutant in MUTANTS for id in mutant.caught_by if id not in packaged()] == []
    assert [mutant.name for mutant in MUTANTS if not mutant.caught_by] == []


def test_an_edit_that_fits_nothing_is_told() -> None:
    """An edit of what is not there, or changes nothing, is an error and no silent mutant."""
    for edit in (replaced("three", "x"), replaced("o", "x"), lines("three"), setting("A", value=False), setting("B", value=True)):
        with pytest.raises(MutationError):
            edit(blueprint())


def test_an_edit_changes_what_it_says() -> None:
    """A text is replaced once, a line is taken out, an option gets another value."""
    assert replaced("one", "three")(blueprint()).text("gateway", "haproxy.cfg") == "three\ntwo\n"
    assert lines("one")(blueprint()).text("gateway", "haproxy.cfg") == "two\n"
    assert setting("A", value=True)(blueprint()).text("archive", "orthanc.json") == '{"A": true}'


def test_a_slot_moves_ports_and_addresses_and_nothing_else() -> None:
    """Ports of the base and its subnet become the slot's own; other numbers stay."""
    base = Base("mutbase", "172.31.181", (23762, 23443))
    slot = Slot(1)
    moved = base.moved("bind :23762, 172.31.181.1:23443, 1237620, 172.31.18.1, 2.25.23762", slot)
    assert moved == f"bind :23802, {slot.subnet}.1:23483, 1237620, 172.31.18.1, 2.25.23762"


@pytest.fixture(scope="module")
def base() -> Blueprint:
    """The clinic that mutants are made from."""
    return rendered()


@pytest.fixture(scope="module")
def browser() -> Blueprint:
    """The clinic that those are made from which are of a sign-in in a browser."""
    return rendered(browser=True)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_edit_fits_what_is_rendered_today(mutant: Mutant, base: Blueprint, browser: Blueprint) -> None:
    """A change of a template, an option or the guard that leaves a mutant without its defect is seen here, without an engine."""
    original = browser if mutant.browser else base
    assert mutant.made_from(original) != original


def test_a_mutant_without_a_defect_is_told(base: Blueprint) -> None:
    """An edit that leaves the PACS as it is, whole or in part, is an error."""
    with pytest.raises(MutationError, match="changes nothing"):
        Mutant("none", "nothing", ("tls.versions",), unchanged).made_from(base)
    with pytest.raises(MutationError, match="edit 2 of 2"):
        both(replaced("one", "three"), unchanged)(blueprint())
    assert Mutant("hardened", "none", (), unchanged).made_from(base) == base


def test_places_share_nothing() -> None:
    """Two places have no name, port, subnet or address in common, nor does an instance with a clinic."""
    taken: list[object] = []
    for place in (Place(number) for number in range(PLACES)):
        taken += [place.clinic, place.subnet, *place.ports, *place.labels.values()]
        for slot in range(SUBNETS - 1):
            taken += [place.slot_name(slot), place.slot_subnet(slot), place.slot_address(slot)]
    assert len(taken) == len(set(taken))
    assert SLOTS < SUBNETS


def test_a_place_that_is_not_there_is_told() -> None:
    """The environment names a place by its number; another word is an error that says what is expected."""
    assert chosen({}) == Place(0)
    assert chosen({VARIABLE: "3"}) == Place(3)
    for wrong in ("", "x", "-1", str(PLACES), "\u0663"):
        with pytest.raises(PlaceError, match="expected a number from 0"):
            chosen({VARIABLE: wrong})
