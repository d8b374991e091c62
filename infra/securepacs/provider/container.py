"""securepacs:docker:Container."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from docker.errors import APIError, NotFound

from securepacs.errors import DeploymentError, HostError
from securepacs.provider import container_spec as spec
from securepacs.provider import engine
from securepacs.provider.fields import TEXT, Change, Field, Kind, Values, compare
from securepacs.provider.resource import Created, Found, Resource

if TYPE_CHECKING:
    import docker

_TAKEN: Final = re.compile(r"(?:Bind for|listen tcp[46]?|exposing port)[^0-9\[]*(\S+?:\d+)[: ].*(?:already allocated|already in use)")
_FOREIGN: Final = re.compile(r"listen tcp[46]? (\S+?:\d+): bind: cannot assign requested address")


class Container(Resource):
    """A hardened container that exists when it is healthy, and is repaired where it is not."""

    pulumi_type = "securepacs:docker:Container"
    description = (
        "A long-running container: read-only root, no capability, no new privileges, limited, logged with rotation."
        " Nothing of it may be a secret: whoever may inspect it sees all of it."
    )
    delete_before_replace = True
    refuses_secrets = True
    stable = frozenset({"containerId"})
    inputs = (*spec.FIXED, *spec.LIMITS, *spec.EVENTS)
    outputs = (
        Field("containerId", TEXT, "Id of the container."),
        Field("health", TEXT, "healthy, unhealthy, starting, or why it does not run: exited, paused, …"),
    )

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find a container that is gone, stopped, unhealthy or altered."""
        del inputs
        with engine.telling(f"container {state['name']}"):
            inspected = engine.container_or_none(engine.connect(), resource_id)
        if inspected is None or inspected["State"]["Status"] in {"dead", "removing"}:
            return [Change("containerId", Kind.UPDATE, replace=True, declared=False)]
        changes = [_drift(change) for change in compare(self.inputs, {**state, **spec.observe(inspected, state)}, state)]
        if not spec.is_hardened(inspected):
            changes.append(Change("containerId", Kind.UPDATE, replace=True, declared=False))
        if engine.health(inspected) not in {"healthy", "starting"}:
            changes.append(Change("health", Kind.UPDATE, declared=False))
        return changes

    def create(self, inputs: Values) -> Created:
        """Make, connect and start the container, and wait until it is healthy; else remove it and tell why."""
        client, name = engine.connect(), inputs["name"]
        with engine.telling(f"container {name}"):
            self._clear(client, inputs)
            try:
                container_id: str = engine.post(client, "/containers/create", spec.create_body(inputs), name=name)["Id"]
            except NotFound as missing:
                raise DeploymentError(f"container {name}: {engine.explain(missing)}", do="run `securepacs up` again to make it") from None
            try:
                for attachment in inputs["networks"][1:]:
                    client.connect_container_to_network(
                        container_id, attachment["name"], ipv4_address=attachment.get("ipv4"), aliases=attachment.get("aliases")
                    )
                _start(client, name, container_id)
                engine.wait_healthy(client, name, container_id, inputs["healthySeconds"])
            except BaseException:
                engine.remove_container(client, container_id)
                raise
        return Created(container_id, {"containerId": container_id, "health": "healthy"})

    @staticmethod
    def _clear(client: docker.APIClient, inputs: Values) -> None:
        """Remove a container of ours that a killed run left under this name; refuse to touch another's."""
        found = engine.container_or_none(client, inputs["name"])
        if found is not None and found["Name"].lstrip("/") == inputs["name"]:
            engine.hold_ours(f"container {inputs['name']}", found["Config"]["Labels"], inputs)
            engine.remove_container(client, found["Id"])

    def read(self, resource_id: str, state: Values, inputs: Values) -> Found | None:
        """Give the container as it is, so that the next run repairs what differs."""
        del inputs
        with engine.telling(f"container {state['name']}"):
            inspected = engine.container_or_none(engine.connect(), resource_id)
        if inspected is None:
            return None
        return Found({**spec.observe(inspected, state), "health": engine.health(inspected)})

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Bring limits, name and running state to what is declared; restart or reload where asked for."""
        client, name, since = engine.connect(), inputs["name"], None
        with engine.telling(f"container {name}"):
            inspected = engine.container_or_none(client, resource_id)
            if inspected is None:
                raise DeploymentError(f"container {name}: was removed while the run began", do="run `securepacs up` again to make it")
            seen = spec.observe(inspected, state)
            if seen["name"] != name:
                client.rename(resource_id, name)
            if any(seen[field.name] != inputs[field.name] for field in spec.LIMITS):
                engine.post(client, f"/containers/{resource_id}/update", spec.limits_body(inputs))
            status = inspected["State"]["Status"]
            if status == "paused":
                client.unpause(resource_id)
                since = engine.engine_time(client)  # a check that was paused too has failed meanwhile
            if status not in {"running", "paused", "restarting"}:
                _start(client, name, resource_id)
            elif _changed("restartOn", state, inputs) or engine.health(inspected) not in {"healthy", "starting", "paused"}:
                client.restart(resource_id, timeout=inputs["stopSeconds"])
            elif _changed("reloadOn", state, inputs):
                _reload(client, name, resource_id, inputs)
                since = engine.engine_time(client)
            engine.wait_healthy(client, name, resource_id, inputs["healthySeconds"], since)
        return {"containerId": resource_id, "health": "healthy"}

    def delete(self, resource_id: str, state: Values) -> None:
        """Stop the container in its own time, then remove it."""
        client = engine.connect()
        with engine.telling(f"container {state['name']}"):
            inspected = engine.container_or_none(client, resource_id)
            if inspected is None:
                return
            if inspected["State"]["Status"] == "running":
                client.stop(resource_id, timeout=state["stopSeconds"])
            engine.remove_container(client, resource_id)


def _drift(change: Change) -> Change:
    return Change(change.path, change.kind, change.replace and change.path != "name", declared=False)


def _changed(name: str, state: Values, inputs: Values) -> bool:
    return bool(state.get(name, {}) != inputs.get(name, {}))


def _start(client: docker.APIClient, name: str, container_id: str) -> None:
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


def _reload(client: docker.APIClient, name: str, container_id: str, inputs: Values) -> None:
    """Send the reload signal, after the container itself has found its files good."""
    if check := inputs.get("reloadCheck"):
        run: dict[str, Any] = client.exec_create(container_id, check, user=inputs["user"])
        output = client.exec_start(run["Id"]).decode(errors="replace")
        if client.exec_inspect(run["Id"])["ExitCode"] != 0:
            lines = "\n".join(f"  {line}" for line in output.splitlines()[-20:])
            raise DeploymentError(f"container {name}: refuses its new files and goes on with the old ones:\n{lines}")
    client.kill(container_id, inputs["reloadSignal"])
