"""Figures of the benchmarks: ratios of one run, and the noise that they have."""

from __future__ import annotations

import pytest

from bench.figure import Figure, Sample, in_turn, percentile


@pytest.mark.parametrize(("better", "told"), [("more", (2.0, 1.0, 4.0)), ("less", (0.5, 0.25, 1.0))])
def test_a_ratio_is_of_pairs(better: str, told: tuple[float, float, float]) -> None:
    """A ratio is the median over pairs of one round, not of two medians, and above 1 where the first was better."""
    figure = Figure("f", "F", "1/s", better, {"clinic": [20.0, 10.0, 8.0], "stock": [10.0, 10.0, 2.0]})  # type: ignore[arg-type] # both words are allowed
    ratio = figure.ratio("clinic", "stock")
    assert (ratio.median, ratio.least, ratio.most) == told


def test_contenders_that_were_not_measured_equally_often_make_no_ratio() -> None:
    """A round that one of them missed would pair the wrong samples."""
    with pytest.raises(ValueError, match="zip"):
        Figure("f", "F", "1/s", "more", {"clinic": [1.0], "stock": [1.0, 2.0]}).ratio("clinic", "stock")


@pytest.mark.parametrize(("ours", "noise"), [([11.0, 10.0, 9.0], True), ([12.0, 11.8, 11.6], False)])
def test_an_effect_below_its_spread_is_noise(ours: list[float], noise: bool) -> None:  # noqa: FBT001 - what is expected
    """Where the pairs differ by more than their median differs from 1 the figure says so."""
    assert Figure("f", "F", "1/s", "more", {"clinic": ours, "stock": [10.0] * 3}).ratio("clinic", "stock").is_noise is noise


def test_contenders_take_turns_and_the_first_round_is_not_counted() -> None:
    """Each is measured once a round, in the same order, and what the first round warmed up counts for none."""
    asked: list[str] = []

    def measure(name: str) -> Sample:
        asked.append(name)
        return Sample(float(len(asked)), {"archive": 2.0 * len(asked)})

    figure = in_turn(Figure("f", "F", "s", "less"), {"a": "A", "b": "B"}, measure, 2)
    assert asked == ["A", "B"] * 3
    assert figure.samples == {"a": [3.0, 5.0], "b": [4.0, 6.0]}
    assert figure.cpu_ms == {"a": {"archive": 8.0}, "b": {"archive": 10.0}}


def test_a_figure_survives_the_file_of_results() -> None:
    """What is written is read back as it was."""
    figure = Figure("f", "F", "s", "less", {"a": [1.5]}, {"a": {"client": 0.25}}, "a note", "ingest")
    assert Figure.from_json(figure.as_json()) == figure


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    """The nearest rank: of a hundred values the 99th is the 99th percentile."""
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value
