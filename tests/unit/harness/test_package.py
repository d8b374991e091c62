from __future__ import annotations

import ast
from pathlib import Path

import securepacs_harness

PACKAGE = Path(securepacs_harness.__path__[0])

#: What the harness shares with the policies: facts, without Pulumi.
KNOWLEDGE = {"securepacs_policies.controls", "securepacs_policies.secrecy"}


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_harness_never_imports_the_module_that_it_tests() -> None:
    """No module of the harness imports securepacs; of securepacs_policies it takes facts that need nothing themselves."""
    files = list(PACKAGE.rglob("*.py"))
    assert len(files) > 10
    foreign = {
        (file.name, name)
        for file in files
        for name in _imported(ast.parse(file.read_text()))
        if name.split(".")[0] in {"securepacs", "securepacs_policies"} and name not in KNOWLEDGE
    }
    assert not foreign


def test_a_refusal_is_claimed_through_the_bracket_only() -> None:
    """Outside observation and bracket only a probe's own second look runs an attempt by itself."""
    running = sorted(
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if any(isinstance(node, ast.Attribute) and node.attr == "_run" for node in ast.walk(ast.parse(file.read_text())))
    )
    assert running == ["bracket.py", "probes/dimse.py"]
