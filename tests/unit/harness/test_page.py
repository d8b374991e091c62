from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from securepacs_harness import canary
from securepacs_harness.evidence import WRITERS, matrix, page
from securepacs_harness.evidence.by_control import clauses_of
from securepacs_harness.probes import dimse, verbs
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.line import Line
from securepacs_harness.results import Case, Run, Seen, Status
from securepacs_harness.target import VERBS
from securepacs_policies.controls import CLAUSES
from unit.harness.runs import EVERY, REMEDY, RUNS, case, packaged_run, result, run_of

_VOID = {"meta", "br", "rect"}


class Outline(HTMLParser):
    """Reads a page as a browser would be told it: elements that were left open, identifiers, links inside, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: set[str] = set()
        self.headings: list[int] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that opens."""
        told = dict(attrs)
        if tag not in _VOID:
            self.open.append(tag)
        if told.get("id"):
            self.ids[str(told["id"])] += 1
        if tag == "a":
            self.links.add(str(told["href"]))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        """Note one that closes: it must be the one that opened last."""
        if tag not in _VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(f"</{tag}> in line {self.getpos()[0]}")


@pytest.mark.parametrize("run", RUNS)
def test_the_page_needs_nothing_else(run: Run) -> None:
    """The page has no script, loads nothing, and tells verdict, target, vantage point and every check."""
    text = WRITERS["report.html"](run)
    assert not re.search(r"<script|\bsrc=|href=\"(?!#)|url\(|@import|\bon[a-z]+=", text)
    for word in (page.verdict(run)[1], "clinic-a", "the clinic&#39;s own network", "ab" * 32, *(check.id for check in run.checks)):
        assert word in text
    assert len(re.findall(r"<rect ", text)) == len(run.checks)


@pytest.mark.parametrize("run", [*RUNS, run_of()], ids=lambda run: f"{len(run.checks)} checks")
def test_the_page_is_well_formed(run: Run) -> None:
    """Every element is closed in its place, identifiers are single, links lead to them, and headings skip no level."""
    text = WRITERS["report.html"](run)
    assert text.startswith("<!doctype html>\n<html lang")
    outline = Outline(text)
    assert outline.wrong == []
    assert outline.open == []
    assert [id for id, times in outline.ids.items() if times > 1] == []
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert all(below - above <= 1 for above, below in zip([0, *outline.headings], outline.headings, strict=False))


def test_each_finding_tells_what_was_expected_what_was_seen_and_how_to_mend_it() -> None:
    """A finding has its cases, six in the open and the others folded, its remedy, its controls with their clauses, and a link to it."""
    cases = tuple(case(Status.FOUND, f"attempt {number}") for number in range(1, 9))
    finding = result("tls.many", Status.FOUND).model_copy(update={"cases": cases, "title": "Nothing of this"})
    text = WRITERS["report.html"](run_of(checks=(finding, *packaged_run().checks)))
    article = text[text.index('<article class="found" id="told-tls.many">') :].partition("</article>")[0]
    for word in ("Not so:", "Nothing of this", REMEDY, "refused at association", "refused at association: 1/1/3; words", "164.312(d)"):
        assert word in article
    shown, _, folded = article.partition("<details><summary>2 more")
    assert [number for number in range(1, 9) if f"attempt {number}<" in shown] == [1, 2, 3, 4, 5, 6]
    assert "attempt 8<" in folded
    assert '<li>Not so: <a href="#told-tls.many">Nothing of this</a></li>' in text


def test_waivers_tell_their_days() -> None:
    """A waiver has its days left; one that has expired says so."""
    (waiver,) = EVERY.waivers
    expired = waiver.model_copy(update={"days_left": -1, "used": False})
    text = WRITERS["report.html"](run_of(Status.PASSED, waivers=(waiver, expired)))
    assert '<td class="status ">5</td>' in text
    assert '<td class="status found">expired</td>' in text


def test_what_was_not_tested_is_told_by_its_reason() -> None:
    """Checks and cases that were left out for one reason stand together, the commonest reason first."""
    whole = [
        result(f"tls.whole-{number}", Status.NOT_TESTED).model_copy(update={"cases": (), "reason": "of another tier"}) for number in (1, 2)
    ]
    part = result("tls.part", Status.PASSED).model_copy(
        update={"cases": (case(Status.PASSED), case(Status.NOT_TESTED, "one peer").model_copy(update={"told": "no bundle"}))}
    )
    text = WRITERS["report.html"](run_of(checks=(part, *whole)))
    left_out = text[text.index('<h2 id="left-out">') :].partition("</section>")[0]
    assert re.findall(r"<tr><td>(.+?)</td>", left_out) == ["of another tier", "no bundle"]
    assert "one peer" in left_out


def test_the_page_shows_words_of_a_target_as_words() -> None:
    """What a target said is no markup of the page, wherever it stands."""
    nasty = '"><script>alert(1)</script><a href=x onclick="y">'
    bad = Case(what=nasty, claim="fact", expected=nasty, status=Status.FOUND, told=nasty, seen=Seen(layer=nasty, outcome=nasty, code=nasty))
    check = result("tls.nasty", Status.FOUND).model_copy(
        update={"cases": (bad, case(Status.NOT_TESTED, nasty)), "remedy": nasty, "title": nasty}
    )
    target = EVERY.target.model_copy(update={"name": nasty, "dicom": nasty, "versions": {nasty: nasty}, "certificates": {nasty: nasty}})
    text = WRITERS["report.html"](run_of(checks=(check,), vantage=nasty, authorisation=nasty, target=target))
    assert "<script" not in text
    assert 'onclick="' not in text
    assert "&lt;script&gt;" in text
    assert Outline(text).wrong == []


def test_clauses_have_the_worst_of_their_controls() -> None:
    """Each clause that a check gives evidence for stands once, under its framework, and has the worst state of its controls."""
    good, bad = result("tls.good", Status.PASSED, ("tls-profile",)), result("tls.bad", Status.FOUND, ("transmission-encryption",))
    found = {str(state.clause): state.status for _, states in clauses_of(run_of(checks=(good, bad))) for state in states}
    assert found["DICOM B.13"] is Status.PASSED
    assert found["DICOM B.12"] is Status.FOUND
    every = [state.clause for _, states in clauses_of(packaged_run()) for state in states]
    assert len(every) == len(set(every))
    assert set(every) <= set(CLAUSES.values())


_SIGNS = [
    ("accepted", Status.PASSED, "accepted", "✓"),
    ("accepted", Status.FOUND, "refused", "✗"),
    ("refused", Status.PASSED, "refused", "○"),
    ("refused", Status.FOUND, "accepted", "!"),
    ("refused", Status.FOUND, "refused", "≠"),
    ("refused", Status.INCONCLUSIVE, "timeout", "?"),
    ("refused", Status.WAIVED, "accepted", "W"),
    ("fact", Status.NOT_TESTED, "refused", "·"),
]


@pytest.mark.parametrize(("claim", "status", "outcome", "sign"), _SIGNS)
def test_a_cell_tells_right_and_answer(claim: str, status: Status, outcome: str, sign: str) -> None:
    """What one may do and what was seen make the sign, and the report explains each sign."""
    seen = Seen(layer="dimse", outcome=outcome, code="x")
    cell = matrix.cell_of(Case(what="x", claim=claim, expected="", status=status, seen=seen))
    assert cell.sign == sign
    assert cell in matrix.SIGNS


def test_the_table_of_verbs_reads_what_the_probes_say() -> None:
    """Each verb that a peer tries, or that is left out, finds its place in the table by the words of the probes themselves."""
    caller = Caller(Line("127.0.0.1", 1), "ARCHIVE", "CT01")
    tried = {verb: make(caller).what for verb, make in verbs.HARMLESS.items()}
    means = verbs.Means(canary.real_file(canary.REAL_FILES[0]), "WS01")
    tried |= {verb: verbs.WITH_IMAGE[verb](caller, means).what for verb in VERBS if verb in verbs.WITH_IMAGE}
    assert set(tried) == set(VERBS)
    cases = [case(Status.FOUND, what) for what in tried.values()]
    cases += [case(Status.PASSED, f"{verb} as a stranger") for verb in VERBS]
    cases += [case(Status.NOT_TESTED, f"{verb} as WS01") for verb in VERBS]
    run = run_of(checks=(result("dimse.find", Status.FOUND).model_copy(update={"cases": tuple(cases)}),))
    found = matrix.peers_by_verbs(run)
    assert found.columns == VERBS
    assert [name for name, _ in found.rows] == ["CT01", "WS01", "a stranger"]
    assert ["".join(cell.sign for cell in cells if cell) for _, cells in found.rows] == ["≠" * 7, "·" * 7, "○" * 7]
    assert dimse.echo(caller).what in tried.values()


def test_the_table_of_routes_reads_what_the_checks_say() -> None:
    """A route has a cell for each role and for nobody; what is no route is left out, and what was not tried is empty."""
    cases = [
        case(Status.PASSED, "GET /studies as viewer"),
        case(Status.FOUND, "DELETE /studies/1 as viewer"),
        case(Status.PASSED, "GET /studies anonymously"),
        case(Status.PASSED, r"GET ^/studies/[0-9]+$ anonymously"),
        case(Status.PASSED, "GET of a path that is not there, anonymously"),
    ]
    run = run_of(checks=(result("http.roles", Status.FOUND).model_copy(update={"cases": tuple(cases)}),))
    found = matrix.routes_by_roles(run)
    assert found.columns == ("viewer", "nobody")
    signs = {name: [cell.sign if cell else "" for cell in cells] for name, cells in found.rows}
    assert signs == {"GET /studies": ["○", "○"], "DELETE /studies/1": ["≠", ""], "GET ^/studies/[0-9]+$": ["", "○"]}
