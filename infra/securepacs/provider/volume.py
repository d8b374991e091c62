"""securepacs:docker:Volume."""

from __future__ import annotations

from typing import Any

import docker
from docker.errors import APIError, NotFound

from securepacs.errors import DeploymentError
from securepacs.provider import engine, files_volume
from securepacs.provider.docker_fields import OWNER
from securepacs.provider.fields import FLAG, TEXT, Change, Field, Kind, Values
from securepacs.provider.resource import Created, Found, Resource
from securepacs.provider.validators import object_name


class Volume(Resource):
    """A named volume. It outlives its resource where it holds data: `protectData`."""

    pulumi_type = "securepacs:docker:Volume"
    description = "A named volume; an existing one with the same labels is adopted."
    delete_before_replace = True
    refuses_secrets = True
    stable = frozenset({"mountpoint"})
    inputs = (
        *OWNER,
        Field("name", TEXT, "Name of the volume.", required=True, replace=True, validator=object_name),
        Field("protectData", FLAG, "Deleting the resource keeps the volume; a vanished volume is an error.", default=False),
    )
    outputs = (Field("mountpoint", TEXT, "Where the engine keeps it."),)

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find a volume that is gone; data that is gone is told, never replaced by an empty volume."""
        with engine.telling(f"volume {resource_id}"):
            found = _inspect(engine.connect(), resource_id)
        if found is not None and engine.is_ours(found.get("Labels"), state):
            return []
        if state.get("protectData") or inputs.get("protectData") is True:
            # The engine itself makes an empty volume, without labels, where a container asks for one that is gone.
            what = "is gone from the engine" if found is None else "was replaced on the engine by another volume of its name"
            raise DeploymentError(
                f"data volume {resource_id}: {what}",
                do=f"restore it from a backup under the labels {engine.STACK}={state['stack']} and {engine.COMPONENT}={state['component']},"
                " or give the data up with `securepacs down --delete-data` and begin anew",
            )
        return [Change("mountpoint", Kind.UPDATE, replace=True, declared=False)]

    def create(self, inputs: Values) -> Created:
        """Make the volume, or adopt the one of this stack and component."""
        client, name = engine.connect(), inputs["name"]
        with engine.telling(f"volume {name}"):
            found = _inspect(client, name)
            if found is None:
                found = client.create_volume(name, driver="local", labels=engine.labels(inputs, {"name": name}))
            engine.hold_ours(f"volume {name}", found.get("Labels"), inputs)
        return Created(name, {"mountpoint": found["Mountpoint"]})

    def read(self, resource_id: str, state: Values, inputs: Values) -> Found | None:
        """Give the volume as the engine has it."""
        with engine.telling(f"volume {resource_id}"):
            found = _inspect(engine.connect(), resource_id)
        if found is None and (state.get("protectData") or inputs.get("protectData")):
            # Were it reported as gone, the next run would make an empty one. It stays in the state, and `look` tells.
            return Found({})
        return None if found is None else Found({"mountpoint": found["Mountpoint"]})

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Take the new protection into the state; nothing changes on the engine."""
        del resource_id, inputs
        return {"mountpoint": state["mountpoint"]}

    def delete(self, resource_id: str, state: Values) -> None:
        """Remove the volume, unless its data are protected."""
        if state.get("protectData"):
            return
        client = engine.connect()
        with engine.telling(f"volume {resource_id}"):
            files_volume.sweep(client, resource_id, 0)
            found = _inspect(client, resource_id)
            if found is None or not engine.is_ours(found.get("Labels"), state):
                return
            try:
                users = [user["Id"] for user in client.containers(all=True, filters={"volume": resource_id})]
                engine.remove_left_containers(client, users, state)
                client.remove_volume(resource_id)
            except NotFound:
                return
            except APIError as refused:
                if "in use" not in engine.explain(refused):
                    raise
                names = [user["Names"][0].lstrip("/") for user in client.containers(all=True, filters={"volume": resource_id})]
                do = "remove what does not belong there, then run again"
                raise DeploymentError(f"volume {resource_id}: is still used by {', '.join(sorted(names))}", do=do) from None


def _inspect(client: docker.APIClient, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.inspect_volume(name)
    except NotFound:
        return None
    return found
