from __future__ import annotations

import re
from collections import Counter

import pytest

from mutants import defects_archive, defects_certificate, defects_container, defects_web, defects_wire
from mutants.blueprint import Blueprint, File, MutationError, Part, lines, replaced, setting
from mutants.lab import Base, Slot
from mutants.matrix import unguarded
from mutants.mutant import Mutant
from securepacs_harness import forge
from securepacs_harness.check import packaged

AUTHORITY, OTHER = forge.new_authority("CA"), forge.new_authority("Other CA")
MUTANTS: tuple[Mutant, ...] = (
    *defects_wire.WIRE,
    *defects_certificate.mutants(AUTHORITY, OTHER, "localhost"),
    *defects_archive.ARCHIVE,
    *defects_web.WEB,
    *defects_container.CONTAINER,
)


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
    assert slot.subnet != base.subnet
    assert moved == f"bind :23802, {slot.subnet}.1:23483, 1237620, 172.31.18.1, 2.25.23762"
