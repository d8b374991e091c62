"""What a person sees of a run: progress while it goes on, and a summary at its end. It listens to the harness's hooks."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from securepacs_harness.check import Check
from securepacs_harness.evidence.page import SAID, verdict
from securepacs_harness.record import in_words
from securepacs_harness.results import CheckResult, Run, Status

_STYLES = {
    Status.PASSED: "green",
    Status.FOUND: "bold red",
    Status.INCONCLUSIVE: "bold yellow",
    Status.WAIVED: "magenta",
    Status.NOT_TESTED: "dim",
}
#: How many cases of one check are told.
_MOST = 4


def catalogue(checks: Iterable[Check]) -> Table:
    """Give the packaged checks as a table."""
    table = Table(Column("check", no_wrap=True), "tier", "what is so when it passes", "controls", box=None, pad_edge=False)
    for check in checks:
        table.add_row(check.id, check.tier, check.title, ", ".join(check.controls))
    return table


class Display:
    """Shows one run. `problems` is why it could not be made to its end; `written` whether its evidence is there, where it was asked for."""

    def __init__(self, told: Console, noted: Console) -> None:
        self._told = told
        self._noted = noted
        self._began = time.monotonic()
        self._progress: Progress | None = None
        self.problems: list[str] = []
        self.written = False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be read: a broken file of somebody's own checks."""
        if report.failed:
            last = str(report.longrepr).strip().splitlines()[-1:]
            self.problems.append(f"{report.nodeid}: cannot be read as checks: {''.join(last)}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep why a run was ended before its end."""
        asked = isinstance(excinfo.value, KeyboardInterrupt)
        self.problems.append("interrupted" if asked else str(excinfo.value).removeprefix("securepacs-harness: "))

    def pytest_pacs_begun(self, checks: int) -> None:
        """Begin to show progress, where somebody watches."""
        if self._noted.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self._noted, transient=True)
            self._progress.start()
            self._progress.add_task("checks", total=checks)

    def pytest_pacs_check_finished(self, result: CheckResult) -> None:
        """Tell of one check: a line where nobody watches, or where there is something to tell."""
        if self._progress:
            self._progress.update(self._progress.task_ids[0], advance=1, description=result.id)
        if result.status is Status.NOT_TESTED and not result.cases:
            return  # told at the end, by its reason
        if not self._progress or result.status in {Status.FOUND, Status.INCONCLUSIVE}:
            line = Text.assemble((f"{result.status:<12} ", _STYLES[result.status]), (f"{result.id:<32} ", ""), result.title)
            self._told.print(line, soft_wrap=True, highlight=False)

    def pytest_pacs_finished(self, run: Run, problem: str) -> None:
        """Tell the whole."""
        if self._progress:
            self._progress.stop()
        if problem:
            self.problems.append(problem)
        if not run.checks:
            return
        self.written = not problem
        for status in (Status.FOUND, Status.INCONCLUSIVE, Status.WAIVED):
            for check in run.checks:
                if check.status is status:
                    self._tell(check)
        self._tell_waivers(run)
        self._tell_left_out(run)
        style, sentence = verdict(run)
        counts = ", ".join(f"{count} {status}" for status in Status if (count := run.count(status)))
        self._told.print()
        self._told.print(Text.assemble((f"{run.target.name}: {sentence}", _STYLES[Status(style)])), soft_wrap=True)
        seconds = f"{time.monotonic() - self._began:.0f} s"
        self._told.print(f"{counts}; {run.connections} of {run.budget} connections, {seconds}", highlight=False, soft_wrap=True)

    def _tell(self, check: CheckResult) -> None:
        self._told.print()
        heading = Text.assemble((f"{SAID[check.status]}: ", _STYLES[check.status]), f"{check.title}  ", (check.id, "dim"))
        self._told.print(heading, soft_wrap=True)
        cases = [case for case in check.cases if case.status is check.status]
        for line in [in_words(case) for case in cases[:_MOST]] or [check.reason]:
            self._told.print(Text(f"  {line}"), soft_wrap=True)
        if len(cases) > _MOST:
            self._told.print(Text(f"  and {len(cases) - _MOST} more", "dim"))
        if check.remedy and check.status is Status.FOUND:
            self._told.print(Text(f"  to mend it: {check.remedy}", "italic"), soft_wrap=True)

    def _tell_waivers(self, run: Run) -> None:
        for waiver in run.waivers:
            left = f"{waiver.days_left} days left" if waiver.days_left >= 0 else "expired"
            self._told.print(Text(f"waiver: {waiver.what} ({waiver.owner}, until {waiver.until}, {left})", "magenta"), soft_wrap=True)

    def _tell_left_out(self, run: Run) -> None:
        """Tell what was not tested, by its reason, so that many lines of one reason are one line."""
        by_reason: dict[str, list[str]] = {}
        for check in run.checks:
            if check.status is Status.NOT_TESTED and not check.cases:
                by_reason.setdefault(check.reason, []).append(check.id)
            for case in check.cases:
                if case.status is Status.NOT_TESTED:
                    by_reason.setdefault(case.told, []).append(f"{check.id} ({case.what})")
        if by_reason:
            self._told.print()
            self._told.print(Text("not tested", "bold"))
        for reason, what in by_reason.items():
            shown = ", ".join(what[:3]) + (f" and {len(what) - 3} more" if len(what) > 3 else "")
            self._told.print(Text(f"  {shown}: {reason}"), soft_wrap=True)
