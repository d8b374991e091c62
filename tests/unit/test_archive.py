"""Orthanc's configuration: what a clinic turns into."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from securepacs.archive import FILE_NAMES, RIGHT_OF_VERB, archive_files, authorization, orthanc_configuration, peers_configuration
from securepacs.clinic import Clinic, parse_clinic
from securepacs.peers import Verb


def modality(declared: dict[str, Any], ae_title: str) -> dict[str, Any]:
    """Give the entry of a peer in DicomModalities."""
    entries = peers_configuration(parse_clinic(declared))["DicomModalities"].values()
    return next(entry for entry in entries if entry["AET"] == ae_title)


@pytest.mark.parametrize("verb", get_args(Verb))
def test_a_verb_grants_its_right_and_no_other(declared: dict[str, Any], verb: Verb) -> None:
    """Each verb sets one right of Orthanc's; every other right is written down as refused."""
    declared["peers"][0] = {"ae_title": "CT01", "verbs": [verb], "address": "ct01.example:104"}
    rights = {key: value for key, value in modality(declared, "CT01").items() if key.startswith("Allow")}
    assert {key for key, value in rights.items() if value} == {RIGHT_OF_VERB[verb]}
    assert set(rights) == set(RIGHT_OF_VERB.values())


def test_every_verb_has_a_right() -> None:
    """The table of rights knows each verb that a clinic can declare."""
    assert set(RIGHT_OF_VERB) == set(get_args(Verb))


def test_no_association_passes_unlooked_at(clinic: Clinic) -> None:
    """All six DicomAlwaysAllow options are false; one that is true would skip the check of every association."""
    allowed = {key: value for key, value in orthanc_configuration(clinic, "p").items() if key.startswith("DicomAlwaysAllow")}
    assert len(allowed) == 6
    assert not any(allowed.values())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("DicomCheckCalledAet", True),
        ("StrictAetComparison", True),
        ("AuthenticationEnabled", True),
        ("ExecuteLuaEnabled", False),
        ("RestApiWriteToFileSystemEnabled", False),
        ("OrthancExplorerEnabled", False),
        ("WebDavEnabled", False),
        ("HttpDescribeErrors", False),
        ("UnknownSopClassAccepted", False),
        ("MaximumStorageMode", "Reject"),
        ("SyncStorageArea", True),
        ("StorageAccessOnFind", "Never"),
        ("DicomModalitiesInDatabase", False),
        ("OrthancPeersInDatabase", False),
    ],
)
def test_what_protects_is_written_down(clinic: Clinic, option: str, value: object) -> None:
    """Each option that protects stands in the file, whatever Orthanc's default is."""
    assert orthanc_configuration(clinic, "p")[option] == value


def test_a_peer_without_address_cannot_be_called(declared: dict[str, Any]) -> None:
    """The archive is told a way only to peers that have an address, and the way is the gateway's listener for them."""
    assert modality(declared, "CT01")["Host"] == "nowhere.invalid"
    assert (modality(declared, "WS01")["Host"], modality(declared, "WS01")["Port"]) == ("gateway-inner", 11200)


def test_the_guard_is_told_who_may_move_where(declared: dict[str, Any]) -> None:
    """The destinations of C-MOVE stand in the section of the guard, empty for a peer without the verb."""
    assert peers_configuration(parse_clinic(declared))["SecurePacs"] == {"Moves": {"CT01": [], "WS01": ["WS01"]}}


def test_a_worker_for_each_association(declared: dict[str, Any]) -> None:
    """Orthanc has twice as many workers as the gateway lets associations through: idle ones, or those of before a reload, delay nobody."""
    declared["limits"] = {"associations": 33}
    assert orthanc_configuration(parse_clinic(declared), "p")["DicomThreadsCount"] == 66


def test_one_user_with_the_given_password(clinic: Clinic) -> None:
    """The archive knows one user, the gateway; without any it would make a well-known one."""
    content = json.loads(archive_files(clinic, "a-password")["orthanc.json"])
    assert content["RegisteredUsers"] == {"gateway": "a-password"}
    assert authorization("a-password") == "Basic Z2F0ZXdheTphLXBhc3N3b3Jk"


def test_a_peer_is_in_the_file_that_needs_no_restart(declared: dict[str, Any]) -> None:
    """Another peer changes peers.json and nothing else; a limit of the archive's changes orthanc.json and not peers.json."""
    before = archive_files(parse_clinic(declared), "p")
    assert set(before) == set(FILE_NAMES)
    more = {**declared, "peers": [*declared["peers"], {"ae_title": "US01", "verbs": ["echo"]}]}
    larger = {**declared, "limits": {"storage_mb": 1234}}
    for changed, file in ((more, "peers.json"), (larger, "orthanc.json")):
        after = archive_files(parse_clinic(changed), "p")
        assert {name for name in after if after[name] != before[name]} == {file}


def test_no_key_stands_in_two_files(clinic: Clinic) -> None:
    """Orthanc reads both files, and a key that stands in two of them stops it."""
    assert not set(orthanc_configuration(clinic, "p")) & set(peers_configuration(clinic))
