"""Writes docs/performance.md and the plots in docs/performance/, from the results of the benchmarks in docs/performance.json.

`make bench` runs it after it has measured; run again on the same results it writes the same files.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet

from bench.figure import Figure, Ratio, Target

HERE = Path(__file__).parent

HEAD = """
## How it was measured

The contenders took turns in every round, so that their ratios say more than the numbers, which are others on another machine.

{machine}

{contenders}

A cell gives the median, and in brackets the least and the most. A ratio is of two contenders in the same round: above 1 the first was
better, whichever way the unit counts. It is *within the noise* where the rounds differ from each other (by half their range) more than
their median differs from 1, and a target's where it differs from what was to be reached.
"""

#: The sections in their order; a group that is not among them follows under its own name.
_GROUPS = {
    "ingest": "Ingest",
    "retrieval": "Retrieval",
    "viewer": "The viewer",
    "associations": "Associations",
    "crowd": "Many at once",
    "growth": "Growth of the archive",
    "soak": "Over a long time",
    "deploy": "Deployment",
    "database": "Database",
}

#: The ratios that a table gives where both contenders were measured.
_RATIOS = (("clinic", "stock"), ("clinic", "archive"))

#: Of Okabe and Ito's palette, which colour-blind people tell apart; each bar has its name as well. Steps of one thing have one colour.
_COLOURS = {"stock": "#999999", "archive": "#56B4E9", "clinic": "#0072B2", "dcmqrscp": "#E69F00"}
_OTHER_COLOUR = "#009E73"

_INK = "#1a1a1a"
#: Typed loosely, as the names of settings are a type of their own from matplotlib 3.11 on, and were words before.
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "securepacs",  # ids of a run's own would make every run another file
    "svg.fonttype": "none",
    "font.size": 9,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
}
_MOST_IN_A_PLOT = 6
_LOGARITHMIC_ABOVE = 30
_WIDTH, _ROW, _AXIS = 8.5, 0.23, 0.55  # inches: of a plot, of a bar or a title, of an axis with its unit


@dataclass(frozen=True)
class Results:
    """What the benchmarks wrote."""

    machine: Mapping[str, Any]
    contenders: Mapping[str, str]
    figures: Sequence[Figure]
    targets: Sequence[Target]

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read the file of results."""
        told = json.loads(path.read_text(encoding="utf-8"))
        figures = [Figure.from_json(one) for one in told["figures"]]
        return cls(told["machine"], told["contenders"], figures, [Target(**one) for one in told["targets"]])

    def groups(self) -> dict[str, list[Figure]]:
        """Give the figures by their group, in the order of the sections."""
        names = dict.fromkeys([*_GROUPS, *(figure.group for figure in self.figures)])
        grouped = {name: [figure for figure in self.figures if figure.group == name] for name in names}
        return {name: figures for name, figures in grouped.items() if figures}


def _number(value: float) -> str:
    """Write a number with three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _spread(median: float, least: float, most: float) -> str:
    """Write a median with its least and most."""
    return f"{_number(median)} ({_number(least)}\u2013{_number(most)})"


def _parted(figures: Iterable[Figure], key: Callable[[Figure], Hashable]) -> list[list[Figure]]:
    """Part figures by a key, in the order in which each key was first met."""
    parts: dict[Hashable, list[Figure]] = {}
    for figure in figures:
        parts.setdefault(key(figure), []).append(figure)
    return list(parts.values())


def _by_unit(figures: Iterable[Figure]) -> list[list[Figure]]:
    """Part figures by their unit and by which way it counts."""
    return _parted(figures, lambda figure: (figure.unit, figure.better))


def _ratio(figure: Figure | None, who: str, base: str) -> Ratio | None:
    """Give a ratio; None where one of the two was not measured, or something is zero or below."""
    if figure is None or not all(figure.samples.get(name) and min(figure.samples[name]) > 0 for name in (who, base)):
        return None
    return figure.ratio(who, base)


def verdict(target: Target, ratio: Ratio | None) -> str:
    """Say whether a target was reached, or that the rounds differ too much to say it."""
    if ratio is None:
        return "not measured"
    if (ratio.most - ratio.least) / 2 > abs(ratio.median - target.at_least):
        return "within the noise"
    return "met" if ratio.median >= target.at_least else "not met"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table, with an empty line after it."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _targets(results: Results) -> Iterator[str]:
    """Write the section of the targets."""
    figures = {figure.name: figure for figure in results.figures}
    rows = []
    for target in results.targets:
        ratio = _ratio(figures.get(target.figure), target.contender, target.base)
        wanted = f"{target.contender} : {target.base} ≥ {_number(target.at_least)}"
        rows.append([target.says, wanted, _spread(*astuple(ratio)) if ratio else "", verdict(target, ratio)])
    yield from ("## Targets", "")
    yield from _table(["What", "Target", "Measured", "Outcome"], rows)


def _numbers(figures: Sequence[Figure], known: Mapping[str, str]) -> Iterator[str]:
    """Write the table of what was measured; the contenders that are known stand first and in their order."""
    measured = dict.fromkeys(who for figure in figures for who in figure.samples)
    contenders = [*(who for who in known if who in measured), *(who for who in measured if who not in known)]
    ratios = [pair for pair in _RATIOS if any(_ratio(figure, *pair) for figure in figures)]
    rows = []
    for figure in figures:
        cells = {who: _spread(figure.median(who), min(samples), max(samples)) for who, samples in figure.samples.items()}
        found = [_ratio(figure, *pair) for pair in ratios]
        words = [f"{_spread(*astuple(one))}{', within the noise' if one.is_noise else ''}" if one else "" for one in found]
        rows.append([figure.title, figure.unit, *(cells.get(who, "") for who in contenders), *words])
    yield from _table(["Figure", "Unit", *contenders, *(" : ".join(pair) for pair in ratios)], rows)


def _cpu(figures: Sequence[Figure]) -> Iterator[str]:
    """Write the table of processor time by process, where it was taken."""
    processes = list(dict.fromkeys(process for figure in figures for spent in figure.cpu_ms.values() for process in spent))
    rows = [
        [figure.title, who, *(_number(spent[process]) if process in spent else "" for process in processes)]
        for figure in figures
        for who, spent in figure.cpu_ms.items()
    ]
    if rows:
        yield from ("Processor time of one operation, in milliseconds, by the process that spent it:", "")
        yield from _table(["Figure", "Contender", *processes], rows)


def _section(results: Results, group: str, figures: Sequence[Figure], plots: Iterable[str]) -> Iterator[str]:
    """Write a group's section."""
    title = _GROUPS.get(group) or group.capitalize() or "Others"
    yield from (f"## {title}", "")
    for plot in plots:
        yield from (f"![{title}: medians, with the least and the most](performance/{plot})", "")
    known = results.contenders
    for part in _parted(figures, lambda figure: figure.samples.keys() <= known.keys() or tuple(figure.samples)):
        yield from _numbers(part, known)
    notes = [f"- {figure.title}: {figure.note}" for figure in figures if figure.note]
    yield from [*notes, ""] if notes else []
    yield from _cpu(figures)


def _draw(axes: Axes, figures: Sequence[Figure]) -> None:
    """Draw figures of one unit: each has its title, and below it a bar for each contender."""
    rows, ticks = count(), {}
    for figure in figures:
        axes.text(0.005, next(rows), figure.title, transform=axes.get_yaxis_transform(), va="center", fontweight="bold")
        for who, samples in figure.samples.items():
            row, median, least, most = next(rows), figure.median(who), min(samples), max(samples)
            axes.barh(row, median, height=0.8, color=_COLOURS.get(who, _OTHER_COLOUR), edgecolor=_INK, linewidth=0.4)
            axes.errorbar(median, row, xerr=[[median - least], [most - median]], ecolor=_INK, elinewidth=1, capsize=2.5)
            axes.annotate(_number(median), (max(most, 0), row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
            ticks[row] = who
    values = [value for figure in figures for samples in figure.samples.values() for value in samples]
    medians = [figure.median(who) for figure in figures for who in figure.samples]
    logarithmic = min(values) > 0 and max(medians) / min(medians) > _LOGARITHMIC_ABOVE
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(10 ** math.floor(math.log10(min(values) / 1.5)), max(values) * 3)
    else:
        axes.set_xlim(min(*values, 0) * 1.1, (max(*values, 0) or 1) * 1.12)
    axes.set_ylim(next(rows) - 0.4, -0.6)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.xaxis.set_major_formatter(lambda value, _: _number(value))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"{figures[0].unit}, {figures[0].better} is better" + (" (logarithmic)" if logarithmic else ""))


def plots(group: str, figures: Sequence[Figure]) -> dict[str, Sheet]:
    """Give a group's plots by the names of their files: those of one unit share an axis, and no plot has too many figures."""
    ordered = [figure for part in _by_unit(figures) for figure in part]
    size = math.ceil(len(ordered) / math.ceil(len(ordered) / _MOST_IN_A_PLOT))
    made = {}
    for number, start in enumerate(range(0, len(ordered), size), 1):
        parts = _by_unit(ordered[start : start + size])
        heights = [_AXIS + _ROW * sum(1 + len(figure.samples) for figure in part) for part in parts]
        sheet = Sheet(figsize=(_WIDTH, sum(heights)), facecolor="white", layout="constrained")
        for axes, part in zip(sheet.subplots(len(parts), squeeze=False, height_ratios=heights).flat, parts, strict=True):
            _draw(axes, part)
        made[f"{group or 'others'}{f'-{number}' if number > 1 else ''}.svg"] = sheet
    return made


def page(results: Results, drawn: Mapping[str, Iterable[str]]) -> str:
    """Give docs/performance.md, with the names of each group's plots."""
    machine = results.machine
    said = (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']},"
        f" {machine['engine']}; {', '.join(f'{name} {version}' for name, version in machine['versions'].items())}."
        f" {machine['rounds']} rounds; the load before them was {machine['load_before']}."
    )
    contenders = "\n".join(f"- {who}: {what}" for who, what in results.contenders.items())
    lines = [
        (HERE / "performance.head.md").read_text(encoding="utf-8") + HEAD.format(machine=said, contenders=contenders),
        *_targets(results),
    ]
    for group, figures in results.groups().items():
        lines += _section(results, group, figures, drawn[group])
    return "\n".join(lines)


def write(source: Path = HERE / "performance.json", out: Path = HERE) -> list[Path]:
    """Write the page and its plots into a folder, take away plots of earlier results, and give what was written."""
    results = Results.read(source)
    folder = out / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context(_STYLE):
        drawn = {group: plots(group, figures) for group, figures in results.groups().items()}
        sheets = {folder / name: sheet for made in drawn.values() for name, sheet in made.items()}
        for stale in set(folder.glob("*.svg")) - set(sheets):
            stale.unlink()
        for path, sheet in sheets.items():
            sheet.savefig(path, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    (out / "performance.md").write_text(page(results, drawn), encoding="utf-8")
    return [out / "performance.md", *sheets]


if __name__ == "__main__":
    for written in write(*map(Path, sys.argv[1:3])):
        sys.stdout.write(f"{written}\n")
