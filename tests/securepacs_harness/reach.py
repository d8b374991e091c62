"""How the target is called: as a declared peer, as a person, as a stranger."""

from __future__ import annotations

import dataclasses
import secrets
import socket
from collections.abc import Mapping
from functools import cached_property

from securepacs_harness.budget import Spending
from securepacs_harness.bundles import Bundles, Material
from securepacs_harness.errors import BundleError, TargetError
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes import dimse, http, port
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.tls import Offer
from securepacs_harness.target import Https, Target


def no_control(what: str, why: str) -> Attempt:
    """Give an attempt that stands where no authorised one can be made: whatever it brackets is inconclusive."""
    seen = Observation(Layer.TCP, Outcome.INCONCLUSIVE, "no-control", why)
    return Attempt(what, lambda: seen)


def nobody_has(verb: str) -> str:
    """Say why no peer can be called as for a verb."""
    return f"no peer with the verb {verb} can be called as: its bundle is not at hand"


@dataclasses.dataclass(frozen=True)
class Stranger:
    """Somebody who holds no certificate and no password of this PACS, under an AE title that nobody else has."""

    line: Line
    """To the DICOM listener, anonymously."""
    web: Line | None
    """To the HTTPS listener."""
    called: str
    ae_title: str

    def caller(self, calling: str | None = None, *, timeout: float = 10) -> Caller:
        """Call the archive, under the stranger's own AE title or another's."""
        return Caller(self.line, self.called, calling or self.ae_title, timeout)


@dataclasses.dataclass(frozen=True)
class Pacs:
    """The declared system, and the material to call it with."""

    target: Target
    bundles: Bundles
    passwords: Mapping[str, str] = dataclasses.field(repr=False, default_factory=dict)
    spending: Spending | None = None

    @cached_property
    def unknown_ae(self) -> str:
        """An AE title that nobody declared, new for each run, so that the target's log can be searched for it."""
        return f"ZZ{secrets.token_hex(5).upper()}"

    def offer(self, material: Material | None) -> Offer:
        """Offer material to either listener."""
        return Offer(self.target.ca, self.target.dicom.server_name, material)

    @property
    def shows_certificates(self) -> bool:
        """Whether a peer is declared to prove itself by a certificate: over TLS, and asked for one."""
        return self.target.dicom.tls and self.target.dicom.client_certificates

    def line(self, material: Material | None) -> Line:
        """Give the line to the DICOM listener: with TLS where it is declared."""
        dicom = self.target.dicom
        return Line(dicom.host, dicom.port, self.offer(material) if dicom.tls else None, spending=self.spending)

    def plain_line(self, port: int | None = None) -> Line:
        """Give a line without TLS to the DICOM host."""
        return Line(self.target.dicom.host, port or self.target.dicom.port, spending=self.spending)

    def caller(self, name: str, *, calling: str | None = None, material: Material | None = None, timeout: float = 10) -> Caller:
        """Call the archive as a declared peer with its own bundle; `calling` and `material` lie about who calls.

        Raises BundleError where the peer's bundle is needed and not there.
        """
        peer = self.target.peers[name]
        if peer.plaintext:
            line = self.plain_line(peer.plaintext.port)
        else:
            line = self.line(material or (self.bundles.material(name) if self.shows_certificates else None))
        return Caller(line, self.target.dicom.ae_title, calling or name, timeout)

    @cached_property
    def callable_peers(self) -> tuple[str, ...]:
        """Declared peers that can be called as: those whose bundle is at hand. A waived plaintext peer comes last."""
        usable = {name for name in self.target.peers if not self.shows_certificates or self.bundles.has(name)}
        held = [name for name, peer in self.target.peers.items() if not peer.plaintext and name in usable]
        return (*held, *(name for name, peer in self.target.peers.items() if peer.plaintext))

    def with_verb(self, verb: str) -> list[str]:
        """Give the callable peers that are declared to have a verb, those that can also be echoed first."""
        return sorted(
            (name for name in self.callable_peers if verb in self.target.peers[name].verbs),
            key=lambda name: "echo" not in self.target.peers[name].verbs,
        )

    def echo_control(self, name: str | None = None) -> Attempt:
        """Give a C-ECHO that is declared to succeed, of `name` or of the first peer that can make one."""
        able = self.with_verb("echo")
        if name is not None and name in able:
            able = [name]
        if not able:
            return no_control("C-ECHO of a declared peer", nobody_has("echo"))
        return dimse.echo(self.caller(able[0]))

    def port_control(self) -> Attempt:
        """Give a TCP connection to the DICOM listener, which is declared to be open."""
        dicom = self.target.dicom
        return port.connect("TCP to the DICOM listener", dicom.host, dicom.port, spending=self.spending)

    def is_from(self, source: str) -> bool:
        """Tell whether a connection from this machine to the DICOM host can come from an address."""
        with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((source, 0))
            except OSError:
                return False
        return True

    @property
    def https(self) -> Https:
        """The declared HTTPS listener. Raises TargetError where there is none."""
        if self.target.https is None:
            raise TargetError("https: got nothing; this needs a declared HTTPS listener")
        return self.target.https

    @property
    def web(self) -> Line:
        """The line to the HTTPS listener, without a client certificate."""
        offer = Offer(self.target.ca, self.https.server_name)
        return http.line_of(self.https.base_url, offer, spending=self.spending)

    def login(self, user: str) -> dict[str, str]:
        """Give the header with which a person or a machine signs in. Raises BundleError where password or token is not at hand."""
        if user not in self.passwords:
            raise BundleError(f"password of {user}: is missing; give it by {password_variable(user)} or in the passwords file")
        given = self.passwords[user]
        if self.target.https and user in self.target.https.machines:
            return http.bearer(given.removeprefix("Bearer "))
        # Where an identity provider signs people in, what they are given is a token (RFC 6750).
        return {"Authorization": given} if given.startswith("Bearer ") else http.basic(user, given)

    def people(self, role: str | None = None) -> list[str]:
        """Give the declared users (of a role) whose password is at hand."""
        users = self.target.https.users if self.target.https else {}
        return [name for name, user in users.items() if name in self.passwords and role in {None, user.role}]

    def machines(self) -> list[str]:
        """Give the declared machines whose token is at hand."""
        return [name for name in self.target.https.machines if name in self.passwords] if self.target.https else []

    @property
    def stranger(self) -> Stranger:
        """Somebody without credentials."""
        web = self.web if self.target.https else None
        return Stranger(self.line(None), web, self.target.dicom.ae_title, self.unknown_ae)


def password_variable(user: str) -> str:
    """Name the environment variable that holds a person's password."""
    return f"PACS_PASSWORD_{''.join(letter if letter.isalnum() or letter in '<>' else '_' for letter in user).upper()}"
