"""The synthetic studies of a run: made, stored, and removed, whether they were let in by right or by a defect."""

from __future__ import annotations

import hashlib
from pathlib import Path

from securepacs_harness import canary
from securepacs_harness.bracket import NotAcceptedError, accepts
from securepacs_harness.canary import Instance
from securepacs_harness.errors import HarnessError
from securepacs_harness.observation import Attempt, Outcome
from securepacs_harness.probes import dimse, http
from securepacs_harness.probes.http import Request
from securepacs_harness.probes.tls import Offer
from securepacs_harness.reach import Pacs, nobody_has
from securepacs_harness.record import Record
from securepacs_harness.target import Cleanup


class NotStoredError(HarnessError):
    """No synthetic study could be stored, so what needs one shows nothing."""


def orthanc_id(patient: str, study: str) -> str:
    """Give Orthanc's identifier of a study: SHA-1 of PatientID|StudyInstanceUID, in five groups (Orthanc Book, "identifiers")."""
    digest = hashlib.sha1(f"{patient}|{study}".encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[at : at + 8] for at in range(0, 40, 8))


#: How a study is named in a path, by who removes it.
PATHS = {
    "orthanc": lambda study: f"/studies/{orthanc_id(canary.PATIENT_ID, study)}",
    "dicomweb": lambda study: f"/dicom-web/studies/{study}",
}


class Canaries:
    """The synthetic studies of one run."""

    def __init__(self, pacs: Pacs, folder: Path) -> None:
        self._pacs = pacs
        self._folder = folder
        self._studies: list[str] = []
        self._stored: Instance | None = None
        self.identifiers: list[str] = []
        """UIDs of every synthetic image of the run: they stand in no evidence."""

    def new(self) -> Instance:
        """Write a synthetic image of a study of its own; whatever becomes of it, the study is removed at the end."""
        image = canary.write_canary(self._folder)
        self._studies.append(image.study)
        self.identifiers += [image.study, image.series, image.sop_instance]
        return image

    def twin(self, image: Instance) -> Instance:
        """Write another image under the same identifiers."""
        return canary.write_twin(self._folder, image)

    @property
    def stored(self) -> Instance:
        """A synthetic image that is in the archive, stored by a peer that may. Raises NotStoredError."""
        if self._stored is None:
            able = self._pacs.with_verb("store")
            if not able:
                raise NotStoredError(nobody_has("store"))
            image = self.new()
            try:
                accepts(dimse.store(self._pacs.caller(able[0]), image), code="0x0000")
            except NotAcceptedError as error:
                raise NotStoredError(f"no synthetic study could be stored: {error}") from None
            self._stored = image
        return self._stored

    def path(self, image: Instance) -> str:
        """Give the path under which a study can be removed."""
        cleanup = self._pacs.target.cleanup
        return PATHS["orthanc" if cleanup is None or cleanup.by == "nobody" else cleanup.by](image.study)

    def ask(self, method: str, study: str, cleanup: Cleanup) -> Attempt:
        """Ask for a study, or for its removal, as the one who may."""
        pacs, target = self._pacs, self._pacs.target
        offer = Offer(target.ca, target.dicom.server_name)
        line = http.line_of(cleanup.base_url, offer, spending=pacs.spending) if cleanup.base_url else pacs.web
        login = pacs.login(cleanup.user) if cleanup.user else {}
        return http.ask(f"{method} of a synthetic study", line, Request(method, PATHS[cleanup.by](study), login))

    def remove(self, record: Record) -> None:
        """Remove every study that may have been left, and see that it is gone. What stays is a finding."""
        cleanup = self._pacs.target.cleanup
        while self._studies:
            study = self._studies.pop()
            if cleanup is None or cleanup.by == "nobody":
                record.not_tested("removal", "the target says that nobody removes synthetic studies: they stay")
                return
            for _ in range(2):
                seen = _answer(self.ask("DELETE", study, cleanup))
            gone = seen == "404"
            told = "gone" if gone else f"the answer to its removal was {seen}; remove the studies of patient ID {canary.PATIENT_ID} by hand"
            record.fact("a synthetic study", expected="gone", told=told, holds=gone)


def _answer(attempt: Attempt) -> str:
    try:
        return accepts(attempt).code
    except NotAcceptedError as error:
        return error.seen.code if error.seen.outcome is not Outcome.TIMEOUT else "none"
