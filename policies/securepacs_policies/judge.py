"""Rules on things: what is found, and what has to wait until it is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from securepacs_policies.exceptions import Excuse, Level, Settings
from securepacs_policies.rule import Finding, Rule
from securepacs_policies.things import Stack, Thing
from securepacs_policies.values import Undecided

__all__ = ["Judgement", "Violation", "judge_stack", "judge_things", "judgement"]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What a rule finds on one thing. `waits_for` names the value without which it could not decide the rest."""

    findings: tuple[Finding, ...]
    waits_for: str | None = None
    failed: str | None = None


@dataclasses.dataclass(frozen=True)
class Violation:
    """A finding that is to be told: of which rule, where, how strictly, and by whom it is excused."""

    rule: Rule
    what: str
    where: str
    urn: str
    level: Level
    exception: Excuse | None = None


def judgement(rule: Rule, thing: Thing | Stack, settings: Settings) -> Judgement:
    """Ask one rule about one thing. What it found before it had to wait is kept."""
    subject = None if isinstance(thing, Stack) else thing
    found: list[Finding] = []
    try:
        for answer in rule.judge(thing, settings.parameters or rule.defaults()):
            found.append(answer if isinstance(answer, Finding) else Finding(answer, subject))  # noqa: PERF401 - what came before is kept
    except Undecided as undecided:
        return Judgement(tuple(found), waits_for=undecided.path)
    except Exception as error:  # noqa: BLE001 - a rule that breaks must refuse, and not let through
        # What the error says may hold a value, and values may be secrets.
        return Judgement(tuple(found), failed=type(error).__name__)
    return Judgement(tuple(found))


def _answers(rule: Rule, thing: Thing | Stack, settings: Settings, *, preview: bool) -> Iterator[Finding]:
    """Yield what is found; in the end nothing passes because it was not known, or because a rule broke."""
    subject = None if isinstance(thing, Stack) else thing
    judged = judgement(rule, thing, settings)
    yield from judged.findings
    if judged.failed:
        yield Finding(f"the rule could not be applied ({judged.failed}); that is a defect of the pack, please report it", subject)
    if judged.waits_for is not None and not preview:
        yield Finding(f"'{judged.waits_for}' is still not known, so that it cannot be told whether the rule holds", subject)


def _violations(rule: Rule, things: Iterable[Thing | Stack], settings: Settings, *, preview: bool) -> Iterator[Violation]:
    for thing in things:
        for finding in _answers(rule, thing, settings, preview=preview):
            name = finding.thing.resource.name if finding.thing else ""
            exception = settings.exception_for(name)
            where = finding.thing.shown if finding.thing else "the whole stack"
            urn = finding.thing.resource.urn if finding.thing else ""
            yield Violation(rule, finding.what, where, urn, "advisory" if exception else settings.level, exception)


def _standing(rules: Iterable[Rule], settings: Mapping[str, Settings], *, of_stack: bool) -> Iterator[tuple[Rule, Settings]]:
    """Yield the rules that are not turned off, each with what is configured for it."""
    for rule in rules:
        configured = settings.get(rule.id, Settings())
        if rule.of_stack is of_stack and configured.level != "disabled":
            yield rule, configured


def judge_things(rules: Iterable[Rule], things: tuple[Thing, ...], settings: Mapping[str, Settings], *, preview: bool) -> list[Violation]:
    """Ask the rules about what one resource declares."""
    return [
        violation
        for rule, configured in _standing(rules, settings, of_stack=False)
        for violation in _violations(rule, (t for t in things if isinstance(t, rule.looks_at)), configured, preview=preview)
    ]


def judge_stack(rules: Iterable[Rule], stack: Stack, settings: Mapping[str, Settings], *, preview: bool) -> list[Violation]:
    """Ask the rules about everything that the program declares."""
    return [
        violation
        for rule, configured in _standing(rules, settings, of_stack=True)
        for violation in _violations(rule, (stack,), configured, preview=preview)
    ]
