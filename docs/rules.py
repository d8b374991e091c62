"""Writes docs/rules.md and a page for each rule in docs/rules/, from the rules and from the table of their violations in the tests.

`make docs` runs it; a test holds the pages to be what it writes.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from policies.cases import CASES, PROGRAMS, UNREAD, Case
from policies.judging import judged, things
from policies.programs.declared import ABSENT, APPEND, PROTECT, changed
from policies.programs.on_docker import GENERATED
from securepacs_policies.adapters import ADAPTERS
from securepacs_policies.controls import CONTROLS, clauses_in_words
from securepacs_policies.exceptions import EXCEPTIONS_SCHEMA, settings_of
from securepacs_policies.judge import judge_stack
from securepacs_policies.message import page_of, told
from securepacs_policies.rule import Rule, catalogue
from securepacs_policies.things import Stack

HERE = Path(__file__).parent

HEAD = """# The rules

{count} rules of the [policy pack](policies.md), by subject. Each has a page: what it looks at, why, what it says, how it is mended, what
can be configured. All refuse (`mandatory`) unless they are configured otherwise.

Generated from the code by `make docs`.
"""

#: What a subject's file is about.
_SUBJECTS = {
    "archive": "Orthanc's settings",
    "clinic": "What a clinic declares",
    "confinement": "What a container may do to its host",
    "exceptions": "Exceptions",
    "exposure": "What answers from outside",
    "images": "Images",
    "keys": "Keys and certificates",
    "limits": "Limits and health",
    "reading": "What can be judged at all",
    "secrets": "Secrets",
    "segmentation": "Networks",
    "transport": "Transport",
}

_DIALECTS = {"docker": "pulumi-docker", "kubernetes": "pulumi-kubernetes", "own": "our own component"}


def _types(rule: Rule) -> list[str]:
    """Give the types of resources that declare what a rule looks at, of those that stand in the sound programs."""
    kind = rule.looks_at
    declared = [one for program in PROGRAMS.values() for one in program.values()]
    return sorted({one.type for one in declared if any(isinstance(thing, kind) for thing in things(one))})


def _change(case: Case) -> str:
    """Write a case's change as a line."""
    if case.path == (PROTECT,):
        return f"`{case.resource}`: the resource option `protect` is taken away"
    where = "".join("[+]" if step == APPEND else f"[{step}]" if isinstance(step, int) else f".{step}" for step in case.path).lstrip(".")
    if case.value is ABSENT:
        return f"`{case.resource}`: `{where}` is taken away"
    if callable(case.value):
        return f"`{case.resource}`: a line of `{where}` is changed"
    return f"`{case.resource}`: `{where}` = `{json.dumps(case.value)}`"


def _message(rule: Rule) -> str:
    """Give what a rule says: of the first case that breaks it."""
    case = next((case for case in CASES if case.rule == rule.id), None)
    if case is not None:
        program = PROGRAMS[case.dialect]
        broken = {**program, case.resource: changed(program[case.resource], case.path, case.value)}
        found = judged(broken, secrets=(("login", GENERATED),))
    elif not rule.of_stack:
        found = judged(UNREAD)
    else:
        today = datetime.date(2026, 11, 25)
        ended = {"exceptions": [{"reason": "for now", "owner": "it", "until": "2026-01-31"}]}
        problems = settings_of(catalogue()["privileged"], "mandatory", ended, today).problems
        found = judge_stack([rule], Stack((), passphrase=0, exceptions=problems), {}, preview=True)
    return told(next(violation for violation in found if violation.rule.id == rule.id))


def _waits(rule: Rule) -> str:
    if rule.of_stack:
        needed = f"It needs {' and '.join(rule.needs)} of the whole program, and is asked at the end of a preview or a run."
        return f"{needed} What a preview does not know it waits for, and decides when the run ends; what is unknown even then is refused."
    needed = " and ".join(f"`{field}`" for field in rule.needs)
    return f"It needs {needed}. While a preview does not know that, it waits without a word; it decides before the resource is made."


def page(rule: Rule) -> str:
    """Give the page of a rule."""
    lines = [f"# {rule.title}", "", f"`{rule.id}` · {rule.severity} · {_SUBJECTS[rule.subject].lower()}", "", rule.why, ""]
    lines += ["## What it says", "", "```text", _message(rule), "```", "", "## How to mend it", "", rule.remedy, ""]
    lines += ["## What it looks at", "", _waits(rule), ""]
    types = _types(rule) if not rule.of_stack else []
    lines += [*(f"- `{kind}`" for kind in types), ""] if types else []
    cases = [case for case in CASES if case.rule == rule.id]
    if cases:
        lines += ["## One line that breaks it", ""]
        lines += [f"- {_DIALECTS[case.dialect]}, {_change(case)}" for case in cases]
        lines += [""]
    lines += ["## Configuration", "", *_configuration(rule), ""]
    lines += ["## Controls", ""]
    for name in rule.controls:
        control = CONTROLS[name]
        lines.append(f"- [`{name}`](../controls.md): {control.statement} ({clauses_in_words([name])})")
    return "\n".join([*lines, ""])


def _configuration(rule: Rule) -> Iterator[str]:
    yield "| Key | Default | What it is |"
    yield "| --- | --- | --- |"
    for name, schema in rule.parameters.items():
        yield f"| `{name}` | `{json.dumps(schema['default'])}` | {schema['description']} |"
    yield f"| `exceptions` | `[]` | {EXCEPTIONS_SCHEMA['description']} ([how](../policies.md#exceptions)) |"


def index() -> str:
    """Give docs/rules.md."""
    rules = sorted(catalogue().values(), key=lambda rule: (rule.subject, rule.id))
    parts = [HEAD.format(count=len(rules))]
    for subject, group in groupby(rules, key=lambda rule: rule.subject):
        parts.append(f"## {_SUBJECTS[subject]}\n\n| Rule | What is so | Severity | Controls |\n| --- | --- | --- | --- |")
        parts += [f"| [`{rule.id}`](rules/{rule.id}.md) | {rule.title} | {rule.severity} | {', '.join(rule.controls)} |" for rule in group]
        parts.append("")
    parts += ["## Types of resources", "", "What the rules know, by the provider that declares it:", ""]
    for provider, kinds in groupby(sorted(ADAPTERS), key=lambda kind: kind.partition(":")[0]):
        parts.append(f"- {provider}: {', '.join(f'`{kind}`' for kind in kinds)}")
    return "\n".join([*parts, ""])


def pages() -> dict[str, str]:
    """Give every page by its path within docs/."""
    return {"rules.md": index(), **{page_of(rule).removeprefix("docs/"): page(rule) for rule in catalogue().values()}}


if __name__ == "__main__":
    (HERE / "rules").mkdir(exist_ok=True)
    made = pages()
    for stale in {path.relative_to(HERE).as_posix() for path in (HERE / "rules").glob("*.md")} - set(made):
        (HERE / stale).unlink()
    for name, text in made.items():
        (HERE / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(made)} pages\n")
