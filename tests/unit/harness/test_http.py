from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from securepacs_harness.bracket import accepts
from securepacs_harness.observation import Observation, Outcome
from securepacs_harness.probes import http as probe
from securepacs_harness.probes.http import Request, judge_status
from securepacs_harness.probes.line import Line


class Recorder:
    """Keeps the bytes of each request and answers 204."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.answer = b"HTTP/1.1 204 No Content\r\nX-Seen: yes\r\n\r\n"

    def serve(self) -> None:
        """Answer until the socket is closed."""
        while True:
            try:
                caller, _ = self.socket.accept()
            except OSError:
                return
            with caller:
                self.requests.append(caller.recv(65536))
                caller.sendall(self.answer)


@pytest.fixture
def server() -> Iterator[Recorder]:
    """A recorder on loopback."""
    recorder = Recorder()
    thread = threading.Thread(target=recorder.serve, daemon=True)
    thread.start()
    yield recorder
    recorder.socket.shutdown(socket.SHUT_RDWR)
    recorder.socket.close()
    thread.join(timeout=2)


def line(server: Recorder) -> Line:
    """Give the line to the recorder."""
    return Line("127.0.0.1", server.socket.getsockname()[1], timeout=3)


@pytest.mark.parametrize("target", ["/a/../b", "/%2e%2e/%2F", "//x", "/a;b?_method=DELETE#c", "http://other/studies", "*"])
def test_the_path_is_sent_as_it_is(server: Recorder, target: str) -> None:
    """No character of a request target is changed on the way."""
    accepts(probe.ask("a trick", line(server), Request("GET", target)))
    assert server.requests[-1].split(b"\r\n")[0] == f"GET {target} HTTP/1.1".encode()


def test_headers_and_body_are_sent_as_they_are(server: Recorder) -> None:
    """Host, Connection and Content-Length are added only where the caller gives none of his own."""
    request = Request("POST", "/x", {"Host": "other", "X-HTTP-Method-Override": "DELETE"}, b"body")
    accepts(probe.ask("a trick", line(server), request))
    head, _, body = server.requests[-1].partition(b"\r\n\r\n")
    assert body == b"body"
    assert head.split(b"\r\n")[1:] == [b"Connection: close", b"Content-Length: 4", b"Host: other", b"X-HTTP-Method-Override: DELETE"]


def test_headers_of_an_answer_are_given(server: Recorder) -> None:
    """Response headers come by lower-case name."""
    assert probe.headers_of(line(server), Request("GET", "/"))["x-seen"] == "yes"


def test_every_answer_is_counted(server: Recorder) -> None:
    """Two answers to one request are both seen: that is how a hidden request shows."""
    assert probe.answers_to(line(server), Request("GET", "/")) == [204]
    server.answer += b"HTTP/1.1 403 Forbidden\r\n\r\n"
    assert probe.answers_to(line(server), Request("GET", "/")) == [204, 403]


def test_an_answer_that_is_no_http_proves_nothing(server: Recorder) -> None:
    """A server of another protocol is inconclusive, and a closed connection a refusal without a status."""
    server.answer = b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x03\r\n"
    assert _run(server).outcome is Outcome.INCONCLUSIVE
    server.answer = b""
    assert _run(server).code == "closed"


def _run(server: Recorder) -> Observation:
    return probe.ask("x", line(server), Request("GET", "/"))._run()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ACCEPTED),
        (204, Outcome.ACCEPTED),
        (302, Outcome.ACCEPTED),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (404, Outcome.ACCEPTED),
        (405, Outcome.REFUSED),
        (415, Outcome.ACCEPTED),
        (429, Outcome.REFUSED),
        (500, Outcome.INCONCLUSIVE),
        (503, Outcome.INCONCLUSIVE),
    ],
)
def test_a_status_is_judged(status: int, outcome: Outcome) -> None:
    """A 404 shows that the request got past the gate; a server's own failure shows nothing."""
    assert judge_status(status, http.client.responses[status]).outcome is outcome


def test_a_password_is_not_shown() -> None:
    """Neither the request's headers nor a body stands in its representation."""
    request = Request("GET", "/", probe.basic("vera", "s3cret"))
    assert "Basic" not in repr(request)
    assert probe.basic("vera", "s3cret") == {"Authorization": "Basic dmVyYTpzM2NyZXQ="}
