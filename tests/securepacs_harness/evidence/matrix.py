"""Who may do what, as the cases of a run show it: peers by verbs, roles by routes. For the report's tables."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from securepacs_harness.results import WORST_FIRST, Case, Run, Status
from securepacs_harness.target import VERBS


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """What one may do there, and what was seen: a sign, the class that colours it, and words."""

    sign: str
    kind: str
    words: str


_MAY: Final = Cell("✓", "passed", "may, and is served")
_MAY_NOT: Final = Cell("○", "kept", "may not, and is refused")
_TOO_MUCH: Final = Cell("!", "found", "may not, and is served")
_TOO_LITTLE: Final = Cell("✗", "found", "may, and is refused")
_ELSEWHERE: Final = Cell("≠", "found", "may not, and is refused elsewhere than declared")
_UNSURE: Final = Cell("?", "inconclusive", "nothing was shown")
_WAIVED: Final = Cell("W", "waived", "may not, is served, and somebody answers for it")
_LEFT_OUT: Final = Cell("·", "nottested", "not tested")

#: Every sign, in the order in which the report explains them.
SIGNS: Final = (_MAY, _MAY_NOT, _TOO_MUCH, _TOO_LITTLE, _ELSEWHERE, _UNSURE, _WAIVED, _LEFT_OUT)

_BY_STATUS: Final = {Status.INCONCLUSIVE: _UNSURE, Status.WAIVED: _WAIVED, Status.NOT_TESTED: _LEFT_OUT}


def cell_of(case: Case) -> Cell:
    """Give the cell of one case."""
    if case.status in _BY_STATUS:
        return _BY_STATUS[case.status]
    if case.claim == "accepted":
        return _MAY if case.status is Status.PASSED else _TOO_LITTLE
    if case.status is Status.PASSED:
        return _MAY_NOT
    return _ELSEWHERE if case.seen and case.seen.outcome == "refused" else _TOO_MUCH


@dataclasses.dataclass(frozen=True, slots=True)
class Matrix:
    """A table: what heads its columns, and each row's name with a cell (None: nothing was tried) for each column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


_WHO = r" as (?P<who>.+?)(?: with the certificate of .+| without TLS)?"
#: Verb -> how the checks of the group dimse call its cases.
_VERB_CASES: Mapping[str, re.Pattern[str]] = {
    "echo": re.compile(rf"(?:C-ECHO|echo){_WHO}"),
    "store": re.compile(rf"(?:C-STORE|store){_WHO}"),
    "find": re.compile(rf"(?:C-FIND|find){_WHO}"),
    "get": re.compile(rf"(?:C-GET|get){_WHO}"),
    "move": re.compile(rf"(?:C-MOVE to .+?|move){_WHO}"),
    "worklist": re.compile(rf"(?:worklist C-FIND|worklist){_WHO}"),
    "commit": re.compile(rf"(?:storage commitment|commit){_WHO}"),
}
_DIMSE_CHECKS = frozenset({"dimse.granted", "dimse.granted-write", *(f"dimse.{verb}" for verb in VERBS)})

_ROUTE_CASE = re.compile(r"(?P<route>[A-Z]+ [/^]\S*) (?:as (?P<who>.+)|anonymously)")
_ROUTE_CHECKS = frozenset({"http.granted", "http.roles", "http.anonymous"})
NOBODY: Final = "nobody"


def _cases(run: Run, checks: frozenset[str]) -> Iterator[Case]:
    for check in run.checks:
        if check.id in checks:
            yield from check.cases


def _worst(cases: Iterable[Case]) -> Cell:
    return cell_of(min(cases, key=lambda case: WORST_FIRST.index(case.status)))


def _matrix(found: Mapping[tuple[str, str], list[Case]], rows: Iterable[str], columns: Iterable[str]) -> Matrix:
    heads = tuple(columns)
    cells = ((row, tuple(_worst(found[row, head]) if (row, head) in found else None for head in heads)) for row in rows)
    return Matrix(heads, tuple(cells))


def peers_by_verbs(run: Run) -> Matrix:
    """Give what each peer may do, a peer a row; a stranger comes last."""
    found: dict[tuple[str, str], list[Case]] = {}
    for case in _cases(run, _DIMSE_CHECKS):
        for verb, pattern in _VERB_CASES.items():
            if match := pattern.fullmatch(case.what):
                found.setdefault((match["who"], verb), []).append(case)
    peers = sorted({who for who, _ in found}, key=lambda who: (who == "a stranger", who))
    return _matrix(found, peers, VERBS)


def routes_by_roles(run: Run) -> Matrix:
    """Give who may ask for what over HTTPS, a method and a path or declared route a row; who shows no login comes last."""
    found: dict[tuple[str, str], list[Case]] = {}
    for case in _cases(run, _ROUTE_CHECKS):
        if match := _ROUTE_CASE.fullmatch(case.what):
            found.setdefault((match["route"], match["who"] or NOBODY), []).append(case)
    roles = sorted({who for _, who in found}, key=lambda who: (who == NOBODY, who))
    return _matrix(found, dict.fromkeys(route for route, _ in found), roles)
