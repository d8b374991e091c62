"""Each rule on a program that keeps it, on one that breaks it, and on one of which nobody knows yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from policies.cases import BY_OTHER_MEANS, CASES, PROGRAMS, UNREAD, Case
from policies.judging import judged, things
from policies.programs.declared import APPEND, UNKNOWN, Program, changed
from policies.programs.on_docker import GENERATED
from securepacs_policies.exceptions import Settings
from securepacs_policies.judge import judge_things, judgement
from securepacs_policies.rule import Rule, catalogue
from securepacs_policies.things import Stack, Thing
from securepacs_policies.values import Unknown

SECRETS = (("login", GENERATED),)


def broken(case: Case) -> Program:
    """Give the program with the one line of a case changed."""
    program = PROGRAMS[case.dialect]
    return {**program, case.resource: changed(program[case.resource], case.path, case.value)}


def told(program: Program, *, preview: bool = False) -> dict[str, list[str]]:
    """Give what each rule finds."""
    found: dict[str, list[str]] = {}
    for violation in judged(program, preview=preview, secrets=SECRETS, passphrase=64):
        found.setdefault(violation.rule.id, []).append(f"{violation.where}: {violation.what}")
    return found


@pytest.mark.parametrize("dialect", PROGRAMS)
def test_a_sound_program_breaks_no_rule(dialect: str) -> None:
    """A PACS of each provider's resources that is built as the rules ask is told nothing, not even as advice."""
    assert told(PROGRAMS[dialect]) == {}


def test_every_rule_has_a_violation() -> None:
    """No rule stands in the catalogue that nothing is known to break, and at least 35 stand there."""
    assert {case.rule for case in CASES} | BY_OTHER_MEANS == set(catalogue())
    assert len(catalogue()) >= 35


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_changed_line_breaks_the_rule(case: Case) -> None:
    """The line that a case changes is found by the rule that was made for it, with a sentence and a place, and in a preview already."""
    for preview in (True, False):
        found = told(broken(case), preview=preview)
        assert case.rule in found, sorted(found)
        assert all(len(sentence) > len(case.resource) + 15 for sentence in found[case.rule])


@pytest.mark.parametrize("case", [case for case in CASES if case.unknown is not None], ids=lambda case: case.name)
def test_what_is_unknown_waits_and_never_passes(case: Case) -> None:
    """With the changed value unknown the rule is silent in a preview, and refuses when the resource is about to be made."""
    program = PROGRAMS[case.dialect]
    path = case.unknown or case.path
    unknown = {**program, case.resource: changed(program[case.resource], path, UNKNOWN)}
    assert case.rule not in told(unknown, preview=True)
    refused = told(unknown, preview=False)
    assert case.rule in refused
    assert any("still not known" in sentence for sentence in refused[case.rule])


def _subjects(rule: Rule) -> list[Thing]:
    """Give the things that a rule looks at: of the sound programs, and of those that break it."""
    kind = rule.looks_at
    programs = [*PROGRAMS.values(), UNREAD, *(broken(case) for case in CASES if case.rule == rule.id)]
    return [thing for program in programs for one in program.values() for thing in things(one) if isinstance(thing, kind)]


def _poisoned(thing: Thing, field: str) -> Thing:
    """Give a thing of which one field is not known."""
    unknown: Any = {field: Unknown(field)}
    return dataclasses.replace(thing, **unknown)


@pytest.mark.parametrize("rule", [rule for rule in catalogue().values() if not rule.of_stack], ids=lambda rule: rule.id)
def test_a_rule_waits_for_what_it_says_that_it_needs(rule: Rule) -> None:
    """A thing of which any needed field is unknown is undecided; a field that is not needed may be unknown."""
    subjects = _subjects(rule)
    assert subjects, "no program has anything that this rule looks at"
    fields = {field.name for field in dataclasses.fields(rule.looks_at)} - {"resource", "path"}
    assert set(rule.needs) <= fields
    for field in fields:
        waits = {judgement(rule, _poisoned(thing, field), Settings()).waits_for for thing in subjects}
        if field in rule.needs:
            assert field in waits, f"{rule.id} does not wait for {field}"
        elif field not in {"name", "section", "port", "rest", "failed"}:  # these stand in sentences only; `rest` is of `settings`
            assert waits == {None}, f"{field} is not among what {rule.id} needs"


def test_a_list_that_is_unknown_hides_nothing() -> None:
    """What cannot be read, not even how much it is, is waited for in a preview and refused in a run; what stands beside it is judged."""
    assert told(UNREAD, preview=True) == {}
    assert "readable-resource" in told(UNREAD)
    beside = {**UNREAD, "archive": changed(UNREAD["archive"], ("privileged",), True)}  # noqa: FBT003 - a property's value
    assert set(told(beside, preview=True)) == {"privileged"}


def test_a_rule_that_breaks_refuses() -> None:
    """An error inside a rule is told as a violation with its name, and lets nothing pass."""

    def judge(_: object, __: Mapping[str, object]) -> list[str]:
        raise KeyError("a defect")

    rule = dataclasses.replace(catalogue()["privileged"], judge=judge)
    some = things(PROGRAMS["docker"]["worker"])
    for preview in (True, False):
        [violation] = judge_things([rule], some, {}, preview=preview)
        assert (violation.level, "(KeyError)" in violation.what) == ("mandatory", True)
    assert judgement(rule, Stack(()), Settings()).failed


def test_appending_is_not_unknown_by_itself() -> None:
    """The table names, for each value that is added to a list, where else it may be unknown."""
    for case in CASES:
        if case.path[-1] == APPEND:
            assert case.unknown and case.unknown[-1] != APPEND
