"""Values that are unknown, secret, or of another type than a rule expects."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import securepacs_policies.rules
from policies.cases import PROGRAMS
from policies.judging import judged, struct, things
from policies.programs.declared import Declared
from securepacs_policies.adapters import ADAPTERS
from securepacs_policies.reading import Property, told
from securepacs_policies.values import UNKNOWN_WORDS, SecretText, Undecided, Unknown, decoded, is_unknown, known

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}

#: Names of properties that adapters read.
_names = sorted({name for program in PROGRAMS.values() for one in program.values() for name in one.properties})

_leaves = st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31), st.text(max_size=20), st.sampled_from(sorted(UNKNOWN_WORDS)))
_trees = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=12
)


@pytest.mark.parametrize(
    "use",
    [bool, len, iter, str, int, float, hash, lambda v: v == "x", lambda v: v != "x", lambda v: "x" in v, lambda v: v["x"], lambda v: f"{v}",
     lambda v: v + "x", lambda v: "x" + v, lambda v: v < 1, lambda v: v / 2, lambda v: v.lower(), lambda v: {**v}, lambda v: [*v],
     lambda v: v in {"x"}, lambda v: v in ("x", "y"), operator.index, known],
)  # fmt: skip
def test_whatever_is_done_with_an_unknown_value_is_undecided(use: Callable[[Any], object]) -> None:
    """No operation of Python's gives an answer for a value that is not known; the error names where it stands."""
    with pytest.raises(Undecided, match=r"^ports\[0\]\.ip$"):
        use(Unknown("ports[0].ip"))


def test_no_rule_compares_by_identity_or_type_what_may_be_unknown() -> None:
    """`is`, which asks an unknown value nothing, stands in a rule only beside None or a setting that `get` has held to be known."""
    folder = Path(next(iter(securepacs_policies.rules.__path__)))
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
                against = ast.unparse(node.comparators[0])
                assert against == "None" or ".get(" in ast.unparse(node.left), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("word", sorted(UNKNOWN_WORDS))
def test_every_word_for_unknown_is_known(word: str) -> None:
    """Whatever kind of value the engine does not know yet, it is read as unknown, with its path."""
    value = decoded(struct({"a": [{"b": word}]}))["a"][0]["b"]
    assert is_unknown(value)
    with pytest.raises(Undecided, match=r"a\[0\]\.b"):
        bool(value)


def test_a_secret_stays_marked_however_deep() -> None:
    """A text inside a secret object is a secret text; one beside it is not."""
    value = decoded(struct({"login": {**SECRET, "value": {"name": "x", "words": ["y"]}}, "plain": "z"}))
    assert isinstance(value["login"]["name"], SecretText)
    assert isinstance(value["login"]["words"][0], SecretText)
    assert not isinstance(value["plain"], SecretText)


@given(_trees)
def test_reading_never_breaks(tree: object) -> None:
    """Any value read as any type gives that type, or is unknown; nothing else is raised."""
    said = Property(decoded(struct({"x": tree})), "")["x"]
    assert is_unknown(flag := said.flag()) or isinstance(flag, bool)
    assert is_unknown(text := said.text()) or isinstance(text, str)
    assert is_unknown(number := said.number()) or isinstance(number, int | float)
    assert is_unknown(texts := said.texts()) or all(is_unknown(one) or isinstance(one, str) for one in texts)
    assert is_unknown(mapping := said.mapping()) or all(is_unknown(one) or isinstance(one, str) for one in mapping.values())
    assert is_unknown(items := told(lambda: list(said.items()))) or isinstance(items, list)


@given(
    st.sampled_from(sorted(ADAPTERS)),
    st.dictionaries(
        st.sampled_from(_names),
        _trees,
        max_size=6,
    ),
)
def test_a_resource_of_any_shape_is_judged(kind: str, properties: dict[str, object]) -> None:
    """Whatever a resource says under the names that adapters read, rules answer in sentences; no rule breaks, in preview and run."""
    declared = Declared(kind, "odd", properties)
    things(declared)
    for preview in (True, False):
        for violation in judged({"odd": declared}, preview=preview):
            assert "could not be applied" not in violation.what, f"{violation.rule.id}: {violation.what}"


_ADDRESSES = ("", "0.0.0.0", "::", "192.0.2.1")  # noqa: S104 - what is refused

_ports = st.lists(
    st.fixed_dictionaries(
        {"internal": st.integers(1, 65535)}, optional={"external": st.integers(1, 65535), "ip": st.sampled_from(_ADDRESSES)}
    ),
    min_size=1,
    max_size=4,
)


@given(_ports)
def test_an_archive_that_publishes_anything_is_refused(ports: list[dict[str, object]]) -> None:
    """Whatever ports an archive publishes, on whatever address, each is told."""
    archive = PROGRAMS["docker"]["archive"]
    program = {**PROGRAMS["docker"], "archive": Declared(archive.type, "archive", {**archive.properties, "ports": ports})}
    found = [violation for violation in judged(program) if violation.rule.id == "published-archive"]
    assert len(found) == len(ports)


_visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


@given(st.sampled_from(["PASSWORD", "DB_PASSWORD", "PGPASSWORD", "LDAP_PASSPHRASE"]), _visible)
def test_a_named_secret_is_refused_and_never_told(name: str, value: str) -> None:
    """A variable with a password's name is refused whatever its value, but for words and paths; its value is in no message."""
    worker = PROGRAMS["docker"]["worker"]
    program = {**PROGRAMS["docker"], "worker": Declared(worker.type, "worker", {**worker.properties, "envs": [f"{name}={value}"]})}
    found = [violation for violation in judged(program) if violation.rule.id == "secret-in-environment"]
    if value.lower() not in {"true", "false", "yes", "no", "on", "off", "none", "null"} and not value.startswith("/"):
        assert found
    sentence = f"the variable {name} holds a secret"
    assert {violation.what for violation in found} <= {sentence}
