"""The target file: what a PACS is declared to accept. It holds no private key and no password."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from securepacs_harness.errors import TargetError

Verb = Literal["echo", "store", "find", "get", "move", "worklist", "commit"]
VERBS: tuple[Verb, ...] = ("echo", "store", "find", "get", "move", "worklist", "commit")

Port = Annotated[int, Field(ge=1, le=65535)]
AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")]


def _host_and_port(value: str) -> str:
    _, colon, port = value.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("an address is HOST:PORT with a port from 1 to 65535")
    return value


def _anchored(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"a route is a regular expression; {error}") from None
    if not (value.startswith("^") and value.endswith("$")):
        raise ValueError("a route is anchored: it begins with ^ and ends with $")
    return value


Address = Annotated[str, AfterValidator(_host_and_port)]


class Declared(BaseModel):
    """Base of what a target file declares: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Dicom(Declared):
    """The DICOM listener."""

    host: str
    port: Port
    ae_title: AETitle
    """Called AE title."""
    server_name: str = "localhost"
    """The name that must stand in the server's certificate."""
    tls: bool = True
    """Whether the listener is declared to speak TLS. Without it, that is a finding of its own."""
    client_certificates: bool = True
    """Whether a peer is declared to show a certificate of its own."""
    resumption: bool | None = None
    """Whether TLS sessions may be resumed (a resumed one is not held against a new revocation list). Left out: not tested."""


class Plaintext(Declared):
    """A listener for a peer that may speak without TLS."""

    port: Port
    until: datetime.date
    reason: str
    source: str | None = None
    """The one address from which the peer calls."""


class Peer(Declared):
    """A DICOM application entity and what it may do."""

    verbs: list[Verb] = []
    move_to: list[AETitle] = []
    """AE titles to which the peer may have images sent (C-MOVE)."""
    address: Address | None = None
    """HOST:PORT where the peer accepts associations."""
    plaintext: Plaintext | None = None


class User(Declared):
    """Somebody who signs in over HTTPS. The password is given apart."""

    role: str


class Rule(Declared):
    """One entry of a role's allow-list."""

    methods: Annotated[list[str], Field(min_length=1)]
    route: Annotated[str, AfterValidator(_anchored)]
    """Anchored regular expression over the raw path (without the query)."""


def permits(rules: Sequence[Rule], method: str, path: str) -> bool:
    """Tell whether an allow-list lets somebody do this; what is not declared is refused."""
    return any(method in rule.methods and re.fullmatch(rule.route, path) for rule in rules)


class Machine(Declared):
    """A program that asks with a token of its own (RFC 6750). The token is given apart, as a person's password is."""

    role: str = ""
    """In whose rights it asks, in words; `routes` is what is held."""
    routes: list[Rule]
    """What its token opens."""
    until: datetime.date
    """The last day of its token, in UTC."""
    sources: list[str] = []
    """Addresses and networks from which its token counts. Empty: all."""


WebPath = Annotated[str, Field(pattern=r"^/[!-~]*$")]


class SignIn(Declared):
    """The form by which people sign in in a browser, and the session that it opens. Left out: sessions are not tested."""

    path: WebPath
    """Where the form stands (GET), and where it is sent (POST). Its hidden fields are sent along."""
    name_field: str = "username"
    password_field: str = "password"  # noqa: S105 - a field's name
    to_field: str = ""
    """The field that says where a sign-in leads on to. Empty: not tested."""
    cookie: Annotated[str, Field(min_length=1)]
    """Name of the cookie that is the session."""
    sign_out: WebPath
    sign_out_method: Literal["GET", "POST"] = "GET"
    check: WebPath
    """A path that answers with the name of whoever is signed in, and to nobody else."""
    page: WebPath = "/"
    """The first page behind the sign-in."""
    idle_minutes: Annotated[int, Field(ge=1)] | None = None
    """After so long without a request a session is over. Left out: not tested."""


class Https(Declared):
    """The web listener, its users and their rights. One without TLS (http://) can be declared; it is a finding of its own."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^/]+$")]
    server_name: str = "localhost"
    users: dict[str, User] = {}
    machines: dict[str, Machine] = {}
    roles: dict[str, list[Rule]] = {}
    """What each role may do. The role `anonymous` says what is served to whoever asks; nobody signs in as it."""
    sign_in: SignIn | None = None

    @property
    def logins(self) -> tuple[str, ...]:
        """Name all for whom a password or a token may be at hand."""
        return (*self.users, *self.machines)

    def allows(self, role: str, method: str, path: str) -> bool:
        """Tell whether the declaration lets a role do this; what is not declared is refused."""
        return permits(self.roles.get(role, []), method, path)


class Waiver(Declared):
    """A known departure from the rules, which somebody answers for until a day (inclusive). After it the waiver is a finding itself."""

    what: str
    reason: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    until: datetime.date
    check: str = ""
    """Id of the check whose findings are waived; without it the waiver only declares something."""
    cases: str = "*"
    """Shell-style pattern for the cases that are waived, by what was tried."""


LayerName = Literal["tcp", "tls", "association", "context", "dimse", "http"]


class Expectation(Declared):
    """How a refusal is declared to look, where the standard leaves a choice: at one of these layers, with one of these codes."""

    layers: Annotated[list[LayerName], Field(min_length=1)]
    codes: list[str] = []
    """A TLS alert's name, "result/source/reason" of an A-ASSOCIATE-RJ, a DIMSE status as 0xC000, an HTTP status. Empty: any."""


class Cleanup(Declared):
    """How the synthetic study of the tier `write` is removed; without this section that tier cannot run."""

    by: Literal["orthanc", "dicomweb", "nobody"]
    """Over HTTPS by Orthanc's REST or by DICOMweb's DELETE (dcm4chee's), as `user`; "nobody": the owner agrees that it stays."""
    user: str = ""
    base_url: Annotated[str, Field(pattern=r"^https?://[^/]+$")] | None = None
    """Where it is removed, if not at the HTTPS listener: an archive's own REST port."""


def finder(pattern: str, **words: str) -> re.Pattern[str]:
    """Give the regular expression of a record, with these words in the place of their names in braces.

    A word stands for itself, and is not found as a part of a longer one. Raises re.error.
    """
    for name, word in words.items():
        pattern = pattern.replace(f"{{{name}}}", rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])")
    return re.compile(pattern)


def _finds(*names: str) -> AfterValidator:
    """Require a regular expression with one of these names in braces: one that finds any record shows nothing."""
    told = " or ".join(f"{{{name}}}" for name in names)

    def check(value: str) -> str:
        strange = [name for name in re.findall(r"\{([a-z_]+)\}", value) if name not in names]
        try:
            finder(value, **dict.fromkeys(names, "x"))
        except re.error as error:
            raise ValueError(f"a record is found by a regular expression; {error}") from None
        if strange or (names and value and not any(f"{{{name}}}" in value for name in names)):
            raise ValueError(f"a record is found by {told or 'no name in braces'}")
        return value

    return AfterValidator(check)


class Log(Declared):
    """Where the records of denials and accesses are read, through `inside`. Each is found by a regular expression."""

    part: str
    file: str | None = None
    """A file inside the part; without it the container's own log is read."""
    denial: Annotated[str, Field(min_length=1), _finds("ae", "peer")] = "{ae}"
    """Regular expression that finds the record of an association under a false name: {ae} is that name, {peer} whose line it came on."""
    access: Annotated[str, Field(min_length=1), _finds("ae", "peer")] = "{ae}"
    """The same for a granted association: {ae} is the peer's AE title."""
    anonymous: Annotated[str, _finds()] = ""
    """The same for an association without a certificate. Empty: not tested."""
    person: Annotated[str, _finds("user")] = ""
    """The same for a person's request: {user} is the name. Empty: not tested."""
    person_denied: Annotated[str, _finds("user")] = ""
    """The same for a person's request that is refused, because the role may not make it. Empty: not tested."""


class Recovery(Declared):
    """Where the backup can be seen, and what a trial of restoring it showed."""

    part: str
    newest: str
    """Command inside the part that prints when the newest backup was made (ISO 8601, UTC)."""
    max_age_hours: Annotated[int, Field(ge=1)] = 26
    restored: str = ""
    """Command inside the part that prints `WHEN BACKED-UP RESTORED` of the latest trial: the time (ISO 8601, UTC), and the same measure
    of the backed-up and of the restored archive (how many instances, or a digest over all of them). Empty: not tested."""
    max_trial_days: Annotated[int, Field(ge=1)] = 370
    """How long ago the latest trial may be; a year and some days, unless the clinic's own rules ask for more."""


class Authorisation(Declared):
    """Who allowed the test, and until when; needed for targets that are not one's own."""

    by: Annotated[str, Field(min_length=1)]
    until: datetime.date


class Budget(Declared):
    """What a run may cost the target."""

    connections: Annotated[int, Field(ge=1)] = 5000
    seconds: Annotated[int, Field(ge=1)] = 1800


class Target(Declared):
    """One PACS, as declared."""

    version: Literal[1]
    name: Annotated[str, Field(min_length=1)]
    dicom: Dicom
    ca: str = ""
    """PEM of the authority that signs peers and server (may hold several certificates)."""
    certificate_days: Annotated[int, Field(ge=1)] = 825
    """How long a server's certificate may live; browsers on Apple's systems take none that lives longer (its article HT210176)."""
    peers: dict[AETitle, Peer] = {}
    https: Https | None = None
    closed_ports: list[Port] = []
    """Ports that must refuse a connection."""
    silent_ports: list[Port] = []
    """Ports that a firewall drops: a connection gets no answer at all."""
    other_ports: list[Port] = []
    """Ports that are open on purpose and not the PACS's."""
    floor: dict[str, str] = {}
    """Lowest version of each product that has no known way in: {"orthanc": "1.12.11"}."""
    waivers: list[Waiver] = []
    expects: dict[str, Expectation] = {}
    """How refusals look, by check id or CHECK/KIND, where it is narrower than the check's own default."""
    inside: dict[str, str] = {}
    """testinfra host specifications by part: {"gateway": "docker://NAME"}; also ssh:// and local://."""
    listeners: dict[str, list[Port]] = {}
    """TCP ports on which each part listens inside, beyond loopback."""
    log: Log | None = None
    cleanup: Cleanup | None = None
    recovery: Recovery | None = None
    vantage: str = ""
    """From where the harness looks, in words: "the clinic's own network, VLAN 12"."""
    authorisation: Authorisation | None = None
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.dicom.tls and not self.ca.strip():
            raise ValueError("ca: got nothing; a listener with TLS is held against the authority that signed it (PEM)")
        for section, part in (("log", self.log and self.log.part), ("recovery", self.recovery and self.recovery.part)):
            if part and part not in self.inside:
                parts = ", ".join(sorted(self.inside)) or "none"
                raise ValueError(f"{section}.part: got '{part}', allowed are the parts of inside: {parts}")
        for name, peer in self.peers.items():
            for destination in peer.move_to:
                if destination not in self.peers:
                    raise ValueError(f"peers.{name}.move_to: got '{destination}', allowed are the AE titles of declared peers")
        if self.https:
            for name in self.https.machines.keys() & self.https.users.keys():
                raise ValueError(f"https.machines: got '{name}', which is a user; a machine has a name of its own")
            for user, declared in self.https.users.items():
                if declared.role not in self.https.roles:
                    raise ValueError(f"https.users.{user}.role: got '{declared.role}', allowed are the roles {sorted(self.https.roles)}")
        return self


def target_schema() -> dict[str, Any]:
    """Give the target file's JSON Schema (2020-12)."""
    schema = Target.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Target file of securepacs-harness, version 1", **schema}


_READERS = {".toml": tomllib.loads, ".json": json.loads}


def _line(problem: ErrorDetails) -> str:
    where = ".".join(str(step) for step in problem["loc"])
    what = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{where}: got nothing; it is required"
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no such key"
    if not where:
        return what
    return f"{where}: got {str(problem['input'])[:60]!r}; {what}"


def parse_target(declared: Any) -> Target:  # noqa: ANN401 - it comes from a file: anything is possible
    """Turn what a target file holds into a Target. Raises TargetError, one line for each mistake with its dotted path."""
    try:
        return Target.model_validate(declared)
    except ValidationError as error:
        raise TargetError("\n".join(dict.fromkeys(_line(problem) for problem in error.errors(include_url=False)))) from None


def load_target(path: Path) -> Target:
    """Read a target file; its ending (.toml or .json) says how. Raises TargetError."""
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise TargetError(f"{path}: got the ending '{path.suffix}', expected .toml or .json")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        declared = reader(text)
    except ValueError as error:
        raise TargetError(f"{path}: not well-formed {path.suffix[1:].upper()}: {error}") from None
    return parse_target(declared)
