"""Probes that show, of any PACS with a target file, what it accepts and what it refuses.

It declares nothing itself: a target file declares (`target`), probes observe (`probes`), and a refusal is only what `bracket`
found between two successes of an authorised control. This package imports nothing of the module that deploys a PACS.

The names below are what a check of one's own needs.
"""

from securepacs_harness.bracket import Bracket, accepts, at, bracket
from securepacs_harness.check import check
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes import association, dimse, http
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.target import Target, load_target

__all__ = [
    "Attempt",
    "Bracket",
    "Caller",
    "Canaries",
    "Layer",
    "Observation",
    "Outcome",
    "Pacs",
    "Record",
    "Stranger",
    "Target",
    "accepts",
    "association",
    "at",
    "bracket",
    "check",
    "dimse",
    "http",
    "load_target",
]
