"""Images to send: made once, of the sizes that a clinic's modalities make, with pixels that do not compress to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

_BITS = 16


@dataclass(frozen=True)
class Series:
    """One series of equal images: `rows` by `rows` pixels of 16 bit."""

    modality: str
    sop_class: UID
    instances: int
    rows: int
    frames: int = 1

    @property
    def megabytes(self) -> float:
        """Size of all pixels, in MB."""
        return self.instances * self.frames * self.rows**2 * _BITS / 8 / 1e6


#: Folder -> what stands in it. `read` is stored once and fetched again and again.
FOLDERS: dict[str, tuple[Series, ...]] = {
    "ct": (Series("CT", CTImageStorage, 60, 512),),
    "mr": (Series("MR", MRImageStorage, 200, 128),),
    "multiframe": (Series("CT", EnhancedCTImageStorage, 1, 512, frames=572),),
    "day": (
        Series("CT", CTImageStorage, 40, 512),
        Series("MR", MRImageStorage, 60, 256),
        Series("DX", DigitalXRayImageStorageForPresentation, 2, 2048),
    ),
    "read": (Series("CT", CTImageStorage, 200, 512),),
    "one": (Series("CT", CTImageStorage, 1, 512),),
}


def megabytes(folder: str) -> float:
    """Give the size of a folder's pixels, in MB."""
    return sum(series.megabytes for series in FOLDERS[folder])


def instances(folder: str) -> int:
    """Give the number of a folder's instances."""
    return sum(series.instances for series in FOLDERS[folder])


def uid(folder: str, *numbers: int) -> UID:
    """Give the UID of a folder's study, series or instance: the same ones in each run."""
    place = list(FOLDERS).index(folder) if folder in FOLDERS else len(FOLDERS)
    return UID(".".join(["2.25.7", str(place), *(str(number + 1) for number in numbers)]))


def write(place: Path) -> None:
    """Write each folder below `place`."""
    for folder, held in FOLDERS.items():
        (place / folder).mkdir(parents=True, exist_ok=True)
        for number, series in enumerate(held):
            for index in range(series.instances):
                path = place / folder / f"{number}-{index:03}.dcm"
                image(folder, number, index, series).save_as(path, enforce_file_format=True)


def image(folder: str, number: int, index: int, series: Series) -> Dataset:
    """Make one instance of a folder's series, which need not be one of FOLDERS."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = series.sop_class
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid(folder, number, index)
    made.StudyInstanceUID, made.SeriesInstanceUID = uid(folder), uid(folder, number)
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Bench^Made Up", f"BENCH-{folder}", "", "O"
    made.StudyDate, made.StudyTime, made.StudyID, made.AccessionNumber, made.ReferringPhysicianName = "20260101", "120000", "1", "", ""
    made.Modality, made.SeriesNumber, made.InstanceNumber = series.modality, number + 1, index + 1
    made.Rows = made.Columns = series.rows
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = _BITS, 12, 11
    if series.frames > 1:
        made.NumberOfFrames = series.frames
    # A disc that moves, under the noise of a detector.
    noise = np.random.default_rng(index)
    rows, columns = np.mgrid[0 : series.rows, 0 : series.rows]
    disc = np.hypot(rows - series.rows / 2 - index, columns - series.rows / 2) < series.rows / 3
    frame = disc * 1000 + noise.integers(0, 64, (series.rows, series.rows))
    made.PixelData = frame.astype("<u2").tobytes() * series.frames
    return made
