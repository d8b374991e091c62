from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import securepacs_policies
from securepacs_policies import controls
from securepacs_policies.controls import CLAUSES, CONTROLS, FRAMEWORKS, Clause, Control

PACKAGE = Path(securepacs_policies.__path__[0])

# Every standard and implementation specification of the technical safeguards.
TECHNICAL_SAFEGUARDS = "(a)(1) (a)(2)(i) (a)(2)(ii) (a)(2)(iii) (a)(2)(iv) (b) (c)(1) (c)(2) (d) (e)(1) (e)(2)(i) (e)(2)(ii)".split()  # noqa: SIM905 # a row
# What checks, policies and documents name; an id once published stays.
IDS = {
    "network-exposure", "network-segmentation", "network-egress", "transmission-encryption", "tls-profile", "server-certificate",
    "peer-authentication", "certificate-revocation", "peer-identity", "called-identity", "peer-rights", "exfiltration",
    "instance-integrity", "person-authentication", "person-rights", "web-hardening", "credential-strength", "known-vulnerabilities",
    "information-leaks", "availability", "container-user", "container-privileges", "container-filesystem", "container-isolation",
    "container-resources", "container-health", "image-provenance", "secret-storage", "state-encryption", "audit-trail", "audit-privacy",
    "recovery-backup", "recovery-restore", "data-retention", "encryption-at-rest", "waiver-governance", "deployment-verification",
    "emergency-access", "automatic-logoff",
}


def cited() -> set[Clause]:
    """Return each clause that some control cites."""
    return {clause for control in CONTROLS.values() for clause in control.clauses}


def test_published_ids_stay() -> None:
    """Every id that was published is in the catalogue, and a new one is published here too."""
    assert set(CONTROLS) == IDS


def test_no_id_stands_twice() -> None:
    """No row hides another of its id, no publication stands twice, and an id is lower-case words with hyphens between."""
    assert len(controls._CONTROLS) == len(CONTROLS)
    assert [name for name in CONTROLS if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []
    assert [key for key, framework in FRAMEWORKS.items() if key != framework.id] == []


@pytest.mark.parametrize("control", CONTROLS.values(), ids=lambda control: control.id)
def test_a_control_says_what_it_is(control: Control) -> None:
    """Title and sentences are written out, and at least one clause is answered, none twice."""
    assert control.title
    assert not control.title.endswith(".")
    assert control.statement.endswith(".")
    assert not control.left_to_clinic or control.left_to_clinic.endswith(".")
    assert "\n" not in control.statement + control.left_to_clinic
    assert control.clauses
    assert len(set(control.clauses)) == len(control.clauses)


def test_titles_tell_controls_apart() -> None:
    """No two controls have one title or one statement."""
    assert len({control.title for control in CONTROLS.values()}) == len(CONTROLS)
    assert len({control.statement for control in CONTROLS.values()}) == len(CONTROLS)


@pytest.mark.parametrize("clause", CLAUSES.values(), ids=lambda clause: f"{clause.framework}:{clause.number}")
def test_a_clause_is_of_its_framework(clause: Clause) -> None:
    """A clause's framework exists, its number has the form of that framework, and it has a title."""
    assert re.fullmatch(FRAMEWORKS[clause.framework].form, clause.number)
    assert clause.title.strip() == clause.title != ""


@pytest.mark.parametrize(
    ("framework", "number"),
    [
        ("HIPAA", "164.312"),
        ("HIPAA", "164.314(a)(1)"),
        ("800-53", "sc-7"),
        ("800-53", "SC-07(5"),
        ("800-66", "5.4.1"),
        ("CSF", "PR.AC"),
        ("1800-24", "PR.AC-05"),
        ("CIS-Docker", "5"),
        ("DICOM", "12"),
        ("IHE", "RAD-45"),
    ],
)
def test_a_wrong_number_would_be_seen(framework: str, number: str) -> None:
    """The forms are narrow enough to tell another publication's number, or a half one."""
    assert not re.fullmatch(FRAMEWORKS[framework].form, number)


def test_every_clause_is_answered() -> None:
    """No clause is listed that no control cites, and no framework without a clause."""
    assert set(CLAUSES.values()) == cited()
    assert {clause.framework for clause in cited()} == set(FRAMEWORKS)


def test_a_clause_is_written_as_people_write_it() -> None:
    """The evidence's writers print a clause, and the framework's id is its name there."""
    assert [str(clause) for clause in CONTROLS["tls-profile"].clauses if clause.framework in {"HIPAA", "DICOM"}] == [
        "HIPAA 164.312(e)(2)(i)",
        "HIPAA 164.312(e)(2)(ii)",
        "DICOM B.12",
        "DICOM B.13",
    ]


def test_technical_safeguards_are_covered() -> None:
    """Each standard and specification of 45 CFR 164.312 is answered by some control."""
    answered = {clause.number.removeprefix("164.312") for clause in cited() if clause.number.startswith("164.312")}
    assert answered == set(TECHNICAL_SAFEGUARDS)


def test_a_row_cannot_cite_what_is_not_listed() -> None:
    """A number or a framework that is not in the tables stops the import."""
    with pytest.raises(KeyError):
        controls._control("x", "X", "X.", {"HIPAA": "164.312(b) 164.312(z)"})
    with pytest.raises(KeyError):
        controls._control("x", "X", "X.", {"HIPPA": "164.312(b)"})


def test_the_catalogue_cannot_be_changed() -> None:
    """Neither table can be written to by who reads it."""
    with pytest.raises(TypeError):
        CONTROLS["x"] = CONTROLS["audit-trail"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        CONTROLS["audit-trail"].title = "other"  # type: ignore[misc]


@pytest.mark.parametrize("module", ["__init__", "controls", "frameworks"])
def test_the_catalogue_needs_the_standard_library_only(module: str) -> None:
    """The catalogue imports the standard library and itself: the harness must be able to have it without the rest."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    foreign = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names} - {"securepacs_policies.frameworks"}
    assert foreign == set()


def test_the_catalogue_loads_alone() -> None:
    """In an interpreter without any installed package the catalogue can be read."""
    program = "import sys; sys.path.append(sys.argv[1]); from securepacs_policies.controls import CONTROLS; print(len(CONTROLS))"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", program, str(PACKAGE.parent)], check=True, capture_output=True, text=True)
    assert run.stdout == f"{len(CONTROLS)}\n"
