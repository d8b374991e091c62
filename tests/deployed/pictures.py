"""A CT series whose pictures say what they are: four quarters of known grey, turned by one with each slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIDE, CENTER, WIDTH = 512, 40, 400
#: Hounsfield units of the quarters, clockwise from the upper left one, and the greys (0 to 255) that the window makes of them.
UNITS = (-140, -20, 100, 220)
GREYS = tuple(round((unit - (CENTER - WIDTH / 2)) / WIDTH * 255) for unit in UNITS)


@dataclass(frozen=True)
class Series:
    """What was written: where, and how it is found."""

    folder: Path
    study: str
    patient: str
    slices: int


def greys(number: int) -> tuple[int, ...]:
    """Give the greys of a slice (the first is 1): upper left, upper right, lower right, lower left."""
    turn = (number - 1) % 4
    return GREYS[turn:] + GREYS[:turn]


def write_series(folder: Path, slices: int, patient: str) -> Series:
    """Write a series of one study."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame = (generate_uid() for _ in range(3))
    for number in range(1, slices + 1):
        image = Dataset()
        image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = patient, patient.replace("^", "-"), "19700101", "O"
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
        image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20261101", "080000", "1", "A1"
        image.StudyDescription, image.SeriesDescription, image.Modality = "Quarters", "Four greys", "CT"
        image.ReferringPhysicianName, image.PositionReferenceIndicator, image.Manufacturer = "", "", "tests"
        image.SeriesNumber, image.InstanceNumber = 1, number
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.ImagePositionPatient, image.ImageOrientationPatient = [-128, -128, float(number)], [1, 0, 0, 0, 1, 0]
        image.PixelSpacing, image.SliceThickness, image.KVP = [0.5, 0.5], 1, 120
        image.Rows = image.Columns = SIDE
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "HU"
        image.WindowCenter, image.WindowWidth = CENTER, WIDTH
        units = UNITS[(number - 1) % 4 :] + UNITS[: (number - 1) % 4]
        pixels = np.empty((SIDE, SIDE), dtype=np.int16)
        half = SIDE // 2
        for unit, rows, columns in zip(units, (0, 0, half, half), (0, half, half, 0), strict=True):
            pixels[rows : rows + half, columns : columns + half] = unit
        image.PixelData = pixels.tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(folder / f"{number:03}.dcm", enforce_file_format=True)
    return Series(folder, study, patient, slices)
