"""The seven verbs through pynetdicom: which contexts were accepted, and the status of the answer (PS3.4, PS3.7)."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, _config, build_context, build_role, evt
from pynetdicom.presentation import PresentationContext

from securepacs_harness.canary import Instance
from securepacs_harness.errors import CannotOfferError
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes import association, pdu, tls
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.sink import Commitment, Sink, commitment_of

# Files are sent as they are, byte for byte, and not decoded and encoded anew.
_config.STORE_SEND_CHUNKED_DATASET = True

COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""Well-known SOP instance of the storage commitment push model (PS3.4 section J.3.5)."""

_LITTLE_ENDIAN = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]

#: SOP class of a verb's request (PS3.6 table A-1): verification, the study root models, modality worklist, storage commitment push.
#: store has the image's own.
SOP_CLASSES: Mapping[str, str] = {
    "echo": "1.2.840.10008.1.1",
    "find": "1.2.840.10008.5.1.4.1.2.2.1",
    "move": "1.2.840.10008.5.1.4.1.2.2.2",
    "get": "1.2.840.10008.5.1.4.1.2.2.3",
    "worklist": "1.2.840.10008.5.1.4.31",
    "commit": "1.2.840.10008.1.20.1",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Who calls whom, over which line. `timeout` is for each answer, in seconds."""

    line: Line
    called: str
    calling: str
    timeout: float = 10.0

    def what(self, verb: str) -> str:
        """Name an attempt."""
        offer = self.line.offer
        shown = "without TLS" if offer is None else f"with the certificate of {offer.material.name}" if offer.material else "anonymously"
        return f"{verb} as {self.calling} {shown}"


def judge_status(status: int | None) -> Observation:
    """Say what a DIMSE status means (PS3.7 annex C): success, pending and warnings are acceptance. None: there was no answer."""
    if status is None:
        return Observation(Layer.DIMSE, Outcome.TIMEOUT, "no-answer")
    accepted = status in {0x0000, 0x0001, 0x0107, 0x0116, 0xFF00, 0xFF01} or 0xB000 <= status <= 0xBFFF
    return Observation(Layer.DIMSE, Outcome.ACCEPTED if accepted else Outcome.REFUSED, f"0x{status:04X}")


class _Record:
    """What came over the wire while pynetdicom worked."""

    def __init__(self) -> None:
        self.ended: Observation | None = None

    def on_pdu(self, event: Any) -> None:  # noqa: ANN401 - pynetdicom's event has attributes by kind
        """Keep a rejection or an abort."""
        unit = event.pdu
        if unit.pdu_type == 0x03:
            self.ended = association.judge_answer(pdu.Rejected(unit.result, unit.source, unit.reason_diagnostic))
        elif unit.pdu_type == 0x07:
            self.ended = association.judge_answer(pdu.Aborted(unit.source, unit.reason_diagnostic))


Act = Callable[[Any], Observation]
"""What to do on an established association (pynetdicom's)."""


def _converse(
    caller: Caller,
    contexts: list[PresentationContext],
    act: Act,
    *,
    handlers: Iterable[tuple[Any, ...]] = (),
    roles: list[Any] | None = None,
) -> Observation:
    """Associate, act when `contexts[0]` was accepted, release."""
    if caller.line.spending:
        caller.line.spending.connect()
    record = _Record()
    ae = AE(ae_title=caller.calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = caller.timeout
    offer = caller.line.offer
    try:
        secured = (offer.context(), offer.server_name) if offer else None
    except CannotOfferError as error:
        return tls.failed(error, Layer.TLS)
    assoc = ae.associate(
        caller.line.host,
        caller.line.port,
        contexts=contexts,
        ae_title=caller.called,
        ext_neg=roles,
        bind_address=(caller.line.source or "", 0),
        tls_args=secured,
        evt_handlers=[(evt.EVT_PDU_RECV, record.on_pdu), *handlers],
    )
    wanted = contexts[0].abstract_syntax
    if not assoc.is_established:
        refused = [context.result for context in assoc.rejected_contexts if context.abstract_syntax == wanted]
        if refused:
            return Observation(Layer.CONTEXT, Outcome.REFUSED, str(refused[0]))
        return record.ended or _preflight(caller, contexts)
    try:
        if not any(context.abstract_syntax == wanted for context in assoc.accepted_contexts):
            refused = [context.result for context in assoc.rejected_contexts if context.abstract_syntax == wanted]
            return Observation(Layer.CONTEXT, Outcome.REFUSED, str(refused[0]) if refused else "not-answered")
        seen = act(assoc)
        if seen.outcome is Outcome.TIMEOUT and record.ended:
            return dataclasses.replace(record.ended, layer=Layer.DIMSE)
        return seen
    finally:
        if assoc.is_established:
            assoc.release()


def _preflight(caller: Caller, contexts: list[PresentationContext]) -> Observation:
    """Tell why there was no association: pynetdicom makes one 'aborted' of all failures below it, so ask again by hand."""
    proposed = tuple(
        pdu.Context(2 * index + 1, str(context.abstract_syntax), tuple(map(str, context.transfer_syntax)))
        for index, context in enumerate(contexts)
    )
    request = pdu.associate_rq(caller.called, caller.calling, contexts=proposed)
    line = dataclasses.replace(caller.line, timeout=caller.timeout)
    seen = association.associate("", line, request)._run()
    if seen.outcome is Outcome.ACCEPTED:
        return Observation(Layer.ASSOCIATION, Outcome.INCONCLUSIVE, "once-failed", "a second try by hand was accepted")
    return seen


def _context(verb: str) -> PresentationContext:
    return build_context(SOP_CLASSES[verb], _LITTLE_ENDIAN)


#: Statuses of a C-MOVE that was begun and failed, or that was refused without saying why (PS3.4 table C.4-2).
_MAY_HAVE_BEEN_TRIED = re.compile(r"0xA70[0-9A-F]|0xB000|0xC[0-9A-F]{3}")


def _status(response: Dataset) -> int | None:
    return int(response.Status) if "Status" in response else None


def echo(caller: Caller) -> Attempt:
    """C-ECHO (PS3.4 annex A)."""
    return Attempt(
        caller.what("C-ECHO"),
        lambda: _converse(caller, [_context("echo")], lambda assoc: judge_status(_status(assoc.send_c_echo()))),
    )


def store(caller: Caller, image: Instance) -> Attempt:
    """C-STORE of a file, byte for byte, in its own transfer syntax (PS3.4 annex B)."""
    context = build_context(image.sop_class, image.transfer_syntax)
    return Attempt(
        caller.what("C-STORE"),
        lambda: _converse(caller, [context], lambda assoc: judge_status(_status(assoc.send_c_store(image.path)))),
    )


def _identifier(level: str, keys: Mapping[str, str]) -> Dataset:
    data = Dataset()
    data.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(data, keyword, value)
    return data


def _last(answers: Iterable[tuple[Dataset, Dataset | None]]) -> Observation:
    """Judge the final status of several answers; `detail` counts the pending ones or the sub-operations."""
    status: int | None = None
    matches = 0
    counts = ""
    for response, identifier in answers:
        status = _status(response)
        matches += status in {0xFF00, 0xFF01} and identifier is not None
        if "NumberOfCompletedSuboperations" in response:
            failed = response.get("NumberOfFailedSuboperations", 0)
            counts = f"{response.NumberOfCompletedSuboperations} sub-operations completed, {failed} failed"
    return dataclasses.replace(judge_status(status), detail=counts or f"{matches} matches")


def find(caller: Caller, level: str = "STUDY", **keys: str) -> Attempt:
    """C-FIND in the study root (PS3.4 section C.4.1); without keys it asks for every study's identifier."""
    query = _identifier(level, keys or {"StudyInstanceUID": "", "PatientID": ""})
    model = SOP_CLASSES["find"]
    return Attempt(
        caller.what("C-FIND"),
        lambda: _converse(caller, [_context("find")], lambda assoc: _last(assoc.send_c_find(query, model))),
    )


def worklist(caller: Caller) -> Attempt:
    """C-FIND of the modality worklist (PS3.4 annex K)."""
    query = Dataset()
    query.PatientName = "*"
    query.PatientID = ""
    step = Dataset()
    step.Modality = ""
    step.ScheduledStationAETitle = ""
    query.ScheduledProcedureStepSequence = [step]
    model = SOP_CLASSES["worklist"]
    return Attempt(
        caller.what("worklist C-FIND"),
        lambda: _converse(caller, [_context("worklist")], lambda assoc: _last(assoc.send_c_find(query, model))),
    )


def get(caller: Caller, image: Instance) -> Attempt:
    """C-GET of one instance (PS3.4 section C.4.3); the data sets that came are the payload, encoded in the image's own syntax."""
    query = _identifier("IMAGE", {"StudyInstanceUID": image.study, "SeriesInstanceUID": image.series, "SOPInstanceUID": image.sop_instance})
    contexts = [_context("get"), build_context(image.sop_class, image.transfer_syntax)]
    roles = [build_role(image.sop_class, scp_role=True)]

    def observe() -> Observation:
        came: list[bytes] = []

        def on_store(event: Any) -> int:  # noqa: ANN401 - pynetdicom's event has attributes by kind
            came.append(event.encoded_dataset(include_meta=False))
            return 0x0000

        seen = _converse(
            caller,
            contexts,
            lambda assoc: _last(assoc.send_c_get(query, SOP_CLASSES["get"])),
            handlers=[(evt.EVT_C_STORE, on_store)],
            roles=roles,
        )
        return dataclasses.replace(seen, payload=tuple(came))

    return Attempt(caller.what("C-GET"), observe)


def move(caller: Caller, image: Instance, destination: str, *, received: bool = True) -> Attempt:
    """C-MOVE of one instance to an AE title (PS3.4 section C.4.2).

    Where nobody stands at the destination (`received` is false), a status that may tell of a failed attempt is inconclusive.
    """
    query = _identifier("IMAGE", {"StudyInstanceUID": image.study, "SeriesInstanceUID": image.series, "SOPInstanceUID": image.sop_instance})
    model = SOP_CLASSES["move"]

    def observe() -> Observation:
        seen = _converse(caller, [_context("move")], lambda assoc: _last(assoc.send_c_move(query, destination, model)))
        if not received and seen.layer is Layer.DIMSE and _MAY_HAVE_BEEN_TRIED.fullmatch(seen.code):
            why = "it may have been tried: nobody stands at the destination"
            return dataclasses.replace(seen, outcome=Outcome.INCONCLUSIVE, detail=why)
        return seen

    return Attempt(caller.what(f"C-MOVE to {destination}"), observe)


def commit(caller: Caller, image: Instance, sink: Sink | None = None) -> Attempt:
    """Storage commitment (PS3.4 annex J): N-ACTION, then the N-EVENT-REPORT on either association.

    With a `sink` the report is waited for: without it the attempt is a time-out, with event type 2 it is refused.
    """

    def observe() -> Observation:
        transaction = generate_uid(prefix=None)
        same: list[Commitment] = []

        def on_report(event: Any) -> tuple[int, None]:  # noqa: ANN401 - pynetdicom's event has attributes by kind
            same.append(commitment_of(event))
            return 0x0000, None

        def act(assoc: Any) -> Observation:  # noqa: ANN401 - pynetdicom's association
            request = Dataset()
            request.TransactionUID = transaction
            reference = Dataset()
            reference.ReferencedSOPClassUID = image.sop_class
            reference.ReferencedSOPInstanceUID = image.sop_instance
            request.ReferencedSOPSequence = [reference]
            response, _ = assoc.send_n_action(request, 1, SOP_CLASSES["commit"], COMMITMENT_INSTANCE)
            return judge_status(_status(response))

        seen = _converse(caller, [_context("commit")], act, handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
        if sink is None or seen.outcome is not Outcome.ACCEPTED:
            return seen
        report = sink.await_commitment(transaction, caller.timeout) or next(iter(same), None)
        if report is None:
            return Observation(Layer.DIMSE, Outcome.TIMEOUT, "no-report", "N-ACTION succeeded, no N-EVENT-REPORT came")
        outcome = Outcome.ACCEPTED if report.event_type == 1 else Outcome.REFUSED
        return dataclasses.replace(seen, outcome=outcome, detail=f"N-EVENT-REPORT type {report.event_type}")

    return Attempt(caller.what("storage commitment"), observe)


def idle(caller: Caller, seconds: float, release: threading.Event) -> Attempt:
    """Associate for verification and hold the association idle until `release`; refused when the peer ends it before.

    After `seconds` it is let go in any case.
    """

    def act(assoc: Any) -> Observation:  # noqa: ANN401 - pynetdicom's association
        until = time.monotonic() + seconds
        while time.monotonic() < until and not release.wait(0.1):
            if not assoc.is_established:
                return Observation(Layer.ASSOCIATION, Outcome.REFUSED, "ended-when-idle")
        return Observation(Layer.ASSOCIATION, Outcome.ACCEPTED, "held")

    return Attempt(caller.what("idle association"), lambda: _converse(caller, [_context("echo")], act))
