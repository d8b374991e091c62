"""securepacs:docker:Image."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docker.errors import APIError, ImageNotFound

from securepacs.errors import DeploymentError, RefusedError
from securepacs.provider import engine
from securepacs.provider.docker_fields import OWNER
from securepacs.provider.fields import TEXT, UNKNOWN, Change, Failure, Field, Kind, MapOf, Values, holds_unknown
from securepacs.provider.resource import Created, Found, Resource
from securepacs.provider.validators import environment_name, repository

if TYPE_CHECKING:
    import docker

_TAG_DIGITS: Final = 12
_OUTPUT_LINES: Final = 20
_BUILD_SECONDS: Final = 1800
#: The build argument of the image that the last stage is built on.
_BASE: Final = "BASE"
_DO: Final = "run `make bootstrap`, which makes it, or name another under `images` in the clinic"
_NO_CONTENT: Final = frozenset({"__pycache__", ".git", ".DS_Store"})


class Image(Resource):
    """An image whose tag is the hash of its folder, its arguments and its base: new content is a new image beside the old."""

    pulumi_type = "securepacs:docker:Image"
    description = "A container image built from a folder; its tag is the hash of what it is built from."
    refuses_secrets = True
    stable = frozenset({"reference"})
    inputs = (
        *OWNER,
        Field("name", TEXT, "Name of the image, without a tag.", required=True, replace=True, validator=repository),
        Field("context", TEXT, "Folder with the Dockerfile; only its content counts.", required=True, compared=False),
        Field("baseImage", TEXT, "Image on the engine, given to the Dockerfile as BASE.", required=True, compared=False),
        Field("buildArgs", MapOf(TEXT, environment_name), "Further build arguments.", replace=True),
        Field(
            "images",
            MapOf(TEXT, environment_name),
            "Further images on the engine, by the build argument that the Dockerfile takes each as.",
            compared=False,
        ),
        Field("buildNetwork", TEXT, "Network of the build's steps.", default="default", compared=False),
        Field("contextHash", TEXT, "SHA-256 of folder, arguments and base.", replace=True, computed=True),
    )
    outputs = (
        Field("imageId", TEXT, "sha256:… of the image."),
        Field("reference", TEXT, "NAME:HASH, the hash cut to 12 digits."),
    )

    def complete(self, inputs: Values) -> tuple[Values, list[Failure]]:
        """Hash what the image will be made of."""
        if holds_unknown([inputs["context"], inputs["baseImage"], inputs.get("buildArgs"), inputs.get("images")]):
            return {"contextHash": UNKNOWN}, []
        folder = Path(inputs["context"])
        if not (folder / "Dockerfile").is_file():
            return {}, [Failure("context", f"got {str(folder)!r}, expected a folder with a Dockerfile")]
        client = engine.connect()
        found = {argument: _image_id(client, reference) for argument, reference in _built_from(inputs).items()}
        absent = [
            Failure("baseImage" if argument == _BASE else f"images.{argument}", f"{reference} is not on the engine; {_DO}")
            for argument, reference in _built_from(inputs).items()
            if found[argument] is None
        ]
        if absent:
            return {}, absent
        made_of = {
            "context": hashlib.sha256(pack(folder)).hexdigest(),
            "base": found.pop(_BASE),
            "arguments": inputs.get("buildArgs", {}),
            **({"images": found} if found else {}),
        }
        return {"contextHash": engine.spec_hash(made_of)}, []

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Find an image that is gone, or a tag that was moved."""
        del inputs
        with engine.telling(f"image {resource_id}"):
            there = _image_id(engine.connect(), state["reference"])
        return [] if there == state["imageId"] else [Change("imageId", Kind.UPDATE, declared=False)]

    def foresee(self, state: Values | None, inputs: Values) -> Values:
        """Give the tag, which follows from the content."""
        foreseen = super().foresee(state, inputs)
        return foreseen if holds_unknown([inputs["name"], inputs["contextHash"]]) else foreseen | {"reference": _reference(inputs)}

    def create(self, inputs: Values) -> Created:
        """Build the image, unless one of this stack was built from the same."""
        reference = _reference(inputs)
        return Created(reference, {"imageId": self._ensure(inputs), "reference": reference})

    def _ensure(self, inputs: Values) -> str:
        client, reference = engine.connect(), _reference(inputs)
        with engine.telling(f"image {reference}"):
            labels = engine.image_labels(inputs, inputs["contextHash"])
            there = engine.image_or_none(client, reference)
            if there is None:
                return _build(client, inputs, reference, labels)
            if not labels.items() <= (there["Config"]["Labels"] or {}).items():
                do = "choose another name, or remove it yourself if nothing needs it"
                raise RefusedError(f"image {reference} exists already and is not made by securepacs for this stack", do=do)
            return str(there["Id"])

    def read(self, resource_id: str, state: Values, inputs: Values) -> Found | None:
        """Give the image that has the tag."""
        del inputs
        with engine.telling(f"image {resource_id}"):
            there = _image_id(engine.connect(), state["reference"])
        return None if there is None else Found({"imageId": there})

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Give the tag back to the image that it was taken from; build again what is gone."""
        del resource_id
        reference = _reference(inputs)
        if reference == state["reference"] and self._retake(state):
            return {"imageId": state["imageId"], "reference": reference}
        return {"imageId": self._ensure(inputs), "reference": reference}

    @staticmethod
    def _retake(state: Values) -> bool:
        """Tag the image of the state anew, where it is still on the engine; the tag is ours, for the state says so."""
        client = engine.connect()
        name, _, tag = state["reference"].rpartition(":")
        with engine.telling(f"image {state['reference']}"):
            return _image_id(client, state["imageId"]) is not None and client.tag(state["imageId"], name, tag)

    def delete(self, resource_id: str, state: Values) -> None:
        """Remove the tag; what a container still uses stays."""
        client = engine.connect()
        with engine.telling(f"image {resource_id}"):
            if _image_id(client, state["reference"]) != state["imageId"]:
                return
            try:
                client.remove_image(state["reference"])
            except ImageNotFound:
                return
            except APIError as refused:
                if refused.status_code != 409:
                    raise


def pack(folder: Path) -> bytes:
    """Give a folder as a tar archive that depends on names, contents and executable bits only."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            if not _NO_CONTENT.isdisjoint(path.relative_to(folder).parts):
                continue
            entry = archive.gettarinfo(str(path), str(path.relative_to(folder)))
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return packed.getvalue()


def _built_from(inputs: Values) -> dict[str, str]:
    """Give the images that the Dockerfile begins with: build argument -> reference."""
    return {_BASE: inputs["baseImage"], **inputs.get("images", {})}


def _reference(inputs: Values) -> str:
    return f"{inputs['name']}:{inputs['contextHash'][:_TAG_DIGITS]}"


def _image_id(client: docker.APIClient, reference: str) -> str | None:
    found = engine.image_or_none(client, reference)
    return None if found is None else str(found["Id"])


def _build(client: docker.APIClient, inputs: Values, reference: str, labels: dict[str, str]) -> str:
    said: deque[str] = deque(maxlen=_OUTPUT_LINES)
    steps: Any = client.build(
        fileobj=io.BytesIO(pack(Path(inputs["context"]))),
        custom_context=True,
        tag=reference,
        buildargs={
            **inputs.get("buildArgs", {}),
            **{argument: _image_id(client, reference) or reference for argument, reference in _built_from(inputs).items()},
        },
        labels=labels,
        network_mode=inputs["buildNetwork"],
        rm=True,
        forcerm=True,
        timeout=_BUILD_SECONDS,
        decode=True,
    )
    for step in steps:
        said.extend(line for line in str(step.get("stream", "")).splitlines() if line.strip())
        if "error" in step:
            shown = "\n".join(f"  {line}" for line in said)
            raise DeploymentError(f"image {reference}: the build failed: {' '.join(str(step['error']).split())}\n{shown}")
    built = _image_id(client, reference)
    if built is None:
        raise DeploymentError(f"image {reference}: the build ended without an image", do="run the command again")
    return built
