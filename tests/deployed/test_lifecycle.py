"""A second clinic on the same host, through its whole life, beside the first; neither opens anything of the other."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from deployed.deployment import CLINIC_KEY, CommandError, Stack, docker, remove_left_overs, run
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.bundles import Bundles
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, dimse, http
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

ROOT = Path(__file__).parents[2]
TWIN, TWIN_CLINIC = "deptwin", "deptwin"
DICOM_PORT, HTTPS_PORT = 12772, 18453
Claim = Callable[[Attempt], Bracket]


def configuration(path: Path, **changes: object) -> Path:
    """Write the worked example under the twin's name and ports, with changes to the clinic's own keys."""
    whole = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    clinic = whole["config"][CLINIC_KEY]
    own = {"dicom": {"addresses": ["127.0.0.1", "::1"], "port": DICOM_PORT}, "https": {"addresses": ["127.0.0.1"], "port": HTTPS_PORT}}
    clinic.update({"name": TWIN_CLINIC, **own, **changes})
    path.write_text(yaml.safe_dump(whole), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, pacs: Pacs) -> Iterator[Stack]:
    """A second clinic, up beside the first; its state is its own."""
    del pacs  # it is up first
    folder = tmp_path_factory.mktemp("twin")
    remove_left_overs(TWIN)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SECUREPACS_"))}
    made = Stack(TWIN, configuration(folder / "twin.yaml"), {**own, "SECUREPACS_HOME": str(folder / "home")})
    try:
        made.up()
        yield made
    finally:
        try:
            made.securepacs("down", "--config", str(made.config), "--delete-data", TWIN_CLINIC, "--yes")
        finally:
            remove_left_overs(TWIN)


@pytest.fixture
def twin_pacs(twin: Stack, tmp_path: Path) -> Pacs:
    """The second clinic with its target file and bundles, as they are now."""
    path = tmp_path / "target.json"
    twin.securepacs("target", "--out", str(path))
    for peer in ("CT01", "WS01"):
        twin.securepacs("bundle", peer, "--out", str(tmp_path / "bundles"))
    passwords = {"vera": json.loads(twin.securepacs("password", "vera", "--json"))["password"]}
    return Pacs(load_target(path), Bundles(tmp_path / "bundles"), passwords)


def changes(stack: Stack) -> dict[str, int]:
    """Run `up` again and give what it changed."""
    answer: dict[str, dict[str, int]] = json.loads(stack.securepacs("up", "--config", str(stack.config), "--json"))
    return answer["changes"]


def test_a_certificate_of_one_clinic_opens_nothing_at_the_other(pacs: Pacs, twin_pacs: Pacs, claim: Claim) -> None:
    """CT01 of the one is refused as CT01 of the other, in both directions, in the TLS handshake."""
    for here, there in ((pacs, twin_pacs), (twin_pacs, pacs)):
        stranger = there.bundles.material("CT01")
        intruder = here.caller("CT01", material=stranger)
        claim(dimse.echo(here.caller("CT01"))).tries([(dimse.echo(intruder), at(Layer.TLS))])[0].require()


def test_a_password_of_one_clinic_opens_nothing_at_the_other(pacs: Pacs, twin_pacs: Pacs, claim: Claim) -> None:
    """The same user name with the other clinic's password gets 401."""
    honest, foreign = (
        http.ask(f"vera with the password of {of.target.name}", twin_pacs.web, http.Request("GET", "/dicom-web/studies", of.login("vera")))
        for of in (twin_pacs, pacs)
    )
    claim(honest).tries([(foreign, at(Layer.HTTP, "401"))])[0].require()


def test_two_clinics_share_no_object(pacs: Pacs, twin: Stack) -> None:
    """Containers, networks and volumes of the two have different names and owners."""
    del pacs
    for kind in ("container", "network", "volume"):
        listing = ["ps", "-a", "--format", "{{.Names}}"] if kind == "container" else [kind, "ls", "--format", "{{.Name}}"]
        owned = [set(docker(*listing, "--filter", f"label=securepacs.stack=securepacs/{name}").split()) for name in ("deptest", twin.name)]
        assert all(owned)
        assert not owned[0] & owned[1]


def test_an_address_of_ipv6_serves_where_it_is_named(twin_pacs: Pacs) -> None:
    """The clinic names ::1 for DICOM, and there a peer is served; HTTPS, which does not name it, is closed there."""
    caller = twin_pacs.caller("CT01")
    line = dataclasses.replace(caller.line, host="::1")
    accepts(association.echo("CT01 by IPv6", line, caller.called, "CT01"))
    with socket.socket(socket.AF_INET6) as probe:
        probe.settimeout(5)
        assert probe.connect_ex(("::1", HTTPS_PORT)) != 0


def test_nothing_changed_means_nothing_done(twin: Stack) -> None:
    """A second `up` changes nothing."""
    assert changes(twin) == {}


@pytest.mark.parametrize("harm", [("stop", "-t", "1"), ("pause",), ("rm", "-f")])
def test_a_container_that_was_harmed_is_mended(twin: Stack, twin_pacs: Pacs, harm: tuple[str, ...]) -> None:
    """A gateway that somebody stopped, paused or removed is back after the next `up`, and then nothing is left to do."""
    docker(*harm, f"{TWIN_CLINIC}-gateway")
    assert changes(twin)
    accepts(dimse.echo(twin_pacs.caller("CT01")), code="0x0000")
    assert changes(twin) == {}


def test_a_changed_limit_is_a_reload(twin: Stack, twin_pacs: Pacs) -> None:
    """A limit of the gateway's is changed without replacing or restarting a container."""
    before = docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", f"{TWIN_CLINIC}-gateway", f"{TWIN_CLINIC}-archive")
    configuration(twin.config, limits={"associations_per_peer": 5})
    assert changes(twin) == {"changed": 2}
    assert docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", f"{TWIN_CLINIC}-gateway", f"{TWIN_CLINIC}-archive") == before
    accepts(dimse.echo(twin_pacs.caller("CT01")), code="0x0000")


def refused(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to be refused."""
    command = [str(Path(sys.executable).with_name("securepacs")), *arguments]
    environment = {**stack.environment, "COLUMNS": "300"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False)


def test_a_port_that_another_program_holds_is_told(twin: Stack, tmp_path: Path) -> None:
    """A taken port ends in one line and status 4, before anything of a new clinic is made."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        path = configuration(tmp_path / "taken.yaml", name="deptaken", dicom={"port": DICOM_PORT + 2}, https={"port": port})
        answer = refused(twin, "up", "--stack", "deptaken", "--config", str(path))
    assert answer.returncode == 4
    where = f"securepacs:clinic.https.port: got 127.0.0.1:{port}, which another program holds"
    assert answer.stderr.splitlines() == [f"error: {where}, expected a free port; end that program or declare another port"]


def test_another_stack_may_not_take_a_clinics_name(twin: Stack, tmp_path: Path) -> None:
    """A stack that declares the name of a clinic that stands already is refused, and that clinic is untouched."""
    ports = {"dicom": {"port": DICOM_PORT + 1}, "https": {"port": HTTPS_PORT + 1}}
    path = configuration(tmp_path / "thief.yaml", **ports)
    answer = refused(twin, "up", "--stack", "depthief", "--config", str(path))
    refused(twin, "down", "--stack", "depthief", "--config", str(path), "--yes")
    assert answer.returncode == 4
    assert f"of stack securepacs/{TWIN}" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert changes(twin) == {}


def test_studies_outlive_the_clinic(twin: Stack, twin_pacs: Pacs, image: Instance, tmp_path: Path) -> None:
    """`down` keeps the studies and says where; a later `up` finds them, under new keys."""
    accepts(dimse.store(twin_pacs.caller("CT01"), image), code="0x0000")
    told = twin.securepacs("down", "--config", str(twin.config), "--yes")
    assert f"{TWIN_CLINIC}-archive-data" in told
    assert docker("ps", "-aq", "--filter", f"label=securepacs.stack=securepacs/{TWIN}") == ""
    twin.up()
    twin.securepacs("bundle", "WS01", "--out", str(tmp_path / "new"))
    path = tmp_path / "new.toml"
    twin.securepacs("target", "--out", str(path))
    again = Pacs(load_target(path), Bundles(tmp_path / "new"), {})
    found = accepts(dimse.find(again.caller("WS01"), StudyInstanceUID=image.study), code="0x0000")
    assert found.detail == "1 matches"


def test_data_are_given_up_only_by_name(twin: Stack) -> None:
    """`--delete-data` with another name ends with status 7, and the volume is there as before."""
    answer = refused(twin, "down", "--stack", TWIN, "--config", str(twin.config), "--yes", "--delete-data", "deptest")
    assert answer.returncode == 7
    assert docker("volume", "ls", "-q", "--filter", f"name={TWIN_CLINIC}-archive-data").split() == [f"{TWIN_CLINIC}-archive-data"]


def test_a_run_leaves_the_checkout_clean() -> None:
    """Nothing that a run makes is seen by git."""
    assert run(["git", "-C", str(ROOT), "status", "--porcelain", "--", "Pulumi.yaml", "Pulumi.dev.yaml"], os.environ, 30) == ""


def test_a_failed_command_is_an_error_of_the_tests(twin: Stack) -> None:
    """The tests' own driver does not swallow a failing command."""
    with pytest.raises(CommandError):
        twin.securepacs("bundle", "NOBODY", "--out", str(twin.config.parent))
