"""One container for another: the old one comes back where the new one does not work, and a killed run leaves no puzzle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provider.stub import Object, Provider, RefusedError
from provider.test_containers import HEALTH, NAME, box, inside, inspect, place, wanted

if TYPE_CHECKING:
    import docker

__all__ = ["box", "place"]  # fixtures

ASIDE = f"{NAME}-previous"


def standing(engine: docker.DockerClient) -> dict[str, str]:
    """Give the containers of this box: name to id."""
    return {str(one.name): str(one.id) for one in engine.containers.list(all=True, ignore_removed=True) if str(one.name).startswith(NAME)}


def test_a_new_container_takes_the_place_of_the_old_one(box: Object, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """What is declared anew is in a new container of the same name, and the old one is gone."""
    swapped = provider.update(box, wanted(image, environment={"A": "1"}))
    assert standing(engine) == {NAME: swapped.output("containerId")}
    assert swapped.output("containerId") != box.output("containerId")
    assert inside(engine, "echo $A") == "1\n"
    assert not provider.diff(swapped).changes


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"command": ["sh", "-c", "echo the-reason-why; exit 3"]}, "ended with status 3; the end of its log:\n  the-reason-why"),
        ({"healthcheck": {**HEALTH, "test": ["sh", "-c", "echo not well; exit 1"]}}, "is unhealthy (last check: 'not well')"),
        ({"command": ["/no/such/program"]}, "No such file or directory"),
        ({"networks": [{"name": "sp-prov-none"}]}, "sp-prov-none"),
        ({"ports": [{"hostIp": "192.0.2.1", "hostPort": 12765, "containerPort": 1}]}, "192.0.2.1:12765 is no address of this host"),
    ],
    ids=["ends", "unhealthy", "no program", "no network", "no address"],
)
def test_the_old_container_comes_back(
    box: Object, provider: Provider, engine: docker.DockerClient, image: str, more: dict[str, Any], reason: str
) -> None:
    """Where the new container does not work the old one serves again, the error says both, and the next run changes nothing."""
    with pytest.raises(RefusedError) as refused:
        provider.update(box, wanted(image, **more))
    told = str(refused.value)
    assert told.startswith("container sp-prov-box: the new one did not work, so that the old one was put back and serves again; ")
    assert reason in told
    assert "Traceback" not in told
    assert standing(engine) == {NAME: box.output("containerId")}
    assert inspect(engine)["State"]["Health"]["Status"] == "healthy"
    assert not provider.diff(box).changes


def _half_way(engine: docker.DockerClient, image: str, *, made: bool) -> None:
    """Leave what a run leaves that is killed within a swap: the old one aside, and perhaps the new one half made."""
    old = engine.containers.get(NAME)
    old.stop(timeout=0)
    old.rename(ASIDE)
    if made:
        engine.containers.create(image, ["true"], name=NAME, labels={"securepacs.stack": "sp-prov-test", "securepacs.component": "tests"})


@pytest.mark.parametrize("half", [False, True], ids=["before the new one", "with the new one"])
def test_a_killed_swap_is_finished_by_the_next_run(
    box: Object, provider: Provider, engine: docker.DockerClient, image: str, *, half: bool
) -> None:
    """After a kill within a swap the same update ends with one healthy container under the right name."""
    _half_way(engine, image, made=half)
    swapped = provider.update(box, wanted(image, environment={"A": "1"}))
    assert standing(engine) == {NAME: swapped.output("containerId")}
    assert inspect(engine)["State"]["Health"]["Status"] == "healthy"


@pytest.mark.parametrize("half", [False, True], ids=["before the new one", "with the new one"])
def test_a_killed_swap_that_is_not_wanted_any_more_is_undone(
    box: Object, provider: Provider, engine: docker.DockerClient, image: str, *, half: bool
) -> None:
    """After a kill within a swap the old declaration brings the old container back under its name."""
    _half_way(engine, image, made=half)
    assert set(provider.diff(box).details) == {"name", "health"}
    mended = provider.update(box)
    assert standing(engine) == {NAME: box.output("containerId")}
    assert not provider.diff(mended).changes


def test_a_killed_swap_is_cleared_by_a_deletion(box: Object, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """Deleting removes the old container and the half-made new one."""
    _half_way(engine, image, made=True)
    provider.delete(box)
    assert standing(engine) == {}


def test_a_foreign_container_under_the_other_name_is_left_alone(
    box: Object, provider: Provider, engine: docker.DockerClient, image: str
) -> None:
    """A container that somebody else named so is refused in one line, before the old one is stopped."""
    foreign = engine.containers.create(image, ["true"], name=ASIDE)
    try:
        with pytest.raises(RefusedError, match=r"^container sp-prov-box-previous exists already and is not made by securepacs; .*$"):
            provider.update(box, wanted(image, environment={"A": "1"}))
        assert inspect(engine)["State"]["Running"]
    finally:
        foreign.remove()
