"""What comes out is what went in, byte for byte, and nobody can change it afterwards."""

from __future__ import annotations

import base64
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from securepacs_harness import canary
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import dimse, http
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

#: file -> the peer that makes such images
MAKERS = {"CT_small.dcm": "CT01", "MR_small.dcm": "MR02"}

DUPLICATE = at(Layer.DIMSE, "0x0111")


@pytest.mark.parametrize("name", MAKERS)
def test_a_scanners_image_comes_back_as_it_was(pacs: Pacs, name: str) -> None:
    """A real file that its modality stored is retrieved by the workstation with the same bytes and the same pixels."""
    image = canary.real_file(name)
    accepts(dimse.store(pacs.caller(MAKERS[name]), image), code="0x0000")
    (came,) = accepts(dimse.get(pacs.caller("WS01"), image), code="0x0000").payload
    sent, got = dcmread(image.path), canary.decoded(came, image.transfer_syntax)
    assert canary.pixel_hash(got) == canary.pixel_hash(sent)
    assert came == _significant(image.path)


def _significant(path: Path) -> bytes:
    """The data set's bytes without the padding that DCMTK, which is also the archive's network layer, does not send."""
    return canary.without_padding(canary.dataset_bytes(path), canary.described(path).transfer_syntax)


@pytest.mark.parametrize("name", MAKERS)
def test_the_second_client_sends_and_gets_the_same(pacs: Pacs, dcmtk: Dcmtk, name: str) -> None:
    """The same with DCMTK's storescu and getscu, bit-preserving."""
    image = canary.real_file(name)
    accepts(dcmtk.attempt("store", pacs.caller(MAKERS[name]), image), code="0x0000")
    dcmtk.run("sh", "-c", "rm -f /scratch/*")
    accepts(dcmtk.attempt("get", pacs.caller("WS01"), image), code="0x0000")
    status, text = dcmtk.run("sh", "-c", "base64 /scratch/*")
    assert status == 0
    copy = Path(pacs.bundles.folder, f"{name}.copy")
    copy.write_bytes(base64.b64decode(text))
    assert canary.pixel_hash(dcmread(copy)) == canary.pixel_hash(dcmread(image.path))
    assert canary.dataset_bytes(copy) == _significant(image.path)


@pytest.mark.parametrize("name", MAKERS)
def test_people_get_the_same_bytes(pacs: Pacs, name: str) -> None:
    """WADO-RS gives the same data set to a viewer."""
    image = canary.real_file(name)
    accepts(dimse.store(pacs.caller(MAKERS[name]), image), code="0x0000")
    path = f"/dicom-web/studies/{image.study}/series/{image.series}/instances/{image.sop_instance}"
    headers = {**pacs.login("vera"), "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    (body,) = accepts(http.ask("WADO-RS", pacs.web, http.Request("GET", path, headers)), code="200").payload
    assert canary.dataset_bytes(image.path) in body


def _altered(image: Instance, folder: Path) -> Instance:
    """The same SOP instance UID with other pixels."""
    path = folder / "altered.dcm"
    shutil.copy(image.path, path)
    data = dcmread(path)
    data.PixelData = bytes(byte ^ 0xFF for byte in data.PixelData)
    data.save_as(path)
    return dataclasses.replace(image, path=path)


def test_a_stored_image_cannot_be_replaced(pacs: Pacs, claim: Claim, image: Instance, folder: Path) -> None:
    """Other content under a stored SOP instance UID is refused, from its own peer and from another; what is stored stays."""
    accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    altered = _altered(image, folder / "images")
    cases = [(dimse.store(pacs.caller(name), altered), DUPLICATE) for name in ("CT01", "MR02", "OW01", "XR01")]
    claim(dimse.store(pacs.caller("CT01"), image)).refuses_all(cases)
    (kept,) = accepts(dimse.get(pacs.caller("WS01"), image), code="0x0000").payload
    assert kept == canary.dataset_bytes(image.path)


def test_a_stored_image_cannot_be_replaced_over_the_web(pacs: Pacs, image: Instance, folder: Path) -> None:
    """STOW-RS of other content under a stored SOP instance UID changes nothing of what is stored."""
    accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    altered = _altered(image, folder / "images")
    accepts(http.ask("STOW-RS", pacs.web, stow(pacs, "carl", altered.path)))
    (kept,) = accepts(dimse.get(pacs.caller("WS01"), image), code="0x0000").payload
    assert kept == canary.dataset_bytes(image.path)


def stow(pacs: Pacs, user: str, path: Path) -> http.Request:
    """Write a STOW-RS request for one file (PS3.18 section 10.5)."""
    boundary = "canary-boundary"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = head + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    headers = {
        **pacs.login(user),
        "Accept": "application/dicom+json",
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
    }
    return http.Request("POST", "/dicom-web/studies", headers, body)


def test_a_clinician_stores_over_the_web(pacs: Pacs, image: Instance) -> None:
    """STOW-RS by a clinician stores an image that a workstation then gets byte for byte."""
    accepts(http.ask("STOW-RS", pacs.web, stow(pacs, "carl", image.path)), code="200")
    (came,) = accepts(dimse.get(pacs.caller("WS01"), image), code="0x0000").payload
    assert came == canary.dataset_bytes(image.path)
