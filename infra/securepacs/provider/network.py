"""securepacs:docker:Network."""

from __future__ import annotations

import ipaddress
from typing import Any

import docker
from docker.errors import APIError, NotFound

from securepacs.errors import DeploymentError
from securepacs.provider import engine
from securepacs.provider.docker_fields import OWNER
from securepacs.provider.fields import FLAG, TEXT, Change, Field, Kind, Values
from securepacs.provider.resource import Created, Found, Resource
from securepacs.provider.validators import ipv4_subnet, object_name

#: An internal network of the engine still has the host's address on its bridge, and so a way to each service of the host.
_NO_WAY_TO_THE_HOST = {"com.docker.network.bridge.inhibit_ipv4": "true"}


class Network(Resource):
    """A bridge network. The engine changes nothing of a network in place, so that every change replaces it."""

    pulumi_type = "securepacs:docker:Network"
    description = "A bridge network without IPv6; an internal one has no route out."
    delete_before_replace = True
    refuses_secrets = True
    inputs = (
        *OWNER,
        Field("name", TEXT, "Name of the network.", required=True, replace=True, validator=object_name),
        Field("internal", FLAG, "Without a route out.", replace=True, default=False),
        Field("subnet", TEXT, "IPv4 network (CIDR); absent: the engine chooses.", replace=True, chosen=True, validator=ipv4_subnet),
    )
    outputs = (
        Field("networkId", TEXT, "Id of the network."),
        Field("gateway", TEXT, "The host's address on the network."),
    )

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find a network that is gone or was altered."""
        del inputs
        observed = _observe(engine.connect(), resource_id)
        if observed is None:
            return [Change("networkId", Kind.UPDATE, replace=True, declared=False)]
        differing = [name for name, value in observed.items() if state.get(name) != value]
        return [Change(name, Kind.UPDATE, replace=True, declared=False) for name in differing]

    def create(self, inputs: Values) -> Created:
        """Make the network; one of ours that a killed run left is removed first."""
        client, name = engine.connect(), inputs["name"]
        with engine.telling(f"network {name}"):
            self._clear(client, inputs)
            pool = [docker.types.IPAMPool(subnet=inputs["subnet"], gateway=_first(inputs["subnet"]))] if "subnet" in inputs else []
            try:
                made = client.create_network(
                    name,
                    driver="bridge",
                    ipam=docker.types.IPAMConfig(driver="default", pool_configs=pool),
                    check_duplicate=True,
                    internal=inputs["internal"],
                    options=_NO_WAY_TO_THE_HOST if inputs["internal"] else None,
                    enable_ipv6=False,
                    labels=engine.labels(inputs, inputs),
                )
            except APIError as refused:
                if "overlaps" in engine.explain(refused):
                    subnet = inputs.get("subnet", "a free one")
                    do = "choose another one, best of 10.0.0.0/8: the engine gives others 172.17.0.0 to 172.31.255.255 and 192.168.0.0/16"
                    raise DeploymentError(f"network {name}: subnet {subnet} is in use on this host", do=do) from None
                raise
        observed = _observe(client, made["Id"])
        if observed is None:
            raise DeploymentError(f"network {name}: was removed by somebody while it was made", do="run the command again")
        return Created(made["Id"], {**observed, "networkId": made["Id"]})

    @staticmethod
    def _clear(client: docker.APIClient, inputs: Values) -> None:
        name = inputs["name"]
        for found in client.networks(names=[name]):
            if found["Name"] == name:  # the engine's filter matches parts of names
                engine.hold_ours(f"network {name}", found.get("Labels"), inputs)
                _remove(client, found["Id"], inputs)

    def read(self, resource_id: str, state: Values, inputs: Values) -> Found | None:
        """Give the network as the engine has it."""
        del state, inputs
        with engine.telling(f"network {resource_id[:12]}"):
            observed = _observe(engine.connect(), resource_id)
        # A subnet that the engine chose is no input: only outputs may differ then.
        return None if observed is None else Found(observed)

    def delete(self, resource_id: str, state: Values) -> None:
        """Remove the network."""
        with engine.telling(f"network {state['name']}"):
            _remove(engine.connect(), resource_id, state)


def _first(subnet: str) -> str:
    return str(next(ipaddress.IPv4Network(subnet).hosts()))


def _remove(client: docker.APIClient, network_id: str, owner: Values) -> None:
    try:
        engine.remove_left_containers(client, client.inspect_network(network_id)["Containers"], owner)
        client.remove_network(network_id)
    except NotFound:
        return
    except APIError as refused:
        if "active endpoints" not in engine.explain(refused):
            raise
        users = ", ".join(sorted(user["Name"] for user in client.inspect_network(network_id)["Containers"].values()))
        do = "remove what does not belong there, then run again"
        raise DeploymentError(f"network {owner['name']}: is still used by {users}", do=do) from None


def _observe(client: docker.APIClient, network_id: str) -> Values | None:
    try:
        found: dict[str, Any] = client.inspect_network(network_id)
    except NotFound:
        return None
    pool = (found["IPAM"].get("Config") or [{}])[0]
    return {
        "name": found["Name"],
        # One that still leads to the host is not internal, whatever the engine calls it.
        "internal": found["Internal"] and _NO_WAY_TO_THE_HOST.items() <= (found.get("Options") or {}).items(),
        "subnet": pool.get("Subnet", ""),
        "gateway": pool.get("Gateway", ""),
    }
