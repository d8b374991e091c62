from __future__ import annotations

import importlib.metadata
import json
import runpy
import tomllib
from pathlib import Path

import jsonschema
import pytest

import securepacs_harness
from securepacs.target import EXPECTS
from securepacs_harness.check import packaged
from securepacs_harness.evidence import WRITERS
from securepacs_harness.results import results_schema
from securepacs_harness.target import load_target, target_schema
from unit.harness.runs import RUNS

ROOT = Path(__file__).parents[3]


def test_the_targets_schema_is_published() -> None:
    """docs/target.schema.json is what `pacs-verify --schema` prints, and is itself a schema."""
    published = json.loads((ROOT / "docs" / "target.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(target_schema()))
    jsonschema.Draft202012Validator.check_schema(published)


def test_the_schema_of_results_is_published() -> None:
    """docs/results.schema.json is what `pacs-verify --results-schema` prints; results.json is valid by it, and with a key more is not."""
    published = json.loads((ROOT / "docs" / "results.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(results_schema()))
    jsonschema.Draft202012Validator.check_schema(published)
    for run in RUNS:
        written = json.loads(WRITERS["results.json"](run))
        jsonschema.Draft202012Validator(published).validate(written)
        assert set(published["required"]) == set(written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(published).validate({**written, "more": 1})


def test_the_example_holds_to_the_schema() -> None:
    """The target file that is written by hand as an example is read, and is valid by the published schema."""
    example = ROOT / "examples" / "verify" / "target.toml"
    assert load_target(example).name == "radiology"
    read = tomllib.loads(example.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(target_schema()).validate(read)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(target_schema()).validate({**read, "dicom": {"host": "x"}})


def test_the_catalogue_of_checks_is_published() -> None:
    """docs/checks.md is what `make docs` writes, and names every packaged check."""
    page = runpy.run_path(str(ROOT / "docs" / "checks.py"))["page"]()
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == page
    assert [id for id in packaged() if f"| `{id}` |" not in page] == []


def test_the_matrix_of_mutants_is_published() -> None:
    """docs/mutants.md has a row for each mutant, and no problem in it."""
    page = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    assert "missed: " not in page
    assert "false alarm: " not in page
    assert page.count("\n| `") >= 45


def test_our_target_expects_of_checks_that_exist() -> None:
    """Each check of which our own target file says how its refusals look is a packaged one."""
    assert [id for id in EXPECTS if id.partition("/")[0] not in packaged()] == []


def test_what_is_exported_is_there() -> None:
    """The public names of the harness are those that it says."""
    assert [name for name in securepacs_harness.__all__ if not hasattr(securepacs_harness, name)] == []


def test_the_distribution_brings_plugin_and_command() -> None:
    """pytest finds the plugin by its entry point, and the command is installed."""
    points = importlib.metadata.distribution("securepacs").entry_points
    assert {(point.group, point.name) for point in points} >= {
        ("pytest11", "securepacs-harness"),
        ("console_scripts", "pacs-verify"),
    }
