from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provider.conftest import OWNER, UID, Maker
from provider.stub import UNKNOWN, Object, Provider, RefusedError, Secret
from securepacs.provider import files_volume

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
    """Content and salt are marked secret in inputs and state; the revision is not, and tells nothing."""
    assert isinstance(written.state["files"]["key.pem"]["content"], Secret)
    assert isinstance(written.inputs["files"]["key.pem"]["content"], Secret)
    assert isinstance(written.state["salt"], Secret)
    assert isinstance(written.state["revision"], str)


def test_equal_files_of_two_volumes_have_different_revisions(made: Maker, written: Object, image: str) -> None:
    """A revision is keyed by a salt of its own, so that equal contents cannot be guessed from it."""
    made(VOLUME, {**OWNER, "name": f"{NAME}-two"})
    other = made(FILES, wanted(image, volume=f"{NAME}-two"))
    assert other.output("revision") != written.output("revision")


def test_a_change_is_made_in_place_and_what_is_not_declared_is_removed(
    written: Object, provider: Provider, engine: docker.DockerClient, image: str
) -> None:
    """New content, a new file and a removed folder are one update with a new revision."""
    new = wanted(image, {"key.pem": {"content": Secret("three\n"), "mode": "0440"}, "new": {"content": Secret("")}})
    diff = provider.diff(written, new)
    assert diff.replaces == []
    assert diff.details == {
        'files["key.pem"].content': "UPDATE",
        'files["key.pem"].mode': "UPDATE",
        "files.new": "ADD",
        'files["sub/list.txt"]': "DELETE",
    }
    assert "revision" not in provider.update(written, new, preview=True).state
    updated = provider.update(written, new)
    assert updated.output("revision") != written.output("revision")
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
    """A plain diff, and one after a read, see every alteration; the update mends it and gives a new revision."""
    run(engine, image, tamper)
    diff = provider.diff(written)
    assert set(diff.details) == paths
    assert diff.replaces == []
    refreshed = provider.read(written)
    assert refreshed is not None
    assert provider.diff(Object(FILES, written.id, written.inputs, refreshed.state)).changes
    mended = provider.update(written)
    assert mended.output("revision") != written.output("revision")
    assert run(engine, image, LISTING).splitlines() == AS_DECLARED
    assert not provider.diff(mended).changes


def test_files_go_with_their_resource(made: Maker, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """Deleting removes every file from a volume that stays; twice, and without the volume, it succeeds."""
    kept = made(VOLUME, {**OWNER, "name": NAME})
    one = provider.create(FILES, wanted(image))
    provider.delete(one)
    assert run(engine, image, "find /v -mindepth 1") == ""
    provider.delete(one)
    provider.delete(kept)
    assert provider.read(one) is None
    assert provider.diff(one).details == {"revision": "UPDATE_REPLACE"}
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
    assert "revision" not in foreseen
    assert foreseen["volume"] == NAME
