"""The public API is what its lists name, what the document says, and what the version promises."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import securepacs
from securepacs import resources

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [securepacs, resources])
def test_the_list_names_each_public_thing_once(module: ModuleType) -> None:
    """`__all__` is sorted, names what is there, and each thing says in a docstring what it is."""
    assert sorted(set(module.__all__)) == list(module.__all__)
    assert all(inspect.getdoc(getattr(module, name)) for name in module.__all__)


def test_the_package_exports_nothing_beside_its_list() -> None:
    """What can be imported from `securepacs` without an underscore is in `__all__`, or a module of its own; all of the list can."""
    public = {name for name, value in vars(securepacs).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public <= set(securepacs.__all__)
    assert {getattr(securepacs, name).__name__ for name in securepacs.__all__} == set(securepacs.__all__)
    with pytest.raises(AttributeError, match="module 'securepacs' has no attribute 'Nothing'"):
        securepacs.Nothing  # noqa: B018 - the look itself fails


def test_the_resources_export_nothing_beside_their_list() -> None:
    """Each public class that `securepacs.resources` defines is in `__all__`."""
    defined = {name for name, value in vars(resources).items() if inspect.isclass(value) and value.__module__ == resources.__name__}
    assert {name for name in defined if not name.startswith("_")} == set(resources.__all__)


def test_the_document_is_the_generated_one() -> None:
    """docs/api.md is what `make docs` writes."""
    made = subprocess.run([sys.executable, str(ROOT / "docs" / "reference.py")], check=True, capture_output=True, text=True).stdout
    assert made == DOCUMENT


def test_the_document_names_every_public_thing() -> None:
    """Each name of both lists has its heading, or its line, in the document, with more than a name beside it."""
    for name in (*securepacs.__all__, *resources.__all__):
        assert re.search(rf"^(### {name}$|`{name}`: \S|\| `securepacs\.{name}` \|)", DOCUMENT, re.MULTILINE), name


def test_the_version_is_semantic_and_stands_once() -> None:
    """The installed version is pyproject.toml's, in the form of Semantic Versioning."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", declared)
    assert version("securepacs") == declared


def test_the_changelog_descends_to_no_later_version_than_this() -> None:
    """Released sections bear a version and a day, the newest first, and none is newer than the version that is declared."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:]]
    numbers = [tuple(map(int, found.groups())) for found in released if found]
    assert len(numbers) == len(released)
    current = tuple(map(int, version("securepacs").split(".")))
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(number <= current for number in numbers)
