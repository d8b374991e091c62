from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import securepacs_policies
from securepacs_policies import controls
from securepacs_policies.controls import CONTROLS, FRAMEWORKS

#: How a number of each framework is written.
FORMS = {
    "HIPAA": r"164\.3(08|12)(\([a-z]\))(\(\d\))?(\([ivx]+\))?(\([A-D]\))?",
    "800-53": r"[A-Z]{2}-\d{1,2}(\(\d{1,2}\))?",
    "800-66": r"5\.[1-5]\.\d{1,2}",
    "1800-24": r"(ID|PR|DE|RS|RC)\.[A-Z]{2}-\d{1,2}",
    "CIS-Docker": r"[1-7]\.\d{1,2}",
    "DICOM": r"[A-H]\.\d{1,2}",
    "IHE": r"ITI-\d{1,2}",
}

#: The standards and specifications of 164.312 (45 CFR part 164, appendix A).
TECHNICAL_SAFEGUARDS = (
    "(a)(1) (a)(2)(i) (a)(2)(ii) (a)(2)(iii) (a)(2)(iv) (b) (c)(1) (c)(2) (d) (e)(1) (e)(2)(i) (e)(2)(ii)".split()  # noqa: SIM905 - a row
)


def test_ids_are_what_they_are_known_by() -> None:
    """Each id is kebab-case and there once."""
    assert len(CONTROLS) == len(controls._CONTROLS)
    assert [id for id in CONTROLS if not re.fullmatch(r"[a-z]+(-[a-z]+)*", id)] == []


def test_each_clause_is_written_as_its_framework_writes_it() -> None:
    """Every clause is of a known framework, in that framework's form, and no control cites one twice."""
    assert set(FORMS) == set(FRAMEWORKS)
    cited = [(control.id, clause) for control in CONTROLS.values() for clause in control.clauses]
    assert [(id, str(clause)) for id, clause in cited if not re.fullmatch(FORMS[clause.framework], clause.number)] == []
    assert len(cited) == len(set(cited))
    assert {clause.framework for _, clause in cited} == set(FRAMEWORKS)


def test_each_control_says_what_and_why() -> None:
    """A control has a title, one sentence, and at least one clause that asks for it."""
    whole = [control.id for control in CONTROLS.values() if control.title and control.statement.endswith(".") and control.clauses]
    assert whole == list(CONTROLS)


def test_the_technical_safeguards_are_all_answered() -> None:
    """Each standard and specification of 45 CFR 164.312 is answered by some control."""
    answered = {clause.number for control in CONTROLS.values() for clause in control.clauses if clause.framework == "HIPAA"}
    assert [safeguard for safeguard in TECHNICAL_SAFEGUARDS if f"164.312{safeguard}" not in answered] == []


def test_the_catalogue_needs_nothing() -> None:
    """The catalogue and its package import the standard library only, so that the harness can have it without the policies."""
    folder = Path(securepacs_policies.__path__[0])
    for file in (folder / "__init__.py", folder / "controls.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
