"""SOP classes that a picture archive has no business with, proposed and nothing more (PS3.4, PS3.6 table A-1)."""

from __future__ import annotations

from securepacs_harness.observation import Attempt, EndedError, Layer, Observation, Outcome
from securepacs_harness.probes import association, pdu
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.line import opened

OTHER = {
    "Modality Performed Procedure Step": "1.2.840.10008.3.1.2.3.3",
    "Basic Grayscale Print Management": "1.2.840.10008.5.1.1.9",
    "Media Creation Management": "1.2.840.10008.5.1.1.33",
    "Unified Procedure Step Push": "1.2.840.10008.5.1.4.34.6.1",
    "Instance Availability Notification": "1.2.840.10008.5.1.4.33",
    "a private SOP class": "1.2.826.0.1.3680043.8.498.99999.1",
    "no SOP class at all": "1.2.3.4.5.6.7.8.9",
}


def propose(name: str, caller: Caller, uid: str) -> Attempt:
    """Propose one SOP class as the only context; it is accepted when its context is."""

    def observe() -> Observation:
        request = pdu.associate_rq(caller.called, caller.calling, contexts=(pdu.Context(1, uid),))
        try:
            with opened(caller.line, Layer.ASSOCIATION) as connection:
                connection.send(request)
                answer = connection.pdu()
                if isinstance(answer, pdu.Accepted):
                    association.release(connection)
                    result = answer.results.get(1)
                    if result == 0:
                        return Observation(Layer.CONTEXT, Outcome.ACCEPTED, "0")
                    return Observation(Layer.CONTEXT, Outcome.REFUSED, str(result) if result is not None else "not-answered")
                return association.judge_answer(answer)
        except EndedError as ended:
            return ended.seen

    return Attempt(f"a context for {name} as {caller.calling}", observe)
