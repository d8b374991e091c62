from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, P_DATA_TF

from securepacs_harness.probes import pdu

TITLES = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=16)


@given(called=TITLES, calling=TITLES, count=st.integers(1, 128), max_pdu=st.integers(0, 2**32 - 1))
def test_a_request_is_read_by_another_implementation(called: str, calling: str, count: int, max_pdu: int) -> None:
    """What associate_rq writes, pynetdicom reads with the same titles, contexts and maximum length."""
    contexts = tuple(pdu.Context(2 * index + 1) for index in range(count))
    raw = pdu.associate_rq(called, calling, contexts=contexts, max_pdu=max_pdu)
    read = A_ASSOCIATE_RQ()
    read.decode(raw)
    assert (read.called_ae_title, read.calling_ae_title) == (called, calling)
    assert [context.context_id for context in read.presentation_context] == [context.id for context in contexts]
    assert read.user_information is not None
    assert read.user_information.maximum_length == max_pdu
    assert pdu.body_length(raw[: pdu.HEADER]) == len(raw) - pdu.HEADER


def test_the_title_fields_stand_where_the_standard_says() -> None:
    """Called and calling AE titles stand at bytes 11 and 27 (PS3.8 table 9-11), as the bytes that were given."""
    raw = pdu.associate_rq("ARCHIVE", b"CT01\0WS01")
    assert raw[pdu.CALLED_AT : pdu.CALLED_AT + 16] == b"ARCHIVE         "
    assert raw[pdu.CALLING_AT : pdu.CALLING_AT + 16] == b"CT01\0WS01       "


def test_the_length_can_lie() -> None:
    """A given length stands in the header and nothing else changes."""
    honest, lying = pdu.associate_rq("A", "B"), pdu.associate_rq("A", "B", length=2**32 - 1)
    assert pdu.body_length(lying) == 2**32 - 1
    assert lying[6:] == honest[6:]


def test_an_echo_is_read_by_another_implementation() -> None:
    """What echo_rq writes is a P-DATA-TF with one presentation data value on the context."""
    read = P_DATA_TF()
    raw = pdu.echo_rq(5)
    read.decode(raw)
    (value,) = read.presentation_data_value_items
    assert value.context_id == 5
    assert read.encode() == raw


@given(result=st.integers(1, 2), source=st.integers(1, 3), reason=st.integers(1, 10))
def test_a_rejection_is_read(result: int, source: int, reason: int) -> None:
    """An A-ASSOCIATE-RJ of pynetdicom's is read with its three numbers."""
    unit = A_ASSOCIATE_RJ()
    unit.result, unit.source, unit.reason_diagnostic = result, source, reason
    raw = unit.encode()
    answer = pdu.parse(raw[:6], raw[6:])
    assert answer == pdu.Rejected(result, source, reason)
    assert str(answer) == f"{result}/{source}/{reason}"


def test_an_abort_is_read() -> None:
    """An A-ABORT of pynetdicom's is read with source and reason."""
    unit = A_ABORT_RQ()
    unit.source, unit.reason_diagnostic = 2, 6
    raw = unit.encode()
    assert pdu.parse(raw[:6], raw[6:]) == pdu.Aborted(2, 6)


def test_an_acceptance_is_read_with_its_contexts() -> None:
    """An A-ASSOCIATE-AC gives the result of each context, also behind items of other kinds."""
    item = bytes.fromhex("2100000801000300") + bytes.fromhex("40000000")
    accepted = bytes.fromhex("2100000803000000") + bytes.fromhex("40000000")
    body = bytes(68) + bytes.fromhex("10000000") + item + accepted + bytes.fromhex("5000000451000000")
    assert pdu.parse(b"\x02\x00" + len(body).to_bytes(4, "big"), body) == pdu.Accepted({1: 3, 3: 0})
    assert A_ASSOCIATE_AC().pdu_type == 0x02


@given(header=st.binary(min_size=6, max_size=6), body=st.binary(max_size=120))
def test_any_bytes_are_read_as_something(header: bytes, body: bytes) -> None:
    """Nothing that a peer sends makes the reader fail."""
    assert isinstance(pdu.parse(header, body), pdu.Accepted | pdu.Rejected | pdu.Aborted | pdu.Other)
