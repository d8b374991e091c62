from __future__ import annotations

import pytest

from securepacs_harness.observation import Layer, Outcome
from securepacs_harness.probes.dcmtk import judge_output

PENDING = "D: DIMSE Status                  : 0xff00: Pending\n"
REQUESTING = "D: setting network send timeout to 60 seconds\nI: Requesting Association\n"
FAILED = "F: Association Request Failed: "


@pytest.mark.parametrize(
    ("status", "text", "layer", "outcome", "code"),
    [
        (0, "I: Received Echo Response (Success)\nI: Releasing Association\n", Layer.DIMSE, Outcome.ACCEPTED, "0x0000"),
        (0, "I: Received Echo Response (Unknown Status: 0x124)\n", Layer.DIMSE, Outcome.REFUSED, "0x0124"),
        (
            0,
            PENDING + "D: DIMSE Status                  : 0x0000: Success\n",
            Layer.DIMSE,
            Outcome.ACCEPTED,
            "0x0000",
        ),
        (69, "D: DIMSE Status                  : 0xa801: Refused\nE: Move Request Failed\n", Layer.DIMSE, Outcome.REFUSED, "0xA801"),
        (0, "D: DIMSE Status                  : 0xb000: Warning\n", Layer.DIMSE, Outcome.ACCEPTED, "0xB000"),
        (0, PENDING, Layer.ASSOCIATION, Outcome.INCONCLUSIVE, "exit-0"),
        (
            1,
            "F: Association Rejected:\nF: Result: Rejected Permanent, Source: Service User\nF: Reason: Calling AE Title Not Recognized\n",
            Layer.ASSOCIATION,
            Outcome.REFUSED,
            "1/1/3",
        ),
        (
            1,
            "F: Association Rejected:\nF: Result: Rejected Permanent, Source: Service User\nF: Reason: Called AE Title Not Recognized\n",
            Layer.ASSOCIATION,
            Outcome.REFUSED,
            "1/1/7",
        ),
        (1, f"{FAILED}0006:0317 Peer aborted Association (or never connected)\n", Layer.ASSOCIATION, Outcome.REFUSED, "abort"),
        (
            1,
            f"{FAILED}0006:031d TCP I/O Error (Connection reset by peer)\n",
            Layer.ASSOCIATION,
            Outcome.REFUSED,
            "reset",
        ),
        (1, "F: TLS error: tlsv1 alert unknown ca\n", Layer.TLS, Outcome.REFUSED, "unknown_ca"),
        (1, "F: TLS error: certificate verify failed\n", Layer.TLS, Outcome.INCONCLUSIVE, "server-not-trusted"),
        (1, "F: TCP Initialization Error: Connection refused\n", Layer.TCP, Outcome.REFUSED, "refused"),
        (1, "E: No Acceptable Presentation Contexts\n", Layer.CONTEXT, Outcome.REFUSED, "none"),
        (1, f"{FAILED}DUL network read timeout\n", Layer.ASSOCIATION, Outcome.TIMEOUT, "time-out"),
        (127, "", Layer.ASSOCIATION, Outcome.INCONCLUSIVE, "exit-127"),
    ],
)
def test_what_a_tool_printed_is_read(status: int, text: str, layer: Layer, outcome: Outcome, code: str) -> None:
    """The last DIMSE status counts, else the layer at which the tool ended; nothing known is inconclusive, never a refusal."""
    seen = judge_output(status, REQUESTING + text)
    assert (seen.layer, seen.outcome, seen.code) == (layer, outcome, code)
