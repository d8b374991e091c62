"""Runs of the plugin against a stand-in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from securepacs_harness.results import Run, Status


def declared(port: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - sections of a target file
    """Declare the stand-in."""
    dicom = {"host": "127.0.0.1", "port": port, "ae_title": "ARCHIVE", "tls": False, "client_certificates": False}
    return {"version": 1, "name": "standin", "dicom": dicom, "peers": {"CT01": {"verbs": ["echo", "store"]}}, **more}


def run(pytester: pytest.Pytester, target: dict[str, Any], *options: str, checks: str, apart: bool = True) -> tuple[int, Run]:
    """Run checks against a target, in a process of their own or in this one; give pytest's exit status and what the evidence holds."""
    pytester.makepyfile(test_own=checks)
    file = pytester.path / "target.json"
    file.write_text(json.dumps(target), encoding="utf-8")
    begin = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
    done = begin("--pacs-target", str(file), "--pacs-out", "evidence", "-p", "no:cacheprovider", *options)
    return int(done.ret), Run.model_validate_json((pytester.path / "evidence" / "results.json").read_text(encoding="utf-8"))


def statuses(run: Run) -> dict[str, Status]:
    """Give how each check ended."""
    return {check.id: check.status for check in run.checks}
