"""Images to send: a synthetic study that carries nobody's data, and real scanner files that pydicom ships for tests."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_file_meta_info, read_preamble
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

#: Scanner files in pydicom's own folder (nothing is downloaded).
REAL_FILES = ("CT_small.dcm", "MR_small.dcm")

PATIENT_ID = "CANARY"
PATIENT_NAME = "CANARY^SYNTHETIC"
_SIDE = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Instance:
    """One stored image: the file and the identifiers under which it is asked for."""

    path: Path
    study: str
    series: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str


def described(path: Path) -> Instance:
    """Read a file's identifiers."""
    data = dcmread(path, stop_before_pixels=True)
    return Instance(
        path,
        str(data.StudyInstanceUID),
        str(data.SeriesInstanceUID),
        str(data.SOPInstanceUID),
        str(data.SOPClassUID),
        str(data.file_meta.TransferSyntaxUID),
    )


def real_file(name: str) -> Instance:
    """Give one of REAL_FILES as pydicom ships it."""
    path = get_testdata_file(name, download=False)
    if path is None:
        raise FileNotFoundError(f"pydicom ships no {name}")
    return described(Path(str(path)))


def write_canary(folder: Path, *, study: str | None = None, number: int = 1) -> Instance:
    """Write a synthetic CT image with new identifiers (in `study`, where one is given) and give it."""
    data = Dataset()
    data.PatientName = PATIENT_NAME
    data.PatientID = PATIENT_ID
    data.PatientBirthDate = ""
    data.PatientSex = "O"
    data.StudyInstanceUID = study or generate_uid(prefix=None)
    data.SeriesInstanceUID = generate_uid(prefix=None)
    data.SOPInstanceUID = generate_uid(prefix=None)
    data.SOPClassUID = CTImageStorage
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20200101", "000000", "1", ""
    data.ReferringPhysicianName = ""
    data.Modality = "CT"
    data.SeriesNumber, data.InstanceNumber = 1, number
    data.Rows = data.Columns = _SIDE
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = b"".join(((x * y + number) % 4096).to_bytes(2, "little") for x in range(_SIDE) for y in range(_SIDE))
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{data.SOPInstanceUID}.dcm"
    data.save_as(path, enforce_file_format=True)
    return described(path)


def write_twin(folder: Path, image: Instance) -> Instance:
    """Write another image under the identifiers of `image`: every pixel is inverted."""
    data = dcmread(image.path)
    data.PixelData = bytes(byte ^ 0x0F for byte in data.PixelData)
    path = folder / f"{image.sop_instance}.twin.dcm"
    data.save_as(path, enforce_file_format=True)
    return described(path)


def dataset_bytes(path: Path) -> bytes:
    """Give a file's data set as it is encoded, without preamble and file meta information (PS3.10 section 7)."""
    with path.open("rb") as file:
        read_preamble(file, force=False)
        start = file.tell()
    meta = read_file_meta_info(path)
    # (0002,0000) counts from the element after it: 4 tag, 2 VR, 2 length, 4 value.
    return path.read_bytes()[start + 12 + int(meta.FileMetaInformationGroupLength) :]


_PADDING = bytes.fromhex("fcfffcff")


def without_padding(data: bytes, transfer_syntax: str) -> bytes:
    """Take the Data Set Trailing Padding (FFFC,FFFC) off an encoded data set: it has no significance (PS3.10 section 7.2)."""
    padding = decoded(data, transfer_syntax).get(0xFFFCFFFC)
    return data[: data.rindex(_PADDING, 0, len(data) - len(padding.value))] if padding else data


def decoded(data: bytes, transfer_syntax: str) -> Dataset:
    """Read an encoded data set of a little-endian, uncompressed transfer syntax."""
    return read_dataset(io.BytesIO(data), is_implicit_VR=transfer_syntax == ImplicitVRLittleEndian, is_little_endian=True)


def pixel_hash(data: Dataset) -> str:
    """Give the SHA-256 of the pixel data's bytes, lower-case hexadecimal."""
    return hashlib.sha256(data.PixelData).hexdigest()
