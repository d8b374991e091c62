from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provider.conftest import OWNER, Maker
from provider.stub import Object, Provider, RefusedError, Secret

if TYPE_CHECKING:
    import docker

NETWORK = "securepacs:docker:Network"
VOLUME = "securepacs:docker:Volume"


def network(name: str = "sp-prov-net", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    """Give the inputs of a network."""
    return {**OWNER, "name": name, **more}


def volume(name: str = "sp-prov-volume", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    """Give the inputs of a volume."""
    return {**OWNER, "name": name, **more}


@pytest.mark.parametrize(
    ("kind", "more", "path"),
    [
        (NETWORK, {"name": "a b"}, "name"),
        (NETWORK, {"subnet": "10.231.241.1/24"}, "subnet"),
        (NETWORK, {"subnet": "2001:db8::/64"}, "subnet"),
        (NETWORK, {"internal": "yes"}, "internal"),
        (NETWORK, {"stack": ""}, "stack"),
        (NETWORK, {"ipv6": True}, "ipv6"),
        (NETWORK, {"name": Secret("sp-prov-secret")}, "name"),
        (VOLUME, {"name": "../x"}, "name"),
        (VOLUME, {"protectData": 1}, "protectData"),
        (VOLUME, {"component": None}, "component"),
    ],
)
def test_bad_input_is_named(provider: Provider, kind: str, more: dict[str, Any], path: str) -> None:
    """A property that cannot be is a failure at its path; a secret has no place in a name."""
    assert list(provider.check(kind, network() | more)[1]) == [path]


def test_a_network_is_internal_labelled_and_without_ipv6(made: Maker, provider: Provider, engine: docker.DockerClient) -> None:
    """What the engine shows is what was declared, and the same inputs change nothing."""
    one = made(NETWORK, network(internal=True, subnet="10.231.241.0/24"))
    shown = engine.networks.get(one.id).attrs
    assert (shown["Internal"], shown["EnableIPv6"]) == (True, False)
    assert shown["IPAM"]["Config"] == [{"Subnet": "10.231.241.0/24", "Gateway": "10.231.241.1"}]
    assert shown["Labels"]["securepacs.stack"] == OWNER["stack"]
    assert set(shown["Labels"]) == {"securepacs.stack", "securepacs.component", "securepacs.spec"}
    assert (one.output("subnet"), one.output("gateway")) == ("10.231.241.0/24", "10.231.241.1")
    assert not provider.diff(one).changes


def test_an_internal_network_that_leads_to_the_host_is_replaced(made: Maker, provider: Provider, engine: docker.DockerClient) -> None:
    """The engine's own kind of internal network lets a container reach every service of the host: such a one is not taken for ours."""
    one = made(NETWORK, network(internal=True))
    assert engine.networks.get(one.id).attrs["Options"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
    lax = engine.networks.create("sp-prov-lax", internal=True)
    diff = provider.diff(Object(NETWORK, str(lax.id), one.inputs, one.state))
    assert diff.details["internal"] == "UPDATE_REPLACE"
    lax.remove()


def test_a_subnet_that_the_engine_chose_is_no_difference(made: Maker, provider: Provider) -> None:
    """Without a subnet the engine's is told as output; neither diff nor read makes an input of it."""
    one = made(NETWORK, network())
    assert one.output("subnet")
    assert not provider.diff(one).changes
    found = provider.read(one)
    assert found is not None
    assert (found.inputs, found.state) == (one.inputs, one.state)


@pytest.mark.parametrize(
    ("more", "details"),
    [
        ({"internal": True}, {"internal": "UPDATE_REPLACE"}),
        ({"subnet": "10.231.242.0/24"}, {"subnet": "UPDATE_REPLACE"}),
        ({"name": "sp-prov-other"}, {"name": "UPDATE_REPLACE"}),
        ({"stack": "another"}, {"stack": "UPDATE_REPLACE"}),
    ],
)
def test_every_change_of_a_network_replaces_it(made: Maker, provider: Provider, more: dict[str, Any], details: dict[str, str]) -> None:
    """The engine alters no network, so the old one goes before the new one comes."""
    diff = provider.diff(made(NETWORK, network()), network(**more))
    assert (diff.details, diff.replaces, diff.delete_before_replace) == (details, list(details), True)


def test_a_network_that_was_removed_by_hand_is_made_again(made: Maker, provider: Provider, engine: docker.DockerClient) -> None:
    """Gone is gone for read, a replacement for diff, and a success for delete, twice."""
    one = made(NETWORK, network())
    engine.networks.get(one.id).remove()
    assert provider.read(one) is None
    assert provider.diff(one).details == {"networkId": "UPDATE_REPLACE"}
    provider.delete(one)
    provider.delete(one)


def test_a_network_that_is_not_ours_is_left_alone(provider: Provider, engine: docker.DockerClient) -> None:
    """A network of the same name without our labels, or of another stack, is refused in one line and stays."""
    foreign = engine.networks.create("sp-prov-foreign")
    theirs = engine.networks.create("sp-prov-theirs", labels={"securepacs.stack": "them", "securepacs.component": "tests"})
    with pytest.raises(
        RefusedError, match=r"^network sp-prov-foreign exists already and is not made by securepacs; choose another name.*$"
    ):
        provider.create(NETWORK, network("sp-prov-foreign"))
    with pytest.raises(RefusedError, match=r"^network sp-prov-theirs exists already and is of stack them; .*$"):
        provider.create(NETWORK, network("sp-prov-theirs"))
    assert {foreign.id, theirs.id} <= {one.id for one in engine.networks.list()}
    foreign.remove()
    theirs.remove()


def test_a_network_that_a_killed_run_left_is_made_afresh(made: Maker, engine: docker.DockerClient) -> None:
    """One of the same name with our labels does not stand in the way."""
    left = engine.networks.create("sp-prov-net", labels={f"securepacs.{name}": value for name, value in OWNER.items()})
    one = made(NETWORK, network())
    assert one.id != left.id


def test_a_subnet_in_use_is_told_in_one_line(made: Maker, provider: Provider, engine: docker.DockerClient) -> None:
    """An overlapping subnet names the subnet and what to do, and leaves nothing behind."""
    made(NETWORK, network(subnet="10.231.243.0/24"))
    with pytest.raises(RefusedError, match=r"^network sp-prov-two: subnet 10.231.243.0/25 is in use on this host; choose another one"):
        provider.create(NETWORK, network("sp-prov-two", subnet="10.231.243.0/25"))
    assert engine.networks.list(names=["sp-prov-two"]) == []


def test_a_network_in_use_says_by_whom(made: Maker, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """Deleting a network that a foreign container uses names that container."""
    one = made(NETWORK, network())
    user = engine.containers.run(image, ["sleep", "60"], name="sp-prov-user", network="sp-prov-net", detach=True)
    with pytest.raises(RefusedError, match=r"^network sp-prov-net: is still used by sp-prov-user; .*$"):
        provider.delete(one)
    user.remove(force=True)


def test_a_volume_of_ours_is_adopted_with_its_data(made: Maker, provider: Provider, engine: docker.DockerClient) -> None:
    """A volume with the same labels keeps its creation time: it was adopted, not made anew."""
    one = provider.create(VOLUME, volume(protectData=True))
    before = engine.volumes.get("sp-prov-volume").attrs["CreatedAt"]
    provider.delete(one)
    assert engine.volumes.get("sp-prov-volume").attrs["CreatedAt"] == before
    again = made(VOLUME, volume())
    assert again.output("mountpoint") == one.output("mountpoint")
    assert not provider.diff(again).changes


def test_a_volume_that_is_not_ours_is_left_alone(provider: Provider, engine: docker.DockerClient) -> None:
    """A volume without our labels is refused in one line, and is still there."""
    foreign = engine.volumes.create("sp-prov-foreign")
    with pytest.raises(RefusedError, match=r"^volume sp-prov-foreign exists already and is not made by securepacs; .*$"):
        provider.create(VOLUME, volume("sp-prov-foreign"))
    engine.volumes.get("sp-prov-foreign")
    foreign.remove()


def test_an_unprotected_volume_is_removed_and_made_again(made: Maker, provider: Provider, engine: docker.DockerClient) -> None:
    """Without protection gone is gone for read and a replacement for diff; deleting twice succeeds."""
    one = made(VOLUME, volume())
    provider.delete(one)
    assert [found.name for found in engine.volumes.list() if found.name == "sp-prov-volume"] == []
    assert provider.read(one) is None
    assert provider.diff(one).details == {"mountpoint": "UPDATE_REPLACE"}
    provider.delete(one)


def test_lost_data_are_told_and_never_replaced_by_an_empty_volume(provider: Provider, engine: docker.DockerClient) -> None:
    """A protected volume that vanished stops the run in one line, and a refresh does not forget it."""
    one = provider.create(VOLUME, volume("sp-prov-data", protectData=True))
    engine.volumes.get("sp-prov-data").remove()
    with pytest.raises(RefusedError, match=r"^data volume sp-prov-data: is gone from the engine; restore it from a backup.*$"):
        provider.diff(one)
    kept = provider.read(one)
    assert kept is not None
    with pytest.raises(RefusedError, match=r"^data volume sp-prov-data: is gone"):
        provider.diff(kept)


def test_an_empty_volume_that_took_the_place_of_data_is_told(provider: Provider, engine: docker.DockerClient) -> None:
    """The engine makes a volume that a container asks for: it is not taken for the data."""
    one = provider.create(VOLUME, volume("sp-prov-data", protectData=True))
    engine.volumes.get("sp-prov-data").remove()
    impostor = engine.volumes.create("sp-prov-data")
    with pytest.raises(RefusedError, match=r"^data volume sp-prov-data: was replaced on the engine by another volume of its name; .*$"):
        provider.diff(one)
    impostor.remove()


def test_what_a_killed_run_left_does_not_stand_in_the_way_of_deletion(provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """A container of ours that the state does not know goes with the network and volume that it uses."""
    labels = {f"securepacs.{name}": value for name, value in OWNER.items()}
    kept = [provider.create(NETWORK, network()), provider.create(VOLUME, volume())]
    uses = {"sp-prov-one": {"sp-prov-volume": {"bind": "/v", "mode": "rw"}}, "sp-prov-two": {}}
    for name, volumes in uses.items():
        engine.containers.run(image, ["sleep", "60"], name=name, network="sp-prov-net", volumes=volumes, labels=labels, detach=True)
        provider.delete(kept.pop())
    assert not {"sp-prov-one", "sp-prov-two"} & {one.name for one in engine.containers.list(all=True, ignore_removed=True)}


def test_a_volume_in_use_says_by_whom(made: Maker, provider: Provider, engine: docker.DockerClient, image: str) -> None:
    """Deleting a volume that a foreign container uses names that container."""
    one = made(VOLUME, volume())
    user = engine.containers.create(image, ["true"], name="sp-prov-user", volumes={"sp-prov-volume": {"bind": "/v", "mode": "rw"}})
    with pytest.raises(RefusedError, match=r"^volume sp-prov-volume: is still used by sp-prov-user; .*$"):
        provider.delete(one)
    user.remove()


def test_a_lost_state_does_not_stand_in_the_way(made: Maker, engine: docker.DockerClient, image: str) -> None:
    """A network of ours with a container of ours on it, both unknown to the state, is made afresh."""
    labels = {f"securepacs.{name}": value for name, value in OWNER.items()}
    left = engine.networks.create("sp-prov-net", labels=labels)
    engine.containers.run(image, ["sleep", "60"], name="sp-prov-left", network="sp-prov-net", labels=labels, detach=True)
    assert made(NETWORK, network()).id != left.id
    assert "sp-prov-left" not in {one.name for one in engine.containers.list(all=True, ignore_removed=True)}


def test_protection_is_changed_in_place(made: Maker, provider: Provider) -> None:
    """Turning the protection on or off replaces nothing."""
    one: Object = made(VOLUME, volume())
    diff = provider.diff(one, volume(protectData=True))
    assert (diff.details, diff.replaces) == ({"protectData": "UPDATE"}, [])
    updated = provider.update(one, volume(protectData=True))
    assert updated.state["protectData"] is True
    assert not provider.diff(updated).changes
