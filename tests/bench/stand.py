"""The contenders, side by side on one engine, and the container from which all of them are measured over the same kind of bridge."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker as docker_sdk
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bench import samples
from bench.figure import Sample
from deployed.deployment import BOTH_USAGES, CLINIC_KEY, NO_BACKUP, Stack, docker, remove_left_overs
from deployed.elsewhere import address_of
from lifecycle.failure.killing import alone
from securepacs_harness import forge

HERE = Path(__file__).parent
IMAGES = HERE.parent / "deployed" / "images"
NAME = "bench"
SUBNET, CLIENT_ADDRESS = "10.231.241.0/24", "10.231.241.10"
RECEIVER_PORT = 21112
SENDER, READER, REVOKED = "CT01", "WS01", "RV01"

#: Contender -> what it is, for the page.
CONTENDERS = {
    "stock": "Orthanc as Debian ships it: plaintext, open to all",
    "archive": "our archive's own configuration, without the gateway",
    "clinic": "the shipped clinic: mutual TLS, identity, rights, revocation",
    "dcmqrscp": "DCMTK's dcmqrscp with TLS",
}

#: Whom the short run compares.
PAIR = ("stock", "clinic")

#: Each measurement comes from one address as one peer: of all limits only those on rates and numbers of one client are raised.
LIMITS = {
    "associations_per_peer": 40,
    "association_rate": 10_000,
    "connection_rate": 100_000,
    "http_rate": 100_000,
}


@dataclasses.dataclass(frozen=True)
class Contender:
    """How one archive is reached from the client's container."""

    name: str
    host: str
    port: int
    called: str
    containers: Mapping[str, str]
    """Process -> container."""
    tls: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """Calling AE title -> files `key`, `cert`, `ca` in the client's container; none where DICOM is plaintext."""
    web: str = ""
    curl: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    def dcmtk(self, tool: str, calling: str, options: str = "") -> str:
        """Give the words of one of DCMTK's tools that calls this archive."""
        files = self.tls.get(calling)
        tls = f"+tls {files['key']} {files['cert']} +cf {files['ca']}" if files else ""
        return f"{tool} -aet {calling} -aec {self.called} {tls} {options} {self.host} {self.port}"

    def peer(self, calling: str) -> list[str]:
        """Give the options with which `bench.peer` calls this archive."""
        files = self.tls.get(calling, {})
        tls = [word for name in ("cert", "key", "ca") if name in files for word in (f"--{name}", files[name])]
        return ["--host", self.host, "--port", str(self.port), "--called", self.called, "--calling", calling, *tls]


class Stand:
    """What stands while it is measured."""

    def __init__(self, folder: Path, contenders: Mapping[str, Contender], stack: Stack) -> None:
        self.folder, self.contenders, self.stack = folder, contenders, stack
        self._engine = docker_sdk.APIClient(timeout=60, version="auto")
        self._client = f"{NAME}-client"

    def some(self, names: Sequence[str]) -> dict[str, Contender]:
        """Give some of the contenders, by name."""
        return {name: self.contenders[name] for name in names}

    def _processor(self, container: str) -> float:
        """Give the processor time of a container's processes, in milliseconds.

        The kernel is asked (cgroups, version 1 or 2); the engine, which takes seconds to answer, where its groups are not seen from here.
        """
        for line in Path(f"/proc/{self.pid(container)}/cgroup").read_text(encoding="ascii").splitlines():
            _, names, path = line.split(":", 2)
            if "cpuacct" in names.split(","):
                return int(Path(f"/sys/fs/cgroup/{names}{path}/cpuacct.usage").read_text(encoding="ascii")) / 1e6
            if not names and (counted := Path(f"/sys/fs/cgroup{path}/cpu.stat")).exists():
                return int(counted.read_text(encoding="ascii").split()[1]) / 1e3
        told = self._engine.stats(container, stream=False, one_shot=True)
        return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e6

    def memory(self, container: str) -> float:
        """Give the memory that a container's processes hold, in MB; what the kernel caches of files is none of it."""
        told = self._engine.stats(container, stream=False, one_shot=True)["memory_stats"]
        return float(told["usage"] - told["stats"].get("total_inactive_file", told["stats"].get("inactive_file", 0))) / 1e6

    def wait_healthy(self, container: str) -> None:
        """Wait until a container that was started is healthy. Raises RuntimeError after two minutes."""
        end = time.monotonic() + 120
        while self._engine.inspect_container(container)["State"].get("Health", {}).get("Status") != "healthy":
            if time.monotonic() > end:
                raise RuntimeError(f"{container} did not become healthy")
            time.sleep(0.5)

    def pid(self, container: str) -> int:
        """Give the process id of a container's first process."""
        return int(self._engine.inspect_container(container)["State"]["Pid"])

    def shell(self, script: str, seconds: float = 600) -> tuple[float, str]:
        """Run a script in the client's container; give the seconds that it took there, and what it printed."""
        timed = f'b=$(date +%s%N); {{ {script}\n}}; s=$?; e=$(date +%s%N); echo; echo "$((e-b)) $s"'
        told = docker("exec", self._client, "bash", "-c", timed, seconds=seconds)
        out, _, last = told.rstrip("\n").rpartition("\n")
        nanoseconds, status = last.split()
        if status != "0":
            raise RuntimeError(f"in the client's container: {script[:300]}\nended with {status}: {out[-1000:]}")
        return int(nanoseconds) / 1e9, out

    def peer(
        self, command: str, contender: Contender, calling: str, *options: str, client: str | None = None, anonymous: bool = False
    ) -> subprocess.Popen[str]:
        """Start `bench.peer` in the network of the client's container, or of another."""
        words = ["nsenter", f"--net=/proc/{self.pid(client or self._client)}/ns/net", sys.executable, "-m", "bench.peer", command]
        called = dataclasses.replace(contender, tls={}) if anonymous else contender
        return subprocess.Popen(
            [*words, *called.peer(calling), *options],
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask_peer(self, command: str, contender: Contender, calling: str, *options: str) -> dict[str, Any]:
        """Run `bench.peer` to its end and give what it measured."""
        run = self.peer(command, contender, calling, *options)
        out, err = run.communicate(timeout=900)
        if run.returncode:
            raise RuntimeError(f"bench.peer {command} of {contender.name} ended with {run.returncode}: {err[-1000:]}")
        told: dict[str, Any] = json.loads(out)
        return told

    @contextlib.contextmanager
    def hostile(self, sources: Sequence[str]) -> Iterator[str]:
        """Give a container on the gateway's network that has these addresses."""
        added = "; ".join(f"ip address add {source}/24 dev eth0" for source in sources)
        name = f"{NAME}-hostile"
        options = ("--network", f"{NAME}-edge", "--cap-add", "NET_ADMIN", "--ulimit", "nofile=8192")
        try:
            yield run(name, f"{NAME}-client", *options, command=("sh", "-c", f"{added}; sleep infinity"))
        finally:
            docker("rm", "-f", name, check=False)

    @contextlib.contextmanager
    def spending(self, contender: Contender, operations: float) -> Iterator[dict[str, float]]:
        """Fill in what each process spent in here for one operation, in milliseconds of processor time."""
        spent: dict[str, float] = {}
        containers = {**contender.containers, "client": self._client}
        before = {process: self._processor(container) for process, container in containers.items()}
        yield spent
        spent.update({process: (self._processor(container) - before[process]) / operations for process, container in containers.items()})

    def rate(self, contender: Contender, script: str, *, amount: float, operations: float) -> Sample:
        """Run a script and give how much of `amount` a second it moved."""
        with self.spending(contender, operations) as spent:
            seconds, _ = self.shell(script)
        return Sample(amount / seconds, spent)


def _clinic(folder: Path, **changes: object) -> Stack:
    clinic = {
        "name": NAME,
        "archive": {"ae_title": "BENCH"},
        "backup": NO_BACKUP,
        "dicom": {"addresses": ["127.0.0.1"], "port": 24762},
        "https": {"addresses": ["127.0.0.1"], "port": 24443},
        "host_names": ["localhost"],
        "network": {"edge_subnet": SUBNET},
        "peers": [
            {"ae_title": SENDER, "verbs": ["echo", "store"]},
            {
                "ae_title": READER,
                "verbs": ["echo", "find", "get", "move"],
                "address": f"{CLIENT_ADDRESS}:{RECEIVER_PORT}",
                "move_to": [READER],
            },
            {"ae_title": REVOKED, "verbs": ["echo"]},
        ],
        "people": [{"name": "anna", "role": "admin"}],
        "limits": LIMITS,
        **changes,
    }
    stack = alone(NAME, folder)
    stack.config.write_text(yaml.safe_dump({"config": {CLINIC_KEY: clinic}}, sort_keys=False), encoding="utf-8")
    return stack


def build(tag: str, context: Path, **arguments: str) -> str:
    """Build an image with these build arguments; give its tag."""
    told = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    docker("build", "-q", "--network", "host", *told, "-t", tag, str(context), seconds=900)
    return tag


def run(name: str, image: str, *options: str, command: tuple[str, ...] = ()) -> str:
    """Start a container of the bench's own, in the place of one of that name; give its name."""
    docker("rm", "-f", "-v", name, check=False)
    docker("run", "-d", "--name", name, "--label", f"securepacs.stack=securepacs/{NAME}", *options, image, *command)
    return name


def _third_parties(folder: Path) -> dict[str, Contender]:
    """Stand up those whom we are compared with."""
    network = f"{NAME}-third"
    docker("network", "create", "--label", f"securepacs.stack=securepacs/{NAME}", network)
    # The reader's way back, as each of them is told of it; nothing else is changed.
    opened = json.loads((IMAGES / "stock_orthanc" / "open.json").read_text(encoding="utf-8"))
    opened["DicomModalities"] = {"ws01": [READER, f"{NAME}-client", RECEIVER_PORT + 1]}
    (folder / "open.json").write_text(json.dumps(opened), encoding="utf-8")
    stock = run(
        *(f"{NAME}-stock", build(f"{NAME}-stock", IMAGES / "stock_orthanc"), "--network", network),
        *("-v", "/var/lib/orthanc", "-v", f"{folder / 'open.json'}:/etc/open.json:ro"),
    )
    key = ec.generate_private_key(ec.SECP256R1())
    bundle = folder / "bundles" / "dcmqrscp"
    bundle.mkdir(parents=True)
    (bundle / "key.pem").write_text(forge.pem_of(key), encoding="ascii")
    (bundle / "cert.pem").write_bytes(forge.certify("dcmqrscp", key, usages=BOTH_USAGES).public_bytes(Encoding.PEM))
    tls = ("+tls", "/bundle/key.pem", "/bundle/cert.pem", "-ic")
    dcmqrscp = run(
        *(f"{NAME}-dcmqrscp", build(f"{NAME}-dcmqrscp", IMAGES / "stock_dcmqrscp"), "--network", network),
        *("-v", f"{bundle}:/bundle:ro", "-v", "/var/lib/dcmqrscp"),
        command=("dcmqrscp", *tls, "-c", "/etc/dcmqrscp.cfg", "11112"),
    )
    held = {"key": f"{bundle}/key.pem", "cert": f"{bundle}/cert.pem", "ca": f"{bundle}/cert.pem"}
    where = address_of(stock, network)
    return {
        "stock": Contender("stock", where, 4242, "ORTHANC", {"archive": stock}, web=f"http://{where}:8042"),
        "dcmqrscp": Contender(
            "dcmqrscp", address_of(dcmqrscp, network), 11112, "ARCHIVE", {"archive": dcmqrscp}, {SENDER: held, READER: held}
        ),
    }


def _ours(stack: Stack, folder: Path) -> dict[str, Contender]:
    """Give the clinic, and its archive as it is without the gateway."""
    tls = {}
    for peer in (SENDER, READER, REVOKED):
        stack.securepacs("bundle", peer, "--out", str(folder / "bundles"))
        tls[peer] = {part: f"{folder}/bundles/{peer}/{part}.pem" for part in ("key", "cert", "ca")}
    password = json.loads(stack.securepacs("password", "anna", "--json"))["password"]
    login = docker("exec", f"{NAME}-archive", "cat", "/etc/archive/authorization").strip()
    for name, line in (("clinic", f'user = "anna:{password}"'), ("archive", f'header = "Authorization: {login}"')):
        (folder / "bundles" / f"{name}.curl").write_text(f"{line}\n", encoding="ascii")
    gateway, inner = address_of(f"{NAME}-gateway", f"{NAME}-edge"), address_of(f"{NAME}-archive", f"{NAME}-inner")
    here = f"{folder}/bundles"
    secured = ("--cacert", f"{here}/{SENDER}/ca.pem", "-K", f"{here}/clinic.curl", "--connect-to", f"localhost:8443:{gateway}:8443")
    both = {"archive": f"{NAME}-archive", "gateway": f"{NAME}-gateway"}
    archive = {"archive": f"{NAME}-archive"}
    return {
        "archive": Contender("archive", inner, 4242, "BENCH", archive, web=f"http://{inner}:8042", curl=("-K", f"{here}/archive.curl")),
        "clinic": Contender("clinic", gateway, 2762, "BENCH", both, tls, web="https://localhost:8443", curl=secured),
    }


def _receivers(folder: Path) -> str:
    """Give the script that begins the reader's receivers: one that shows its certificate, one for those who know no TLS."""
    mine = f"{folder}/bundles/{READER}"
    return (
        f"(storescp --ignore --fork +tls {mine}/key.pem {mine}/cert.pem +cf {mine}/ca.pem {RECEIVER_PORT} >/dev/null 2>&1 &)\n"
        f"(storescp --ignore --fork {RECEIVER_PORT + 1} >/dev/null 2>&1 &)\nsleep 1"
    )


@contextlib.contextmanager
def deployed(folder: Path, **changes: object) -> Iterator[Stack]:
    """Bring the clinic up, and take it down. `changes` are to the clinic's own keys."""
    remove_left_overs(NAME)
    stack = _clinic(folder, **changes)
    try:
        stack.securepacs("up", "--config", str(stack.config), "--json")
        yield stack
    finally:
        with contextlib.suppress(AssertionError):
            stack.securepacs("down", "--config", str(stack.config), "--delete-data", NAME, "--yes")
        remove_left_overs(NAME)


@contextlib.contextmanager
def standing(folder: Path, *, third_parties: bool = True, **changes: object) -> Iterator[Stand]:
    """Bring all of them up with the client's container, and take them down."""
    samples.write(folder / "images")
    with deployed(folder, **changes) as stack:
        contenders = {**(_third_parties(folder) if third_parties else {}), **_ours(stack, folder)}
        client = run(
            f"{NAME}-client", build(f"{NAME}-client", HERE / "images" / "client"), "-v", f"{folder}:{folder}:ro", "--cap-add", "NET_ADMIN"
        )
        try:
            docker("network", "connect", "--ip", CLIENT_ADDRESS, f"{NAME}-edge", client)
            for network in (f"{NAME}-inner", *([f"{NAME}-third"] if third_parties else [])):
                docker("network", "connect", network, client)
            stand = Stand(folder, contenders, stack)
            stand.shell(_receivers(folder))
            yield stand
        finally:
            docker("rm", "-f", "-v", client, check=False)
