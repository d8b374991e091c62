"""The bench of the viewer: what a key waited for, and pictures that tell their number."""

from __future__ import annotations

import numpy as np
import pytest

from bench import slices
from bench.viewing import waits


def test_a_key_waits_for_its_own_slice_or_one_beyond_it() -> None:
    """From 200 down: a picture that was drawn before the key, or is of a slice before the wanted one, is not what was waited for."""
    drawn = [(5.0, 199), (15.0, 200), (40.0, 199), (130.0, 197)]
    assert waits([10.0, 50.0, 100.0], drawn, 200) == [30.0, 80.0, 30.0]


def test_a_slice_that_never_came_is_told() -> None:
    """A picture that is missing is a failure, not a short wait."""
    with pytest.raises(ValueError, match="slice 198 was asked for at 50 ms"):
        waits([10.0, 50.0], [(40.0, 199)], 200)


@pytest.mark.parametrize("number", [1, 85, 200])
def test_a_picture_tells_its_number(number: int) -> None:
    """Eight squares in the middle, black or white, the highest bit on the left; nothing else of the picture is changed."""
    grey = np.full((512, 512), 1000, dtype=np.uint16)
    made = slices.marked(grey, number)
    row = made[256, 128:384].reshape(slices.BITS, slices.CELL)
    assert [int(square[16]) for square in row] == [2000 * int(bit) for bit in f"{number:08b}"]
    assert int((made != grey).sum()) == slices.BITS * slices.CELL**2
