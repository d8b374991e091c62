"""The command line with a provider whose clock is behind: what it signs was signed long ago, as on a clinic that nobody looked after."""

from __future__ import annotations

import dataclasses
import datetime
import os
import sys
import types
from pathlib import Path

from deployed.deployment import Stack, run
from securepacs import cli
from securepacs.provider import adapter, clock
from securepacs.state import workspace

_DAYS, _FOLDER = "SECUREPACS_TEST_DAYS_AGO", "SECUREPACS_TEST_PROVIDER_FOLDER"
_TESTS = Path(__file__).parents[2]
_PROVIDER = """#!{python}
import sys
sys.path.insert(0, {tests!r})
from lifecycle.change.past import provider
provider()
"""


@dataclasses.dataclass(frozen=True)
class PastStack(Stack):
    """A stack that is driven as if it were `days` ago."""

    days: int = 0

    def securepacs(self, *arguments: str, seconds: float = 600) -> str:
        """Run a command as if it were then."""
        place = self.config.parent / "provider"
        place.mkdir(exist_ok=True)
        script = place / "pulumi-resource-securepacs"
        script.write_text(_PROVIDER.format(python=sys.executable, tests=str(_TESTS)), encoding="utf-8")
        script.chmod(0o700)
        # The policies of today are asked as everywhere.
        pack = place / "securepacs-policies"
        pack.unlink(missing_ok=True)
        pack.symlink_to(Path(sys.executable).with_name(pack.name))
        environment = {**self.environment, "PYTHONPATH": str(_TESTS), _DAYS: str(self.days), _FOLDER: str(place)}
        return run([sys.executable, "-m", "lifecycle.change.past", *arguments, "--stack", self.name], environment, seconds)


def provider() -> None:
    """Serve Pulumi with the clock set back."""
    today, back = clock.now, datetime.timedelta(days=int(os.environ[_DAYS]))
    clock.now = lambda: today() - back
    adapter.main()


def main() -> None:
    """Run the command line; the engine finds the provider beside the interpreter that the workspace names."""
    workspace.sys = types.SimpleNamespace(executable=str(Path(os.environ[_FOLDER]) / "python"))  # type: ignore[assignment, attr-defined] # all that it reads
    cli.main()


if __name__ == "__main__":
    main()
