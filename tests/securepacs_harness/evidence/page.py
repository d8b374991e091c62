"""One page that a person reads: no script, nothing from elsewhere, good on paper and on a phone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import groupby
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from securepacs_harness.evidence import matrix
from securepacs_harness.evidence.by_control import clauses_of, controls_of, state_of
from securepacs_harness.results import Case, CheckResult, Run, Status
from securepacs_policies.controls import CONTROLS, Control

_PAGES = Environment(
    loader=PackageLoader("securepacs_harness", "evidence"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

#: How a status is shown: its letter in the picture, and its class.
SHOWN = {
    Status.FOUND: ("F", "found"),
    Status.INCONCLUSIVE: ("?", "inconclusive"),
    Status.WAIVED: ("W", "waived"),
    Status.PASSED: ("✓", "passed"),
    Status.NOT_TESTED: ("·", "nottested"),
}

#: What a title is, that does not hold.
SAID = {Status.FOUND: "Not so", Status.INCONCLUSIVE: "Not shown", Status.WAIVED: "Waived"}

#: The parts that tell of checks one by one: status, heading, what it means.
_PARTS: Final = (
    (Status.FOUND, "Findings", "What the system does otherwise than declared, or than it should."),
    (Status.INCONCLUSIVE, "Inconclusive", "Nothing was shown, for or against: it is no pass. Mend what is in the way, and run again."),
    (Status.WAIVED, "Waived findings", "It is not so, and somebody answers for it until the day that is named."),
)

#: How many cases of one check stand in the open; the rest is folded.
MOST: Final = 6

_VERDICTS = {
    0: ("passed", "Everything that was tested is as declared."),
    1: ("found", "The system does otherwise than declared."),
    2: ("inconclusive", "Not everything could be shown: what is inconclusive is no pass."),
    3: ("inconclusive", "The run was ended before its end: what was not tried is not shown."),
}

#: The layers in words, from the outside inwards, with where their answers are defined.
LAYERS: Final = {
    "tcp": "the connection (TCP)",
    "tls": "the handshake (TLS alert, RFC 8446 section 6)",
    "association": "the association (A-ASSOCIATE-RJ or A-ABORT, PS3.8 section 9.3)",
    "context": "the presentation context (PS3.8 table 9-18)",
    "dimse": "the command (DIMSE status, PS3.7 annex C)",
    "http": "the request (HTTP status, RFC 9110 section 15)",
}


def verdict(run: Run) -> tuple[str, str]:
    """Give the run's verdict: a class and one sentence."""
    return _VERDICTS[run.exit_code]


@dataclasses.dataclass(frozen=True, slots=True)
class LayerRow:
    """What was tried and ended at one layer: how often as declared, how often not, and with which answers, the commonest first."""

    layer: str
    declared: int
    otherwise: int
    codes: tuple[tuple[str, int], ...]


def _layers(run: Run) -> list[LayerRow]:
    claims = [case for check in run.checks for case in check.cases if case.claim == "refused" and case.seen]
    rows = []
    for layer in LAYERS:
        here = [case for case in claims if case.seen and case.seen.layer == layer]
        passed = sum(case.status is Status.PASSED for case in here)
        codes = Counter(case.seen.code for case in here if case.seen)
        if here:
            rows.append(LayerRow(layer, passed, len(here) - passed, tuple(codes.most_common(4))))
    return rows


def _picture(run: Run) -> list[tuple[str, list[CheckResult]]]:
    in_order = sorted(run.checks, key=lambda check: check.group)
    return [(group, list(checks)) for group, checks in groupby(in_order, key=lambda check: check.group)]


def _left_out(run: Run) -> list[tuple[str, list[tuple[CheckResult, str]]]]:
    """Give what was not tested by its reason: each check with the case that was left out, '' for the whole of it."""
    found: dict[str, list[tuple[CheckResult, str]]] = {}
    for check in run.checks:
        if check.status is Status.NOT_TESTED and not check.cases:
            found.setdefault(check.reason, []).append((check, ""))
        for case in check.cases:
            if case.status is Status.NOT_TESTED:
                found.setdefault(case.told or check.reason, []).append((check, case.what))
    return sorted(found.items(), key=lambda reason: -len(reason[1]))


def numbers_of(control: Control) -> list[tuple[str, list[str]]]:
    """Give a control's clauses as the numbers of each framework, in the catalogue's order."""
    by_framework = groupby(control.clauses, key=lambda clause: clause.framework)
    return [(framework, [clause.number for clause in found]) for framework, found in by_framework]


def seen_in_words(case: Case) -> str:
    """Say what was seen; of a claim that nothing was shown for, also what the controls around it were."""
    seen = f"{case.seen.outcome} at {case.seen.layer}: {case.seen.code}" if case.seen else ""
    controls = ""
    if case.status is Status.INCONCLUSIVE and case.before and case.after:
        controls = f"control before: {case.before.outcome} ({case.before.code}), after: {case.after.outcome} ({case.after.code})"
    return "; ".join(part for part in (seen, case.told, controls) if part) or "nothing"


def write(run: Run) -> str:
    """Write the run as a page of HTML."""
    picture = _picture(run)
    of = {status: [check for check in run.checks if check.status is status] for status in SHOWN}
    return _PAGES.get_template("report.html.j2").render(
        run=run,
        verdict=verdict(run),
        shown=SHOWN,
        said=SAID,
        statuses=Status,
        parts=[(status, heading, meaning, of[status]) for status, heading, meaning in _PARTS if of[status]],
        most=MOST,
        of=of,
        left_out=_left_out(run),
        layers=_layers(run),
        layer_names=LAYERS,
        picture=picture,
        widest=max((len(checks) for _, checks in picture), default=0),
        controls=CONTROLS,
        by_control=[(CONTROLS[id], state_of(checks), checks) for id, checks in controls_of(run).items()],
        by_clause=clauses_of(run),
        verbs=matrix.peers_by_verbs(run),
        routes=matrix.routes_by_roles(run),
        signs=matrix.SIGNS,
        seen_in_words=seen_in_words,
        numbers_of=numbers_of,
        cases=sum(len(check.cases) for check in run.checks),
        claims=sum(case.claim == "refused" for check in run.checks for case in check.cases),
    )
