"""HTTP requests whose bytes are exactly those given: no path is normalised, no header added (RFC 9112)."""

from __future__ import annotations

import base64
import dataclasses
import http.client
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from securepacs_harness.observation import Attempt, EndedError, Layer, Observation, Outcome
from securepacs_harness.probes import tls
from securepacs_harness.probes.line import Line, opened

#: Statuses with which a server refuses a request (RFC 9110 section 15.5, RFC 6585, 15.6.2 for methods it does not know).
REFUSALS = frozenset({400, 401, 403, 405, 408, 411, 413, 414, 417, 421, 426, 429, 431, 501, 505})

#: Codes of answers with 200 that give nothing of the archive's.
SIGN_IN, SAME_PAGE = "sign-in", "same-page"

Judge = Callable[[int, str, bytes], Observation]

#: What is read of an answer's body.
_LARGEST_BODY = 1 << 22


def line_of(base_url: str, offer: tls.Offer, **changes: object) -> Line:
    """Give the line to a base URL; an http:// one has no TLS, whatever is offered."""
    parts = urlsplit(base_url)
    secured = parts.scheme == "https"
    line = Line(parts.hostname or "", parts.port or (443 if secured else 80), offer if secured else None)
    return dataclasses.replace(line, **changes)  # type: ignore[arg-type] # names are Line's own


def basic(user: str, password: str) -> dict[str, str]:
    """Give the header of HTTP Basic authentication (RFC 7617)."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    """Give the header that carries a token (RFC 6750 section 2.1)."""
    return {"Authorization": f"Bearer {token}"}


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One HTTP/1.1 request. `target` stands in the request line as it is; `headers` are added to Host and Connection."""

    method: str
    target: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    body: bytes = b""

    def encode(self, host: str) -> bytes:
        """Write it. A Host header of the caller's own takes the place of `host`."""
        own = {name.lower() for name in self.headers}
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [f"Host: {host}"] * ("host" not in own)
        lines += ["Connection: close"] * ("connection" not in own)
        lines += [f"Content-Length: {len(self.body)}"] * (bool(self.body) and not own & {"content-length", "transfer-encoding"})
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def judge_status(status: int, reason: str = "", body: bytes = b"") -> Observation:
    """Say what a status means.

    404, 409 and 415 count as acceptance: whoever gives them has looked, so the request got past the gate. A 5xx proves nothing.
    """
    if status in REFUSALS:
        outcome = Outcome.REFUSED
    elif status >= 500:
        outcome = Outcome.INCONCLUSIVE
    else:
        outcome = Outcome.ACCEPTED
    return Observation(Layer.HTTP, outcome, str(status), reason, payload=(body,))


#: What makes a page one to sign in at, though it comes with 200.
_SIGN_IN = re.compile(rb"type\s*=\s*[\"']?password", re.IGNORECASE)


def judge_gate(status: int, reason: str = "", body: bytes = b"") -> Observation:
    """Say whether a request got past the gate, where that may send people to a page to sign in at: such an answer gives nothing."""
    if 300 <= status < 400:
        return Observation(Layer.HTTP, Outcome.REFUSED, str(status), reason, payload=(body,))
    if 200 <= status < 300 and _SIGN_IN.search(body):
        return Observation(Layer.HTTP, Outcome.REFUSED, SIGN_IN, "a page to sign in at", payload=(body,))
    return judge_status(status, reason, body)


def judge_served(status: int, reason: str = "", body: bytes = b"") -> Observation:
    """Say whether a request was served: 2xx was; what sends elsewhere or says that there is nothing did not give anything."""
    if 400 <= status < 500:
        return Observation(Layer.HTTP, Outcome.REFUSED, str(status), reason, payload=(body,))
    return judge_gate(status, reason, body)


def judge_unlike(page: bytes | None, judge: Judge) -> Judge:
    """Judge as another does, but an answer with the page that every unknown path gets (a program for browsers) as a refusal.

    None: an unknown path gets none.
    """

    def judged(status: int, reason: str = "", body: bytes = b"") -> Observation:
        seen = judge(status, reason, body)
        if seen.outcome is Outcome.ACCEPTED and body == page:
            return Observation(Layer.HTTP, Outcome.REFUSED, SAME_PAGE, "the page that any unknown path gets", payload=(body,))
        return seen

    return judged


def ask(what: str, line: Line, request: Request, judge: Judge = judge_status) -> Attempt:
    """Send one request and read the whole answer; the body is the observation's payload."""

    def observe() -> Observation:
        try:
            with opened(line, Layer.HTTP) as connection:
                host = line.offer.server_name if line.offer else line.host
                connection.send(request.encode(f"{host}:{line.port}"))
                response = http.client.HTTPResponse(connection.sock, method=request.method)
                try:
                    response.begin()
                    body = response.read(_LARGEST_BODY)
                except (http.client.HTTPException, OSError) as error:
                    if isinstance(error, http.client.RemoteDisconnected):
                        return Observation(Layer.HTTP, Outcome.REFUSED, "closed")
                    if isinstance(error, OSError):
                        return tls.failed(error, Layer.HTTP)
                    return Observation(Layer.HTTP, Outcome.INCONCLUSIVE, "not-http", type(error).__name__)
                return judge(response.status, http.client.responses.get(response.status, ""), body)
        except EndedError as ended:
            return ended.seen

    return Attempt(what, observe)


def answers_to(line: Line, request: Request) -> list[int]:
    """Send one request and give the status of every answer that comes until the server closes. Raises EndedError."""
    with opened(line, Layer.HTTP) as connection:
        host = line.offer.server_name if line.offer else line.host
        connection.send(request.encode(f"{host}:{line.port}"))
        data = b""
        while True:
            try:
                data += connection.receive(1)
            except EndedError as ended:
                if ended.seen.code not in {"closed", "reset"}:
                    raise
                break
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", data)]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One response: its status, its headers by lower-case name, the beginning of its body, its cookies."""

    status: int
    headers: Mapping[str, str]
    body: bytes = dataclasses.field(repr=False)
    cookies: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    """Each Set-Cookie header, in the order in which they came."""

    @property
    def text(self) -> str:
        """The body, each byte as one character."""
        return self.body.decode("latin-1")


def answer(line: Line, request: Request) -> Answer:
    """Send one request and give the response. Raises EndedError, also where the connection is closed without one."""
    with opened(line, Layer.HTTP) as connection:
        host = line.offer.server_name if line.offer else line.host
        # A server that refuses early closes before it has read everything: what it said counts all the same.
        with suppress(EndedError):
            connection.send(request.encode(f"{host}:{line.port}"))
        response = http.client.HTTPResponse(connection.sock, method=request.method)
        try:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            cookies = response.headers.get_all("Set-Cookie") or []
            return Answer(response.status, headers, response.read(_LARGEST_BODY), tuple(cookies))
        except http.client.RemoteDisconnected:
            raise EndedError(Observation(Layer.HTTP, Outcome.REFUSED, "closed")) from None
        except http.client.HTTPException as error:
            raise EndedError(Observation(Layer.HTTP, Outcome.INCONCLUSIVE, "not-http", type(error).__name__)) from None
        except OSError as error:
            raise EndedError(tls.failed(error, Layer.HTTP)) from None


def headers_of(line: Line, request: Request) -> dict[str, str]:
    """Send one request and give the response's headers, names in lower case. Raises EndedError."""
    answered = answer(line, request)
    return {**answered.headers, ":status": str(answered.status)}
