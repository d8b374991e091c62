from __future__ import annotations

import datetime
import threading
from typing import Any

import pytest
from docker.errors import APIError

from securepacs.errors import DeploymentError, HostError
from securepacs.provider import engine


def test_no_engine_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no engine answers, the error says so and names the way to one."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    told: list[str] = []

    def attempt() -> None:
        try:
            engine.connect()
        except HostError as error:
            told.append(str(error))

    # Connections are kept by thread: a new one has none yet.
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert told == ["Docker engine: none answers; start it, or name it in DOCKER_HOST; `make bootstrap` installs one"]


def test_a_refusal_of_the_engine_is_one_line() -> None:
    """The engine's words stand on one line behind what was tried."""
    with pytest.raises(DeploymentError, match=r"^network x: no such driver$"), engine.telling("network x"):
        raise APIError("500", explanation="no such\n driver ")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"Status": "running", "Health": {"Status": "healthy"}}, "healthy"),
        ({"Status": "running", "Health": {"Status": "unhealthy"}}, "unhealthy"),
        ({"Status": "running"}, "none"),
        ({"Status": "paused", "Health": {"Status": "healthy"}}, "paused"),
        ({"Status": "exited", "Health": {"Status": "healthy"}}, "exited"),
    ],
)
def test_only_what_runs_is_healthy(state: dict[str, Any], expected: str) -> None:
    """A container that was healthy and was stopped or paused since is not healthy."""
    assert engine.health({"State": state}) == expected


@pytest.mark.parametrize("text", ["2026-01-31T10:20:30.123456789Z", "2026-01-31T10:20:30.123456Z", "2026-01-31T11:20:30.123456789+01:00"])
def test_the_engines_times_are_read(text: str) -> None:
    """RFC 3339 with nanoseconds and any offset is the same moment."""
    assert engine.parse_time(text) == datetime.datetime(2026, 1, 31, 10, 20, 30, 123456, tzinfo=datetime.UTC)


def test_a_spec_hash_does_not_depend_on_order() -> None:
    """Equal specifications have equal hashes, different ones different."""
    assert engine.spec_hash({"a": 1, "b": [1, 2]}) == engine.spec_hash({"b": [1, 2], "a": 1})
    assert engine.spec_hash({"a": 1}) != engine.spec_hash({"a": 2})
