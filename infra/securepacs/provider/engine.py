"""The edge to the Docker engine (API 1.41 and later): connecting, labels, waiting for health, and errors in one line.

The engine is the one that DOCKER_HOST names in the environment, or the default socket; its address is never kept in the state.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import docker
import requests
from docker.errors import APIError, DockerException, NotFound, create_api_error_from_http_exception
from docker.utils import kwargs_from_env

from securepacs.errors import DeploymentError, HostError, RefusedError
from securepacs.provider.fields import Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STACK: Final = "securepacs.stack"
COMPONENT: Final = "securepacs.component"
SPEC: Final = "securepacs.spec"
IMAGE_STACK: Final = "securepacs.image.stack"

#: Set when Pulumi cancels: every wait ends at its next look.
CANCELLED: Final = threading.Event()

#: Lines of a log that are shown, and that are read to find them.
_LOG_LINES: Final = 25
_LOG_READ: Final = 1000
_POLL_SECONDS: Final = 0.25
_REQUEST_SECONDS: Final = 120
_local = threading.local()


def connect() -> docker.APIClient:
    """Give this thread's connection to the engine; HostError where none answers."""
    if not hasattr(_local, "client"):
        try:
            _local.client = docker.APIClient(timeout=_REQUEST_SECONDS, version="auto", **kwargs_from_env())
        except DockerException:
            raise HostError(
                "Docker engine: none answers", do="start it, or name it in DOCKER_HOST; `make bootstrap` installs one"
            ) from None
    client: docker.APIClient = _local.client
    return client


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn an engine's refusal into one line that begins with what was tried."""
    try:
        yield
    except APIError as refused:
        raise DeploymentError(f"{what}: {explain(refused)}") from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
        raise HostError(f"{what}: the Docker engine stopped answering", do="look whether it runs, then run the command again") from None


def explain(refused: APIError) -> str:
    """Give the engine's own words on one line."""
    return " ".join(str(refused.explanation or refused).split())


def post(client: docker.APIClient, path: str, body: Mapping[str, Any], **query: str) -> dict[str, Any]:
    """POST to the engine's API, for what the SDK's own methods cannot say (quotas of a running container, mounts and all)."""
    response = client.post(f"{client.base_url}/v{client.api_version}{path}", json=body, params=query, timeout=_REQUEST_SECONDS)
    try:
        response.raise_for_status()
    except requests.exceptions.HTTPError as refused:
        raise create_api_error_from_http_exception(refused) from None
    answer: dict[str, Any] = response.json()
    return answer


def spec_hash(spec: object) -> str:
    """Give the SHA-256 of a specification in canonical JSON. What goes in must hold no secret: the hash stands in a label."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def image_labels(inputs: Values, content_hash: str) -> dict[str, str]:
    """Give the labels of an image. A container inherits its image's labels, so these must not say whose the container is."""
    return {IMAGE_STACK: inputs["stack"], "securepacs.image.component": inputs["component"], "securepacs.image.content": content_hash}


def labels(inputs: Values, spec: object) -> dict[str, str]:
    """Give the labels of an object."""
    return {STACK: inputs["stack"], COMPONENT: inputs["component"], SPEC: spec_hash(spec)}


def is_ours(found: Mapping[str, str] | None, inputs: Values) -> bool:
    """Tell whether an object's labels are those of this stack and component."""
    return bool(found) and found is not None and (found.get(STACK), found.get(COMPONENT)) == (inputs["stack"], inputs["component"])


def hold_ours(what: str, found: Mapping[str, str] | None, inputs: Values) -> None:
    """Refuse to touch an object that has not this stack's and component's labels."""
    if not is_ours(found, inputs):
        owner = f"of stack {found[STACK]}" if found and STACK in found else "not made by securepacs"
        raise RefusedError(f"{what} exists already and is {owner}", do="choose another name, or remove it yourself if nothing needs it")


def container_or_none(client: docker.APIClient, name_or_id: str) -> dict[str, Any] | None:
    """Inspect a container; None where there is none."""
    try:
        found: dict[str, Any] = client.inspect_container(name_or_id)
    except NotFound:
        return None
    return found


def image_or_none(client: docker.APIClient, reference: str) -> dict[str, Any] | None:
    """Inspect an image; None where there is none."""
    try:
        found: dict[str, Any] = client.inspect_image(reference)
    except NotFound:
        return None
    return found


def remove_container(client: docker.APIClient, container_id: str) -> None:
    """Remove a container and its anonymous volumes, running or not; one that is gone already is removed."""
    try:
        client.remove_container(container_id, v=True, force=True)
    except NotFound:
        return
    except APIError as refused:
        # Another removal of the same container is under way.
        if "already in progress" not in explain(refused):
            raise
        _until(lambda: container_or_none(client, container_id) is None, 30)


def remove_left_containers(client: docker.APIClient, ids: Iterable[str], owner: Values) -> None:
    """Remove those of the containers that are this stack's: a killed run, or a state that was lost, has left them."""
    for container_id in ids:
        left = container_or_none(client, container_id)
        if left is not None and is_ours(left["Config"]["Labels"], owner):
            remove_container(client, container_id)


def _until(done: Any, seconds: float) -> bool:  # noqa: ANN401
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end or CANCELLED.is_set():
            return False
        time.sleep(_POLL_SECONDS)
    return True


def health(inspected: Mapping[str, Any]) -> str:
    """Give `healthy`, `unhealthy`, `starting`, or the state of a container that does not run (`exited`, `paused`, …)."""
    state = inspected["State"]
    status = str(state["Status"])
    return str(state.get("Health", {}).get("Status", "none")) if status == "running" else status


def engine_time(client: docker.APIClient) -> datetime.datetime:
    """Give the engine's own time, for comparing with the times that it reports."""
    return parse_time(str(client.info()["SystemTime"]))


def parse_time(text: str) -> datetime.datetime:
    """Read RFC 3339 with nanoseconds, which the standard library's reader does not take."""
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00"))


def _checked_since(inspected: Mapping[str, Any], since: datetime.datetime | None) -> bool:
    log = inspected["State"].get("Health", {}).get("Log") or []
    return since is None or any(parse_time(entry["Start"]) >= since for entry in log)


def wait_healthy(client: docker.APIClient, name: str, container_id: str, seconds: float, since: datetime.datetime | None = None) -> None:
    """Wait until a container is healthy, by a check that began after `since`; DeploymentError with the log's tail where it is not."""
    end = time.monotonic() + seconds
    while True:
        inspected = container_or_none(client, container_id)
        if inspected is None:
            raise DeploymentError(f"container {name}: was removed by somebody while it was starting", do="run the command again")
        now = health(inspected)
        if now == "healthy" and _checked_since(inspected, since):
            return
        if now in {"exited", "dead"} or inspected["RestartCount"] > 1:
            why = f"ended{_last_status(client, inspected)}"
        elif now == "unhealthy" and _checked_since(inspected, since):
            why = f"is unhealthy ({_last_check(inspected)})"
        elif CANCELLED.is_set():
            why = "was not healthy yet when the command was cancelled"
        elif time.monotonic() > end:
            why = f"was not healthy after {seconds:g} s ({_last_check(inspected)})"
        else:
            time.sleep(_POLL_SECONDS)
            continue
        # A container that restarts has begun its next run already: the reason stands at the end of the one before.
        until = _finished(inspected) if inspected["RestartCount"] else None
        raise DeploymentError(f"container {name}: {why}; the end of its log:\n{log_tail(client, container_id, until)}")


def _last_status(client: docker.APIClient, inspected: Mapping[str, Any]) -> str:
    """Say with which status a container ended last: a restart makes the container itself forget it, the engine's events do not."""
    made, now = parse_time(inspected["Created"]).timestamp(), engine_time(client).timestamp()
    died = client.events(since=int(made), until=int(now) + 1, filters={"container": inspected["Id"], "event": "die"}, decode=True)
    statuses = [event["Actor"]["Attributes"].get("exitCode", "") for event in died]
    return f" with status {statuses[-1]}" if statuses and statuses[-1] else ""


def _finished(inspected: Mapping[str, Any]) -> datetime.datetime | None:
    """Give the time at which a container's last run ended; None where none has."""
    finished = parse_time(inspected["State"]["FinishedAt"])
    return finished if finished.year > 1 else None


def _last_check(inspected: Mapping[str, Any]) -> str:
    log = inspected["State"].get("Health", {}).get("Log") or []
    return f"last check: {' '.join(str(log[-1]['Output']).split())[:300]!r}" if log else "no check ended yet"


def log_tail(client: docker.APIClient, container_id: str, until: datetime.datetime | None = None) -> str:
    """Give the last lines of a container's log, those up to `until` where it is given, indented."""
    try:
        # The engine's own `until` is applied after its `tail`, which may leave nothing.
        text = client.logs(container_id, stdout=True, stderr=True, timestamps=True, tail=_LOG_READ).decode(errors="replace")
    except APIError as refused:
        return f"  (no log: {explain(refused)})"
    stamped = (line.partition(" ") for line in text.splitlines())
    lines = [said for when, _, said in stamped if until is None or parse_time(when) <= until]
    return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:]) or "  (empty)"
