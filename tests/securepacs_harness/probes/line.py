"""A connection to a listener, in plain TCP or TLS, with a deadline on all that is done with it."""

from __future__ import annotations

import dataclasses
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from securepacs_harness.budget import Spending
from securepacs_harness.errors import CannotOfferError
from securepacs_harness.observation import EndedError, Layer, Observation, Outcome
from securepacs_harness.probes import pdu, tls
from securepacs_harness.probes.tls import Offer

#: How long the first word of a TLS 1.3 server is waited for: an alert about the client's certificate comes after the handshake
#: (RFC 8446 section 4.4.2.4), and data sent meanwhile can turn it into a bare reset.
_ALERT_WAIT = 0.1

_LARGEST = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A way to a listener. Without `offer` it is plain TCP; `source` binds the client's own address."""

    host: str
    port: int
    offer: Offer | None = None
    source: str | None = None
    timeout: float = 12.0
    """Seconds for the whole conversation."""
    spending: Spending | None = dataclasses.field(default=None, repr=False, compare=False)
    """What a run may cost its target; each connection is one of it."""

    def with_offer(self, **changes: object) -> Self:
        """Give the same line with another TLS offer."""
        if self.offer is None:
            raise TypeError("a plain line has no TLS offer to change")
        return dataclasses.replace(self, offer=dataclasses.replace(self.offer, **changes))  # type: ignore[arg-type] # names are Offer's own


class Connection:
    """An open connection. Every failure is raised as EndedError with the observation that it means."""

    def __init__(self, sock: socket.socket, deadline: float, layer: Layer) -> None:
        self._sock = sock
        self._deadline = deadline
        self._layer = layer

    @property
    def sock(self) -> socket.socket:
        """The socket itself (an SSLSocket on a TLS line)."""
        return self._sock

    def _arm(self) -> None:
        self._sock.settimeout(max(0.001, self._deadline - time.monotonic()))

    def send(self, data: bytes) -> None:
        """Send all of it."""
        with _failures(self._layer):
            self._arm()
            self._sock.sendall(data)

    def receive(self, size: int) -> bytes:
        """Receive exactly `size` bytes."""
        data = b""
        while len(data) < size:
            with _failures(self._layer):
                self._arm()
                part = self._sock.recv(size - len(data))
            if not part:
                detail = f"{len(data)} bytes came before" if data else ""
                raise EndedError(Observation(self._layer, Outcome.REFUSED, "closed", detail))
            data += part
        return data

    def pdu(self) -> pdu.Answer:
        """Receive one PDU."""
        header = self.receive(pdu.HEADER)
        length = pdu.body_length(header)
        if length > _LARGEST or not 1 <= header[0] <= 7:
            return pdu.Other(header[0], header)
        return pdu.parse(header, self.receive(length))

    def wait(self, seconds: float) -> None:
        """Pause; raise EndedError as soon as the peer ends the connection meanwhile."""
        until = time.monotonic() + seconds
        with _failures(self._layer):
            while (left := until - time.monotonic()) > 0:
                ready, _, _ = select.select([self._sock], [], [], left)
                if not ready:
                    return
                self._sock.settimeout(0.05)
                try:
                    word = self._sock.recv(1)
                except TimeoutError:
                    continue
                if not word:
                    raise EndedError(Observation(self._layer, Outcome.REFUSED, "closed"))
                rest = word + self._sock.recv(pdu.HEADER + 3)
                raise EndedError(self._spoke(rest))

    def _spoke(self, data: bytes) -> Observation:
        """The peer answered before it had everything."""
        answer = pdu.parse(data[: pdu.HEADER], data[pdu.HEADER :])
        if isinstance(answer, pdu.Rejected | pdu.Aborted):
            return Observation(self._layer, Outcome.REFUSED, str(answer), "before the whole request was sent")
        if data[0] == pdu.ASSOCIATE_AC:
            return Observation(self._layer, Outcome.ACCEPTED, "accepted", "before the whole request was sent")
        return Observation(self._layer, Outcome.INCONCLUSIVE, "spoke-early", data[:10].hex())


@contextmanager
def _failures(layer: Layer) -> Iterator[None]:
    try:
        yield
    except (OSError, CannotOfferError) as error:
        raise EndedError(tls.failed(error, layer)) from error


def _first_word(sock: ssl.SSLSocket, layer: Layer) -> None:
    """Let an alert about the client's certificate arrive before anything is written."""
    if sock.version() != "TLSv1.3":
        return
    ready, _, _ = select.select([sock], [], [], _ALERT_WAIT)
    if not ready:
        return
    sock.settimeout(_ALERT_WAIT)
    try:
        if sock.recv(1) == b"":
            raise EndedError(Observation(layer, Outcome.REFUSED, "closed", "right after the handshake"))
    except TimeoutError:
        return  # only session tickets came


@contextmanager
def opened(
    line: Line, layer: Layer, *, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None
) -> Iterator[Connection]:
    """Open a line for a conversation at `layer`. `context` and `session` resume an earlier session."""
    if line.spending:
        line.spending.connect()
    deadline = time.monotonic() + line.timeout
    with _failures(Layer.TCP):
        sock = socket.create_connection((line.host, line.port), line.timeout, (line.source, 0) if line.source else None)
    try:
        if line.offer:
            with _failures(Layer.TLS):
                context = context or line.offer.context()
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                secured = context.wrap_socket(sock, server_hostname=line.offer.server_name, session=session)
                sock = secured
                if layer is not Layer.HTTP:
                    _first_word(secured, layer)
        yield Connection(sock, deadline, layer)
    finally:
        sock.close()
