"""Runs the harness on mutants and holds what it found against what each was made for: the matrix of defects and checks."""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import json
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
from docker.errors import DockerException
from rich.console import Console

from mutants.base import BROWSER, HARDENED, IN_A_BROWSER, LOADED, UNDECLARED, Laboratory, all_mutants, laboratory
from mutants.blueprint import MutationError
from mutants.lab import Slot, remove_left_overs, standing
from mutants.mutant import Mutant
from securepacs_harness import forge
from securepacs_harness.check import packaged
from securepacs_harness.errors import HarnessError
from securepacs_harness.plugin import COULD_NOT_RUN
from securepacs_harness.results import Run, Status, Tier

#: How many stand and are tested side by side; most of a run is waiting.
SLOTS = 5
#: Seconds that one run of the harness may take.
LONGEST = 600


def due(mutant: Mutant) -> list[str]:
    """Give the packaged checks that a run on a mutant makes, by its tier and its patterns, without those of what is not declared."""
    undeclared = UNDECLARED if mutant.browser else (*UNDECLARED, *IN_A_BROWSER)
    tiers = list(Tier)
    patterns = mutant.only.split(",") if mutant.only else ["*"]
    made = [id for id, check in packaged().items() if tiers.index(check.tier) <= tiers.index(mutant.tier) and id not in undeclared]
    return [id for id in made if any(fnmatch.fnmatchcase(id, pattern) for pattern in patterns)]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the harness said of one mutant."""

    mutant: Mutant
    statuses: dict[str, Status]
    exit_code: int
    seconds: float
    reasons: dict[str, str] = dataclasses.field(repr=False, default_factory=dict)
    failure: str = ""
    """Why the harness said nothing of it: it could not be made, or the run did not end."""

    def ended(self, *wanted: Status) -> list[str]:
        """Give the checks that ended so."""
        return [id for id, status in self.statuses.items() if status in wanted]

    @property
    def found(self) -> list[str]:
        """Checks with findings."""
        return self.ended(Status.FOUND)

    @property
    def missed(self) -> list[str]:
        """Checks that were made for the defect and did not tell it. Of a dead system it is enough that they did not pass."""
        caught = (Status.FOUND,) if self.mutant.conclusive else (Status.FOUND, Status.INCONCLUSIVE)
        return [id for id in self.mutant.caught_by if self.statuses.get(id) not in caught]

    @property
    def _alarm(self) -> str:
        """Say what is wrong on a PACS without a defect. A check that was not made shows as little as one that alarms."""
        bad = self.ended(Status.FOUND, Status.INCONCLUSIVE)
        if bad or self.exit_code:
            return f"false alarm: {', '.join(bad) or f'the run ended with {self.exit_code}'}"
        left = [id for id in due(self.mutant) if self.statuses.get(id) is not Status.PASSED]
        return f"not shown: {', '.join(left)}" if left else ""

    @property
    def problem(self) -> str:
        """Say what is wrong with the harness; '' where nothing is."""
        if self.failure:
            return f"not tried: {self.failure}"
        if self.mutant.whole:
            return self._alarm
        if self.missed:
            told = "; ".join(f"{id} {self.statuses.get(id, 'did not run')}" for id in self.missed)
            return f"missed: {told}"
        if not self.exit_code:
            return "the run ended with 0"
        if not self.mutant.conclusive:
            # Whatever such a system refuses, it refuses to honest peers too; what never asks it for anything may pass.
            passed = [id for id in self.ended(Status.PASSED) if id.partition(".")[0] in self.mutant.dead and id not in self.mutant.alive]
            return f"passed on a dead system: {', '.join(passed)}" if passed else ""
        return ""


def run_harness(lab: Laboratory, target: Path, mutant: Mutant, out: Path) -> tuple[Run | None, int]:
    """Run the command in a process of its own; give its results and its exit status."""
    command = [sys.executable, "-m", "securepacs_harness", str(target), "--tier", mutant.tier, "--only", mutant.only, "--out", str(out)]
    command += ["--bundles", str(lab.bundles), "--passwords", str(lab.passwords)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False, stdin=subprocess.DEVNULL)
    results = out / "results.json"
    if not results.is_file():
        return None, done.returncode
    return Run.model_validate_json(results.read_text(encoding="utf-8")), done.returncode


def tried(client: docker.DockerClient, lab: Laboratory, mutant: Mutant, slot: Slot, folder: Path) -> Outcome:
    """Stand one mutant up, run the harness on it, take it down."""
    began = time.monotonic()
    try:
        with standing(client, lab.base, mutant.made_from(lab.browser if mutant.browser else lab.blueprint), slot, folder) as (target, _):
            run, status = run_harness(lab, target, mutant, folder / mutant.name)
    except (DockerException, HarnessError, subprocess.TimeoutExpired) as error:
        # The others are tried all the same: an hour of work does not hang on one of them.
        return Outcome(mutant, {}, COULD_NOT_RUN, time.monotonic() - began, failure=_in_words(error))
    checks = run.checks if run else ()
    return Outcome(
        mutant,
        {check.id: check.status for check in checks},
        status,
        time.monotonic() - began,
        {check.id: check.reason for check in checks},
        "" if run else f"the run ended with {status} and wrote no results",
    )


def _in_words(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the run took longer than {LONGEST} s"
    return str(error).splitlines()[0]


def matrix(lab: Laboratory, mutants: Sequence[Mutant], folder: Path, console: Console) -> list[Outcome]:
    """Try all of them, some side by side; tell each as it ends."""
    client = docker.from_env()
    remove_left_overs(client)
    free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
    for number in range(SLOTS):
        free.put(Slot(number))

    def one(mutant: Mutant) -> Outcome:
        slot = free.get()
        try:
            outcome = tried(client, lab, mutant, slot, folder)
        finally:
            free.put(slot)
        told = outcome.problem or (f"caught by {', '.join(outcome.mutant.caught_by)}" if not mutant.whole else "clean")
        console.print(f"{mutant.name:<32} {outcome.seconds:5.0f} s  {told}", highlight=False, soft_wrap=True)
        for id in outcome.missed or (outcome.ended(Status.FOUND, Status.INCONCLUSIVE) if mutant.whole else []):
            console.print(f"    {id}: {outcome.reasons.get(id, '')}", highlight=False, soft_wrap=True, markup=False)
        return outcome

    with ThreadPoolExecutor(max_workers=SLOTS) as pool:
        return list(pool.map(one, mutants))


def document(outcomes: Sequence[Outcome]) -> str:
    """Write the matrix as a page: a row for each defect, with the checks that were made for it and the others that told it too."""
    rows = []
    for outcome in outcomes:
        others = [id for id in outcome.found if id not in outcome.mutant.caught_by]
        caught = ", ".join(f"`{id}`" for id in outcome.mutant.caught_by) or "clean"
        also = f"{', '.join(f'`{id}`' for id in others[:6])}{f' and {len(others) - 6} more' if len(others) > 6 else ''}"
        rows.append(f"| `{outcome.mutant.name}` | {outcome.mutant.defect} | {outcome.problem or caught} | {also} |")
    well = sum(not outcome.problem for outcome in outcomes if not outcome.mutant.whole)
    total = sum(not outcome.mutant.whole for outcome in outcomes)
    clean = all(not outcome.problem for outcome in outcomes if outcome.mutant.whole)
    known = packaged()
    verdict = "clean, without a false alarm" if clean else "NOT clean"
    head = [
        "# Mutants: does the harness find what it is made to find?",
        "",
        "Each row is the deployed clinic with one defect, made by `make mutants`. The checks in the third column are made for it and",
        "told it; those in the last told it too, because the defect is theirs as well.",
        "",
        f"{well} of {total} defects are caught by the checks made for them, {total - well} missed. The hardened clinic is {verdict}.",
        f"{len(known)} packaged checks, each with at least one mutant.",
        "",
        "| PACS | Defect | Caught by | Told by others too |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows, ""])


def remembered(file: Path, mutants: Sequence[Mutant], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Keep outcomes in a file; give them with those of earlier runs that were not tried now, in the order of the mutants."""
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept |= {
        outcome.mutant.name: {"statuses": outcome.statuses, "exit_code": outcome.exit_code, "seconds": round(outcome.seconds)}
        | ({"failure": outcome.failure} if outcome.failure else {})
        for outcome in outcomes
    }
    file.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    told = [(mutant, kept[mutant.name]) for mutant in mutants if mutant.name in kept]
    return [
        Outcome(
            mutant,
            {id: Status(status) for id, status in there["statuses"].items()},
            there["exit_code"],
            there["seconds"],
            failure=there.get("failure", ""),
        )
        for mutant, there in told
    ]


def unguarded(mutants: Sequence[Mutant]) -> list[str]:
    """Give the packaged checks for which no mutant is made."""
    made = {id for mutant in mutants for id in mutant.caught_by}
    return [id for id in packaged() if id not in made]


def selected(mutants: Sequence[Mutant], names: Sequence[str]) -> list[Mutant]:
    """Give the mutants of these names, in the order of `mutants`. Raises MutationError for a name that none has."""
    unknown = sorted(set(names) - {mutant.name for mutant in mutants})
    if unknown:
        raise MutationError(f"there is no mutant {', '.join(unknown)}; tests/mutants/defects_*.py name those that are there")
    return [mutant for mutant in mutants if mutant.name in names]


def main() -> int:
    """Run the matrix from the command line: all mutants, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="mutants to try (default: all, and the hardened clinic)")
    parser.add_argument("--page", type=Path, help="write the matrix there as Markdown")
    parser.add_argument("--json", type=Path, help="keep it there as JSON; what was tried before and is not tried now stays in it")
    given = parser.parse_args()
    console = Console(width=220, soft_wrap=True)
    # Names do not depend on authorities: a wrong one is told before a clinic is deployed.
    named = (HARDENED, LOADED, BROWSER, *all_mutants(forge.new_authority("one"), forge.new_authority("another"), "localhost"))
    try:
        names = [mutant.name for mutant in (selected(named, given.names) if given.names else named)]
    except MutationError as error:
        console.print(f"error: {error}", highlight=False)
        return 2
    with tempfile.TemporaryDirectory(prefix="securepacs-mutants-") as place, laboratory(Path(place)) as lab:
        every = (HARDENED, LOADED, BROWSER, *lab.mutants)
        chosen = selected(every, names)
        began = time.monotonic()
        outcomes = matrix(lab, chosen, Path(place), console)
    problems = [outcome for outcome in outcomes if outcome.problem]
    whole = remembered(given.json, every, outcomes) if given.json else outcomes
    if given.page:
        given.page.write_text(document(whole), encoding="utf-8")
    console.print(f"{len(outcomes)} PACS in {time.monotonic() - began:.0f} s, {len(problems)} with a problem", highlight=False)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
