"""Receivers that a PACS may call: a storage and commitment SCP, and a bare listener that only counts who comes."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import threading
import time
from types import TracebackType
from typing import Any, Self

from pydicom.uid import CTImageStorage, MRImageStorage
from pynetdicom import AE, evt

from securepacs_harness.bundles import Material

_VERIFICATION = "1.2.840.10008.1.1"
_COMMITMENT = "1.2.840.10008.1.20.1"
_LITTLE_ENDIAN = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """One instance that came: its identifiers and its data set as it was encoded."""

    sop_instance: str
    transfer_syntax: str
    dataset: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Commitment:
    """One N-EVENT-REPORT of storage commitment (PS3.4 section J.3.3): event type 1 is success, 2 says that some failed."""

    transaction: str
    event_type: int


def server_context(material: Material) -> ssl.SSLContext:
    """Make the context of a receiver that shows its bundle and asks for a certificate of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(material.cert, material.key)
    context.load_verify_locations(material.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class Sink:
    """A receiver for C-MOVE and storage commitment on HOST:PORT, with TLS where it has material. Use it in a `with`."""

    def __init__(self, address: str, ae_title: str, material: Material | None = None) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._material = material
        self._ae = AE(ae_title=ae_title)
        self._ae.acse_timeout = self._ae.dimse_timeout = self._ae.network_timeout = 10
        for abstract in (_VERIFICATION, CTImageStorage, MRImageStorage):
            self._ae.add_supported_context(abstract, _LITTLE_ENDIAN)
        self._ae.add_supported_context(_COMMITMENT, _LITTLE_ENDIAN, scu_role=True, scp_role=True)
        self.connections = 0
        """TCP connections that came (with TLS: whose handshake was complete)."""
        self.callers: list[str] = []
        """Calling AE titles of the associations that came."""
        self.stored: list[Stored] = []
        self.commitments: list[Commitment] = []

    def __enter__(self) -> Self:
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._on_connection),
            (evt.EVT_REQUESTED, lambda event: self.callers.append(event.assoc.requestor.primitive.calling_ae_title)),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_C_ECHO, lambda _: 0x0000),
            (evt.EVT_N_EVENT_REPORT, self._on_report),
        ]
        context = server_context(self._material) if self._material else None
        self._server: Any = self._ae.start_server(self._address, block=False, ssl_context=context, evt_handlers=handlers)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()

    def _on_connection(self, _event: Any) -> None:  # noqa: ANN401 - pynetdicom's event has attributes by kind
        self.connections += 1

    def _on_store(self, event: Any) -> int:  # noqa: ANN401 - pynetdicom's event has attributes by kind
        self.stored.append(
            Stored(str(event.request.AffectedSOPInstanceUID), str(event.context.transfer_syntax), event.encoded_dataset(include_meta=False))
        )
        return 0x0000

    def _on_report(self, event: Any) -> tuple[int, None]:  # noqa: ANN401 - as above
        self.commitments.append(commitment_of(event))
        return 0x0000, None

    def await_stored(self, seconds: float = 10.0) -> bool:
        """Wait until an instance has come; False when none does in time."""
        until = time.monotonic() + seconds
        while not self.stored and time.monotonic() < until:
            time.sleep(0.05)
        return bool(self.stored)

    def await_commitment(self, transaction: str, seconds: float = 10.0) -> Commitment | None:
        """Wait for the report on a transaction; None when it does not come in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for commitment in list(self.commitments):
                if commitment.transaction == transaction:
                    return commitment
            time.sleep(0.05)
        return None


def commitment_of(event: Any) -> Commitment:  # noqa: ANN401 - pynetdicom's event has attributes by kind
    """Read a commitment out of pynetdicom's N-EVENT-REPORT event."""
    return Commitment(str(event.event_information.TransactionUID), int(event.request.EventTypeID))


class Doorbell:
    """A bare listener that counts connections and closes them. Use it in a `with`. ":PORT" is on every address, IPv4 and IPv6."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self.connections = 0

    def __enter__(self) -> Self:
        both = not self._address[0] and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        self._socket = socket.create_server(self._address, family=family, dualstack_ipv6=both)
        self._socket.settimeout(0.1)
        self._open = True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    @property
    def port(self) -> int:
        """The port, also where 0 asked for any free one."""
        bound: int = self._socket.getsockname()[1]
        return bound

    def rang(self, times: int, seconds: float = 3.0) -> bool:
        """Wait until so many connections have come; False when they do not in time."""
        until = time.monotonic() + seconds
        while self.connections < times and time.monotonic() < until:
            time.sleep(0.02)
        return self.connections >= times

    def _listen(self) -> None:
        while self._open:
            try:
                caller, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            caller.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # What was on its way gets its chance to be counted.
        time.sleep(0.3)
        self._open = False
        self._thread.join()
        self._socket.close()
