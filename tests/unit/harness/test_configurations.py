"""What is read out of products' configurations: their options, their users, and which product it is."""

from __future__ import annotations

import re

import pytest

from securepacs.routes import ROUTES
from securepacs_harness.probes import configuration, logins, options, routes


def dangerous(settings: list[options.Setting]) -> list[str]:
    """Give the names of the settings that are dangerous."""
    return [setting.name for setting in settings if setting.dangerous]


def test_an_option_that_nobody_wrote_has_its_default() -> None:
    """Orthanc's dangerous defaults count where the configuration does not say otherwise, and no others."""
    by_default = [option.name for option in options.ORTHANC if option.by_default is option.dangerous]
    assert dangerous(options.of_orthanc(["{}"])) == by_default
    assert "DicomAlwaysAllowStore" in by_default
    written = ['{"DicomAlwaysAllowStore": false}', '{"ExecuteLuaEnabled" : true, "AuthenticationEnabled": false}']
    more = {"ExecuteLuaEnabled", "AuthenticationEnabled"}
    assert set(dangerous(options.of_orthanc(written))) == ({*by_default} | more) - {"DicomAlwaysAllowStore"}


def test_one_file_that_says_it_dangerously_is_enough() -> None:
    """Of two files that say an option differently the dangerous one is told."""
    told = options.of_orthanc(['{"HttpsVerifyPeers": true}', '{"HttpsVerifyPeers": false}'])
    assert "HttpsVerifyPeers" in dangerous(told)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("  option accept-unsafe-violations-in-http-request", True),
        ("  option accept-invalid-http-request", True),
        ("  server a 10.0.0.1:443 ssl verify none", True),
        ("  ssl-server-verify none", True),
        ("  stats enable", True),
        ("  # stats enable", False),
        ("  server a 10.0.0.1:443 ssl verify required ca-file x", False),
    ],
)
def test_lines_of_haproxy_are_judged(line: str, found: bool) -> None:  # noqa: FBT001 - the table's value
    """Each dangerous line is found where it stands, and not in a comment."""
    assert bool(dangerous(options.of_haproxy([f"frontend x\n{line}\n"]))) is found


def test_an_area_that_anybody_may_use_is_found() -> None:
    """ANY in dcmqrscp's AETable serves whoever calls; a list of peers does not."""
    table = "AETable BEGIN\nARCHIVE  /var/lib/x  RW  (200, 1024mb)  {}\nAETable END\n"
    assert dangerous(options.of_dcmqrscp([table.format("ANY")])) == ["peers of ARCHIVE"]
    assert dangerous(options.of_dcmqrscp([table.format("clinic")])) == []
    assert len(options.of_dcmqrscp([table.format("clinic")])) == 1


@pytest.mark.parametrize(
    ("stored", "weak"),
    [
        ("$6$XnumFnL8PRHmAeN4$egEpKezVl4", False),
        ("$5$rounds=10000$salt$hash", False),
        ("$6$rounds=1000$salt$hash", True),
        ("$y$j9T$salt$hash", False),
        ("$2b$10$abcdefghijklmnopqrstuv", False),
        ("$1$salt$hash", True),
        ("$apr1$salt$hash", True),
        ("rl0uE0EJ.s1Ck", True),
        ("Summer2026!", True),
        ("$", True),
    ],
)
def test_a_stored_password_is_judged_by_its_form(stored: str, weak: bool) -> None:  # noqa: FBT001 - the table's value
    """crypt(5)'s slow hashes are strong; MD5, DES, few rounds and no hash at all are weak."""
    assert bool(logins.weakness_of(stored)) is weak


def test_users_are_read_and_no_password_is_told() -> None:
    """HAProxy's and Orthanc's users are found with what is weak about each, and no text holds a password."""
    cfg = "userlist people\n  user vera password $6$salt$hash groups a\n  user old insecure-password Summer2026!\n"
    random = "YHKLsU7pJoCf8ohkJjQ86hEWsDReafMr8qMqaGb9"
    orthanc = f'{{"RegisteredUsers": {{"gateway": "{random}", "alice": "alicePassword"}}}}'
    read = {**logins.in_haproxy(cfg), **logins.in_orthanc(orthanc)}
    assert {user: bool(weakness) for user, weakness in read.items()} == {"vera": False, "old": True, "gateway": False, "alice": True}
    assert not any(word in weakness for weakness in read.values() for word in ("Summer2026!", "alicePassword", random))
    assert logins.in_orthanc("[]") == logins.in_orthanc("not JSON") == {}


@pytest.mark.parametrize(
    ("words", "product", "places"),
    [
        (["/sbin/docker-init", "--", "/usr/sbin/Orthanc", "/etc/archive"], "orthanc", ("/etc/archive",)),
        (["Orthanc", "--verbose", "/etc/open.json"], "orthanc", ("/etc/open.json",)),
        (["/usr/sbin/haproxy", "-W", "-f", "/etc/gateway/haproxy.cfg"], "haproxy", ("/etc/gateway/haproxy.cfg",)),
        (["dcmqrscp", "11112"], "dcmqrscp", ("/etc/dcmtk/dcmqrscp.cfg",)),
        (["sh", "-c", "cat /etc/orthanc.json"], None, ()),
    ],
)
def test_a_product_is_known_by_its_command(words: list[str], product: str | None, places: tuple[str, ...]) -> None:
    """Behind an init or not, the program's name says which it is, and its other words where its configuration stands."""
    assert configuration.product_of(words) == product
    assert (configuration.places_of(words, product) if product else ()) == places


def test_comments_are_no_settings() -> None:
    """Both kinds of comments go, and a string that looks like one stays."""
    text = '{ // "A": true\n "B": "http://x//y", /* "C": true\n */ "D": 1 }'
    assert re.findall(r'"(\w)":', configuration.without_comments(text)) == ["B", "D"]
    assert "http://x//y" in configuration.without_comments(text)


@pytest.mark.parametrize(
    "route", [*(route.pattern for route in ROUTES), r"^/api/v[12]/[^/]+$", r"^/x/.+$", r"^/y/(?P<a>\w+)/(?P=a)$", r"^/(?!admin)[a-z]*$"]
)
def test_a_route_has_an_example_of_plain_characters(route: str) -> None:
    """An example matches its route, is the same each time, and holds no character that a server could take for another."""
    routes.example_of.cache_clear()
    first = routes.example_of(route)
    routes.example_of.cache_clear()
    assert first is not None
    assert first == routes.example_of(route)
    assert re.fullmatch(route, first)
    assert re.fullmatch(r"/[A-Za-z0-9/._~,-]*", first)


def test_a_route_without_a_plain_path_has_no_example() -> None:
    """Where only unusual characters match, none is made up."""
    assert routes.example_of("^/%20$") is None
    assert routes.example("^/a b$") is None
