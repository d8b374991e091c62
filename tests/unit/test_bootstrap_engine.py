"""bootstrap/engine.py against a small stand-in for the Docker engine on a Unix socket."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parents[2] / "bootstrap" / "engine.py"
REFERENCE = "example/debian@sha256:" + "a" * 64


class Server(socketserver.ThreadingUnixStreamServer):
    """An engine whose answers a test sets: path without its query -> (HTTP status, body)."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.answers: dict[str, tuple[int, bytes]] = {"/version": (200, b'{"Version": "20.10.24"}')}
        self.requests: list[tuple[str, bytes]] = []


class Handler(BaseHTTPRequestHandler):
    """Answers from the server's table, 404 otherwise, and notes what was asked."""

    server: Server
    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """Read a chunked body (RFC 9112, section 7.1), nothing where there is none."""
        read = b""
        while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
            read += self.rfile.read(size)
            self.rfile.readline()
        return read

    def answer(self) -> None:
        """Answer any method."""
        self.server.requests.append((self.path, self.body()))
        status, body = self.server.answers.get(self.path.partition("?")[0], (404, b'{"message": "no such thing"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Server]:
    """Return a running stand-in."""
    with Server(str(tmp_path / "engine.sock")) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def run(host: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the script against the engine at this DOCKER_HOST."""
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": host}
    return subprocess.run([sys.executable, SCRIPT, *arguments], check=False, capture_output=True, input=stdin, env=environment, timeout=20)


def unix(engine: Server) -> str:
    """Return the stand-in's address."""
    return f"unix://{engine.server_address!s}"


@pytest.mark.parametrize(("held", "expected"), [(True, b"engine 20.10.24\nimage yes\n"), (False, b"engine 20.10.24\nimage no\n")])
def test_status_tells_version_and_image(engine: Server, *, held: bool, expected: bytes) -> None:
    """The status is the engine's version and whether it holds the image."""
    if held:
        engine.answers["/images/base%3Aforky/json"] = (200, b"{}")
    result = run(unix(engine), "status", "base:forky")
    assert (result.returncode, result.stdout) == (0, expected)


@pytest.mark.parametrize("host", ["unix:///nonexistent.sock", "tcp://127.0.0.1:1", "ssh://example", "nonsense"])
def test_silent_engine_is_named(host: str) -> None:
    """An address where no engine answers, or that cannot be one, gives status 5 and one line."""
    result = run(host, "status", "base:forky")
    assert (result.returncode, result.stdout) == (5, b"")
    assert len(result.stderr.splitlines()) == 1


def test_engine_that_fails_does_not_count(engine: Server) -> None:
    """Something that listens on the socket but has no version is no engine."""
    engine.answers["/version"] = (500, b"oops")
    assert run(unix(engine), "status", "base:forky").returncode == 5


def test_import_sends_the_root_and_names_the_image(engine: Server) -> None:
    """The tar on stdin reaches the engine whole, with the repository and the tag."""
    engine.answers["/images/create"] = (200, b'{"status": "sha256:1"}\r\n')
    root = os.urandom(300_000)
    assert run(unix(engine), "import", "base:forky", stdin=root).returncode == 0
    ((path, body),) = engine.requests
    assert "fromSrc=-" in path
    assert "repo=base&tag=forky" in path
    assert body == root


@pytest.mark.parametrize(
    "answer",
    [(200, b'{"status": "working"}\r\n{"error": "disk is full"}\r\n'), (500, json.dumps({"message": "disk is full"}).encode())],
    ids=["in the stream", "as a status"],
)
def test_refused_work_fails_in_the_engines_words(engine: Server, answer: tuple[int, bytes]) -> None:
    """An error of the engine, even inside an answer of HTTP 200, is a failure that repeats its words."""
    engine.answers["/images/create"] = answer
    result = run(unix(engine), "import", "base:forky", stdin=b"tar")
    assert (result.returncode, result.stderr) == (1, b"the engine refused: disk is full\n")


def test_pull_is_pinned_and_tagged(engine: Server) -> None:
    """A pull asks for exactly the pinned reference and gives it the local name."""
    tag = f"/images/{REFERENCE.replace('@', '%40').replace(':', '%3A')}/tag"
    engine.answers |= {"/images/create": (200, b""), tag: (201, b"")}
    assert run(unix(engine), "pull", REFERENCE, "base:forky").returncode == 0
    pulled, tagged = (path for path, _ in engine.requests)
    assert pulled.endswith("fromImage=example%2Fdebian%40sha256%3A" + "a" * 64)
    assert tagged == f"{tag}?repo=base&tag=forky"


@pytest.mark.parametrize("arguments", [[], ["status"], ["import", "a", "b"], ["remove", "base:forky"]])
def test_wrong_use_prints_the_usage(arguments: list[str]) -> None:
    """Anything but the three commands prints the usage and fails with status 2."""
    result = run("unix:///nonexistent.sock", *arguments)
    assert result.returncode == 2
    assert b"engine.py status IMAGE" in result.stderr
