"""A peer in another network namespace: honest clients that are timed, and hostile ones that are counted.

    PYTHONPATH=tests nsenter --net=/proc/PID/ns/net .venv/bin/python -m bench.peer COMMAND --host IP --port PORT …

It prints one JSON object. What it reads and makes beforehand is outside of all times; milliseconds are of the wall clock.
With `--ca` it speaks TLS, and trusts what that authority signed under any name: the host is a container's address.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import resource
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from errno import EADDRINUSE, EADDRNOTAVAIL, EMFILE, ENFILE
from pathlib import Path
from typing import Any, Final, TypeVar

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt
from pynetdicom.presentation import PresentationContext

from securepacs_harness.probes import pdu

Thing = TypeVar("Thing")
Told = dict[str, Any]

VERIFICATION: Final = [build_context("1.2.840.10008.1.1")]
#: Instances of one patient, study and series.
GROUP: Final = 60
#: Seconds between the closing and the reopening of one hostile connection: the attacker shall not eat the processor by itself.
PAUSE: Final = 0.2
HOSTILE: Final = ("silent", "half-open", "partial", "oversized")
#: The first 50 bytes of a ClientHello of 508: record, message, version, random, six bytes of the session (RFC 8446 section 4.1.2).
CLIENT_HELLO: Final = bytes.fromhex("1603010200 010001fc 0303") + bytes(range(32)) + b"\x20" + bytes(6)
_RELEASE_RQ: Final = bytes.fromhex("050000000004 00000000")
#: Bytes that stand behind the header of an oversized A-ASSOCIATE-RQ.
OVERSIZED: Final = 70_000
#: What fails in this namespace and says nothing of the server: no such address, no port or descriptor left.
OWN_FAULTS: Final = frozenset({EADDRINUSE, EADDRNOTAVAIL, EMFILE, ENFILE})


def secured(asked: argparse.Namespace) -> ssl.SSLContext | None:
    """Give the client's TLS context; None without `--ca`."""
    if asked.ca is None:
        return None
    context = ssl.create_default_context(cafile=asked.ca)
    context.check_hostname = False
    if asked.cert:
        context.load_cert_chain(asked.cert, asked.key)
    return context


class Client:
    """One application entity that calls one other. Its TLS context is made once; no session is resumed."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        context = secured(asked)
        self._tls: Any = (context, None) if context else None
        self._ae = AE(ae_title=asked.calling)
        for wait in ("connection_timeout", "acse_timeout", "dimse_timeout", "network_timeout"):
            setattr(self._ae, wait, asked.timeout)

    def _on_open(self, event: Any) -> None:  # noqa: ANN401 - pynetdicom's event has attributes by kind
        sock = event.assoc.dul.socket.socket
        # pynetdicom leaves Nagle's algorithm on: where the server acknowledges late, the end of a message waits up to 40 ms for it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, self._asked.nagle == "off")
        # pynetdicom reads without end when no more than a TLS session ticket came, and no other time-out of it helps then.
        sock.settimeout(self._asked.timeout)

    def associate(self, contexts: list[PresentationContext]) -> Any:  # noqa: ANN401 - pynetdicom's association
        """Ask for an association, which may not be established: whatever fails below it raises nothing."""
        asked, on_open = self._asked, (evt.EVT_CONN_OPEN, self._on_open)
        return self._ae.associate(asked.host, asked.port, contexts, asked.called, tls_args=self._tls, evt_handlers=[on_open])

    def once(self, contexts: list[PresentationContext], act: Callable[[Any], Dataset]) -> bool:
        """Connect, associate, act, release; tell whether the answer was success and the release was answered."""
        assoc = self.associate(contexts)
        try:
            status = act(assoc).get("Status")
        except (RuntimeError, ValueError):  # there is no association, or not for this context
            status = None
        assoc.release()
        return status == 0 and bool(assoc.is_released)

    def echo(self) -> bool:
        """Do a C-ECHO on an association of its own (PS3.4 annex A)."""
        return self.once(VERIFICATION, lambda assoc: assoc.send_c_echo())


def instances(images: Sequence[Dataset], count: int) -> Iterator[Dataset]:
    """Give so many new instances, of the images in turn: their pixels are shared, their identifiers are new."""
    study = series = patient = ""
    for number in range(count):
        if number % GROUP == 0:
            study, series, patient = (generate_uid(prefix=None) for _ in range(3))
        image = images[number % len(images)]
        new = Dataset(dict(image.items()))
        implicit, little = image.original_encoding
        new.set_original_encoding(implicit, little, image.original_character_set)
        new.file_meta = image.file_meta
        new.PatientID = new.PatientName = patient[-16:]
        new.StudyInstanceUID, new.SeriesInstanceUID, new.SOPInstanceUID = study, series, generate_uid(prefix=None)
        yield new


def prepared(folder: Path, count: int, loads: int) -> tuple[list[PresentationContext], list[list[Dataset]]]:
    """Read a folder's files; give the contexts that they need (PS3.8 section 9.3.2.2), and so many loads of so many instances.

    Elements stay undecoded, so that sending is hardly more than copying.
    """
    images: list[Dataset] = [dcmread(path) for path in sorted(folder.iterdir()) if path.is_file()]
    if not images:
        raise SystemExit(f"{folder}: got no file, expected DICOM files")
    pairs = {(image.SOPClassUID, image.file_meta.TransferSyntaxUID) for image in images}
    return [build_context(*pair) for pair in sorted(pairs)], [list(instances(images, count)) for _ in range(loads)]


def store(asked: argparse.Namespace) -> Told:
    """Store so many instances on each of parallel associations; one that breaks sends no more. Times are of what was acknowledged."""
    contexts, loads = prepared(asked.folder, asked.count, asked.associations)
    client = Client(asked)

    def send(load: Sequence[Dataset]) -> list[float]:
        assoc, taken = client.associate(contexts), list[float]()
        for number, instance in enumerate(load):
            began = time.perf_counter()
            try:
                status = assoc.send_c_store(instance, msg_id=number % 0xFFFF + 1).get("Status")
            except RuntimeError:  # there is no association, or no more
                break
            if status == 0:
                taken.append(1000 * (time.perf_counter() - began))
        assoc.release()
        return taken

    with ThreadPoolExecutor(asked.associations) as pool:
        began = time.perf_counter()
        taken = [one for sent in pool.map(send, loads) for one in sent]
        ended = time.perf_counter()
    return {"seconds": ended - began, "acknowledged": len(taken), "latency_ms": taken}


def one_by_one(work: Callable[[Thing], bool], things: Sequence[Thing], interval: float) -> Told:
    """Do one thing after the other, with an interval in seconds between; what failed counts with the time that it took."""
    taken: list[float] = []
    failed, first = 0, time.perf_counter()
    for thing in things:
        if taken and interval:
            time.sleep(interval)
        began = time.perf_counter()
        failed += not work(thing)
        taken.append(1000 * (time.perf_counter() - began))
    return {"latency_ms": taken, "failed": failed, "seconds": time.perf_counter() - first}


def echo(asked: argparse.Namespace) -> Told:
    """Connect, associate, C-ECHO and release, one after the other."""
    client = Client(asked)
    return one_by_one(lambda _: client.echo(), range(asked.count), asked.interval)


def store_latency(asked: argparse.Namespace) -> Told:
    """Connect, associate, C-STORE and release, one after the other."""
    contexts, (load,) = prepared(asked.folder, asked.count, 1)
    client = Client(asked)
    return one_by_one(lambda image: client.once(contexts, lambda assoc: assoc.send_c_store(image)), load, asked.interval)


def _whole_pdu(sock: socket.socket) -> int:
    """Read one PDU and give its type (PS3.8 section 9.3); 0 where the connection ended first."""
    head = _exactly(sock, 6)
    if len(head) < 6:
        return 0
    _exactly(sock, int.from_bytes(head[2:], "big"))
    return head[0]


def _exactly(sock: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length and (more := sock.recv(length - len(read))):
        read += more
    return read


def _echo_by_hand(asked: argparse.Namespace, context: ssl.SSLContext | None) -> bool:
    """Connect, associate, C-ECHO and release by the bytes alone: so cheap for the client that the server is what is measured."""
    said = ((pdu.associate_rq(asked.called, asked.calling), 0x02), (pdu.echo_rq(1), 0x04), (_RELEASE_RQ, 0x06))
    try:
        with socket.create_connection((asked.host, asked.port), asked.timeout) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain) if context else plain as sock:
                for words, answer in said:
                    sock.sendall(words)
                    if _whole_pdu(sock) != answer:
                        return False
    except OSError:
        return False
    return True


def _echoes(asked: argparse.Namespace) -> tuple[int, int]:
    """Echo for `--seconds`; give how many succeeded within them, and how many failed, the last one included."""
    context, done, failed = secured(asked), 0, 0
    until = time.perf_counter() + asked.seconds
    while time.perf_counter() < until:
        succeeded = _echo_by_hand(asked, context)
        failed += not succeeded
        done += succeeded and time.perf_counter() <= until
    return done, failed


def associate(asked: argparse.Namespace) -> Told:
    """Echo in a loop in `--clients` processes at once, each echo on an association of its own."""
    with multiprocessing.get_context("fork").Pool(asked.clients) as pool:
        told = pool.map(_echoes, [asked] * asked.clients, chunksize=1)
    return {"per_second": sum(done for done, _ in told) / asked.seconds, "failed": sum(failed for _, failed in told)}


def piece(asked: argparse.Namespace, kind: str, number: int) -> bytes:
    """Give what the nth hostile connection says before it stalls; a request ends within its AE titles (PS3.8 table 9-11)."""
    called, calling = (title.encode("ascii").ljust(16) for title in (asked.called, asked.calling))
    request = struct.pack(">BBIHH16s16s", 0x01, 0, 0xFFFFFFFF if kind == "oversized" else 200, 1, 0, called, calling)
    partial, oversized = request[: 6 + number % 35], request.ljust(6 + OVERSIZED, b"\0")
    return {"silent": b"", "half-open": CLIENT_HELLO, "partial": partial, "oversized": oversized}[kind]


async def _crowd(asked: argparse.Namespace) -> Told:
    told, untried, all_tried = {"opened": 0, "open_at_end": 0, "refused": 0}, set(range(asked.count)), asyncio.Event()
    context, sources = secured(asked) if asked.cert else None, asked.sources.split(",")

    async def hold(number: int, kind: str) -> None:
        local, secure = (sources[number % len(sources)], 0), context if kind in {"partial", "oversized"} else None
        while True:
            writer = None
            try:
                async with asyncio.timeout(asked.timeout):
                    reader, writer = await asyncio.open_connection(asked.host, asked.port, ssl=secure, local_addr=local)
            except OSError as error:
                if error.errno in OWN_FAULTS:
                    raise
            told["opened" if writer else "refused"] += 1
            untried.discard(number)
            if not untried:
                all_tried.set()
            if writer:
                told["open_at_end"] += 1
                writer.write(piece(asked, kind, number))
                with contextlib.suppress(OSError):
                    while await reader.read(1 << 16):
                        pass  # what the server answers is thrown away
                told["open_at_end"] -= 1
                writer.transport.abort()
            await asyncio.sleep(PAUSE)

    kinds = [HOSTILE[number % len(HOSTILE)] if asked.kind == "mixed" else asked.kind for number in range(asked.count)]
    random.Random(asked.count).shuffle(kinds)  # noqa: S311 - no secret: the same crowd each time, no kind tied to a source
    async with asyncio.TaskGroup() as group:
        slots = [group.create_task(hold(number, kind)) for number, kind in enumerate(kinds)]
        await all_tried.wait()
        print("ready", file=sys.stderr, flush=True)
        await asyncio.sleep(asked.seconds)
        for slot in slots:
            slot.cancel()
        return told


def crowd(asked: argparse.Namespace) -> Told:
    """Hold hostile connections, and open each anew that the server closes; the seconds begin with "ready" on stderr.

    It is ready when each was opened or refused once: a server that refuses some does not keep the measurement waiting.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return asyncio.run(_crowd(asked))


#: Option -> its type, where it must be given; its default, where not. Times are seconds, `--ca`, `--cert` and `--key` are PEM files.
GIVEN: Final = {"--host": str, "--port": int, "--folder": Path, "--count": int, "--seconds": float, "--kind": str, "--sources": str}
NUMBERS: Final = {"--timeout": 30.0, "--associations": 1, "--interval": 0.0, "--clients": 1}
DEFAULTS: Final[dict[str, str | float]] = {"--called": "ANY-SCP", "--calling": "PEER", "--nagle": "on", **NUMBERS}
CHOICES: Final = {"--kind": (*HOSTILE, "mixed"), "--nagle": ("on", "off")}
COMMON: Final = ("--host", "--port", "--called", "--calling", "--ca", "--cert", "--key", "--timeout", "--nagle")
#: Command -> what it does, and its options beside the common ones.
COMMANDS: Final[dict[str, tuple[Callable[[argparse.Namespace], Told], tuple[str, ...]]]] = {
    "store": (store, ("--folder", "--count", "--associations")),
    "echo": (echo, ("--count", "--interval")),
    "store-latency": (store_latency, ("--folder", "--count", "--interval")),
    "associate": (associate, ("--seconds", "--clients")),
    "crowd": (crowd, ("--kind", "--count", "--sources", "--seconds")),
}


def main() -> None:
    """Do one command."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (run, own) in COMMANDS.items():
        sub = commands.add_parser(name, help=str(run.__doc__).partition("\n")[0])
        for option in (*COMMON, *own):
            default = DEFAULTS.get(option)
            kind = GIVEN.get(option) or (str if default is None else type(default))
            sub.add_argument(option, type=kind, default=default, required=option in GIVEN, choices=CHOICES.get(option))
    asked = parser.parse_args()
    if bool(asked.cert) != bool(asked.key) or (asked.cert and not asked.ca):
        parser.error("--ca, --cert, --key: got some of them, expected all three, --ca alone, or none")
    print(json.dumps(COMMANDS[asked.command][0](asked)))


if __name__ == "__main__":
    main()
