from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from provider.conftest import BASE, OWNER, Maker
from provider.stub import UNKNOWN, Provider, RefusedError, Secret
from securepacs.provider.image import pack

if TYPE_CHECKING:
    from pathlib import Path

    import docker

IMAGE = "securepacs:docker:Image"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder that builds at once."""
    made = tmp_path / "context"
    made.mkdir()
    (made / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY text /text\n")
    (made / "text").write_text("one\n")
    return made


def wanted(folder: Path, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    """Give the inputs of an image."""
    return {**OWNER, "name": "sp-prov-made", "context": str(folder), "baseImage": BASE, **more}


@pytest.mark.parametrize(
    ("more", "path", "told"),
    [
        ({"name": "Upper"}, "name", "lower-case"),
        ({"context": "/nowhere"}, "context", "a folder with a Dockerfile"),
        ({"baseImage": "sp-prov-no-such-base:1"}, "baseImage", "run `make bootstrap`"),
        ({"images": {"FURTHER": "sp-prov-no-such-image:1"}}, "images.FURTHER", "run `make bootstrap`"),
        ({"buildArgs": {"API_TOKEN": "x"}}, "buildArgs.API_TOKEN", "looks like a secret"),
        ({"buildArgs": Secret({"A": "x"})}, "buildArgs", "is a secret"),
        ({"contextHash": "0"}, "contextHash", "is not a property here"),
    ],
)
def test_bad_input_is_named(provider: Provider, folder: Path, more: dict[str, Any], path: str, told: str) -> None:
    """A name, folder, base or argument that cannot be is a failure that says what to do."""
    failures = provider.check(IMAGE, wanted(folder, **more))[1]
    assert list(failures) == [path]
    assert told in failures[path]


def test_an_image_is_tagged_by_its_content(made: Maker, provider: Provider, engine: docker.DockerClient, folder: Path) -> None:
    """The tag is the content's hash, labels say whose it is, and building again from the same gives the same."""
    one = made(IMAGE, wanted(folder))
    shown = engine.images.get(one.output("reference"))
    assert one.output("reference") == f"sp-prov-made:{one.output('contextHash')[:12]}"
    assert shown.id == one.output("imageId")
    assert shown.labels["securepacs.image.stack"] == OWNER["stack"]
    assert not provider.diff(one).changes
    assert made(IMAGE, wanted(folder)).output("imageId") == one.output("imageId")


def test_only_content_counts(provider: Provider, folder: Path, tmp_path: Path) -> None:
    """The folder's place, times and caches change nothing; a byte, a bit or an argument does."""
    first = provider.checked(IMAGE, wanted(folder))["contextHash"]
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    os.utime(moved / "text", (1, 1))
    (moved / "__pycache__").mkdir()
    (moved / "__pycache__" / "x.pyc").write_bytes(b"\0")
    assert provider.checked(IMAGE, wanted(moved))["contextHash"] == first
    assert provider.checked(IMAGE, wanted(moved, buildArgs={"A": "1"}))["contextHash"] != first
    (moved / "text").chmod(0o755)
    executable = provider.checked(IMAGE, wanted(moved))["contextHash"]
    (moved / "text").write_text("two\n")
    assert len({first, executable, provider.checked(IMAGE, wanted(moved))["contextHash"]}) == 3


def test_a_context_is_packed_the_same_each_time(folder: Path) -> None:
    """Two archives of one folder are the same bytes."""
    assert pack(folder) == pack(folder)


def test_new_content_is_a_new_image_made_before_the_old_goes(made: Maker, provider: Provider, folder: Path) -> None:
    """A change of content replaces, and the new image stands beside the old one."""
    one = made(IMAGE, wanted(folder))
    (folder / "text").write_text("two\n")
    diff = provider.diff(one, wanted(folder))
    assert (diff.details, diff.replaces, diff.delete_before_replace) == ({"contextHash": "UPDATE_REPLACE"}, ["contextHash"], False)
    two = made(IMAGE, wanted(folder))
    assert two.output("imageId") != one.output("imageId")


def test_a_further_image_is_a_stage_by_its_argument(provider: Provider, engine: docker.DockerClient, folder: Path) -> None:
    """The Dockerfile takes a file of another image on the engine; that image by its content is part of what the tag stands for."""
    stages = "ARG BASE\nARG FURTHER\nFROM ${FURTHER} AS further\nFROM ${BASE}\nCOPY --from=further /text /taken\n"
    (folder / "Dockerfile").write_text(stages)
    other = folder.with_name("other")
    other.mkdir()
    tags = []
    for content in ("one", "two"):
        (other / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo {content} > /text\n")
        engine.images.build(path=str(other), tag="sp-prov-further:1", rm=True)
        made = provider.create(IMAGE, wanted(folder, images={"FURTHER": "sp-prov-further:1"}))
        shown = engine.containers.run(made.output("imageId"), ["cat", "/taken"], remove=True)
        assert shown == f"{content}\n".encode()
        tags.append(made.output("reference"))
        provider.delete(made)
        engine.images.remove("sp-prov-further:1")
    assert len(set(tags)) == 2


def test_a_preview_foresees_the_tag_and_not_the_id(provider: Provider, folder: Path) -> None:
    """The tag follows from the content; the id is unknown until the image is built, and an unknown base makes both unknown."""
    foreseen = provider.preview_create(IMAGE, wanted(folder))
    assert foreseen["reference"].startswith("sp-prov-made:")
    assert "imageId" not in foreseen
    blind = provider.preview_create(IMAGE, wanted(folder, baseImage=UNKNOWN))
    assert "reference" not in blind
    assert blind["contextHash"] == UNKNOWN


def test_a_failed_build_shows_the_end_of_its_output(provider: Provider, engine: docker.DockerClient, folder: Path) -> None:
    """The error holds the build's last lines and the failing step; no image and no container is left."""
    (folder / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo the-reason-why && exit 7\n")
    with pytest.raises(
        RefusedError, match=r"(?s)^image sp-prov-made:\w{12}: the build failed: .*returned a non-zero code: 7\n.*the-reason-why"
    ):
        provider.create(IMAGE, wanted(folder))
    assert engine.images.list("sp-prov-made") == []
    assert [one for one in engine.api.containers(all=True) if "the-reason-why" in one["Command"]] == []


def test_an_image_that_was_removed_is_built_again(made: Maker, provider: Provider, engine: docker.DockerClient, folder: Path) -> None:
    """Gone is gone for read; diff sees it, and the update builds it again in place."""
    one = made(IMAGE, wanted(folder))
    engine.images.remove(one.output("reference"), force=True)
    assert provider.read(one) is None
    diff = provider.diff(one)
    assert (diff.details, diff.replaces) == ({"imageId": "UPDATE"}, [])
    again = provider.update(one)
    assert engine.images.get(one.output("reference")).id == again.output("imageId")
    assert not provider.diff(again).changes


def test_a_tag_that_was_moved_is_given_back(made: Maker, provider: Provider, engine: docker.DockerClient, folder: Path) -> None:
    """Where somebody gave an image's tag to another image, the update gives it back without a build."""
    one = made(IMAGE, wanted(folder))
    engine.images.get(one.output("imageId")).tag("sp-prov-made", "kept")
    engine.images.get(BASE).tag(one.output("reference"))
    assert provider.diff(one).details == {"imageId": "UPDATE"}
    again = provider.update(one)
    engine.images.remove("sp-prov-made:kept")
    assert again.output("imageId") == one.output("imageId") == engine.images.get(one.output("reference")).id
    assert not provider.diff(again).changes


def test_an_image_in_use_is_left_and_its_deletion_succeeds(provider: Provider, engine: docker.DockerClient, folder: Path) -> None:
    """What a container runs stays; without the container the tag goes; deleting what is gone succeeds."""
    one = provider.create(IMAGE, wanted(folder))
    user = engine.containers.run(one.output("reference"), ["sleep", "60"], name="sp-prov-user", detach=True)
    provider.delete(one)
    assert engine.images.get(one.output("reference"))
    user.remove(force=True)
    provider.delete(one)
    provider.delete(one)
    assert provider.read(one) is None


def test_a_tag_of_somebody_else_is_left_alone(provider: Provider, engine: docker.DockerClient, folder: Path) -> None:
    """An image of the same tag without our labels is refused in one line."""
    reference = f"sp-prov-made:{provider.checked(IMAGE, wanted(folder))['contextHash'][:12]}"
    engine.images.get(BASE).tag(reference)
    with pytest.raises(RefusedError, match=r"^image sp-prov-made:\w+ exists already and is not made by securepacs for this stack; .*$"):
        provider.create(IMAGE, wanted(folder))
    engine.images.remove(reference)
