"""The run inside pytest: what becomes of each test. Registered only where a target is given.

No test gets lost: whatever it does (break while it is set up, skip, end Python, take another's name) there is a result of it.
"""

from __future__ import annotations

import fnmatch
import shutil
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from types import FrameType
from typing import Any

import pytest

from securepacs_harness.bracket import NotAcceptedError, NotRefusedError
from securepacs_harness.check import MARK, Check
from securepacs_harness.errors import HarnessError
from securepacs_harness.evidence.bundle import write_bundle
from securepacs_harness.observation import EndedError
from securepacs_harness.plugin import CLEAN, COULD_NOT_RUN
from securepacs_harness.record import Record
from securepacs_harness.results import CheckResult, Status, Tier
from securepacs_harness.session import Verification, own_check

RECORD = pytest.StashKey[Record]()
#: Checks that come after all others: one removes what those stored, the next ones may lock this machine out for a while.
LATE = ("target.residue", "session.unknown-name", "session.guessing", "credentials.defaults", "credentials.guessing")
_STARTED = pytest.StashKey[float]()
#: Why a test was not made at all.
_LEFT_OUT = pytest.StashKey[str]()
#: Whether a test came to an end of its own, good or bad.
_ENDED = pytest.StashKey[bool]()
#: A test of which one thing or another went wrong, in its case's words.
_THE_CHECK = "the check"


class FoundError(AssertionError):
    """A check ended with findings, or showed nothing."""


def check_of(item: pytest.Item) -> Check:
    """Give a test's entry in the catalogue, or one made of its name and its first sentence."""
    marker = item.get_closest_marker(MARK)
    if marker:
        made: Check = marker.args[0]
        return made
    function = getattr(item, "function", None)
    said = (getattr(function, "__doc__", None) or item.name).strip().splitlines()[0]
    return own_check(item.name, said)


class Running:
    """pytest's hooks of a run."""

    def __init__(self, config: pytest.Config, verification: Verification) -> None:
        self._config = config
        self._verification = verification
        self._problem = ""
        self._chosen = False
        self._left_out: list[pytest.Item] = []
        self._to_come: dict[str, pytest.Item] = {}
        self._before: Callable[[int, FrameType | None], Any] | int | None = None

    def pytest_sessionstart(self) -> None:
        """Let a polite request to end (SIGTERM, as CI systems send it) end the run as Ctrl-C does: with what was stored removed."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _interrupted)

    # What other plugins do to the order comes before.
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Bring the checks into the order of their tiers: what may disturb comes last."""
        tiers = list(Tier)
        only = [pattern.strip() for pattern in self._config.getoption("--pacs-only").split(",") if pattern.strip()]
        known = [check_of(item).id for item in (*items, *self._left_out)]
        idle = [pattern for pattern in only if not fnmatch.filter(known, pattern)]
        if idle:
            told = f"--only: got {', '.join(idle)}, which matches no check; `pacs-verify --list` names them"
            pytest.exit(f"securepacs-harness: {told}", returncode=COULD_NOT_RUN)
        left_out = [item for item in items if only and not any(fnmatch.fnmatchcase(check_of(item).id, pattern) for pattern in only)]
        if left_out:
            self._config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]

        def place(item: pytest.Item) -> tuple[int, int]:
            check = check_of(item)
            return (LATE.index(check.id) + 1 if check.id in LATE else 0, tiers.index(check.tier))

        items.sort(key=place)
        self._chosen = True

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note what the command line left out."""
        self._left_out += items
        for item in items:
            self._told(self._verification.leave_out(check_of(item), "the command line left it out"))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say how many checks there are."""
        if not self._chosen:
            return  # pytest tells this hook also of what was given up
        if not self._config.option.collectonly:
            self._to_come = {item.nodeid: item for item in session.items}
        self._config.hook.pytest_pacs_begun(checks=len(session.items))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep one result of each test, whatever became of it, after what comes before and after it."""
        item.stash[RECORD] = Record(check_of(item).id, self._verification.target.expects)
        item.stash[_STARTED] = time.monotonic()
        try:
            return (yield)
        finally:
            self._to_come.pop(item.nodeid, None)
            self._close(item)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave out what is of another tier."""
        check = check_of(item)
        why = self._verification.out_of_tier(check)
        if not why and check.tier is Tier.WRITE and self._verification.target.cleanup is None:
            why = "the target does not say how synthetic studies are removed (cleanup)"
        if why:
            pytest.skip(why)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take down how a test ended, and let pytest see its record's status as passed, failed or skipped."""
        record = item.stash[RECORD]
        try:
            done = yield
        except (NotRefusedError, NotAcceptedError):
            done = None  # the record has it
        except HarnessError as error:
            record.unknown(_THE_CHECK, str(error))
            done = None
        except EndedError as error:
            record.unknown(_THE_CHECK, f"the connection ended: {error.seen}")
            done = None
        except AssertionError as error:
            told = str(error).splitlines()
            record.fact("assertion", expected="to hold", told=told[0] if told else "it does not hold", holds=False)
            done = None
        except pytest.fail.Exception as error:
            # Also pytest's own word for what is none of the target's doing: too slow, a coroutine.
            record.unknown(_THE_CHECK, str(error).partition("\n")[0])
            done = None
        except pytest.skip.Exception as error:
            if not record.cases:
                item.stash[_LEFT_OUT] = str(error)
                raise
            record.not_tested(_THE_CHECK, str(error))
            done = None
        except (Exception, SystemExit) as error:
            record.unknown(_THE_CHECK, f"it failed itself: {type(error).__name__}: {error}")
            item.stash[_ENDED] = True
            raise
        item.stash[_ENDED] = True
        self._raise(self._judged(item))
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, object, object]:
        """Take down what happened before and after a test."""
        done = yield
        error = call.excinfo.value if call.excinfo else None
        if call.when == "setup" and isinstance(error, pytest.skip.Exception):
            item.stash[_LEFT_OUT] = str(error)
        elif call.when == "setup" and error:
            told = str(error) if isinstance(error, HarnessError) else f"it could not begin: {type(error).__name__}: {error}"
            item.stash[RECORD].unknown(_THE_CHECK, told)
            item.stash[_ENDED] = True
        elif call.when == "teardown" and error:
            item.stash[RECORD].unknown(_THE_CHECK, f"it did not clear up: {type(error).__name__}: {error}")
        return done

    def _judged(self, item: pytest.Item) -> CheckResult:
        return self._verification.judge(check_of(item), item.stash[RECORD], time.monotonic() - item.stash[_STARTED])

    def _close(self, item: pytest.Item) -> None:
        why = item.stash.get(_LEFT_OUT, None)
        if why is not None:
            variant = _variant_of(item)
            self._told(self._verification.leave_out(check_of(item), f"{why} [{variant}]" if variant else why))
            return
        if not item.stash.get(_ENDED, False):
            item.stash[RECORD].unknown(_THE_CHECK, "it was ended before it was done")
        self._told(self._verification.keep(_of_variant(self._judged(item), _variant_of(item))))

    @staticmethod
    def _raise(result: CheckResult) -> None:
        if result.status in {Status.FOUND, Status.INCONCLUSIVE}:
            raise FoundError(f"{result.status}: {result.reason}\n{result.remedy}".rstrip())
        if result.status is Status.NOT_TESTED:
            pytest.skip(result.reason)

    def _told(self, result: CheckResult) -> CheckResult:
        self._config.hook.pytest_pacs_check_finished(result=result)
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the evidence, and give the run's own exit status."""
        # What a run that was cut short has stored goes too.
        self._verification.canaries.remove(Record())
        for item in self._to_come.values():
            self._verification.leave_out(check_of(item), "the run was ended before it")
        run = self._verification.run()
        # A failure of which no record tells, such as a file of checks that cannot be read, leaves the run unfinished too.
        lost = exitstatus == pytest.ExitCode.TESTS_FAILED and run.exit_code == CLEAN
        if lost or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            run = run.model_copy(update={"unfinished": True})
        given = self._verification.given
        session.exitstatus = run.exit_code
        if given.out and run.checks:
            try:
                kept_out = (*self._verification.secrets(), *self._verification.patients())
                write_bundle(run, given.out, signing_key=given.signing_key, secrets=kept_out)
            except HarnessError as error:
                session.exitstatus = COULD_NOT_RUN
                self._problem = str(error)
        self._config.hook.pytest_pacs_finished(run=run, problem=self._problem)
        shutil.rmtree(self._verification.folder, ignore_errors=True)
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in one line how it ended."""
        run = self._verification.run()
        counts = ", ".join(f"{count} {status}" for status in Status if (count := run.count(status)))
        if self._problem:
            terminalreporter.write_line(f"securepacs-harness: {self._problem}")
        terminalreporter.write_line(f"{run.target.name}: {counts or 'nothing was checked'}; {run.connections} of {run.budget} connections")


def _interrupted(signum: int, frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)  # asked once more it goes on clearing up
    raise KeyboardInterrupt(f"signal {signum} at {frame.f_lineno if frame else 0}")


def _variant_of(item: pytest.Item) -> str:
    """Give the parameters of a test in the catalogue, whose id is the same for all of them; '' where there are none."""
    variant = getattr(item, "callspec", None)
    return str(variant.id) if variant is not None and item.get_closest_marker(MARK) else ""


def _of_variant(result: CheckResult, variant: str) -> CheckResult:
    """Name the cases of a parametrised test after its parameters."""
    if not variant:
        return result
    cases = tuple(case.model_copy(update={"what": f"{case.what} [{variant}]"}) for case in result.cases)
    return result.model_copy(update={"cases": cases})
