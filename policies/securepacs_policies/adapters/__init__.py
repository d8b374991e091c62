"""From resources of a provider to the things that rules look at: one table from a resource's type to the function that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from securepacs_policies.adapters import docker, kubernetes, own, tls
from securepacs_policies.things import Adapter, Resource, Thing, Unread
from securepacs_policies.values import Undecided, Unknown

__all__ = ["ADAPTERS", "things_of"]

#: A resource's type -> what it declares. What has no entry is no part of a PACS that these rules know.
ADAPTERS: Final[Mapping[str, Adapter]] = MappingProxyType({**own.ADAPTERS, **docker.ADAPTERS, **kubernetes.ADAPTERS, **tls.ADAPTERS})


def things_of(resource: Resource) -> tuple[Thing, ...]:
    """Give what a resource declares. Where even how much that is depends on a value that is not known yet, the rest is one `Unread`."""
    adapter = ADAPTERS.get(resource.type)
    found: list[Thing] = []
    if adapter:
        try:
            found.extend(adapter(resource))  # what came before an exception is kept
        except Undecided as undecided:
            found.append(Unread(resource=resource, path=undecided.path, rest=Unknown(undecided.path)))
        except Exception as error:  # noqa: BLE001 - what cannot be read must be refused, and not let through
            found.append(Unread(resource=resource, rest=None, failed=type(error).__name__))
    return tuple(found)
