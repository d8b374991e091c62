"""What a preview says in words."""

from __future__ import annotations

import pytest

from securepacs.commands.consequences import consequence


@pytest.mark.parametrize(
    ("operation", "changed", "told"),
    [
        ("update", ["reloadOn.a"], "takes over its files while it runs: nobody is interrupted"),
        ("update", ["reloadOn"], "takes over its files while it runs: nobody is interrupted"),
        ("update", ["memoryMb", 'reloadOn["haproxy.cfg"]'], "goes on while its limits change: nobody is interrupted"),
        ("update", ['restartOn["orthanc.json"]', "memoryMb"], "restarts: about 3 s, peers will retry"),
        ("update", ["health"], "restarts: about 3 s, peers will retry"),
        ("update", ["image", 'restartOn["orthanc.json"]'], "is replaced: about 5 s, peers will retry"),
        ("update", ["ports[0].hostPort"], "is replaced: about 5 s, peers will retry"),
        ("update", ["containerId"], "is replaced"),
        ("update", ["somethingNew"], "is replaced"),
        ("replace", ["name"], "is replaced"),
        ("delete", [], "is removed: nobody is served"),
    ],
)
def test_a_change_of_a_container_is_told_by_its_gravest_property(operation: str, changed: list[str], told: str) -> None:
    """A reload interrupts nobody, a restart and a replacement are told with their seconds; what is not known counts as the gravest."""
    said = consequence(operation, "archive", changed)
    assert said is not None
    assert said.startswith("archive ")
    assert told in said


def test_what_nobody_can_notice_is_not_told() -> None:
    """A container that stays the same, or is made for the first time, interrupts nobody."""
    assert consequence("same", "archive", []) is None
    assert consequence("create", "archive", []) is None
