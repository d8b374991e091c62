"""The run inside pytest: what becomes of each test. Registered only where a target is given."""

from __future__ import annotations

import contextlib
import fnmatch
import shutil
import time
from collections.abc import Generator, Sequence

import pytest

from securepacs_harness.bracket import NotAcceptedError, NotRefusedError
from securepacs_harness.check import MARK, Check
from securepacs_harness.errors import HarnessError
from securepacs_harness.evidence.bundle import write_bundle
from securepacs_harness.observation import EndedError
from securepacs_harness.plugin import COULD_NOT_RUN
from securepacs_harness.record import Record
from securepacs_harness.results import CheckResult, Status, Tier
from securepacs_harness.session import Verification, own_check

RECORD = pytest.StashKey[Record]()
#: Checks that come after all others: one removes what those stored, the next ones may lock this machine out for a while.
LATE = ("target.residue", "credentials.defaults", "credentials.guessing")
_STARTED = pytest.StashKey[float]()


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
        self._ended: set[str] = set()
        """Node ids of the tests that have a result."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Bring the checks into the order of their tiers: what may disturb comes last."""
        tiers = list(Tier)
        only = [pattern.strip() for pattern in self._config.getoption("--pacs-only").split(",") if pattern.strip()]
        left_out = [item for item in items if only and not any(fnmatch.fnmatchcase(check_of(item).id, pattern) for pattern in only)]
        if left_out:
            self._config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]

        def place(item: pytest.Item) -> tuple[int, int]:
            check = check_of(item)
            return (LATE.index(check.id) + 1 if check.id in LATE else 0, tiers.index(check.tier))

        items.sort(key=place)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note what the command line left out."""
        for item in items:
            self._told(self._verification.leave_out(check_of(item), "the command line left it out"))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say how many checks there are."""
        self._config.hook.pytest_pacs_begun(checks=len(session.items))

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Give each test its record; leave out what is of another tier."""
        check = check_of(item)
        item.stash[RECORD] = Record(check.id, self._verification.target.expects)
        item.stash[_STARTED] = time.monotonic()
        why = self._verification.out_of_tier(check)
        if not why and check.tier is Tier.WRITE and self._verification.target.cleanup is None:
            why = "the target does not say how synthetic studies are removed (cleanup)"
        if why:
            self._leave_out(item, why)
            pytest.skip(why)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Make a result of what the test recorded, and let pytest see it as passed, failed or skipped."""
        record = pyfuncitem.stash[RECORD]
        check = check_of(pyfuncitem)
        try:
            done = yield
        except (NotRefusedError, NotAcceptedError):
            done = True  # the record has it
        except HarnessError as error:
            record.unknown("the check", str(error))
            done = True
        except EndedError as error:
            record.unknown("the check", f"the connection ended: {error.seen}")
            done = True
        except AssertionError as error:
            told = str(error).splitlines()
            record.fact("assertion", expected="to hold", told=told[0] if told else "it does not hold", holds=False)
            done = True
        except Exception as error:
            record.unknown("the check", f"it failed itself: {type(error).__name__}: {error}")
            self._told(self._finish(check, pyfuncitem))
            raise
        self._raise(self._told(self._finish(check, pyfuncitem)))
        return done

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Make a result where the test itself could not: a fixture failed, or somebody called pytest.skip or pytest.fail."""
        if call.excinfo is None or item.nodeid in self._ended:
            return
        error = call.excinfo.value
        if isinstance(error, pytest.skip.Exception):
            self._leave_out(item, str(error))
            return
        record = item.stash.setdefault(RECORD, Record(check_of(item).id, self._verification.target.expects))
        told = str(error) if isinstance(error, HarnessError | pytest.fail.Exception) else f"{type(error).__name__}: {error}"
        record.unknown("the check", f"it could not be made: {told}" if call.when == "setup" else told)
        self._told(self._finish(check_of(item), item))

    def _leave_out(self, item: pytest.Item, why: str) -> None:
        self._ended.add(item.nodeid)
        self._told(self._verification.leave_out(check_of(item), why))

    def _finish(self, check: Check, item: pytest.Item) -> CheckResult:
        self._ended.add(item.nodeid)
        return self._verification.finish(check, item.stash[RECORD], time.monotonic() - item.stash.get(_STARTED, time.monotonic()))

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
        run = self._verification.run()
        given = self._verification.given
        known = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        # What pytest calls failed while no result says so (the end of a fixture, say) must not look clean.
        unsaid = exitstatus == pytest.ExitCode.TESTS_FAILED and run.exit_code == 0
        session.exitstatus = run.exit_code if exitstatus in known and not unsaid else COULD_NOT_RUN
        if given.out and run.checks:
            try:
                kept_out = (*self._verification.secrets(), *self._verification.patients())
                write_bundle(run, given.out, signing_key=given.signing_key, secrets=kept_out)
            except HarnessError as error:
                session.exitstatus = COULD_NOT_RUN
                self._problem = str(error)
        self._config.hook.pytest_pacs_finished(run=run, problem=self._problem)
        with contextlib.suppress(OSError):
            shutil.rmtree(self._verification.folder)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in one line how it ended."""
        run = self._verification.run()
        counts = ", ".join(f"{count} {status}" for status in Status if (count := run.count(status)))
        if self._problem:
            terminalreporter.write_line(f"securepacs-harness: {self._problem}")
        terminalreporter.write_line(f"{run.target.name}: {counts or 'nothing was checked'}; {run.connections} of {run.budget} connections")
