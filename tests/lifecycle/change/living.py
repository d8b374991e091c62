"""A clinic that these tests change while it serves: its declaration, its material, and what its containers are."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deployed.deployment import CLINIC_KEY, HERE, NO_BACKUP, CommandError, Stack, docker, remove_left_overs, run
from lifecycle.change.past import PastStack
from lifecycle.steady import Calling, Report
from securepacs_harness.bundles import Bundles, Material, write_bundle
from securepacs_harness.probes import http
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.line import Line
from securepacs_harness.probes.tls import Offer
from securepacs_harness.target import Target, parse_target

#: Those that store all the time, the one that looks, and the one that changes are different peers.
SENDERS, READER = ("CT01", "MR01"), "WS01"

Containers = Mapping[str, str]
"""Part -> id and start of its container: both stay where nothing is replaced or restarted."""


def declaration(name: str, dicom_port: int, https_port: int, **limits: object) -> dict[str, Any]:
    """Declare a clinic for these tests, on the loopback address."""
    return {
        "name": name,
        "archive": {"ae_title": "LIFE"},
        "dicom": {"addresses": ["127.0.0.1"], "port": dicom_port},
        "https": {"addresses": ["127.0.0.1"], "port": https_port},
        "host_names": ["localhost", f"pacs.{name}.example"],
        "peers": [
            {"ae_title": "CT01", "verbs": ["echo", "store"]},
            {"ae_title": "MR01", "verbs": ["echo", "store"]},
            {"ae_title": "CT02", "verbs": ["echo", "store"]},
            {"ae_title": "RV01", "verbs": ["echo", "store"]},
            {"ae_title": "WS01", "verbs": ["echo", "find", "get"]},
        ],
        "people": [{"name": "vera", "role": "viewer"}, {"name": "anna", "role": "admin"}],
        "backup": NO_BACKUP,
        "limits": {
            "storage_mb": 500,
            "associations_per_peer": 8,
            "association_rate": 5000,
            "connections_per_source": 500,
            "connection_rate": 10000,
            "archive_memory_mb": 1024,
            **limits,
        },
    }


@dataclasses.dataclass
class Living:
    """One clinic, up. `declared` is what `up` will bring it to."""

    stack: Stack
    folder: Path
    declared: dict[str, Any]
    reports: list[Report] = dataclasses.field(default_factory=list)
    target: Target = dataclasses.field(init=False, repr=False)
    bundles: Bundles = dataclasses.field(init=False)
    passwords: dict[str, str] = dataclasses.field(init=False, repr=False)
    _taken: int = dataclasses.field(default=0, init=False)

    @property
    def name(self) -> str:
        """The clinic's name."""
        return str(self.declared["name"])

    def write(self) -> None:
        """Write the declaration where `up` reads it."""
        self.stack.config.write_text(yaml.safe_dump({"config": {CLINIC_KEY: self.declared}}, sort_keys=False), encoding="utf-8")

    def reread(self) -> None:
        """Take over what a command of `securepacs` wrote into the declaration."""
        self.declared = yaml.safe_load(self.stack.config.read_text(encoding="utf-8"))["config"][CLINIC_KEY]

    def up(self) -> float:
        """Bring the clinic to its declaration; give the seconds."""
        self.write()
        return self.stack.up()

    def command(self, *arguments: str) -> float:
        """Run a command that changes declaration and clinic; give the seconds."""
        began = time.monotonic()
        self.stack.securepacs(*arguments, "--config", str(self.stack.config))
        self.reread()
        return time.monotonic() - began

    def tried(self, *arguments: str) -> tuple[int, str]:
        """Run a command of `securepacs` for this stack; give its exit status and all that it printed."""
        command = [str(Path(sys.executable).with_name("securepacs")), *arguments, "--stack", self.stack.name]
        done = subprocess.run(
            command, env=dict(self.stack.environment), capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def preview(self) -> str:
        """Say what `up` would do. Raises CommandError."""
        self.write()
        status, told = self.tried("preview", "--config", str(self.stack.config))
        if status:
            raise CommandError(f"preview ended with {status}: {told}")
        return told

    def up_as_of(self, *, days_ago: int) -> None:
        """Bring the clinic to its declaration as if it were so many days ago."""
        self.write()
        PastStack(self.stack.name, self.stack.config, self.stack.environment, days_ago).up()

    def peer(self, ae_title: str) -> dict[str, Any]:
        """Give the declaration of a peer."""
        (found,) = (peer for peer in self.declared["peers"] if peer["ae_title"] == ae_title)
        declared: dict[str, Any] = found
        return declared

    def peers(self) -> list[str]:
        """Name the declared peers."""
        return [str(peer["ae_title"]) for peer in self.declared["peers"]]

    def shown_certificate(self) -> bytes:
        """Give the certificate that the gateway shows to peers, as DER."""
        offer = self.offer(self.bundles.material("WS01"))
        address, context = (self.target.dicom.host, self.target.dicom.port), offer.context()
        with (
            socket.create_connection(address, 10) as plain,
            context.wrap_socket(plain, server_hostname=offer.server_name) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""

    def outputs(self) -> dict[str, Any]:
        """Give the stack's outputs, decrypted."""
        told: dict[str, str] = json.loads(self.stack.securepacs("env", "--json"))
        tools = HERE.parent.parent / ".tools" / "bin"
        environment = {**self.stack.environment, **told, "PATH": f"{self.stack.environment['PATH']}:{tools}"}
        place = Path(told["SECUREPACS_CONFIG_FILE"]).parent
        out = run(["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", self.stack.name], environment, 60, cwd=place)
        outputs: dict[str, Any] = json.loads(out)
        return outputs

    def take(self) -> Bundles:
        """Fetch target, passwords and all bundles as they are now, the bundles into a folder of their own; give those before."""
        before = self.bundles if self._taken else Bundles(self.folder)
        outputs = self.outputs()
        self.target, self.passwords = parse_target(outputs["target"]), outputs["passwords"]
        self._taken += 1
        folder = self.folder / f"bundles-{self._taken}"
        for peer, parts in outputs["bundles"].items():
            write_bundle(folder / peer, peer, cert=parts["cert.pem"], key=parts["key.pem"], ca=parts["ca.pem"])
        self.bundles = Bundles(folder)
        return before

    def caller(self, name: str, *, bundles: Bundles | None = None, trusted: Bundles | None = None) -> Caller:
        """Call as a peer with its bundle (`bundles`: an older one) and the authorities that came with it (`trusted`: with another)."""
        offer = self.offer((bundles or self.bundles).material(name))
        if trusted:
            offer = dataclasses.replace(offer, ca=trusted.material(name).ca.read_text(encoding="ascii"))
        return Caller(Line(self.target.dicom.host, self.target.dicom.port, offer), self.target.dicom.ae_title, name)

    def offer(self, material: Material) -> Offer:
        """Offer a bundle's certificate, trusting the authorities that came with it."""
        return Offer(material.ca.read_text(encoding="ascii"), self.target.dicom.server_name, material)

    def calling(self, name: str, timeout: float = 10.0) -> Calling:
        """Give a peer that calls with the newest bundle that was fetched, and waits so many seconds for each answer."""
        return lambda: dataclasses.replace(self.caller(name), timeout=timeout)

    def web(self) -> Line:
        """The line to the HTTPS listener."""
        if self.target.https is None:
            raise ValueError("the target declares no HTTPS listener")
        return http.line_of(self.target.https.base_url, Offer(self.target.ca, self.target.https.server_name))

    def containers(self) -> Containers:
        """Say which containers serve, and since when."""
        names = [f"{self.name}-{part}" for part in ("archive", "gateway")]
        told = docker("inspect", "-f", "{{.Name}} {{.Id}} {{.State.StartedAt}}", *names)
        return {line.split()[0].removeprefix(f"/{self.name}-"): line.split(" ", 1)[1] for line in told.splitlines()}

    def take_down(self) -> None:
        """Give the clinic up with its studies; by hand where the command line fails."""
        try:
            self.stack.securepacs("down", "--config", str(self.stack.config), "--delete-data", self.name, "--yes")
        except CommandError:
            remove_left_overs(self.stack.name)
            raise
