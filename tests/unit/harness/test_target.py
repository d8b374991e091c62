from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from securepacs_harness.errors import TargetError
from securepacs_harness.target import load_target, parse_target

SIGN_IN = {"path": "/login", "cookie": "__Host-s", "sign_out": "/logout", "check": "/me"}
SOUND: dict[str, Any] = {
    "version": 1,
    "name": "clinic-a",
    "dicom": {"host": "127.0.0.1", "port": 2762, "ae_title": "ARCHIVE", "server_name": "localhost", "tls": True},
    "ca": "-----BEGIN CERTIFICATE-----\n",
    "peers": {
        "CT01": {"verbs": ["echo", "store"]},
        "WS01": {"verbs": ["echo", "move"], "move_to": ["WS01"], "address": "172.31.250.1:11112"},
        "XR01": {"verbs": ["echo"], "plaintext": {"port": 12763, "until": "2027-01-01", "reason": "an old device"}},
    },
    "https": {
        "base_url": "https://localhost:8443",
        "server_name": "localhost",
        "users": {"vera": {"role": "viewer"}},
        "roles": {"viewer": [{"methods": ["GET", "HEAD"], "route": "^/dicom-web/studies$"}]},
    },
    "closed_ports": [4242, 8042],
    "floor": {"orthanc": "1.12.11"},
    "waivers": [{"what": "plaintext of XR01", "reason": "an old device", "owner": "it", "until": "2027-01-01"}],
    "inside": {"gateway": "docker://gateway"},
    "authorisation": {"by": "somebody", "until": "2027-01-01"},
    "budget": {"connections": 100, "seconds": 60},
}


def _changed(path: str, value: object) -> dict[str, Any]:
    target: dict[str, Any] = json.loads(json.dumps(SOUND))
    *steps, last = path.split(".")
    place = target
    for step in steps:
        place = place[step]
    place[last] = value
    return target


@pytest.mark.parametrize(("ending", "dump"), [(".toml", tomli_w.dumps), (".json", json.dumps)])
def test_a_target_is_read_from_either_form(tmp_path: Path, ending: str, dump: Any) -> None:  # noqa: ANN401 - two writers
    """TOML and JSON files with the same content give the same target."""
    path = tmp_path / f"target{ending}"
    path.write_text(dump(SOUND))
    target = load_target(path)
    assert target == parse_target(SOUND)
    assert target.peers["WS01"].move_to == ["WS01"]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("version", 2, "version: got '2'"),
        ("dicom.port", 0, "dicom.port: got '0'"),
        ("dicom.colour", "red", "dicom.colour: there is no such key"),
        ("key", "secret", "key: there is no such key"),
        ("peers.CT01.verbs", ["echo", "delete"], "peers.CT01.verbs.1: got 'delete'"),
        ("peers.WS01.address", "nowhere", "peers.WS01.address: got 'nowhere'"),
        ("peers.WS01.move_to", ["ZZ99"], "peers.WS01.move_to: got 'ZZ99'"),
        ("https.users.vera.role", "owner", "https.users.vera.role: got 'owner'"),
        ("https.roles.viewer", [{"methods": ["GET"], "route": "/studies"}], "https.roles.viewer.0.route: got '/studies'"),
        ("https.roles.viewer", [{"methods": ["GET"], "route": "^([$"}], "https.roles.viewer.0.route: got '^([$'"),
        ("https.base_url", "ftp://localhost", "https.base_url: got 'ftp://localhost'"),
        ("https.sign_in", {**SIGN_IN, "path": "login"}, "https.sign_in.path: got 'login'"),
        ("https.sign_in", {**SIGN_IN, "check": "/me you"}, "https.sign_in.check: got '/me you'"),
        ("https.sign_in", {**SIGN_IN, "cookie": ""}, "https.sign_in.cookie: got ''"),
        ("https.sign_in", {**SIGN_IN, "sign_out_method": "DELETE"}, "https.sign_in.sign_out_method: got 'DELETE'"),
        ("https.sign_in", {**SIGN_IN, "idle_minutes": 0}, "https.sign_in.idle_minutes: got '0'"),
        ("waivers", [{"what": "x", "reason": "y", "owner": "z", "until": "soon"}], "waivers.0.until: got 'soon'"),
        ("waivers", [{"what": "x", "reason": "y", "until": "2030-01-01"}], "waivers.0.owner: got nothing"),
        ("log", {"part": "printer"}, "log.part: got 'printer', allowed are the parts of inside"),
        ("expects", {"tls.versions": {"layers": []}}, "expects.tls.versions.layers: got '[]'"),
        ("ca", " ", "ca: got nothing"),
        ("budget.connections", 0, "budget.connections: got '0'"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_path(path: str, value: object, told: str) -> None:
    """Each mistake in a target is one line that begins with the dotted path and what was got."""
    with pytest.raises(TargetError) as error:
        parse_target(_changed(path, value))
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_a_missing_part_is_named() -> None:
    """A target without its DICOM listener says that it is required."""
    target = {key: value for key, value in SOUND.items() if key != "dicom"}
    with pytest.raises(TargetError, match=r"^dicom: got nothing; it is required$"):
        parse_target(target)


@pytest.mark.parametrize(
    ("name", "text", "told"), [("t.yaml", "", "got the ending '.yaml'"), ("t.toml", "version =", "not well-formed TOML")]
)
def test_a_file_that_is_no_target_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    """Another ending or a broken file is refused with the file's name."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TargetError, match=told):
        load_target(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file gives one line, no traceback of another kind."""
    with pytest.raises(TargetError, match="cannot be read"):
        load_target(tmp_path / "none.json")


def test_rights_are_matched_whole_and_by_method() -> None:
    """A rule allows its own methods on paths that match from end to end, and nothing else."""
    https = parse_target(SOUND).https
    assert https is not None
    assert https.allows("viewer", "GET", "/dicom-web/studies")
    assert not https.allows("viewer", "POST", "/dicom-web/studies")
    assert not https.allows("viewer", "GET", "/dicom-web/studies/1")
    assert not https.allows("viewer", "GET", "/dicom-web/studies\n")
    assert not https.allows("nobody", "GET", "/dicom-web/studies")
