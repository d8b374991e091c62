"""A preview that is refused is told as refused, also where the SDK missed the engine's last events."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pulumi import automation
from rich.console import Console

from securepacs.commands.deployment import hold_to_policies
from securepacs.commands.progress import Progress
from securepacs.errors import DeploymentError, PolicyError
from securepacs.policies import Policies


class Refusing:
    """A stack whose previews fail; the first `silent` of them without an event."""

    def __init__(self, silent: int) -> None:
        self.silent, self.previews = silent, 0

    def preview(self, on_event: Progress, **_: Any) -> None:  # noqa: ANN401 - the stack's own options
        """Fail as the engine does."""
        self.previews += 1
        if self.previews > self.silent:
            on_event.refused.append("a rule is broken")
        raise automation.CommandError(cast("Any", "code: 255"))


class Asked:
    """Policies with nothing to pass on."""

    def options(self) -> dict[str, Any]:
        """Give no option."""
        return {}


def held(stack: Refusing) -> None:
    """Hold the stack to the policies."""
    hold_to_policies(cast("automation.Stack", stack), cast("Policies", Asked()), Progress(Console(quiet=True), preview=True))


def test_a_refusal_that_was_heard_is_told() -> None:
    """A preview whose refusal was heard is asked once, and ends as a broken policy."""
    stack = Refusing(silent=0)
    with pytest.raises(PolicyError, match="a rule is broken"):
        held(stack)
    assert stack.previews == 1


def test_a_refusal_that_was_missed_is_asked_for_again() -> None:
    """A preview that failed without a word is asked once more, and then says why."""
    stack = Refusing(silent=1)
    with pytest.raises(PolicyError, match="a rule is broken"):
        held(stack)
    assert stack.previews == 2


def test_a_failure_without_a_word_stays_one() -> None:
    """A preview that fails twice without a word ends as a failure of the engine, not as accepted."""
    stack = Refusing(silent=2)
    with pytest.raises(DeploymentError):
        held(stack)
    assert stack.previews == 2
