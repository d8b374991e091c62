"""The listeners of gateways, from the text of their configuration: HAProxy's and nginx's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, Final

from securepacs_policies.adapters.parts import DICOM_PORTS
from securepacs_policies.things import Listener, Resource
from securepacs_policies.values import is_unknown

__all__ = ["listeners_in"]

_VERSIONS: Final = {"sslv3": "0.3", "tlsv1": "1.0", "tlsv1.0": "1.0", "tlsv1.1": "1.1", "tlsv1.2": "1.2", "tlsv1.3": "1.3"}

#: HAProxy's older words: which version is the oldest once these are off, or when this one is forced.
_OFF: Final = (("no-tlsv11", "1.2"), ("no-tlsv10", "1.1"))
_FORCED: Final = {"force-tlsv12": "1.2", "force-tlsv13": "1.3", "force-tlsv11": "1.1", "force-tlsv10": "1.0"}

#: With these a certificate that is not in order counts too.
_IGNORES: Final = frozenset({"ca-ignore-err", "crt-ignore-err"})


def _port(address: str) -> int:
    found = re.search(r"(\d+)(-\d+)?$", address)
    return int(found[1]) if found else 0


def _option(words: list[str], name: str) -> str:
    """Give the word after an option; empty where it is not there."""
    return words[words.index(name) + 1] if name in words[:-1] else ""


def _oldest(options: list[str]) -> str:
    """Give the oldest TLS version that a bind's options leave; empty where they say nothing of it."""
    said = _option(options, "ssl-min-ver").lower()
    forced = next((version for word, version in _FORCED.items() if word in options), "")
    left = next((version for word, version in _OFF if word in options), "")
    return _VERSIONS.get(said, said) or forced or left


@dataclasses.dataclass
class _Section:
    """A section of a HAProxy configuration."""

    name: str
    mode: str
    binds: list[list[str]] = dataclasses.field(default_factory=list)
    redirects: bool = False
    serves: bool = False


def _sections(text: str) -> tuple[list[_Section], str]:
    """Give the sections, and the oldest TLS version that the global one leaves (HAProxy's manual, chapters 2 to 5)."""
    found, mode, oldest = [_Section("global", "tcp")], "tcp", ""
    for line in text.splitlines():
        words = line.partition(" #")[0].split()
        current = found[-1]
        match words:
            case ["frontend" | "listen" | "backend" | "defaults" | "global" | "resolvers" | "peers" | "cache" as kind, *rest]:
                found.append(_Section(f"{kind} {rest[0]}" if rest else kind, mode))
            case ["mode", said, *_]:
                current.mode = said
                mode = said if current.name.startswith("defaults") else mode
            case ["ssl-default-bind-options", *options]:
                oldest = _oldest(options) or oldest
            case ["bind", *options] if options:
                current.binds.append(options)
            case ["redirect", "scheme", "https", *_] | ["http-request", "redirect", "scheme", "https", *_]:
                current.redirects = True
            case ["default_backend" | "use_backend" | "server", *_]:
                current.serves = True
    return found, oldest


def _haproxy(text: str, resource: Resource, path: str) -> Iterator[Listener]:
    sections, oldest = _sections(text)
    for section in sections:
        for addresses, *options in section.binds:
            for address in addresses.split(","):
                port = _port(address)
                yield Listener(
                    resource=resource,
                    path=path,
                    section=section.name,
                    port=port,
                    tls="ssl" in options,
                    oldest=_oldest(options) or oldest,
                    client_certificates=_option(options, "verify") == "required" and _IGNORES.isdisjoint(options),
                    dicom=section.mode == "tcp",
                    redirects=section.redirects and not section.serves,
                )


@dataclasses.dataclass
class _Block:
    """A block of an nginx configuration; what is not said in it is said in the one around it."""

    name: str
    around: _Block | None
    statements: list[list[str]] = dataclasses.field(default_factory=list)
    blocks: list[_Block] = dataclasses.field(default_factory=list)

    def every(self) -> Iterator[_Block]:
        """Yield it and all within."""
        yield self
        for block in self.blocks:
            yield from block.every()

    def said(self, name: str) -> list[str]:
        """Give a directive's words, of this block or of the nearest around it."""
        own = next((words[1:] for words in reversed(self.statements) if words[0] == name), None)
        return own if own is not None else self.around.said(name) if self.around else []

    def within(self, name: str) -> bool:
        """Tell whether it stands in a block of that name."""
        return self.name == name or (self.around is not None and self.around.within(name))


def _blocks(text: str) -> _Block:
    """Read a configuration as blocks and statements."""
    pieces = re.findall(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[{};]|[^\s{};\"']+", re.sub(r"(?m)(^|\s)#.*$", "", text))
    whole = current = _Block("", None)
    words: list[str] = []
    for piece in pieces:
        if piece == "{":
            current.blocks.append(_Block(words[0] if words else "", current))
            current, words = current.blocks[-1], []
        elif piece in {"}", ";"}:
            if words:
                current.statements.append(words)
            words = []
            if piece == "}":
                current = current.around or current
        else:
            words.append(piece)
    return whole


def _nginx(text: str, resource: Resource, path: str) -> Iterator[Listener]:
    """Yield the listeners of an nginx configuration: one for each `listen` of each `server` block."""
    for server in (block for block in _blocks(text).every() if block.name == "server"):
        inside = [words for block in server.every() for words in block.statements]
        passes = [words[1] for words in inside if words[0] == "proxy_pass" and len(words) > 1]
        redirects = any(words[0] == "return" and words[-1].startswith("https://") for words in inside)
        versions = sorted(_VERSIONS.get(word.lower(), word) for word in server.said("ssl_protocols"))
        for words in server.statements:
            if words[0] == "listen" and len(words) > 1:
                port = _port(words[1])
                yield Listener(
                    resource=resource,
                    path=path,
                    section=f"server {words[1]}",
                    port=port,
                    tls="ssl" in words or "quic" in words,
                    oldest=versions[0] if versions else "",
                    client_certificates=server.said("ssl_verify_client") == ["on"],
                    dicom=server.within("stream") or any(_port(target.rstrip("/")) in DICOM_PORTS for target in passes),
                    redirects=redirects and not passes,
                )


def listeners_in(text: str, resource: Resource, path: str) -> Iterator[Listener]:
    """Yield a gateway's listeners, where a text is its configuration; one that is unknown itself where the text is."""
    if is_unknown(text):
        unknown: Any = text
        facts = ("section", "port", "tls", "oldest", "client_certificates", "dicom", "redirects")
        yield Listener(resource=resource, path=path, **dict.fromkeys(facts, unknown))
    elif re.search(r"^\s*bind\s", text, re.MULTILINE) and re.search(r"^\s*(frontend|listen)\s", text, re.MULTILINE):
        yield from _haproxy(text, resource, path)
    elif re.search(r"\bserver\s*\{", text) and re.search(r"\blisten\s", text):
        yield from _nginx(text, resource, path)
