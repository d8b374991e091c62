from __future__ import annotations

import datetime

import pytest

from securepacs_harness.authorisation import hosts_of, is_own, require
from securepacs_harness.errors import AuthorisationError
from securepacs_harness.target import Target, parse_target

TODAY = datetime.date(2026, 11, 25)


def target(host: str, **more: object) -> Target:
    """Declare a PACS without TLS on a host."""
    return parse_target({"version": 1, "name": "x", "dicom": {"host": host, "port": 104, "ae_title": "X", "tls": False}, **more})


@pytest.mark.parametrize(("host", "own"), [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False), ("nowhere.invalid", False)])
def test_an_address_of_this_machine_is_its_own(host: str, own: bool) -> None:  # noqa: FBT001 - the table's value
    """Only an address that this machine can bind to is its own; a name that resolves to nothing is not."""
    assert is_own(host) is own


def test_ones_own_needs_no_authorisation() -> None:
    """A target on this machine may be tested without an entry in its file."""
    assert require(target("127.0.0.1"), TODAY) == "it stands on the machine that tests it"


def test_anothers_needs_one() -> None:
    """A target elsewhere is refused with what to add to its file."""
    with pytest.raises(AuthorisationError, match=r"192\.0\.2\.1 is not this machine's own .* add \[authorisation\]"):
        require(target("192.0.2.1"), TODAY)


@pytest.mark.parametrize(("until", "allowed"), [("2026-11-25", True), ("2026-11-24", False)])
def test_an_authorisation_ends(until: str, allowed: bool) -> None:  # noqa: FBT001 - the table's value
    """An authorisation is good until its last day, and not a day longer."""
    declared = target("192.0.2.1", authorisation={"by": "Dr. Example", "until": until})
    if allowed:
        assert require(declared, TODAY) == "authorised by Dr. Example until 2026-11-25"
    else:
        with pytest.raises(AuthorisationError, match="ended on 2026-11-24"):
            require(declared, TODAY)


def test_every_host_that_is_called_counts() -> None:
    """The web listener and the place where the synthetic study is removed are called too."""
    declared = target(
        "127.0.0.1",
        https={"base_url": "https://192.0.2.7"},
        cleanup={"by": "orthanc", "base_url": "http://192.0.2.8:8042"},
    )
    assert hosts_of(declared) == ["127.0.0.1", "192.0.2.7", "192.0.2.8"]
    with pytest.raises(AuthorisationError, match=r"192\.0\.2\.7, 192\.0\.2\.8 is not"):
        require(declared, TODAY)
