"""The clinic of these tests: brought up by the command line as a user would do it, and seen through its target file."""

from __future__ import annotations

import dataclasses
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from securepacs_harness import forge
from securepacs_harness.bundles import Bundles, write_bundle
from securepacs_harness.target import Target

HERE = Path(__file__).parent
CLINIC_KEY = "securepacs:clinic"
#: The policy that the clinic of these tests breaks on purpose.
EXCUSED = "peer-without-verbs"
#: What a clinic of tests declares of the copies of its studies.
NO_BACKUP = {"by": "nobody: the studies of tests are made up", "to": "nowhere", "hours": 24}
BOTH_USAGES = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)

#: What stands in clinic.yaml for a day in the near future.
GAP = "filled in by conftest.py"
#: Peers that bring their own key; their bundles are made here, not fetched.
CSR_PEER, PINNED_PEER, PLAIN_PEER, REVOKED_PEER = "CS01", "OW01", "XR01", "RV01"


@dataclasses.dataclass(frozen=True)
class OwnKeys:
    """Keys that peers made themselves, and what they gave to the clinic."""

    csr_key: ec.EllipticCurvePrivateKey
    csr_pem: str
    pinned_key: ec.EllipticCurvePrivateKey
    pinned_pem: str


def make_own_keys() -> OwnKeys:
    """Make a CSR and a self-signed certificate that vouches for nobody but its holder."""
    csr_key, pinned_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CSR_PEER)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(csr_key, hashes.SHA256())
    pinned = forge.certify(PINNED_PEER, pinned_key, usages=BOTH_USAGES, ends=datetime.timedelta(days=30))
    return OwnKeys(csr_key, csr.public_bytes(Encoding.PEM).decode(), pinned_key, pinned.public_bytes(Encoding.PEM).decode())


def write_configuration(path: Path, keys: OwnKeys, changes: Mapping[str, Any] | None = None) -> None:
    """Write clinic.yaml with its gaps filled, and `changes` to the clinic's own keys."""
    whole = yaml.safe_load((HERE / "clinic.yaml").read_text(encoding="utf-8"))
    clinic = whole["config"][CLINIC_KEY]
    peers = {peer["ae_title"]: peer for peer in clinic["peers"]}
    peers[CSR_PEER]["csr"] = keys.csr_pem
    peers[PINNED_PEER]["certificate"] = keys.pinned_pem
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
    peers[PLAIN_PEER]["plaintext"]["until"] = until.isoformat()
    for machine in clinic["machines"]:
        machine["until"] = until.isoformat() if machine["until"] == GAP else machine["until"]
    clinic.update(changes or {})
    # A peer that may do nothing is there to be refused everything.
    excuse = {"reason": "it is refused every verb", "owner": "these tests", "until": until.isoformat()}
    whole["config"]["securepacs:policies"] = {EXCUSED: {"exceptions": [excuse]}}
    path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")


class CommandError(AssertionError):
    """The command line ended with another status than 0."""


@dataclasses.dataclass(frozen=True)
class Stack:
    """One stack, driven by the command line. `environment` keeps its state apart from the user's own."""

    name: str
    config: Path
    environment: Mapping[str, str] = dataclasses.field(repr=False)

    def securepacs(self, *arguments: str, seconds: float = 600) -> str:
        """Run a command of `securepacs` for this stack and give what it printed. Raises CommandError."""
        command = [str(Path(sys.executable).with_name("securepacs")), *arguments, "--stack", self.name]
        return run(command, self.environment, seconds)

    def up(self) -> float:
        """Deploy, with no exception from a policy but the one that is declared here; give the seconds that it took."""
        began = time.monotonic()
        told = json.loads(self.securepacs("up", "--config", str(self.config), "--json"))
        seconds = time.monotonic() - began
        assert all(f"  rule     {EXCUSED}:" in excused for excused in told["excused"]), told["excused"]
        return seconds

    def state(self) -> dict[str, Any]:
        """Give the stack's state with its secrets, as Pulumi exports it."""
        told: dict[str, str] = json.loads(self.securepacs("env", "--json"))
        tools = HERE.parent.parent / ".tools" / "bin"
        environment = {**self.environment, **told, "PATH": f"{self.environment['PATH']}:{tools}"}
        place = Path(told["SECUREPACS_CONFIG_FILE"]).parent
        out = run(["pulumi", "stack", "export", "--show-secrets", "--stack", self.name], environment, 60, cwd=place)
        exported: dict[str, Any] = json.loads(out)
        return exported

    def outputs(self, kind: str) -> list[dict[str, Any]]:
        """Give the outputs of each resource whose type ends with `kind`."""
        resources = self.state()["deployment"]["resources"]
        return [resource["outputs"] for resource in resources if resource["type"].endswith(f":{kind}")]


def run(command: list[str], environment: Mapping[str, str], seconds: float, cwd: Path | None = None) -> str:
    """Run a command without input. Raises CommandError with the end of what it printed."""
    done = subprocess.run(
        command, env=dict(environment), timeout=seconds, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, cwd=cwd
    )
    if done.returncode:
        raise CommandError(f"{' '.join(command[:3])} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def docker(*arguments: str, check: bool = True, seconds: float = 120) -> str:
    """Run the Docker client and give what it printed."""
    done = subprocess.run(["docker", *arguments], timeout=seconds, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if check and done.returncode:
        raise CommandError(f"docker {' '.join(arguments[:3])} ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


def remove_left_overs(stack: str) -> None:
    """Remove what a killed run of these tests left, by the provider's own label."""
    label = f"label=securepacs.stack=securepacs/{stack}"
    for kind, listing, removal in (
        ("container", ["ps", "-aq"], ["rm", "-f", "-v"]),
        ("network", ["network", "ls", "-q"], ["network", "rm"]),
        ("volume", ["volume", "ls", "-q"], ["volume", "rm"]),
    ):
        found = docker(*listing, "--filter", label).split()
        if found:
            print(f"removing {len(found)} left-over {kind}(s) of stack {stack}")
            docker(*removal, *found, check=False)


def fetch_bundles(stack: Stack, target: Target, folder: Path, keys: OwnKeys) -> Bundles:
    """Have the command line write each peer's bundle; put in what only the peer itself has."""
    fetched = [name for name, peer in target.peers.items() if peer.plaintext is None and name != PINNED_PEER]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda name: stack.securepacs("bundle", name, "--out", str(folder)), fetched))
    write_bundle(folder / PINNED_PEER, PINNED_PEER, cert=keys.pinned_pem, key=forge.pem_of(keys.pinned_key), ca=target.ca)
    cert = (folder / CSR_PEER / "cert.pem").read_text(encoding="ascii")
    write_bundle(folder / CSR_PEER, CSR_PEER, cert=cert, key=forge.pem_of(keys.csr_key), ca=target.ca)
    return Bundles(folder)


def fetch_words(stack: Stack, target: Target) -> dict[str, str]:
    """Have the command line show each person's password and each machine's token, by name."""
    if target.https is None:
        return {}
    passwords = {user: json.loads(stack.securepacs("password", user, "--json"))["password"] for user in target.https.users}
    return passwords | {name: json.loads(stack.securepacs("token", name, "--json"))["token"] for name in target.https.machines}


def forget_wrong_words(clinic: str) -> None:
    """Let the gateway forget the wrong passwords and tokens that it counted, as it does by itself after ten minutes."""
    # The master hands a command to its worker by the prefix of that command alone, not of the line.
    commands = "; ".join(f"@1 clear table {table}" for table in ("sources", "names", "names_of_sources"))
    told = docker("exec", f"{clinic}-gateway", "bash", "-c", f"echo '{commands}' | socat -t 5 - UNIX-CONNECT:/run/gateway/master.sock")
    if told.strip():
        raise CommandError(f"the gateway did not forget what it counted: {told.strip()[:200]}")


def authority_of(stack: Stack) -> forge.Authority:
    """Give the clinic's authority with its key, to sign certificates that only it could: expired, not yet valid, for servers only."""
    (outputs,) = stack.outputs("CertificateAuthority")

    def plain(value: object) -> str:
        # Pulumi's export shows a secret as an object that holds its JSON.
        return str(json.loads(value["plaintext"])) if isinstance(value, dict) else str(value)

    return forge.authority_of(plain(outputs["certPem"]), plain(outputs["keyPem"]))
