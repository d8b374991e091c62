"""securepacs:docker:Files."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from docker.errors import NotFound

from securepacs.errors import DeploymentError
from securepacs.provider import engine, files_volume
from securepacs.provider.docker_fields import OWNER
from securepacs.provider.fields import INTEGER, TEXT, UNKNOWN, Change, Failure, Field, Kind, MapOf, Record, Values, compare
from securepacs.provider.resource import Created, Found, Resource
from securepacs.provider.validators import between, image_id, object_name, octal_mode, relative_path

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    import docker

_OWNER_ID = between(0, 4_294_967_294)

FILE = Record(
    "File",
    (
        Field("content", TEXT, "The file's text.", required=True, secret=True),
        Field("mode", TEXT, "Octal mode.", default="0400", validator=octal_mode),
        Field("uid", INTEGER, "Owner; the folder's by default.", validator=_OWNER_ID),
        Field("gid", INTEGER, "Group; the folder's by default.", validator=_OWNER_ID),
    ),
)


class Files(Resource):
    """The files of a volume, all of them: what is not declared is removed. They are changed in place."""

    pulumi_type = "securepacs:docker:Files"
    description = "The secret files of a volume with their modes and owners; what is not declared is removed."
    delete_before_replace = True
    refuses_secrets = True
    inputs = (
        *OWNER,
        Field("volume", TEXT, "Name of the volume.", required=True, replace=True, validator=object_name),
        Field(
            "image",
            TEXT,
            "Image id for the containers through which the volume is reached.",
            required=True,
            compared=False,
            validator=image_id,
        ),
        Field("uid", INTEGER, "Owner of the volume's root folder.", default=0, validator=_OWNER_ID),
        Field("gid", INTEGER, "Group of the volume's root folder.", default=0, validator=_OWNER_ID),
        Field("mode", TEXT, "Octal mode of the volume's root folder.", default="0500", validator=octal_mode),
        Field("files", MapOf(FILE, relative_path), "Path in the volume to file.", required=True),
    )
    outputs = (Field("revisions", MapOf(TEXT), "Path to a random text, a new one where the file was written with anything new."),)

    def complete(self, inputs: Values) -> tuple[Values, list[Failure]]:
        """Refuse a path that is a file and also a folder of another."""
        if inputs["files"] is UNKNOWN:
            return {}, []
        folders = files_volume.folders(inputs["files"])
        return {}, [
            Failure(f'files["{path}"]', "is a file and also the folder of another one") for path in sorted(folders & set(inputs["files"]))
        ]

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find files that somebody altered, added or removed."""
        del resource_id
        observed = self._observe(state, inputs)
        if observed is None:
            return [Change("revisions", Kind.UPDATE, replace=True, declared=False)]
        if "revisions" not in state:  # written by an earlier version
            return [Change("revisions", Kind.UPDATE, declared=False)]
        drifted = compare(self.inputs, {**state, **observed}, state)
        return [Change(change.path, change.kind, declared=False) for change in drifted]

    @staticmethod
    def _observe(state: Values, inputs: Values) -> Values | None:
        """Give what is in the volume in the table's terms; None where the volume is gone; the state where nothing can look into it."""
        client = engine.connect()
        with engine.telling(f"files of volume {state['volume']}"):
            if not _volume_exists(client, state["volume"]):
                return None
            image = _usable_image(client, inputs.get("image"), state)
            if image is None:
                return {}
            return files_volume.observe(files_volume.read(client, image, state), state)

    def foresee(self, state: Values | None, inputs: Values) -> Values:
        """Give the revisions that stay; those that will be new are not known yet."""
        if inputs["files"] is UNKNOWN:
            return {}
        return {"revisions": revisions(state or {}, inputs, altered=(), new=lambda: UNKNOWN)}

    def create(self, inputs: Values) -> Created:
        """Write the files."""
        self._write(inputs)
        return Created(inputs["volume"], {"revisions": revisions({}, inputs, altered=(), new=_random)})

    @staticmethod
    def _write(inputs: Values) -> set[str]:
        client = engine.connect()
        with engine.telling(f"files of volume {inputs['volume']}"):
            if not _volume_exists(client, inputs["volume"]):
                raise DeploymentError(f"files: volume {inputs['volume']} is not on the engine", do="run `securepacs up` again to make it")
            return files_volume.write(client, inputs["image"], inputs)

    def read(self, resource_id: str, state: Values, inputs: Values) -> Found | None:
        """Give the files as they are."""
        del resource_id
        observed = self._observe(state, inputs)
        return None if observed is None else Found(observed)

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Write the files. One that somebody had altered gets a new revision too: whoever read it meanwhile must read anew."""
        del resource_id
        altered = self._write(inputs)
        return {"revisions": revisions(state, inputs, altered=altered, new=_random)}

    def delete(self, resource_id: str, state: Values) -> None:
        """Remove the files; the volume is another resource's."""
        del resource_id
        client = engine.connect()
        with engine.telling(f"files of volume {state['volume']}"):
            image = _usable_image(client, None, state)
            if image is not None and _volume_exists(client, state["volume"]):
                files_volume.remove_all(client, image, state)


def revisions(state: Values, inputs: Values, *, altered: Container[str], new: Callable[[], object]) -> Values:
    """Give each file's revision: the state's, unless the file is declared otherwise than then or was found altered.

    A revision is random, so that it tells nothing of what is written. It does not depend on what was found alone: a run
    that was killed after it wrote has left the right files, and no reader that knows.
    """
    same_root = all(state.get(name) == inputs[name] for name in ("uid", "gid"))
    before, known = state.get("files", {}), state.get("revisions", {})
    return {
        path: known[path] if same_root and path in known and path not in altered and before.get(path) == file else new()
        for path, file in inputs["files"].items()
    }


def _random() -> str:
    return secrets.token_hex(8)


def _volume_exists(client: docker.APIClient, name: str) -> bool:
    try:
        client.inspect_volume(name)
    except NotFound:
        return False
    return True


def _usable_image(client: docker.APIClient, preferred: str | None, state: Values) -> str | None:
    """Give an image for reaching the volume: the declared one, or another of this stack."""
    if isinstance(preferred, str):
        there = engine.image_or_none(client, preferred)
        if there is not None:
            return str(there["Id"])
    found = client.images(filters={"label": f"{engine.IMAGE_STACK}={state['stack']}"})
    return str(found[0]["Id"]) if found else None
