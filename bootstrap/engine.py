"""What the bootstrap asks of the Docker engine, with the standard library alone.

It runs before the project's own Python environment exists, so it cannot use the Docker SDK; it looks for the engine where
the SDK will look later: DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, else the default socket.
Source: Docker Engine API v1.41 (`/version`, `/images/{name}/json`, `/images/create`, `/images/{name}/tag`).

    engine.py status IMAGE            prints "engine VERSION", then "image yes" or "image no"
    engine.py import IMAGE < ROOT.tar makes an image of a root file system
    engine.py pull REFERENCE IMAGE    pulls REFERENCE (NAME@sha256:...) and tags it IMAGE

Exit status: 0 done, 1 the engine refused the work, 2 wrong use, 3 the engine refuses this user, 5 no engine answers.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_HOST = "unix:///var/run/docker.sock"
ANSWER_SECONDS = 5.0  # for a question; a wedged engine must not hang the bootstrap
WORK_SECONDS = 900.0  # for an import or a pull, between two signs of life

REFUSED, WRONG_USE, NO_PERMISSION, NO_ANSWER = 1, 2, 3, 5


def fail(status: int, message: str) -> NoReturn:
    """End with one line on stderr."""
    sys.stderr.write(message + "\n")
    raise SystemExit(status)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket's path instead of a host and port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection(timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not yet open, to the engine that the environment names."""
    address = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return UnixConnection(parts.path, timeout)
    if parts.scheme not in {"tcp", "http", "https"} or not parts.hostname:
        fail(NO_ANSWER, f"DOCKER_HOST={address}: expected unix://PATH or tcp://HOST:PORT")
    if parts.scheme != "https" and not os.environ.get("DOCKER_TLS_VERIFY"):
        return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout)
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        fail(NO_ANSWER, f"DOCKER_HOST={address}: no usable ca.pem, cert.pem and key.pem in {folder} ({error.strerror or error})")
    return http.client.HTTPSConnection(parts.hostname, parts.port or 2376, timeout=timeout, context=context)


def ask(method: str, path: str, body: BinaryIO | None = None, timeout: float = ANSWER_SECONDS) -> tuple[int, bytes]:
    """Send one request; return the HTTP status and the whole body. Ends the program where no engine answers."""
    engine = connection(timeout)
    headers = {"Content-Type": "application/x-tar"} if body else {}
    try:
        engine.request(method, path, body=body, headers=headers)
        answer = engine.getresponse()
        return answer.status, answer.read()
    except PermissionError:
        fail(NO_PERMISSION, "the engine's socket refuses this user")
    except (OSError, http.client.HTTPException) as error:
        fail(NO_ANSWER, f"no engine answers ({error})")
    finally:
        engine.close()


def work(path: str, body: BinaryIO | None = None) -> None:
    """Run a request that streams JSON messages; end with the engine's own words where one of them is an error."""
    status, answer = ask("POST", path, body, WORK_SECONDS)
    messages = [json.loads(line) for line in answer.splitlines() if line.strip()]
    refused = status >= http.client.BAD_REQUEST
    errors = [message.get("error") or message.get("message") for message in messages if refused or "error" in message]
    if errors or refused:
        fail(REFUSED, f"the engine refused: {errors[0] if errors else status}")


def split_tag(image: str) -> dict[str, str]:
    """Return the engine's `repo` and `tag` parameters of a reference NAME:TAG."""
    repo, _, tag = image.rpartition(":")
    return {"repo": repo, "tag": tag}


def status(image: str) -> None:
    """Print the engine's version and whether it holds the image."""
    code, answer = ask("GET", "/version")
    if code != http.client.OK:
        fail(NO_ANSWER, f"no engine answers (HTTP {code})")
    sys.stdout.write(f"engine {json.loads(answer)['Version']}\n")
    code, _ = ask("GET", f"/images/{quote(image)}/json")
    sys.stdout.write(f"image {'yes' if code == http.client.OK else 'no'}\n")


def import_root(image: str) -> None:
    """Make an image of the tar on stdin."""
    parameters = {"fromSrc": "-", "message": "made by bootstrap", **split_tag(image)}
    work(f"/images/create?{urlencode(parameters)}", sys.stdin.buffer)


def pull(reference: str, image: str) -> None:
    """Pull a pinned reference and give it the local name."""
    work(f"/images/create?{urlencode({'fromImage': reference})}")
    work(f"/images/{quote(reference)}/tag?{urlencode(split_tag(image))}")


COMMANDS: dict[tuple[str, int], Callable[..., None]] = {("status", 1): status, ("import", 1): import_root, ("pull", 2): pull}


def main(arguments: list[str]) -> None:
    """Run the command that the arguments name."""
    command = COMMANDS.get((arguments[0] if arguments else "", len(arguments) - 1))
    if command is None:
        fail(WRONG_USE, __doc__ or "")
    command(*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
