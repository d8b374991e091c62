"""Programs that are not Python: what Pulumi's engine makes of the package schema, and of a component that it has the provider construct."""

from __future__ import annotations

import datetime
import json
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from deployed.deployment import run
from lifecycle.reuse.installation import ROOT, Installation, Project, deployed, seen
from securepacs.provider import pki
from securepacs_harness import forge
from securepacs_harness.bracket import accepts
from securepacs_harness.canary import Instance
from securepacs_harness.probes import dimse

COMMITTED = ROOT / "docs" / "package.schema.json"


def taken(installation: Installation, package: Path, folder: Path) -> dict[str, Any]:
    """Give the schema of a package as Pulumi's engine understands it."""
    environment = installation.environment(folder / "home", activated=True)
    told: dict[str, Any] = json.loads(run(["pulumi", "package", "get-schema", str(package)], environment, 60, cwd=folder))
    return told


def refused(project: Project, *words: str) -> str:
    """Give all that a `pulumi` command printed which must fail. What the SDK of this program's language adds is its own."""
    command = ["pulumi", *words, "--stack", project.stack, "--non-interactive", "--color", "never"]
    environment = dict(project.environment)
    done = subprocess.run(command, env=environment, cwd=project.folder, timeout=120, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return " ".join((done.stdout + done.stderr).split())


def test_the_engine_takes_the_schema(installation: Installation, tmp_path: Path) -> None:
    """Pulumi starts the installed provider, binds its schema, and finds in it what is committed."""
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    bound = taken(installation, installation.virtualenv / "bin" / "pulumi-resource-securepacs", tmp_path)
    assert set(bound["resources"]) == set(committed["resources"])
    assert bound["types"].keys() == committed["types"].keys()
    component = bound["resources"]["securepacs:index:SecurePacs"]
    assert component["isComponent"] is True
    assert component["inputProperties"].keys() == committed["resources"]["securepacs:index:SecurePacs"]["inputProperties"].keys()


def test_the_folder_of_the_plugin_is_a_package(installation: Installation, tmp_path: Path) -> None:
    """The folder with PulumiPlugin.yaml that the wheel carries is a package that `pulumi package add` would take."""
    (folder,) = installation.virtualenv.glob("lib/python*/site-packages/securepacs/plugin")
    assert "securepacs:index:SecurePacs" in taken(installation, folder, tmp_path)["resources"]


def test_a_remote_component_is_constructed(installation: Installation, tmp_path: Path, image: Instance) -> None:
    """Two clinics of a program without code of securepacs come up at once and take images; a mistake is a line, a failure ends it."""
    place = tmp_path / "program"
    shutil.copytree(Path(__file__).parent / "remote_program", place)
    mine = Project("remote-program", "trial", place, installation.environment(tmp_path / "home", activated=True))
    mine.pulumi("stack", "init")
    now = datetime.datetime.now(datetime.UTC)
    authority = pki.make_authority("Example Hospital CA", None, "rsa-3072", 30, now)
    key = forge.pem_of(authority.key)
    mine.pulumi("config", "set", "authorityCertificate", "--", pki.pem(authority.certificate))
    mine.pulumi("config", "set", "--secret", "authorityKey", "--", key)
    with deployed(mine):
        outputs = mine.outputs()
        assert outputs["imported"] is False
        for name in ("first", "second"):
            pacs = seen({what: outputs[f"{name}-{what}"] for what in ("target", "bundles", "passwords")}, tmp_path / name)
            accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
        assert pacs.target.ca == pki.pem(authority.certificate)
        shown = mine.pulumi("stack", "output", "--json")
        assert json.loads(shown)["first-bundles"] == json.loads(shown)["first-passwords"] == "[secret]"
        assert key.splitlines()[1] not in mine.pulumi("stack", "export")
        mine.pulumi("preview", "--expect-no-changes")
        mine.pulumi("config", "set", "role", "king")
        assert "has a problem: securepacs:clinic.people[0].role: got 'king'; input should be" in refused(mine, "preview")
        mine.pulumi("config", "rm", "role")
        with socket.create_server(("127.0.0.1", 13163)):
            mine.pulumi("config", "set", "number", "3")
            # What fails inside the component ends the run; nothing waits for it.
            assert "13163" in refused(mine, "up", "--yes", "--skip-preview")
        mine.pulumi("up", "--yes", "--skip-preview")
        mine.pulumi("preview", "--expect-no-changes")
