"""What the harness tells other plugins while it runs."""

from __future__ import annotations

from securepacs_harness.results import CheckResult, Run


def pytest_pacs_begun(checks: int) -> None:
    """Tell how many checks there are, before the first."""


def pytest_pacs_check_finished(result: CheckResult) -> None:
    """Tell how one check ended."""


def pytest_pacs_finished(run: Run, problem: str) -> None:
    """Tell what the whole run found, after the last; `problem` is why its evidence could not be written, else empty."""
