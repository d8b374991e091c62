"""Peers that store without a pause while something else happens, and what it did to them: failed, lost, interrupted."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context, build_role, evt

from securepacs_harness import canary
from securepacs_harness.probes.dimse import SOP_CLASSES, Caller

Calling = Callable[[], Caller]
"""Gives who calls, asked for each association anew: a peer that took its new bundle calls with it."""

#: Seconds between two stores of one sender: a scanner's own work, and what leaves a small machine room for the change itself.
PACE = 0.02

#: Seconds for which an instance that failed is sent again, as scanners do; after that it counts as given up.
RETRY_SECONDS = 90.0

_RETRY_PAUSE = 0.1
_STUDY_SIZE = 100
_HELD_SIZE = 200
_IMAGE = build_context(CTImageStorage, ExplicitVRLittleEndian)


class Habit(StrEnum):
    """How a sender uses associations."""

    HELD = "held"
    """One association for many instances."""
    EACH = "each"
    """A new association for each instance."""


@dataclasses.dataclass(frozen=True, slots=True)
class Try:
    """One attempt to store one instance; `began` and `ended` in seconds of the monotonic clock."""

    began: float
    ended: float
    status: str
    """The DIMSE status ("0x0000"), or why there was none."""
    sop_instance: str

    @property
    def acknowledged(self) -> bool:
        """Whether the archive said that it has the instance."""
        return self.status == "0x0000"


class Sender(threading.Thread):
    """One peer in one habit. It makes an instance, stores it, sends it again until it is acknowledged, and makes the next."""

    def __init__(self, calling: Calling, habit: Habit, folder: Path, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._calling, self._habit, self._folder, self._ended = calling, habit, folder, ended
        self._association: Any = None
        self._left = 0
        self.name = f"{calling().calling} {habit}"
        self.tries: list[Try] = []
        self.hashes: dict[str, str] = {}
        """SOP instance UID -> SHA-256 of the data set as it was sent, of every instance that was acknowledged."""
        self.studies: list[str] = []
        self.given_up: list[str] = []
        self.broken: BaseException | None = None

    def run(self) -> None:
        """Store until told to stop; what breaks the sender itself is kept for the one who joins it."""
        try:
            while not self._ended.is_set():
                self._store_one()
                self._ended.wait(PACE)
        except BaseException as error:  # noqa: BLE001 - a thread's end has no other witness
            self.broken = error
        finally:
            self._close()

    def _store_one(self) -> None:
        if len(self.hashes) % _STUDY_SIZE == 0 or not self.studies:
            self.studies.append(generate_uid(prefix=None))
        image = canary.write_canary(self._folder, study=self.studies[-1])
        until = time.monotonic() + RETRY_SECONDS
        while True:
            began = time.monotonic()
            status = self._send(image.path)
            self.tries.append(Try(began, time.monotonic(), status, image.sop_instance))
            if self.tries[-1].acknowledged:
                self.hashes[image.sop_instance] = hashlib.sha256(canary.dataset_bytes(image.path)).hexdigest()
                break
            if time.monotonic() > until:
                self.given_up.append(image.sop_instance)
                break
            time.sleep(_RETRY_PAUSE)
        image.path.unlink()

    def _send(self, path: Path) -> str:
        if self._habit is Habit.EACH or self._left == 0:
            self._close()
        if self._association is None and (refused := self._open()):
            return refused
        self._left -= 1
        # pynetdicom raises where the association ended meanwhile, and gives an empty answer where it ends within.
        try:
            answer = self._association.send_c_store(str(path))
        except RuntimeError:
            answer = Dataset()
        if "Status" not in answer:
            self._abandon()
            return "no-answer"
        return f"0x{answer.Status:04X}"

    def _open(self) -> str:
        """Associate; give why it failed, or ''."""
        caller = self._calling()
        ae = AE(ae_title=caller.calling)
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = caller.timeout
        offer = caller.line.offer
        association = ae.associate(
            caller.line.host,
            caller.line.port,
            contexts=[_IMAGE],
            ae_title=caller.called,
            tls_args=(offer.context(), offer.server_name) if offer else None,
        )
        if not association.is_established:
            return "rejected" if association.is_rejected else "no-association"
        self._association, self._left = association, _HELD_SIZE
        return ""

    def _close(self) -> None:
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None

    def _abandon(self) -> None:
        if self._association is not None:
            self._association.abort()
        self._association = None

    def interruption_ms(self) -> float:
        """Give the longest time between two acknowledged stores less the usual one, in ms."""
        ends = [one.ended for one in self.tries if one.acknowledged]
        gaps = [later - earlier for earlier, later in itertools.pairwise(ends)]
        return 1000 * (max(gaps) - statistics.median(gaps)) if gaps else float("inf")


@dataclasses.dataclass(frozen=True)
class Report:
    """What a change did to the senders."""

    change: str
    seconds: float
    """How long the change took (the `up`, or the time to service)."""
    stored: int
    """Instances that were acknowledged."""
    failed: dict[str, int]
    """Status -> attempts that ended with it, without those that succeeded."""
    given_up: int
    """Instances that never were acknowledged."""
    lost: int
    """Instances that were acknowledged and did not come back as they were."""
    interruption_ms: dict[str, float]
    """Sender -> the longest time between two acknowledged stores less the usual one."""

    @property
    def failures(self) -> int:
        """How many attempts failed."""
        return sum(self.failed.values())

    @property
    def interruption(self) -> float:
        """The longest interruption of any sender, in ms."""
        return max(self.interruption_ms.values())

    def row(self) -> str:
        """Give one row of the table."""
        failed = ", ".join(f"{count} {status}" for status, count in sorted(self.failed.items())) or "0"
        return f"{self.change:<44} {self.seconds:7.1f} {self.interruption:9.0f} {self.stored:7d} {failed:>28} {self.lost:5d}"


HEAD = f"{'change':<44} {'seconds':>7} {'interr/ms':>9} {'stored':>7} {'failed attempts':>28} {'lost':>5}"


class Load:
    """The senders together."""

    def __init__(self, senders: Sequence[Sender]) -> None:
        self.senders = senders

    def acknowledged(self) -> int:
        """Give how many instances were acknowledged until now."""
        return sum(len(sender.hashes) for sender in self.senders)

    def failures(self) -> dict[str, int]:
        """Count the attempts that failed, by status."""
        statuses = [one.status for sender in self.senders for one in sender.tries if not one.acknowledged]
        return {status: statuses.count(status) for status in sorted(set(statuses))}

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Wait until each sender has stored `more` further instances. Raises TimeoutError."""
        wanted = {sender: len(sender.hashes) + more for sender in self.senders}
        until = time.monotonic() + seconds
        while any(len(sender.hashes) < count for sender, count in wanted.items()):
            if time.monotonic() > until:
                raise TimeoutError(f"the senders did not store {more} further instances in {seconds:g} s: {self.failures()}")
            time.sleep(0.02)

    def first_acknowledged_after(self, moment: float) -> float:
        """Give the end of the first store that began after `moment` and was acknowledged, on the monotonic clock; inf for none yet."""
        return min(
            (one.ended for s in self.senders for one in list(s.tries) if one.began > moment and one.acknowledged), default=float("inf")
        )

    def report(self, change: str, seconds: float, reader: Caller) -> Report:
        """Have every acknowledged instance retrieved by `reader`, compare, and give what came of it. The senders have ended."""
        broken = [sender for sender in self.senders if sender.broken]
        if broken:
            raise AssertionError(f"{broken[0].name} broke") from broken[0].broken
        lost = 0
        for sender in self.senders:
            kept: dict[str, str] = {}
            for study in sender.studies:
                kept.update(retrieved(reader, study))
            lost += sum(kept.get(uid) != digest for uid, digest in sender.hashes.items())
        return Report(
            change,
            seconds,
            self.acknowledged(),
            self.failures(),
            sum(len(sender.given_up) for sender in self.senders),
            lost,
            {sender.name: round(sender.interruption_ms(), 1) for sender in self.senders},
        )


def retrieved(reader: Caller, study: str) -> dict[str, str]:
    """C-GET a whole study (PS3.4 section C.4.3): SOP instance UID -> SHA-256 of the data set as it came. Raises ConnectionError."""
    came: dict[str, str] = {}

    def on_store(event: Any) -> int:  # noqa: ANN401 - pynetdicom's event has attributes by kind
        data: bytes = event.encoded_dataset(include_meta=False)
        came[str(event.request.AffectedSOPInstanceUID)] = hashlib.sha256(data).hexdigest()
        return 0x0000

    ae = AE(ae_title=reader.calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    offer = reader.line.offer
    association = ae.associate(
        reader.line.host,
        reader.line.port,
        contexts=[build_context(SOP_CLASSES["get"]), _IMAGE],
        ae_title=reader.called,
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        tls_args=(offer.context(), offer.server_name) if offer else None,
        evt_handlers=[(evt.EVT_C_STORE, on_store)],
    )
    if not association.is_established:
        raise ConnectionError(f"{reader.calling} gets no association")
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study
    statuses = [answer.Status for answer, _ in association.send_c_get(query, SOP_CLASSES["get"]) if "Status" in answer]
    association.release()
    if not statuses or statuses[-1] != 0x0000:
        raise ConnectionError(f"C-GET of study {study} ended with {statuses[-1:]}, after {len(came)} instances")
    return came


@contextmanager
def storing(callers: Sequence[Calling], folder: Path, *, habits: Sequence[Habit] = tuple(Habit), settle: int = 5) -> Iterator[Load]:
    """Have each caller store in each habit as long as the context is open; each has stored `settle` instances before and after."""
    stop = threading.Event()
    load = Load([Sender(calling, habit, folder, stop) for calling in callers for habit in habits])
    for sender in load.senders:
        sender.start()
    try:
        load.wait_for(settle)
        yield load
        load.wait_for(settle, RETRY_SECONDS)
    finally:
        stop.set()
        for sender in load.senders:
            sender.join(RETRY_SECONDS + 30)
