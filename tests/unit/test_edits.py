"""What a command writes into a stack's configuration, and what it leaves as it is."""

from __future__ import annotations

import datetime
import difflib
from pathlib import Path

import pytest

from securepacs.commands import edits
from securepacs.errors import ConfigurationError, RefusedError

ROOT = Path(__file__).parents[2]
TODAY = datetime.date(2026, 11, 25)

FOUR_SPACES = """\
encryptionsalt: "v1:abc" # stays
config:
    securepacs:clinic: # the clinic
        name: 'clinic-b'
        archive: {ae_title: CLINICB}
        peers:
            - ae_title: CT01 # a scanner
              verbs: [echo, store]
"""


@pytest.fixture(params=["worked example", "four spaces"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A configuration file, in two manners of writing."""
    made = tmp_path / "Pulumi.dev.yaml"
    made.write_text(FOUR_SPACES if request.param == "four spaces" else (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    return made


def carry_out(path: Path, change: edits.Change) -> edits.Edit:
    """Make a change and write it."""
    edit = edits.edit(path, change)
    edit.write()
    return edit


def written(path: Path, change: edits.Change) -> list[str]:
    """Make a change and give the lines that came and went, in the manner of diff."""
    before = path.read_text().splitlines()
    carry_out(path, change)
    return [line for line in difflib.ndiff(before, path.read_text().splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (edits.count_rotation("server"), ["rotations:", "server: 1"]),
        (edits.count_rotation("peers", "CT01"), ["rotations:", "peers:", "CT01: 1"]),
        (edits.begin_authority, ["authority:", "generation: 2", "overlap: true"]),
        (
            edits.revoke("CT01", "a1", TODAY, "keyCompromise"),
            ["revoked:", "- serial: a1", "peer: CT01", "date: '2026-11-25'", "reason: keyCompromise"],
        ),
    ],
    ids=["server", "peer", "authority", "revocation"],
)
def test_a_change_adds_its_lines_and_touches_no_other(path: Path, change: edits.Change, lines: list[str]) -> None:
    """Comments, quotes, order and indentation stay; only what is declared anew comes in."""
    came = written(path, change)
    assert [line[1:].strip() for line in came] == lines
    assert all(line.startswith("+") for line in came)


def test_a_rotation_counts_up(path: Path) -> None:
    """Each rotation of the same thing is one more."""
    for count in (1, 2, 3):
        edit = carry_out(path, edits.count_rotation("peers", "CT01"))
        assert edit.clinic.rotations.peers == {"CT01": count}
        assert edit.wrote == f"rotations.peers.CT01: {count}"


def test_an_authority_is_followed_by_one_other_at_a_time(path: Path) -> None:
    """A second rotation waits for the first to be finished, and nothing is finished that was not begun; each refusal writes nothing."""
    for change in (edits.finish_authority, edits.begin_authority, edits.begin_authority, edits.finish_authority, edits.finish_authority):
        before = path.read_text()
        refused = (change is edits.finish_authority) != ("overlap: true" in before)
        if refused:
            with pytest.raises(RefusedError, match="rotate ca"):
                edits.edit(path, change)
            assert path.read_text() == before
        else:
            clinic = carry_out(path, change).clinic
            assert clinic.authority.overlap is (change is edits.begin_authority)
    assert clinic.authority.generation == 2


def test_a_certificate_is_revoked_once(path: Path) -> None:
    """The same revocation again, as after a run that was killed, writes nothing."""
    assert written(path, edits.revoke("CT01", "a1", TODAY, "superseded"))
    assert not written(path, edits.revoke("CT01", "a1", TODAY, "superseded"))


def test_what_cannot_be_is_not_written(path: Path) -> None:
    """A change that would make a clinic that cannot be is refused with its line, and the file stays."""
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"rotations\.peers: got 'NOBODY'"):
        edits.edit(path, edits.count_rotation("peers", "NOBODY"))
    assert path.read_bytes() == before


def test_the_files_mode_stays_and_nothing_is_left_beside_it(path: Path) -> None:
    """The file is put in place whole, with the mode that it had; a link to it stays a link."""
    path.chmod(0o640)
    link = path.with_name("link.yaml")
    link.symlink_to(path)
    carry_out(link, edits.count_rotation("login"))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert "login: 1" in path.read_text()
    assert sorted(one.name for one in path.parent.iterdir()) == ["Pulumi.dev.yaml", "link.yaml"]


def test_a_file_that_is_no_configuration_is_told(tmp_path: Path) -> None:
    """A missing file and one that is no YAML end in one line."""
    with pytest.raises(ConfigurationError, match="No such file"):
        edits.edit(tmp_path / "none.yaml", edits.begin_authority)
    broken = tmp_path / "broken.yaml"
    broken.write_text("config: [")
    with pytest.raises(ConfigurationError) as told:
        edits.edit(broken, edits.begin_authority)
    assert "\n" not in str(told.value)
