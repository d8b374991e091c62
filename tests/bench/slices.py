"""A CT whose slices tell their number by their pixels: eight squares in the middle, the highest bit on the left (read by viewing.js)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.uid import CTImageStorage

from bench import samples

FOLDER: Final = "view"
SERIES: Final = samples.Series("CT", CTImageStorage, 200, 512)
STUDY: Final = samples.uid(FOLDER)
#: Of the number: how many squares, and their side in pixels.
BITS, CELL = 8, 32
#: What the window makes white.
_WHITE = 2000


def marked(pixels: npt.NDArray[np.uint16], number: int) -> npt.NDArray[np.uint16]:
    """Give a square picture with a number in its middle."""
    made = pixels.copy()
    top, left = (made.shape[0] - CELL) // 2, (made.shape[1] - BITS * CELL) // 2
    for bit in range(BITS):
        made[top : top + CELL, left + bit * CELL : left + (bit + 1) * CELL] = _WHITE * (number >> (BITS - 1 - bit) & 1)
    return made


def write(place: Path) -> None:
    """Write the series below `place`: the bench's disc under noise, a millimetre from slice to slice, and the number of each from 1."""
    (place / FOLDER).mkdir(parents=True, exist_ok=True)
    for index in range(SERIES.instances):
        made = samples.image(FOLDER, 0, index, SERIES)
        made.ImagePositionPatient, made.ImageOrientationPatient = [-128, -128, float(index)], [1, 0, 0, 0, 1, 0]
        made.FrameOfReferenceUID, made.PixelSpacing, made.SliceThickness = samples.uid(FOLDER, 0, 0, 0), [0.5, 0.5], 1
        made.RescaleIntercept, made.RescaleSlope, made.WindowCenter, made.WindowWidth = 0, 1, _WHITE // 2, _WHITE
        pixels = np.frombuffer(made.PixelData, dtype="<u2").reshape(SERIES.rows, SERIES.rows)
        made.PixelData = marked(pixels, index + 1).tobytes()
        made.save_as(place / FOLDER / f"{index:03}.dcm", enforce_file_format=True)
