"""The checks of tokens on servers of other makes: what each makes of them, and what it takes to be a finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from securepacs_harness.checks import test_http_tokens as tokens
from securepacs_harness.errors import TargetError
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import parse_target
from unit.harness.standin_web import PASSWORDS, Answer, Site, pacs_of, serving
from unit.harness.test_web_checks import SEARCH, hardened

Check = Callable[[Pacs, Record], None]

RIGHT, ENDED = "right-token-of-the-sender", "ended-token-of-the-past"
READ = {"methods": ["GET"], "route": f"^{SEARCH}$"}
MACHINES: dict[str, Any] = {
    "sender": {"role": "viewer", "routes": [READ], "until": "2999-12-31"},
    "past": {"role": "viewer", "routes": [READ], "until": "2020-01-31"},
}
HELD = {**PASSWORDS, "sender": RIGHT, "past": ENDED}


def bearing(*opens: str, exactly: bool = True, beyond: tuple[str, ...] = ()) -> Site:
    """Give a site that serves the search, and what is beyond it, to whoever bears one of these tokens; `exactly`, or their beginning."""

    def site(method: str, target: str, authorization: str) -> Answer:
        given = authorization.removeprefix("Bearer ")
        right = authorization.startswith("Bearer ") and any(given == one if exactly else given.startswith(one) for one in opens)
        if not right:
            return hardened(method, target, authorization) if authorization.startswith("Basic ") else (401, "")
        served = method == "GET" and target.partition("?")[0] in {SEARCH, *beyond}
        return (200, "[]") if served else (403, "")

    return site


def run(check: Check, site: Site, words: dict[str, str] | None = None, **declared: Any) -> Record:  # noqa: ANN401 - sections of a target file
    """Make a check of a site and give its record."""
    record = Record()
    with serving(site) as base_url:
        check(pacs_of(base_url, passwords=HELD if words is None else words, **{"machines": MACHINES, **declared}), record)
    return record


def found(record: Record) -> list[str]:
    """Give what was found wanting."""
    return [case.what for case in record.cases if case.status is Status.FOUND]


def test_a_site_that_looks_at_the_whole_token_is_clean() -> None:
    """Where only right tokens in date are served, and only their own routes, both checks pass."""
    for check in (tokens.test_only_a_right_token_in_date_opens_anything, tokens.test_a_token_opens_its_own_routes_alone):
        record = run(check, bearing(RIGHT))
        assert (record.status, found(record)) == (Status.PASSED, [])


def test_an_ended_token_that_opens_is_found() -> None:
    """A token is a finding on the day after its last one."""
    told = found(run(tokens.test_only_a_right_token_in_date_opens_anything, bearing(RIGHT, ENDED)))
    assert told == ["the token of past, which ended on 2020-01-31"]


def test_a_token_that_is_looked_at_in_part_is_found() -> None:
    """A site that compares the beginning of a token takes one with another end; one that takes any token takes an unsigned one too."""
    (told,) = found(run(tokens.test_only_a_right_token_in_date_opens_anything, bearing(RIGHT[:-1], exactly=False)))
    assert told.startswith("a right token but for its end")
    assert len(found(run(tokens.test_only_a_right_token_in_date_opens_anything, bearing("", exactly=False)))) == 3


def test_a_token_in_a_query_is_found() -> None:
    """A site that takes a token out of a query writes it into every log on the way."""

    def site(method: str, target: str, authorization: str) -> Answer:
        asked = parse_qs(urlsplit(target).query).get("access_token", [""])[0]
        return bearing(RIGHT)(method, target, f"Bearer {asked}" if asked else authorization)

    (told,) = found(run(tokens.test_only_a_right_token_in_date_opens_anything, site))
    assert told.startswith("a right token in the query")


def test_a_token_that_opens_more_is_found() -> None:
    """A route that is not the machine's is a finding, though its role may have it."""
    told = found(run(tokens.test_a_token_opens_its_own_routes_alone, bearing(RIGHT, beyond=("/statistics",))))
    assert told == ["GET /statistics with the token of sender"]
    assert (
        found(
            run(
                tokens.test_a_token_opens_its_own_routes_alone,
                bearing(RIGHT),
                machines={"sender": {**MACHINES["sender"], "routes": [READ, {"methods": ["GET"], "route": "^/statistics$"}]}},
            )
        )
        != []
    )


def test_forged_tokens_are_tried_where_nobody_has_a_right_one() -> None:
    """Of a site without machines a person's request is the control: one that takes any token is found, one that takes none is clean."""
    check = tokens.test_only_a_right_token_in_date_opens_anything
    assert found(run(check, bearing("", exactly=False), PASSWORDS, machines={})) != []
    clean = run(check, bearing(), PASSWORDS, machines={})
    assert found(clean) == []
    assert [case.status for case in clean.cases if case.claim == "refused"] == [Status.PASSED] * 7
    assert run(tokens.test_a_token_opens_its_own_routes_alone, bearing(RIGHT), PASSWORDS).status is Status.NOT_TESTED


def test_a_right_token_that_is_refused_shows_nothing() -> None:
    """Where the machine's own request fails, refusals of forged ones are inconclusive."""
    assert run(tokens.test_only_a_right_token_in_date_opens_anything, bearing()).status is Status.INCONCLUSIVE


def test_a_token_of_another_address_is_left_out() -> None:
    """A machine that may ask from elsewhere only, and is refused here, is not tested; where it is served it is tested as any."""
    placed: dict[str, Any] = {"machines": {"sender": {**MACHINES["sender"], "sources": ["192.0.2.0/24"]}}}
    assert run(tokens.test_a_token_opens_its_own_routes_alone, bearing(), **placed).status is Status.NOT_TESTED
    assert run(tokens.test_a_token_opens_its_own_routes_alone, bearing(RIGHT), **placed).status is Status.PASSED


def test_a_machine_is_declared_whole() -> None:
    """A machine without a last day, or with the name of a user, is a mistake of the target file's."""
    dicom = {"host": "127.0.0.1", "port": 1, "ae_title": "ARCHIVE", "tls": False}
    whole = {"version": 1, "name": "x", "dicom": dicom, "https": {"base_url": "https://x", "users": {}, "roles": {"viewer": [READ]}}}
    with pytest.raises(TargetError, match=r"https\.machines\.sender\.until: got nothing; it is required"):
        parse_target({**whole, "https": {**whole["https"], "machines": {"sender": {"routes": [READ]}}}})  # type: ignore[dict-item] # a section
    both = {"users": {"sender": {"role": "viewer"}}, "machines": MACHINES}
    with pytest.raises(TargetError, match=r"https\.machines: got 'sender', which is a user"):
        parse_target({**whole, "https": {**whole["https"], **both}})  # type: ignore[dict-item] # as above
