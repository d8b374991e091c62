"""Writes docs/controls.md and docs/controls.oscal.json: each control, what prevents and what detects its breach, what is left over.

`make docs` runs it; a test holds both files to be what it writes.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from securepacs_harness.check import packaged
from securepacs_policies.controls import CONTROLS, FRAMEWORKS, Control, clauses_in_words
from securepacs_policies.rule import catalogue

HERE = Path(__file__).parent

HEAD = """# Controls

What must be so of a picture archive, why, and what sees to it: a [policy](policies.md) prevents the breach before anything is made,
a [check of the harness](checks.md) detects it on the running system. A control answers a clause *in part*: that every control holds
does not make a clinic compliant with a framework.

{summary}

Generated from the code by `make docs`; the same as an OSCAL component definition: [controls.oscal.json](controls.oscal.json).
"""

_OSCAL = "1.1.3"
#: Of our own identifiers and properties, as in the harness's assessment results.
_NAMESPACE = "https://securepacs.example/ns/oscal"
#: The catalogue whose control ids OSCAL documents name; the other frameworks' clauses stand as properties.
_CATALOG = "urn:doi:10.6028/NIST.SP.800-53r5"
#: When the definition was last changed in what it says; a time of generation would make every run another file.
_MODIFIED = "2026-11-25T00:00:00Z"


def prevented_by(control: Control) -> list[str]:
    """Give the rules that prevent its breach."""
    return [rule.id for rule in catalogue().values() if control.id in rule.controls]


def detected_by(control: Control) -> list[str]:
    """Give the checks that detect its breach."""
    return sorted(check.id for check in packaged().values() if control.id in check.controls)


def state(control: Control) -> str:
    """Say in a word what sees to it."""
    words = [word for word, ids in (("prevented", prevented_by(control)), ("detected", detected_by(control))) if ids]
    return " and ".join(words) or "neither prevented nor detected"


def _section(control: Control) -> Iterator[str]:
    yield f"## {control.title}\n"
    yield f"`{control.id}`: {control.statement}\n"
    rules = ", ".join(f"[`{rule}`](rules/{rule}.md)" for rule in prevented_by(control))
    yield f"- Prevented by: {rules or 'nothing'}."
    yield f"- Detected by: {', '.join(f'`{check}`' for check in detected_by(control)) or 'nothing'}."
    if control.left_to_clinic:
        yield f"- Left to the clinic: {control.left_to_clinic}"
    yield f"- Answers in part: {clauses_in_words([control.id])}.\n"


def page() -> str:
    """Give docs/controls.md."""
    states = [state(control) for control in CONTROLS.values()]
    counted = {word: states.count(word) for word in dict.fromkeys(states)}
    nobody = [control for control in CONTROLS.values() if not prevented_by(control) and not detected_by(control)]
    summary = f"{len(CONTROLS)} controls: {', '.join(f'{count} {word}' for word, count in counted.items())}."
    if nobody:
        summary += f" Nothing here prevents or detects a breach of: {', '.join(f'`{control.id}`' for control in nobody)}."
    table = ["| Control | What is so | Prevented by | Detected by |", "| --- | --- | --- | --- |"]
    table += [
        f"| [`{control.id}`](#{_anchor(control)}) | {control.title} |"
        f" {_counted(prevented_by(control))} | {_counted(detected_by(control))} |"
        for control in CONTROLS.values()
    ]
    editions = [f"- {framework.id}: {framework.title}, {framework.edition}" for framework in FRAMEWORKS.values()]
    sections = [line for control in CONTROLS.values() for line in _section(control)]
    return "\n".join([HEAD.format(summary=summary), *table, "", *sections, "## Editions\n", *editions, ""])


def _counted(ids: list[str]) -> str:
    return str(len(ids) or "nothing")


def _anchor(control: Control) -> str:
    """Give the anchor that a heading has on the pages of code forges."""
    kept = "".join(letter for letter in control.title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _id(*steps: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((_NAMESPACE, "component-definition", *steps))))


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": _NAMESPACE, "value": value}


def _oscal_id(number: str) -> str:
    """Write a number of SP 800-53 as its OSCAL catalogue does: 'IA-5(2)' -> 'ia-5.2'."""
    return number.lower().replace("(", ".").replace(")", "")


def _statement(control: Control) -> str:
    left = f" Left to the clinic: {control.left_to_clinic}" if control.left_to_clinic else ""
    return f"{control.statement} Prevented by {len(prevented_by(control))} policies, detected by {len(detected_by(control))} checks.{left}"


def _requirement(number: str, answering: list[Control]) -> dict[str, Any]:
    props = [
        *(_property("control", control.id) for control in answering),
        *(_property("prevented-by", rule) for rule in dict.fromkeys(r for c in answering for r in prevented_by(c))),
        *(_property("detected-by", check) for check in dict.fromkeys(d for c in answering for d in detected_by(c))),
    ]
    return {
        "uuid": _id("requirement", number),
        "control-id": _oscal_id(number),
        "description": " ".join(_statement(control) for control in answering),
        "props": props,
    }


def component_definition() -> dict[str, Any]:
    """Give the OSCAL component definition (NIST, 1.1.3): what the module implements of SP 800-53, in part, and by what."""
    numbers: dict[str, list[Control]] = {}
    for control in CONTROLS.values():
        for clause in control.clauses:
            if clause.framework == "800-53":
                numbers.setdefault(clause.number, []).append(control)
    component = {
        "uuid": _id("component"),
        "type": "software",
        "title": "securepacs",
        "description": "A picture archive behind a gateway: a Pulumi module, policies, and a harness that tests the running system.",
        "props": [_property(control.id, state(control)) for control in CONTROLS.values()],
        "control-implementations": [
            {
                "uuid": _id("implementation"),
                "source": _CATALOG,
                "description": "Each requirement is answered in part; what is left to the clinic stands with it.",
                "implemented-requirements": [_requirement(number, answering) for number, answering in sorted(numbers.items())],
            }
        ],
    }
    metadata = {"title": "securepacs", "last-modified": _MODIFIED, "version": "0.1.0", "oscal-version": _OSCAL}
    return {"component-definition": {"uuid": _id(), "metadata": metadata, "components": [component]}}


if __name__ == "__main__":
    (HERE / "controls.md").write_text(page(), encoding="utf-8")
    (HERE / "controls.oscal.json").write_text(json.dumps(component_definition(), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{HERE / 'controls.md'}\n{HERE / 'controls.oscal.json'}\n")
