"""The verbs through DCMTK's tools: a client of other hands, run by argument lists in a container."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes.dimse import Caller, judge_status

_R, _T, _I = Outcome.REFUSED, Outcome.TIMEOUT, Outcome.INCONCLUSIVE

#: A-ASSOCIATE-RJ in DCMTK's words (PS3.8 table 9-21).
_RESULTS = {"Rejected Permanent": 1, "Rejected Transient": 2}
_SOURCES = {"Service User": 1, "Service Provider (ACSE Related)": 2, "Service Provider (Presentation Related)": 3}
_REASONS = {
    "No Reason": 1,
    "Application Context Name Not Supported": 2,
    "Calling AE Title Not Recognized": 3,
    "Called AE Title Not Recognized": 7,
    "Protocol Version Not Supported": 2,
    "Temporary Congestion": 1,
    "Local Limit Exceeded": 2,
}
_REJECTED = re.compile(r"Result: ([^,\n]+), Source: ([^\n]+)\nF: Reason: ([^\n]+)")

#: OpenSSL's words for an alert that came, as DCMTK prints them.
_ALERT = re.compile(r"TLS error: (?:sslv3|tlsv1|tlsv13) alert ([a-z ]+)", re.IGNORECASE)

#: What else DCMTK says when it did not come to a status: first match counts.
_WORDS: Sequence[tuple[str, Layer, Outcome, str]] = (
    (r"TLS error: .*certificate verify failed", Layer.TLS, _I, "server-not-trusted"),
    (r"TLS error: .*(unexpected eof|EOF)", Layer.TLS, _R, "closed"),
    (r"TLS error: .*wrong version number|TLS error: .*record layer failure", Layer.TLS, _R, "not-tls"),
    (r"Connection refused", Layer.TCP, _R, "refused"),
    (r"No (?:Acceptable|acceptable|accepted) Presentation Context", Layer.CONTEXT, _R, "none"),
    (r"[Nn]o presentation context for", Layer.CONTEXT, _R, "none"),
    (r"Peer aborted Association|Association Aborted", Layer.ASSOCIATION, _R, "abort"),
    (r"[Tt]imeout|timed out", Layer.ASSOCIATION, _T, "time-out"),
    (r"Connection reset|Broken pipe", Layer.ASSOCIATION, _R, "reset"),
    (r"DUL: *Peer (?:aborted|closed)|[Tt]ransport connection closed|connection closed by peer", Layer.ASSOCIATION, _R, "closed"),
    (r"Failed to establish association|Association Request Failed", Layer.ASSOCIATION, _I, "not-associated"),
)

#: A status stands in the dump of a response (hexadecimal), or, for echo, behind its name or number.
_STATUS = re.compile(r"^D: DIMSE Status\s*:\s*0x([0-9a-f]{4})|^I: Received Echo Response \((?:(Success)|.*?0x([0-9a-f]+))", re.MULTILINE)

#: Lines that tell of an event; the others are dumps, in which any word may stand.
_EVENT = re.compile(r"^[FEW]: .*$", re.MULTILINE)


def judge_output(status: int, text: str) -> Observation:
    """Say what a tool's exit status and its diagnostics (option -d) mean.

    The last DIMSE status that it printed counts, whatever the exit status says; without one, the layer at which it ended
    (DIMSE, where the association had been accepted).
    """
    rejected = _REJECTED.search(text)
    if rejected:
        result, source = _RESULTS.get(rejected[1].strip(), 0), _SOURCES.get(rejected[2].strip(), 0)
        reason = rejected[3].strip()
        return Observation(Layer.ASSOCIATION, _R, f"{result}/{source}/{_REASONS.get(reason, 0)}", reason)
    statuses = [0 if named else int(dumped or numbered, 16) for dumped, named, numbered in _STATUS.findall(text)]
    if statuses and statuses[-1] not in {0xFF00, 0xFF01}:
        return judge_status(statuses[-1])
    events = "\n".join(_EVENT.findall(text))
    alert = _ALERT.search(events)
    if alert:
        return Observation(Layer.TLS, _R, alert[1].strip().replace(" ", "_"), "TLS alert")
    accepted = "\nI: Association Accepted" in text
    for pattern, layer, outcome, code in _WORDS:
        if re.search(pattern, events):
            return Observation(Layer.DIMSE if accepted and layer is Layer.ASSOCIATION else layer, outcome, code)
    return Observation(Layer.ASSOCIATION, _I, f"exit-{status}", events[-200:].replace("\n", "; "))


def _keys(*pairs: tuple[str, str]) -> list[str]:
    return [word for name, value in pairs for word in ("-k", f"{name}={value}")]


def _image_keys(image: Instance) -> list[str]:
    return _keys(
        ("QueryRetrieveLevel", "IMAGE"),
        ("StudyInstanceUID", image.study),
        ("SeriesInstanceUID", image.series),
        ("SOPInstanceUID", image.sop_instance),
    )


#: verb -> (tool, its own arguments before the peer, what follows the peer).
_TOOLS: dict[str, Callable[[Instance, str], tuple[str, list[str], list[str]]]] = {
    "echo": lambda _image, _to: ("echoscu", [], []),
    "store": lambda image, _to: ("storescu", ["-R"], [str(image.path)]),
    "find": lambda _image, _to: ("findscu", ["-S", *_keys(("QueryRetrieveLevel", "STUDY"), ("StudyInstanceUID", ""))], []),
    "worklist": lambda _image, _to: ("findscu", ["-W", *_keys(("PatientName", "*"), ("PatientID", ""))], []),
    "get": lambda image, _to: ("getscu", ["-S", "+B", "-od", ".", *_image_keys(image)], []),
    "move": lambda image, to: ("movescu", ["-S", "-aem", to, *_image_keys(image)], []),
}
VERBS = tuple(_TOOLS)


@dataclasses.dataclass(slots=True)
class Dcmtk:
    """A long-lived container with DCMTK's tools on the host's network; bundles and images are mounted read-only at their own paths.

    Use it in a `with`. Keys reach the tools as files, never as arguments.
    """

    image: str
    name: str
    folders: Sequence[Path]

    def __enter__(self) -> Self:
        mounts = [word for folder in self.folders for word in ("-v", f"{folder}:{folder}:ro")]
        self._docker("rm", "-f", self.name, check=False)
        hardened = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/scratch", "--network", "host"]
        self._docker("run", "-d", "--name", self.name, "-u", "0:0", "-w", "/scratch", *hardened, *mounts, self.image)
        return self

    def __exit__(self, *_: object) -> None:
        self._docker("rm", "-f", self.name, check=False)

    @staticmethod
    def _docker(*arguments: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments], check=check, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    def run(self, tool: str, *arguments: str, timeout: float = 60) -> tuple[int, str]:
        """Run a tool; give its exit status and all that it printed."""
        done = self._docker("exec", "-w", "/scratch", self.name, tool, *arguments, check=False, timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def attempt(self, verb: str, caller: Caller, image: Instance, to: str = "") -> Attempt:
        """Try a verb; an offer without material is made with DCMTK's anonymous TLS where the tool has it."""
        tool, before, after = _TOOLS[verb](image, to)
        line = caller.line
        seconds = str(int(caller.timeout))
        common = ["-d", "-to", seconds, "-ta", seconds, "-td", seconds, "-aet", caller.calling, "-aec", caller.called]
        arguments = [*common, *self.tls(caller), *before, line.host, str(line.port), *after]

        def observe() -> Observation:
            status, text = self.run(tool, *arguments, timeout=4 * caller.timeout)
            return judge_output(status, text)

        return Attempt(f"{caller.what(verb)} by DCMTK's {tool}", observe)

    @staticmethod
    def tls(caller: Caller) -> list[str]:
        """Give the options with which a tool makes the caller's offer of TLS."""
        offer = caller.line.offer
        if offer is None:
            return []
        if offer.material is None:
            return ["+tla", "-ic"]
        material = offer.material
        return ["+tls", str(material.key), str(material.cert), "+cf", str(material.ca)]
