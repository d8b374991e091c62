"""A TLS handshake and nothing behind it, so that what is judged is TLS alone."""

from __future__ import annotations

import ssl

from securepacs_harness.observation import Attempt, EndedError, Layer, Observation, Outcome
from securepacs_harness.probes.line import Line, opened


def handshake(what: str, line: Line) -> Attempt:
    """Try a handshake; it is accepted when it is complete and no alert follows it. `detail` tells version and suite."""

    def observe() -> Observation:
        try:
            with opened(line, Layer.TLS) as connection:
                sock = connection.sock
                chosen = sock.cipher() if isinstance(sock, ssl.SSLSocket) else None
                version = sock.version() if isinstance(sock, ssl.SSLSocket) else None
                return Observation(Layer.TLS, Outcome.ACCEPTED, "handshake", f"{version} {chosen[0] if chosen else ''}".strip())
        except EndedError as ended:
            return ended.seen

    return Attempt(what, observe)
