"""securepacs:docker:Container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securepacs.errors import DeploymentError
from securepacs.provider import container_spec as spec
from securepacs.provider import engine, swap
from securepacs.provider.fields import TEXT, Change, Failure, Field, Kind, Values, compare, holds_unknown
from securepacs.provider.resource import Created, Found, Resource

if TYPE_CHECKING:
    import docker


class Container(Resource):
    """A hardened container that exists when it is healthy, and is repaired where it is not."""

    pulumi_type = "securepacs:docker:Container"
    description = (
        "A long-running container: read-only root, no capability, no new privileges, limited, logged with rotation."
        " Nothing of it may be a secret: whoever may inspect it sees all of it."
    )
    delete_before_replace = True
    refuses_secrets = True
    inputs = (*spec.FIXED, *spec.LIMITS, *spec.EVENTS)
    outputs = (
        Field("containerId", TEXT, "Id of the container."),
        Field("health", TEXT, "healthy, unhealthy, starting, or why it does not run: exited, paused, …"),
    )

    def complete(self, inputs: Values) -> tuple[Values, list[Failure]]:
        """Hold a reload to a way of doing it."""
        if "reloadOn" in inputs and not {"reloadSignal", "reloadCommand"} & set(inputs):
            return {}, [Failure("reloadOn", "needs reloadSignal or reloadCommand, which say how to reload")]
        return {}, []

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find a container that is gone, stopped, unhealthy or altered."""
        del resource_id, inputs
        with engine.telling(f"container {state['name']}"):
            inspected = engine.container_or_none(engine.connect(), state["containerId"])
        if inspected is None or inspected["State"]["Status"] in {"dead", "removing"}:
            return [Change("containerId", Kind.UPDATE, replace=True, declared=False)]
        drifted = compare(self.inputs, {**state, **spec.observe(inspected, state)}, state)
        changes = [Change(change.path, change.kind, declared=False) for change in drifted]
        if not spec.is_hardened(inspected):
            changes.append(Change("containerId", Kind.UPDATE, declared=False))
        if engine.health(inspected) not in {"healthy", "starting"} or not spec.comes_back(inspected):
            changes.append(Change("health", Kind.UPDATE, declared=False))
        return changes

    def foresee(self, state: Values | None, inputs: Values) -> Values:
        """Give the id where the container stays the same one."""
        if state is None or holds_unknown(inputs) or any(state.get(field.name) != inputs.get(field.name) for field in spec.FIXED):
            return {}
        return {"containerId": state["containerId"]}

    def create(self, inputs: Values) -> Created:
        """Make the container; it exists when it is healthy, else nothing is left of it."""
        client, name = engine.connect(), inputs["name"]
        with engine.telling(f"container {name}"):
            swap.clear(client, inputs)
            container_id = swap.make(client, inputs)
        return Created(name, {"containerId": container_id, "health": "healthy"})

    def read(self, resource_id: str, state: Values, inputs: Values) -> Found | None:
        """Give the container as it is, so that the next run repairs what differs."""
        del resource_id, inputs
        with engine.telling(f"container {state['name']}"):
            inspected = engine.container_or_none(engine.connect(), state["containerId"])
        if inspected is None:
            return None
        return Found({**spec.observe(inspected, state), "health": engine.health(inspected)})

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Bring the container to what is declared: by a swap where a new one is needed, else in place."""
        del resource_id
        client, name = engine.connect(), inputs["name"]
        with engine.telling(f"container {name}"):
            inspected = engine.container_or_none(client, state["containerId"])
            if inspected is None:
                raise DeploymentError(f"container {name}: was removed while the run began", do="run `securepacs up` again to make it")
            if spec.differs(inspected, state, inputs):
                return {"containerId": swap.swap(client, inspected, inputs), "health": "healthy"}
            swap.clear(client, inputs, keep=inspected["Id"])
            _mend(client, inspected, state, inputs)
        return {"containerId": state["containerId"], "health": "healthy"}

    def delete(self, resource_id: str, state: Values) -> None:
        """Stop the container in its own time, then remove it, and what a killed run left beside it."""
        del resource_id
        client = engine.connect()
        with engine.telling(f"container {state['name']}"):
            inspected = engine.container_or_none(client, state["containerId"])
            if inspected is not None:
                if inspected["State"]["Status"] == "running":
                    client.stop(state["containerId"], timeout=state["stopSeconds"])
                engine.remove_container(client, state["containerId"])
            engine.remove_left_containers(client, swap.names(state["name"]), state)


def _mend(client: docker.APIClient, inspected: dict[str, Any], state: Values, inputs: Values) -> None:
    """Bring name, limits and running state to what is declared; restart or reload where asked for."""
    name, container_id, since = inputs["name"], inspected["Id"], None
    seen = spec.observe(inspected, state)
    if seen["name"] != name:
        client.rename(container_id, name)
    if any(seen[field.name] != inputs[field.name] for field in spec.LIMITS):
        engine.post(client, f"/containers/{container_id}/update", spec.limits_body(inputs))
    if not spec.comes_back(inspected):
        engine.post(client, f"/containers/{container_id}/update", {"RestartPolicy": spec.RESTART})
    status = inspected["State"]["Status"]
    if status == "paused":
        client.unpause(container_id)
        since = engine.engine_time(client)  # a check that was paused too has failed meanwhile
    if status not in {"running", "paused", "restarting"}:
        swap.start(client, name, container_id)
    elif _changed("restartOn", state, inputs) or engine.health(inspected) not in {"healthy", "starting", "paused"}:
        client.restart(container_id, timeout=inputs["stopSeconds"])
    elif _changed("reloadOn", state, inputs):
        _reload(client, name, container_id, inputs)
        since = engine.engine_time(client)
    engine.wait_healthy(client, name, container_id, inputs["healthySeconds"], since)


def _changed(name: str, state: Values, inputs: Values) -> bool:
    return bool(state.get(name, {}) != inputs.get(name, {}))


def _reload(client: docker.APIClient, name: str, container_id: str, inputs: Values) -> None:
    """Make the service read its files anew, after the container itself has found them good."""
    _run(client, container_id, inputs, "reloadCheck", f"container {name}: refuses its new files and goes on with the old ones")
    if signal := inputs.get("reloadSignal"):
        client.kill(container_id, signal)
    _run(client, container_id, inputs, "reloadCommand", f"container {name}: the reload did not succeed")


def _run(client: docker.APIClient, container_id: str, inputs: Values, which: str, failed: str) -> None:
    """Run one of the declared commands in the container, as its own user; DeploymentError with the end of its output where it fails."""
    if which not in inputs:
        return
    run: dict[str, Any] = client.exec_create(container_id, inputs[which], user=inputs["user"])
    output = client.exec_start(run["Id"]).decode(errors="replace")
    if client.exec_inspect(run["Id"])["ExitCode"] != 0:
        lines = "\n".join(f"  {line}" for line in output.splitlines()[-20:])
        raise DeploymentError(f"{failed}:\n{lines}")
