"""Protocol data units of the DICOM upper layer, byte by byte (PS3.8 section 9.3): pure functions, so that every byte can be wrong."""

from __future__ import annotations

import dataclasses
import struct

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_IMPLEMENTATION = "1.2.826.0.1.3680043.8.498.1"

AE_FIELD = 16
#: Offsets of the two AE title fields in an A-ASSOCIATE-RQ (PS3.8 table 9-11).
CALLED_AT, CALLING_AT = 10, 26
HEADER = 6

#: Type of the PDU that accepts an association (PS3.8 table 9-17).
ASSOCIATE_AC = 0x02
RELEASE_RQ = bytes.fromhex("05000000000400000000")
ABORT = bytes.fromhex("07000000000400000000")


def ae_field(title: str | bytes) -> bytes:
    """Pad an AE title with trailing spaces to 16 bytes; bytes of 16 or more are taken as they are."""
    raw = title.encode("latin-1") if isinstance(title, str) else title
    return raw.ljust(AE_FIELD, b" ")


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """A proposed presentation context (PS3.8 table 9-13): an odd id, an abstract syntax, transfer syntaxes."""

    id: int
    abstract: str = VERIFICATION
    transfers: tuple[str, ...] = (IMPLICIT_LITTLE_ENDIAN,)

    def encode(self) -> bytes:
        """Write it as an item of type 20H."""
        body = _item(0x30, self.abstract.encode()) + b"".join(_item(0x40, transfer.encode()) for transfer in self.transfers)
        return _item(0x20, bytes([self.id, 0, 0, 0]) + body)


def associate_rq(
    called: str | bytes,
    calling: str | bytes,
    *,
    contexts: tuple[Context, ...] = (Context(1),),
    max_pdu: int = 16384,
    extra_items: bytes = b"",
    length: int | None = None,
    protocol: int = 1,
) -> bytes:
    """Write an A-ASSOCIATE-RQ (PS3.8 table 9-11). `length` lies about the PDU's length; `extra_items` are appended user items."""
    user = _item(0x51, struct.pack(">I", max_pdu)) + _item(0x52, _IMPLEMENTATION.encode()) + extra_items
    body = (
        struct.pack(">HH", protocol, 0)
        + ae_field(called)
        + ae_field(calling)
        + bytes(32)
        + _item(0x10, APPLICATION_CONTEXT.encode())
        + b"".join(context.encode() for context in contexts)
        + _item(0x50, user)
    )
    return struct.pack(">BBI", 0x01, 0, len(body) if length is None else length) + body


def echo_rq(context: int, message: int = 1) -> bytes:
    """Write a P-DATA-TF with a C-ECHO-RQ (PS3.7 table 9.3-12), implicit little endian."""
    elements = (
        (0x0002, VERIFICATION.encode() + b"\0"),
        (0x0100, struct.pack("<H", 0x0030)),
        (0x0110, struct.pack("<H", message)),
        (0x0800, struct.pack("<H", 0x0101)),
    )
    command = b"".join(struct.pack("<HHI", 0x0000, tag, len(value)) + value for tag, value in elements)
    command = struct.pack("<HHII", 0, 0, 4, len(command)) + command
    value = bytes([context, 0x03]) + command
    return struct.pack(">BBII", 0x04, 0, len(value) + 4, len(value)) + value


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """A-ASSOCIATE-AC (PS3.8 table 9-17): context id -> result (0 acceptance … 4, table 9-18)."""

    results: dict[int, int]
    implementation: str = ""
    """Implementation class UID and version name (PS3.7 section D.3.3.2), as far as they are told."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int

    def __str__(self) -> str:
        return f"{self.result}/{self.source}/{self.reason}"


@dataclasses.dataclass(frozen=True, slots=True)
class Aborted:
    """A-ABORT (PS3.8 table 9-26)."""

    source: int
    reason: int

    def __str__(self) -> str:
        return f"abort/{self.source}/{self.reason}"


@dataclasses.dataclass(frozen=True, slots=True)
class Other:
    """Any other PDU, or bytes that are none."""

    kind: int
    body: bytes


Answer = Accepted | Rejected | Aborted | Other

#: What an A-ASSOCIATE-RJ says, by (source, reason) (PS3.8 table 9-21).
REASONS: dict[tuple[int, int], str] = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given (ACSE)",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}


def body_length(header: bytes) -> int:
    """Give the length of the body that follows a PDU's six bytes of header."""
    length: int = struct.unpack(">I", header[2:HEADER])[0]
    return length


def _context_results(body: bytes) -> dict[int, int]:
    results: dict[int, int] = {}
    position = 68
    while position + 4 <= len(body):
        kind, _, length = struct.unpack(">BBH", body[position : position + 4])
        item = body[position + 4 : position + 4 + length]
        if kind == 0x21 and len(item) >= 4:
            results[item[0]] = item[2]
        position += 4 + length
    return results


def _implementation(body: bytes) -> str:
    """Give what the user information of an A-ASSOCIATE-AC tells of the implementation: items 52H and 55H within item 50H."""
    told = []
    position = 68
    while position + 4 <= len(body):
        kind, _, length = struct.unpack(">BBH", body[position : position + 4])
        if kind == 0x50:
            position += 4
            continue
        if kind in {0x52, 0x55}:
            told.append(body[position + 4 : position + 4 + length].decode("latin-1").strip("\0 "))
        position += 4 + length
    return " ".join(told)


def parse(header: bytes, body: bytes) -> Answer:
    """Read one PDU. What is too short for its kind is given as Other."""
    kind = header[0]
    if kind == ASSOCIATE_AC and len(body) >= 68:
        return Accepted(_context_results(body), _implementation(body))
    if kind == 0x03 and len(body) >= 4:
        return Rejected(body[1], body[2], body[3])
    if kind == 0x07 and len(body) >= 4:
        return Aborted(body[2], body[3])
    return Other(kind, body)
