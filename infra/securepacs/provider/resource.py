"""What a resource of the provider is: two tables and five verbs, in plain synchronous Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from securepacs.provider.fields import Change, Failure, Field, Values, echoed


@dataclass(frozen=True)
class Created:
    """A new object: its id and what the provider computed."""

    id: str
    outputs: Values


@dataclass(frozen=True)
class Found:
    """What `read` saw: the observed properties that differ from, or stand beside, those of the state."""

    observed: Values


class Resource(ABC):
    """One kind of resource. `inputs` and `outputs` are its tables; what is not overridden is right for pure computation."""

    pulumi_type: ClassVar[str]
    description: ClassVar[str]
    inputs: ClassVar[tuple[Field, ...]]
    outputs: ClassVar[tuple[Field, ...]]
    delete_before_replace: ClassVar[bool] = False
    refuses_secrets: ClassVar[bool] = False
    """True where every input ends in the open (labels, inspect), so that a secret value is a mistake."""
    stable: ClassVar[frozenset[str]] = frozenset()
    """Outputs that an update keeps."""

    def complete(self, inputs: Values) -> tuple[Values, list[Failure]]:
        """Check across properties and give the computed ones; called when each property alone is right."""
        del inputs
        return {}, []

    def look(self, resource_id: str, state: Values, inputs: Values) -> list[Change]:
        """Give differences that no comparison of properties shows: the object is gone, stopped, about to expire."""
        del resource_id, state, inputs
        return []

    def foresee(self, state: Values | None, inputs: Values) -> Values:
        """Give the outputs that a preview can know; `state` is None for a creation."""
        del inputs
        return {name: value for name, value in (state or {}).items() if name in self.stable}

    @abstractmethod
    def create(self, inputs: Values) -> Created:
        """Make the object; on failure leave nothing behind."""

    def read(self, resource_id: str, state: Values, inputs: Values) -> Found | None:
        """Give what is there, or None where the object is gone."""
        del resource_id, state, inputs
        return Found({})

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Change the object in place and give its outputs."""
        del resource_id, state, inputs
        raise NotImplementedError(f"every change of {self.pulumi_type} makes a new one")

    def delete(self, resource_id: str, state: Values) -> None:
        """Remove the object; one that is gone already is removed."""
        del resource_id, state

    def state(self, inputs: Values, outputs: Values) -> Values:
        """Give what is kept in the state: the compared inputs and the outputs."""
        return {**echoed(self.inputs, inputs), **outputs}
