"""The pages on controls and rules say what the code says."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

from securepacs_harness.check import packaged
from securepacs_policies.controls import CONTROLS
from securepacs_policies.rule import catalogue

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "rules").glob("*.md"))


def generator(name: str) -> ModuleType:
    """Load one of the generators in docs/."""
    specification = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_pages_on_rules_are_the_generated_ones() -> None:
    """docs/rules.md and each rule's page are what `make docs` writes, and no page is of a rule that is gone."""
    pages = generator("rules").pages()
    assert {name: (DOCS / name).read_text(encoding="utf-8") for name in pages} == pages
    assert {path.stem for path in (DOCS / "rules").iterdir()} == set(catalogue())


def test_the_page_on_controls_is_the_generated_one() -> None:
    """docs/controls.md and the OSCAL component definition are what `make docs` writes."""
    controls = generator("controls")
    assert (DOCS / "controls.md").read_text(encoding="utf-8") == controls.page()
    assert json.loads((DOCS / "controls.oscal.json").read_text(encoding="utf-8")) == controls.component_definition()


def test_what_nobody_prevents_or_detects_is_shown() -> None:
    """A control without a rule and without a check is told by its name at the head of the page."""
    watched = {control for rule in catalogue().values() for control in rule.controls}
    watched |= {control for check in packaged().values() for control in check.controls}
    told = re.search(r"Nothing here prevents or detects a breach of: (.*)\.", (DOCS / "controls.md").read_text(encoding="utf-8"))
    assert told
    assert set(re.findall(r"`([^`]+)`", told[1])) == set(CONTROLS) - watched


def test_the_component_definition_is_valid() -> None:
    """It is valid by NIST's own schema of OSCAL 1.1.3, and no identifier stands twice."""
    text = (ROOT / "tests" / "unit" / "harness" / "schemas" / "oscal-component-definition-1.1.3.json").read_text(encoding="utf-8")
    # Python's regular expressions have no Unicode classes; our tokens are ASCII.
    schema = json.loads(text.replace(r"\\p{L}", "[A-Za-z]").replace(r"\\p{N}", "[0-9]"))
    written = (DOCS / "controls.oscal.json").read_text(encoding="utf-8")
    jsonschema.Draft7Validator(schema).validate(json.loads(written))
    identifiers = re.findall(r'"uuid": "([^"]+)"', written)
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("path", PAGES, ids=[page.stem for page in PAGES])
def test_a_rules_page_is_enough_to_act_on(path: Path) -> None:
    """Each page says why, what is told, how it is mended, what it waits for, and how it is configured."""
    page = path.read_text(encoding="utf-8")
    for heading in ("What it says", "How to mend it", "What it looks at", "Configuration", "Controls"):
        assert f"\n## {heading}\n" in page
    assert "exceptions" in page
