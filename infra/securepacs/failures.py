"""What the Pulumi engine's failures mean, in the words that a person is told."""

from __future__ import annotations

from collections.abc import Iterable

from pulumi import automation

from securepacs.commands.progress import Progress
from securepacs.errors import DeploymentError, PolicyError, SecurePacsError

#: Words in the engine's failure -> what a person is told instead. The first that is found counts.
KNOWN_FAILURES = {
    "incorrect passphrase": (
        "the passphrase is not the one of this state",
        "put back .securepacs/passphrase, or set PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    "currently locked": (
        "another run is working on this stack",
        "wait until it ends; if there is none, remove its lock with `pulumi cancel`",
    ),
    "no space left on device": (
        "the disk is full: no space left on device",
        "free some (`df -h` and `docker system df` show where it went), then run the command again",
    ),
    "failed to load checkpoint": ("the stack's state cannot be read", "run `securepacs recover`"),
}


def known_failure(text: str) -> DeploymentError | None:
    """Give what a known failure is told as; None for one that is not in the table."""
    return next((DeploymentError(what, do=do) for words, (what, do) in KNOWN_FAILURES.items() if words in text), None)


_WHERE = "  where    "


def gathered(messages: Iterable[str]) -> list[str]:
    """Tell once what breaks the same rule in the same way at several places, with all the places."""
    places: dict[tuple[str, ...], list[str]] = {}
    for message in messages:
        lines = message.splitlines()
        same = tuple(_WHERE if line.startswith(_WHERE) else line for line in lines)
        places.setdefault(same, []).extend(line.removeprefix(_WHERE) for line in lines if line.startswith(_WHERE))
    return ["\n".join(_WHERE + "; ".join(there) if line == _WHERE else line for line in same) for same, there in places.items()]


def engine_failed(progress: Progress, error: automation.CommandError) -> SecurePacsError:
    """Turn the engine's failure into the lines that say what happened."""
    if progress.refused:
        stands = [] if progress.preview or not progress.done else [f"what was made before stands: {progress.summary()}"]
        return PolicyError("\n".join([*gathered(progress.refused), *stands, *progress.problems]))
    if known := known_failure(str(error)):
        return known
    lines = [line.partition("error:")[2].strip() for line in str(error).splitlines() if "error:" in line]
    return DeploymentError("\n".join(dict.fromkeys(progress.problems or lines)) or str(error).strip())
