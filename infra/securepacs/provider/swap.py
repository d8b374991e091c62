"""Making a container, and changing one for another: the old one is kept until the new one is healthy, and comes back where it is not.

The two cannot run side by side: they hold the same ports, addresses and data. So the old one is stopped and set aside under
another name; it is removed when the new one is healthy, and started again when that fails. A run that is killed in between
leaves both names: the next run finds the old one by its id and begins again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from docker.errors import APIError, NotFound

from securepacs.errors import DeploymentError, HostError, SecurePacsError
from securepacs.provider import container_spec as spec
from securepacs.provider import engine

if TYPE_CHECKING:
    import docker

    from securepacs.provider.fields import Values

_TAKEN: Final = re.compile(r"(?:Bind for|listen tcp[46]?|exposing port)[^0-9\[]*(\S+?:\d+)[: ].*(?:already allocated|already in use)")
_FOREIGN: Final = re.compile(r"listen tcp[46]? (\S+?:\d+): bind: cannot assign requested address")


def names(name: str) -> tuple[str, str]:
    """Give the names under which a container may stand: its own, and the one it is set aside under."""
    return name, f"{name}-previous"


def clear(client: docker.APIClient, inputs: Values, keep: str = "") -> None:
    """Remove containers of ours that a killed run left under either name, except the one to keep; refuse to touch another's."""
    for name in names(inputs["name"]):
        found = engine.container_or_none(client, name)
        if found is not None and found["Name"].lstrip("/") == name and found["Id"] != keep:
            engine.hold_ours(f"container {name}", found["Config"]["Labels"], inputs)
            engine.remove_container(client, found["Id"])


def make(client: docker.APIClient, inputs: Values) -> str:
    """Make, connect and start a container, wait until it is healthy, and give its id; else remove it and tell why."""
    name = inputs["name"]
    try:
        container_id: str = engine.post(client, "/containers/create", spec.create_body(inputs), name=name)["Id"]
    except NotFound as missing:
        raise DeploymentError(f"container {name}: {engine.explain(missing)}", do="run `securepacs up` again to make it") from None
    try:
        for attachment in inputs["networks"][1:]:
            client.connect_container_to_network(
                container_id,
                attachment["name"],
                ipv4_address=attachment.get("ipv4"),
                aliases=attachment.get("aliases"),
                links=[(container, alias) for alias, container in attachment.get("links", {}).items()],
            )
        start(client, name, container_id)
        engine.wait_healthy(client, name, container_id, inputs["healthySeconds"])
    except BaseException:
        engine.remove_container(client, container_id)
        raise
    return container_id


def swap(client: docker.APIClient, old: dict[str, Any], inputs: Values) -> str:
    """Put a new container in the place of the old one and give its id; where the new one fails the old one serves again."""
    name, aside = names(inputs["name"])
    clear(client, inputs, keep=old["Id"])
    # An engine that is restarted meanwhile must not start it beside the new one, on the same data.
    engine.post(client, f"/containers/{old['Id']}/update", {"RestartPolicy": {"Name": "no"}})
    client.stop(old["Id"], timeout=inputs["stopSeconds"])
    if old["Name"].lstrip("/") != aside:
        client.rename(old["Id"], aside)
    try:
        with engine.telling(f"container {name}"):
            made = make(client, inputs)
    except BaseException as failure:
        returned = _return(client, old, inputs)
        if isinstance(failure, SecurePacsError):
            raise DeploymentError(f"container {name}: the new one did not work, {returned}; {failure}") from None
        raise
    engine.remove_container(client, old["Id"])
    return made


def _return(client: docker.APIClient, old: dict[str, Any], inputs: Values) -> str:
    """Bring the old container back, and say how that went. A cancelled run brings it back too, and does not wait for it."""
    name = inputs["name"]
    try:
        with engine.telling(f"container {name}"):
            client.rename(old["Id"], name)
            engine.post(client, f"/containers/{old['Id']}/update", {"RestartPolicy": spec.RESTART})
            start(client, name, old["Id"])
            if not engine.CANCELLED.is_set():
                engine.wait_healthy(client, name, old["Id"], inputs["healthySeconds"])
    except SecurePacsError as failure:
        return f"and the old one could not be brought back ({failure})"
    return "so that the old one was put back and serves again"


def start(client: docker.APIClient, name: str, container_id: str) -> None:
    """Start a container; a port that is taken or an address that is not there is told as such."""
    try:
        client.start(container_id)
    except APIError as refused:
        told = engine.explain(refused)
        if taken := _TAKEN.search(told):
            raise HostError(
                f"container {name}: {taken[1]} is in use by another process on this host", do="stop that process, or choose another port"
            ) from None
        if foreign := _FOREIGN.search(told):
            raise HostError(
                f"container {name}: {foreign[1]} is no address of this host", do="choose an address that `ip address` shows"
            ) from None
        raise
