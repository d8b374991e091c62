"""A-ASSOCIATE-RQs that are not what they say (PS3.8 section 9.3.2): data for probes."""

from __future__ import annotations

from collections.abc import Sequence

from securepacs_harness.probes import pdu
from securepacs_harness.probes.association import Piece

#: Seconds of a pause: longer than a gateway should wait for the rest of a request.
PAUSE = 7.0


def requests(called: str, calling: str) -> dict[str, bytes]:
    """Give requests under true names that are malformed, by what is wrong with them."""
    whole = pdu.associate_rq(called, calling)
    return {
        "a length that is too small": pdu.associate_rq(called, calling, length=20),
        "a length of nothing": pdu.associate_rq(called, calling, length=0),
        "a length of four gigabytes": pdu.associate_rq(called, calling, length=0xFFFFFFFF),
        "a protocol version of zero": pdu.associate_rq(called, calling, protocol=0),
        "another type of PDU": b"\x09" + whole[1:],
        "data before an association": pdu.echo_rq(1),
        "a release before an association": pdu.RELEASE_RQ,
        "garbage": bytes(range(256)),
        "an HTTP request": b"GET / HTTP/1.1\r\nHost: archive\r\n\r\n",
    }


def unusual(called: str, calling: str) -> dict[str, bytes]:
    """Give requests that are lawful and seldom: all the contexts that there can be, the largest and the smallest PDUs (annex D.1)."""
    every = tuple(pdu.Context(id) for id in range(1, 256, 2))
    return {
        "128 presentation contexts": pdu.associate_rq(called, calling, contexts=every),
        "PDUs without a limit": pdu.associate_rq(called, calling, max_pdu=0),
        "PDUs of one byte": pdu.associate_rq(called, calling, max_pdu=1),
    }


def pauses(request: bytes) -> dict[str, Sequence[Piece]]:
    """Give a request cut in two, with a pause between the parts, by where it is cut."""
    places = {
        "before the first byte": 0,
        "in the header": 3,
        "behind the header": pdu.HEADER,
        "in the called AE title": 14,
        "behind the called AE title": 26,
        "in the calling AE title": 30,
        "behind the calling AE title": 42,
        "before the last byte": len(request) - 1,
    }
    return {where: [(request[:at], PAUSE), (request[at:], 0.0)] for where, at in places.items()}
