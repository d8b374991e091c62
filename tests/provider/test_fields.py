from __future__ import annotations

from typing import Any

import pytest

from securepacs.provider.fields import (
    FLAG,
    INTEGER,
    NUMBER,
    TEXT,
    UNKNOWN,
    Change,
    Field,
    Kind,
    ListOf,
    MapOf,
    Record,
    check,
    compare,
    echoed,
    join,
)
from securepacs.provider.validators import between

ITEM = Record("Item", (Field("a", TEXT, "", required=True), Field("b", INTEGER, "", default=7)))
TABLE = (
    Field("name", TEXT, "", required=True, replace=True),
    Field("size", INTEGER, "", default=3, validator=between(1, 5)),
    Field("share", NUMBER, ""),
    Field("on", FLAG, "", default=False),
    Field("items", ListOf(ITEM), "", replace=True),
    Field("named", MapOf(ITEM), ""),
    Field("hint", TEXT, "", compared=False),
    Field("hash", TEXT, "", computed=True),
    Field("subnet", TEXT, "", chosen=True),
)


@pytest.mark.parametrize(
    ("given", "path", "told"),
    [
        ({}, "name", "is required"),
        ({"name": 5}, "name", "got a number, expected a text"),
        ({"name": "x", "size": 9}, "size", "expected 1 to 5"),
        ({"name": "x", "size": 1.5}, "size", "expected a whole number"),
        ({"name": "x", "size": True}, "size", "got true or false, expected a whole number"),
        ({"name": "x", "share": "much"}, "share", "expected a number"),
        ({"name": "x", "on": "yes"}, "on", "expected true or false"),
        ({"name": "x", "items": {}}, "items", "got a map, expected a list"),
        ({"name": "x", "items": [{"a": "1"}, {}]}, "items[1].a", "is required"),
        ({"name": "x", "items": [{"a": "1", "c": 1}]}, "items[0].c", "is not a property here; expected one of a, b"),
        ({"name": "x", "items": ["a"]}, "items[0]", "got a text, expected a map"),
        ({"name": "x", "named": {"a.b": {"a": 1}}}, 'named["a.b"].a', "expected a text"),
        ({"name": "x", "named": []}, "named", "got a list, expected a map"),
        ({"name": "x", "nam": "y"}, "nam", "is not a property here"),
        ({"name": "x", "hash": "y"}, "hash", "is not a property here"),
    ],
)
def test_bad_input_is_named_by_its_path(given: dict[str, Any], path: str, told: str) -> None:
    """A value of the wrong type, range or name is one failure at its dotted path."""
    failures = check(TABLE, given).failures
    assert [failure.path for failure in failures] == [path]
    assert told in failures[0].reason


def test_every_failure_is_told() -> None:
    """Several mistakes give several failures at once."""
    failures = check(TABLE, {"size": 9, "on": 1, "items": [{"a": 1, "b": "x"}]}).failures
    assert {failure.path for failure in failures} == {"name", "size", "on", "items[0].a", "items[0].b"}


def test_a_failure_does_not_tell_the_value() -> None:
    """A value of the wrong type may be a secret and is not repeated."""
    failures = check((Field("key", MapOf(TEXT), "", secret=True),), {"key": "canary"}).failures
    assert "canary" not in failures[0].reason


def test_defaults_are_filled_in_at_every_level() -> None:
    """What is left out, or null, takes the table's default."""
    values = check(TABLE, {"name": "x", "on": None, "items": [{"a": "1"}]}).values
    assert values == {"name": "x", "size": 3, "on": False, "items": [{"a": "1", "b": 7}]}


def test_unknown_values_pass_the_check() -> None:
    """What a preview does not know yet is not held against the user, wherever it stands."""
    given = {"name": UNKNOWN, "size": UNKNOWN, "items": [UNKNOWN, {"a": UNKNOWN}], "named": UNKNOWN}
    checked = check(TABLE, given)
    assert checked.failures == []
    assert checked.values["items"] == [UNKNOWN, {"a": UNKNOWN, "b": 7}]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"name": "x"}, {"name": "x"}, []),
        ({"name": "x"}, {"name": "y"}, [Change("name", Kind.UPDATE, replace=True)]),
        ({}, {"size": 1}, [Change("size", Kind.ADD)]),
        ({"size": 1}, {}, [Change("size", Kind.DELETE)]),
        ({"size": 1}, {"size": UNKNOWN}, [Change("size", Kind.UPDATE)]),
        ({"size": UNKNOWN}, {"size": UNKNOWN}, [Change("size", Kind.UPDATE)]),
        ({"items": [{"a": "1"}]}, {"items": [{"a": "2"}]}, [Change("items[0].a", Kind.UPDATE, replace=True)]),
        ({"items": [{"a": "1"}]}, {"items": []}, [Change("items[0]", Kind.DELETE, replace=True)]),
        ({"named": {"p/q": {"a": "1"}}}, {"named": {"p/q": {"a": "2"}}}, [Change('named["p/q"].a', Kind.UPDATE)]),
        ({"hint": "a"}, {"hint": "b"}, []),
        ({"subnet": "172.30.0.0/24"}, {}, []),
        ({"subnet": "172.30.0.0/24"}, {"subnet": "172.31.0.0/24"}, [Change("subnet", Kind.UPDATE)]),
    ],
)
def test_differences_are_found_at_their_finest_path(old: dict[str, Any], new: dict[str, Any], expected: list[Change]) -> None:
    """Compare gives each difference once, with its kind, and knows what replaces."""
    assert compare(TABLE, old, new) == expected


def test_only_compared_inputs_are_kept() -> None:
    """The state keeps what the next diff needs, and no more."""
    assert echoed(TABLE, {"name": "x", "hint": "y"}) == {"name": "x"}


@pytest.mark.parametrize(("path", "name", "whole"), [("", "a", "a"), ("a", "b", "a.b"), ("a", "b/c", 'a["b/c"]'), ("", "x.y", '["x.y"]')])
def test_paths_are_in_pulumis_notation(path: str, name: str, whole: str) -> None:
    """A name that is no plain word stands in brackets and quotes."""
    assert join(path, name) == whole
