"""Deployments as people publish them are refused, in words that a newcomer can act on."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from policies import published
from policies.engine import Engine

#: Program -> the rules that it is there for.
EXPECTED = {
    "default_password": {"default-password", "published-archive", "published-everywhere", "secret-in-environment", "root-user"},
    "open_everywhere": {"published-archive", "published-everywhere", "version-floor", "archive-without-gateway"},
    "authentication_off": {"orthanc-authentication", "orthanc-open-verbs", "image-digest"},
    "database_published": {"published-database", "published-everywhere", "secret-in-environment"},
    "anonymous_tls": {"orthanc-anonymous-tls", "published-archive"},
    "host_network": {"host-network", "privileged", "engine-socket"},
}


def test_every_published_program_is_tried() -> None:
    """No program lies in the folder that nothing is expected of."""
    assert {module.name for module in pkgutil.iter_modules(published.__path__)} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_published_deployment_is_refused(engine: Engine, name: str) -> None:
    """The preview fails with the rules that the program is known for; each message has a place and a remedy of its own."""
    program = importlib.import_module(f"policies.published.{name}").program
    ended = engine.run(program)
    assert ended.rules >= EXPECTED[name], ended.failure[-2000:]
    assert ended.made == []
    for event in ended.refused:
        first, *more = event.message.strip().splitlines()
        assert first.endswith("."), first
        told = {line.split()[0]: line for line in more if line.strip()}
        assert told.keys() >= {"rule", "where", "control", "mend", "more"}
        assert len(told["mend"].split()) > 3
