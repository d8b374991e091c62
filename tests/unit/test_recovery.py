"""What is made of a lost or damaged state: judged by pure functions, over states as Pulumi's file backend keeps them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from securepacs.errors import DeploymentError
from securepacs.state import checkpoints, recovery
from securepacs.state.checkpoints import Checkpoint, Opens, kept, parse, present, put_back, set_aside
from securepacs.state.recovery import Finding, Standing, State, Way, judge, way
from securepacs.state.workspace import Workspace

ARCHIVE = Standing("container", "a-archive", "c1", "pacs", "Up 2 hours")
PASSING = Standing("container", "a-archive-files-files-01", "c2", "pacs", "Created", passing=True)
NETWORK = Standing("network", "a-edge", "n1", "pacs", "bridge")
DATA = Standing("volume", "a-archive-data", "a-archive-data", "pacs", "made 2026-11-25")


def state(time: str, *ids: str, salt: str = "v1:salt") -> str:
    """Write a state that knows resources of the clinic beside Pulumi's own."""
    ours = [{"type": "securepacs:docker:Container", "custom": True, "id": one} for one in ids]
    others = [{"type": "pulumi:pulumi:Stack"}, {"type": "securepacs:index:SecurePacs", "custom": False}]
    latest = {"manifest": {"time": time}, "secrets_providers": {"state": {"salt": salt}}, "resources": [*others, *ours]}
    return json.dumps({"version": 3, "checkpoint": {"latest": latest}})


def checkpoint(time: str = "2026-11-25T10:00:00Z", *ids: str) -> Checkpoint:
    """Give such a state, read."""
    read = parse(Path("dev.json"), state(time, *ids))
    assert read is not None
    return read


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A stack's place whose backend keeps a present state, its predecessor and two of finished runs."""
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    made = Workspace("dev", tmp_path)
    backend = tmp_path / "backend" / ".pulumi"
    for name, content in {
        "stacks/securepacs/dev.json": state("2026-11-25T12:00:00Z", "c1"),
        "stacks/securepacs/dev.json.attrs": "{}",
        "stacks/securepacs/dev.json.bak": state("2026-11-25T11:00:00Z", "c1"),
        "stacks/securepacs/dev.json.bak.attrs": "{}",
        "stacks/securepacs/dev2.json": state("2026-11-25T13:00:00Z", "other"),
        "history/securepacs/dev/dev-17.checkpoint.json": state("2026-11-25T09:00:00Z", "c0"),
        "history/securepacs/dev/dev-17.history.json": "{}",
        "backups/securepacs/dev/dev.17.json": state("2026-11-25T09:00:00Z", "c0"),
        "backups/securepacs/dev/dev.16.json": state("2026-11-25T08:00:00Z")[:50],
    }.items():
        path = backend / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return made


def test_states_are_found_newest_first_and_once(place: Workspace) -> None:
    """The present state, its predecessor and those of finished runs; no other stack's, none that is cut short, none twice."""
    assert [one.time[11:13] for one in kept(place)] == ["12", "11", "09"]


def test_a_compressed_state_is_read(place: Workspace) -> None:
    """Pulumi compresses where it is told to, and such a state is one too."""
    folder = place.home / "backend" / ".pulumi" / "stacks" / "securepacs"
    (folder / "dev.json").unlink()
    (folder / "dev.json.gz").write_bytes(gzip.compress(state("2026-11-25T12:00:00Z", "c1").encode()))
    read = present(place)
    assert read is not None
    assert read.ids == {"c1"}
    (folder / "dev.json.gz").write_bytes(b"\x1f\x8b nothing")
    assert present(place) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"checkpoint": 1}', state("t", "c1")[:-20]])
def test_what_is_cut_short_is_no_state(text: str) -> None:
    """A text that is not a whole state is none, and no error."""
    assert parse(Path("dev.json"), text) is None


@pytest.mark.parametrize(
    ("found", "known", "has_file", "expected"),
    [
        ([], None, False, State.MISSING),
        ([ARCHIVE, DATA], None, False, State.MISSING),
        ([ARCHIVE], None, True, State.DAMAGED),
        ([ARCHIVE], [], True, State.FOREIGN),
        ([ARCHIVE], ["c9"], True, State.GOOD),
        ([DATA], [], True, State.GOOD),
        ([PASSING, NETWORK, DATA], [], True, State.GOOD),
    ],
)
def test_the_state_is_held_against_what_stands(found: list[Standing], known: list[str] | None, has_file: bool, expected: State) -> None:  # noqa: FBT001 - a column of the table
    """A clinic that is down is no lost one; a container that stands beside an empty state is."""
    read = None if known is None else checkpoint("2026-11-25T10:00:00Z", *known)
    assert judge(found, read, has_file=has_file) is expected


@pytest.mark.parametrize(
    ("finding", "new_authority", "expected"),
    [
        (Finding(State.GOOD, [], checkpoint()), False, Way.NOTHING),
        (Finding(State.GOOD, [], checkpoint()), True, Way.NOTHING),
        (Finding(State.MISSING, [ARCHIVE], checkpoint()), False, Way.RESTORE),
        (Finding(State.DAMAGED, [ARCHIVE], checkpoint()), True, Way.RESTORE),
        (Finding(State.MISSING, [ARCHIVE]), False, Way.BEGIN_ANEW),
        (Finding(State.GOOD, [ARCHIVE], sealed=True), True, Way.BEGIN_ANEW),
    ],
)
def test_keys_are_given_up_only_where_nothing_else_is_left(finding: Finding, new_authority: bool, expected: Way) -> None:  # noqa: FBT001 - a column of the table
    """A state that opens is put back whatever is asked for; new keys are for a clinic without one."""
    assert way(finding, new_authority=new_authority) is expected


def test_a_sealed_state_is_not_given_up_by_itself() -> None:
    """States of another passphrase end in one line and status 5, which says both ways out."""
    with pytest.raises(DeploymentError, match=r"passphrase is not the one.*put back.*recover --new-authority"):
        way(Finding(State.MISSING, [ARCHIVE], sealed=True), new_authority=False)


@pytest.mark.parametrize(
    ("verdicts", "state_then", "path", "sealed"),
    [
        ([Opens.YES], State.GOOD, "dev.json", False),
        ([Opens.NO, Opens.YES], State.DAMAGED, "dev.json.bak", False),
        ([Opens.SEALED, Opens.YES], State.GOOD, None, True),
        ([Opens.NO, Opens.NO, Opens.NO], State.DAMAGED, None, False),
    ],
)
def test_the_newest_state_that_opens_is_chosen(
    place: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    verdicts: list[Opens],
    state_then: State,
    path: str | None,
    sealed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """A present state that Pulumi cannot read gives way to an older one; one of another passphrase never does."""
    answers = iter(verdicts)
    monkeypatch.setattr(recovery, "opens", lambda *_: next(answers))
    finding = recovery._among_kept(place, [ARCHIVE], State.GOOD)
    assert (finding.state, finding.sealed) == (state_then, sealed)
    assert (finding.checkpoint.path.name if finding.checkpoint else None) == path


def test_what_is_replaced_is_set_aside(place: Workspace) -> None:
    """The old state and the old salt are kept in a folder of the owner's; the new ones are in their places, without the old sum."""
    (place.home / "passphrase").write_text("x")
    place.prepare({"config": {"a": 1}})
    place.take_salt("v1:old")
    (older,) = [one for one in kept(place) if one.time[11:13] == "09"]
    moved = set_aside(place, salt=False)
    put_back(place, older)
    assert [path.name for path in moved] == ["dev.json"]
    assert moved[0].parent.stat().st_mode & 0o777 == 0o700
    assert place.configuration() == {"encryptionsalt": "v1:salt", "config": {"a": 1}}
    put = present(place)
    assert put is not None
    assert put.text == older.text
    assert not (place.home / "backend/.pulumi/stacks/securepacs/dev.json.attrs").exists()


def test_what_is_secret_in_a_state_is_not_shown() -> None:
    """A state's text does not stand in its representation, which an error message could show."""
    assert "c1" not in repr(parse(Path("x"), state("t", "c1"))).replace("frozenset({'c1'})", "")
    assert checkpoints.MOST_TRIED <= 30
