"""The example in Pulumi YAML, with Pulumi's own YAML language host: `make test-yaml`, which builds the host where there is none.

It is no part of `make test`: the host's build takes longer than all that it shows, and test_other_languages.py sends the
provider what any language's SDK sends.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lifecycle.reuse.installation import EXAMPLES, ROOT, Installation, Project, deployed, seen
from securepacs_harness.bracket import accepts
from securepacs_harness.canary import Instance
from securepacs_harness.probes import dimse


def test_a_clinic_in_yaml(installation: Installation, tmp_path: Path, image: Instance) -> None:
    """A program in YAML, checked against the schema by its language host, makes a clinic that takes images."""
    place = tmp_path / "yaml"
    shutil.copytree(EXAMPLES / "yaml", place)
    (place / ".venv").symlink_to(installation.virtualenv)
    environment = installation.environment(tmp_path / "home", activated=False)
    environment["PATH"] += f"{os.pathsep}{ROOT / '.tools' / 'yaml'}"
    mine = Project("clinic-in-yaml", "trial", place, environment)
    mine.pulumi("stack", "init")
    with deployed(mine):
        pacs = seen(mine.outputs(), tmp_path / "seen")
        accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
        found = accepts(dimse.find(pacs.caller("WS01"), StudyInstanceUID=image.study), code="0x0000")
        assert found.detail == "1 matches"
        mine.pulumi("preview", "--expect-no-changes")
