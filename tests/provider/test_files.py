from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from provider.conftest import OWNER, UID, Maker
from provider.stub import UNKNOWN, Object, Provider, RefusedError, Secret
from securepacs.provider import files_volume, maker

if TYPE_CHECKING:
    import docker

FILES = "securepacs:docker:Files"
VOLUME = "securepacs:docker:Volume"
NAME = "sp-prov-files"
CONTENT = {"key.pem": {"content": Secret("one\n")}, "sub/list.txt": {"content": Secret("two\n"), "mode": "0440", "gid": 7}}


def wanted(image: str, files: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    """Give the inputs of files."""
    return {**OWNER, "volume": NAME, "image": image, "uid": UID, "gid": UID, "files": CONTENT if files is None else files, **more}


@pytest.fixture
def written(made: Maker, image: str) -> Object:
    """Give files in a volume."""
    made(VOLUME, {**OWNER, "name": NAME})
    return made(FILES, wanted(image))


def run(engine: docker.DockerClient, image: str, script: str) -> str:
    """Run a script as root with the volume at /v, writable."""
    output: bytes = engine.containers.run(
        image, ["sh", "-c", script], user="0:0", volumes={NAME: {"bind": "/v", "mode": "rw"}}, remove=True
    )
    return output.decode()


LISTING = "cd /v && find . -printf '%p %m %U:%G\\n' | sort; cat $(find . -type f | sort)"
AS_DECLARED = [f". 500 {UID}:{UID}", f"./key.pem 400 {UID}:{UID}", f"./sub 500 {UID}:{UID}", f"./sub/list.txt 440 {UID}:7", "one", "two"]


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"../x": {"content": "a"}}, 'files["../x"]'),
        ({"/x": {"content": "a"}}, 'files["/x"]'),
        ({"a//b": {"content": "a"}}, 'files["a//b"]'),
        ({"a/": {"content": "a"}}, 'files["a/"]'),
        ({".": {"content": "a"}}, 'files["."]'),
        ({"a": {"content": "a", "mode": "400"}}, "files.a.mode"),
        ({"a": {"content": "a", "mode": "04755"}}, "files.a.mode"),
        ({"a": {"content": 5}}, "files.a.content"),
        ({"a": {}}, "files.a.content"),
        ({"a": {"content": "a", "uid": -1}}, "files.a.uid"),
        ({"a": {"content": "a"}, "a/b": {"content": "a"}}, 'files["a"]'),
    ],
)
def test_bad_input_is_named(provider: Provider, files: dict[str, Any], path: str) -> None:
    """A path that leaves the volume, a mode or an owner that cannot be is a failure at its path."""
    assert list(provider.check(FILES, wanted("sha256:" + "0" * 64, files))[1]) == [path]


def test_modes_owners_and_contents_are_as_declared(written: Object, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """Files, folders and the volume's root have the declared owners and modes; the same inputs change nothing."""
    assert run(engine, image, LISTING).splitlines() == AS_DECLARED
    assert not provider.diff(written).changes
    found = provider.read(written)
    assert found is not None
    assert (found.state, found.inputs) == (written.state, written.inputs)


def test_contents_are_secret_in_the_state(written: Object) -> None:
    """Content is marked secret in inputs and state; the revisions are not, and tell nothing."""
    assert isinstance(written.state["files"]["key.pem"]["content"], Secret)
    assert isinstance(written.inputs["files"]["key.pem"]["content"], Secret)
    assert set(written.output("revisions")) == {"key.pem", "sub/list.txt"}
    assert all(isinstance(revision, str) for revision in written.output("revisions").values())


def test_equal_files_of_two_volumes_have_different_revisions(made: Maker, written: Object, image: str) -> None:
    """A revision is random, so that equal contents cannot be guessed from it."""
    made(VOLUME, {**OWNER, "name": f"{NAME}-two"})
    other = made(FILES, wanted(image, volume=f"{NAME}-two"))
    assert not set(other.output("revisions").values()) & set(written.output("revisions").values())


def test_a_change_is_made_in_place_and_what_is_not_declared_is_removed(
    written: Object, provider: Provider, engine: docker.DockerClient, image: str
) -> None:
    """New content, a new file and a removed folder are one update; each file that changed has a new revision."""
    new = wanted(image, {"key.pem": {"content": Secret("three\n"), "mode": "0440"}, "new": {"content": Secret("")}})
    diff = provider.diff(written, new)
    assert diff.replaces == []
    assert diff.details == {
        'files["key.pem"].content': "UPDATE",
        'files["key.pem"].mode': "UPDATE",
        "files.new": "ADD",
        'files["sub/list.txt"]': "DELETE",
    }
    assert set(provider.update(written, new, preview=True).state["revisions"].values()) == {UNKNOWN}
    updated = provider.update(written, new)
    assert set(updated.output("revisions")) == {"key.pem", "new"}
    assert updated.output("revisions")["key.pem"] != written.output("revisions")["key.pem"]
    expected = [f". 500 {UID}:{UID}", f"./key.pem 440 {UID}:{UID}", f"./new 400 {UID}:{UID}", "three"]
    assert run(engine, image, LISTING).splitlines() == expected
    assert not provider.diff(updated).changes


@pytest.mark.parametrize(
    ("tamper", "paths"),
    [
        ("echo evil > /v/key.pem", {'files["key.pem"].content'}),
        ("chmod 0644 /v/key.pem", {'files["key.pem"].mode'}),
        ("chown 0:0 /v/sub/list.txt", {'files["sub/list.txt"].uid', 'files["sub/list.txt"].gid'}),
        ("rm /v/key.pem", {'files["key.pem"]'}),
        ("echo evil > /v/sub/more", {'files["sub/more"]'}),
        ("mkdir /v/empty", {"files.empty"}),
        ("ln -s /etc/passwd /v/link", {"files.link"}),
        ("chmod 0777 /v", {"mode"}),
        ("chown 0 /v", {"uid"}),
    ],
)
def test_what_somebody_altered_is_seen_and_mended(
    written: Object, provider: Provider, engine: docker.DockerClient, image: str, tamper: str, paths: set[str]
) -> None:
    """A plain diff, and one after a read, see every alteration; the update mends it, and what was altered has a new revision."""
    run(engine, image, tamper)
    diff = provider.diff(written)
    assert set(diff.details) == paths
    assert diff.replaces == []
    refreshed = provider.read(written)
    assert refreshed is not None
    assert provider.diff(Object(FILES, written.id, written.inputs, refreshed.state)).changes
    mended = provider.update(written)
    before, after = written.output("revisions"), mended.output("revisions")
    assert {path for path in before if after[path] != before[path]} == {path for path in before if f'files["{path}"]' in str(paths)}
    assert run(engine, image, LISTING).splitlines() == AS_DECLARED
    assert not provider.diff(mended).changes


def test_a_revision_outlives_the_change_of_another_file(written: Object, provider: Provider) -> None:
    """Only the file that changed has a new revision, in the preview as in the update."""
    new = {**written.inputs, "files": {**written.inputs["files"], "key.pem": {"content": Secret("three\n"), "mode": "0400"}}}
    kept = written.output("revisions")["sub/list.txt"]
    assert provider.update(written, new, preview=True).state["revisions"] == {"key.pem": UNKNOWN, "sub/list.txt": kept}
    updated = provider.update(written, new)
    assert updated.output("revisions")["sub/list.txt"] == kept
    assert updated.output("revisions")["key.pem"] != written.output("revisions")["key.pem"]


def test_what_a_killed_run_wrote_still_counts_as_new(written: Object, provider: Provider) -> None:
    """A run that wrote and was killed before it was noted is run again: the file is right already, and its revision is new."""
    new = {**written.inputs, "files": {**written.inputs["files"], "key.pem": {"content": Secret("three\n"), "mode": "0400"}}}
    provider.update(written, new)
    again = provider.update(written, new)
    assert again.output("revisions")["key.pem"] != written.output("revisions")["key.pem"]


def test_a_state_of_an_earlier_version_is_brought_up(written: Object, provider: Provider) -> None:
    """Files whose state has no revisions yet are updated in place, once."""
    old = Object(FILES, written.id, written.inputs, {name: value for name, value in written.state.items() if name != "revisions"})
    assert provider.diff(old).details == {"revisions": "UPDATE"}
    assert set(provider.update(old).output("revisions")) == {"key.pem", "sub/list.txt"}


def test_files_go_with_their_resource(made: Maker, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """Deleting removes every file from a volume that stays; twice, and without the volume, it succeeds."""
    kept = made(VOLUME, {**OWNER, "name": NAME})
    one = provider.create(FILES, wanted(image))
    provider.delete(one)
    assert run(engine, image, "find /v -mindepth 1") == ""
    provider.delete(one)
    provider.delete(kept)
    assert provider.read(one) is None
    assert provider.diff(one).details == {"revisions": "UPDATE_REPLACE"}
    provider.delete(one)


def test_no_volume_no_files(provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """Files for a volume that does not exist are refused in one line, and no volume comes to be."""
    with pytest.raises(RefusedError, match=r"^files: volume sp-prov-files is not on the engine; run `securepacs up` again to make it$"):
        provider.create(FILES, wanted(image))
    assert not [volume for volume in engine.volumes.list() if volume.name == NAME]


def test_no_container_is_left(written: Object, engine: docker.DockerClient) -> None:
    """The containers through which a volume is reached are gone afterwards."""
    assert written.id == NAME
    assert [one.name for one in engine.containers.list(all=True, ignore_removed=True) if (one.name or "").startswith(f"{NAME}-")] == []


def test_a_left_over_of_a_killed_run_is_swept(
    written: Object, provider: Provider, engine: docker.DockerClient, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper container that a killed run left is removed by a later one; a young one may be in use and stays."""
    left = engine.containers.create(image, ["true"], name=f"{NAME}-files-left", labels={"securepacs.helper": NAME})
    provider.update(written)
    assert left.id in {one.id for one in engine.containers.list(all=True, ignore_removed=True)}
    monkeypatch.setattr(files_volume, "LEFT_SECONDS", 0)
    provider.update(written)
    assert left.id not in {one.id for one in engine.containers.list(all=True, ignore_removed=True)}


def test_a_preview_with_unknown_content_passes(provider: Provider) -> None:
    """A first preview knows neither image nor content: the check passes and no revision is made up."""
    foreseen = provider.preview_create(FILES, wanted(UNKNOWN, {"a": {"content": UNKNOWN}}))
    assert foreseen["revisions"] == {"a": UNKNOWN}
    assert foreseen["volume"] == NAME


def test_what_a_dead_run_left_is_removed_at_once(written: Object, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """A container of a run that was killed goes at the next look, however young; one whose run lives, or cannot be asked after, stays."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    place, _, started = maker.mark().rsplit("/", 2)
    marks = {"dead": f"{place}/{dead.pid}/{started}", "reborn": f"{maker.mark()}0", "alive": maker.mark(), "elsewhere": "boot/pid:[1]/1/1"}
    for name, mark in marks.items():
        engine.containers.create(image, ["/none"], name=f"{NAME}-{name}", labels={files_volume.HELPER: NAME, files_volume.MAKER: mark})
    provider.diff(written)
    left = engine.containers.list(all=True, filters={"label": f"{files_volume.HELPER}={NAME}"})
    for container in left:
        container.remove()
    assert {str(container.name) for container in left} == {f"{NAME}-alive", f"{NAME}-elsewhere"}
