"""A figure: what was measured of several contenders turn about, and their ratios with the noise that they have."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar

Thing = TypeVar("Thing")
Better = Literal["more", "less"]


@dataclass(frozen=True)
class Ratio:
    """How many times better one contender was than another, over the pairs of one run."""

    median: float
    least: float
    most: float

    @property
    def is_noise(self) -> bool:
        """Whether the pairs differ from each other by more than their median differs from 1."""
        return (self.most - self.least) / 2 > abs(self.median - 1)


@dataclass
class Figure:
    """One thing that was measured. The nth samples of all contenders are one round, taken one after the other."""

    name: str
    title: str
    unit: str
    better: Better
    samples: dict[str, list[float]] = field(default_factory=dict)
    cpu_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    """Contender -> process -> milliseconds of processor time for one operation."""
    note: str = ""
    group: str = ""
    """The section of docs/performance.md that it stands in."""

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Read a figure from the file of results: what `as_json` gave."""
        return cls(**told)

    def ratio(self, contender: str, base: str) -> Ratio:
        """Give how many times better `contender` was than `base`: above 1 it was better, whichever way the unit counts."""
        pairs = zip(self.samples[contender], self.samples[base], strict=True)
        ratios = sorted(ours / theirs if self.better == "more" else theirs / ours for ours, theirs in pairs)
        return Ratio(statistics.median(ratios), ratios[0], ratios[-1])

    def median(self, contender: str) -> float:
        """Give the median of a contender's samples."""
        return statistics.median(self.samples[contender])

    def as_json(self) -> dict[str, Any]:
        """Give the figure for the file of results."""
        rounded = {who: [round(value, 4) for value in values] for who, values in self.samples.items()}
        cpu = {who: {process: round(value, 3) for process, value in spent.items()} for who, spent in self.cpu_ms.items()}
        told = {"name": self.name, "title": self.title, "unit": self.unit, "better": self.better, "samples": rounded, "cpu_ms": cpu}
        return {**told, "note": self.note, "group": self.group}


@dataclass(frozen=True)
class Target:
    """What a figure has to reach: a ratio to a base, at least."""

    figure: str
    contender: str
    base: str
    at_least: float
    says: str


@dataclass(frozen=True)
class Sample:
    """One measurement: its value in the figure's unit, and the processor time of each process for one operation."""

    value: float
    cpu_ms: Mapping[str, float] = field(default_factory=dict)


def in_turn(figure: Figure, contenders: Mapping[str, Thing], measure: Callable[[Thing], Sample], rounds: int) -> Figure:
    """Measure each contender once a round, so that what else the machine does falls on all of them; the first round is not counted."""
    spent: dict[str, list[Mapping[str, float]]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            sample = measure(contender)
            if number:
                figure.samples.setdefault(name, []).append(sample.value)
                spent[name].append(sample.cpu_ms)
    figure.cpu_ms = {name: median_of(taken) for name, taken in spent.items() if any(taken)}
    print(f"{figure.name}: " + ", ".join(f"{name} {figure.median(name):.4g}" for name in contenders) + f" {figure.unit}", flush=True)
    return figure


def median_of(taken: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Give the median of each process's time."""
    return {process: statistics.median(one[process] for one in taken) for process in taken[0]}


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below which a share of the values lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
