"""Draws docs/refusal.svg: what a person sees when `securepacs preview` meets a clinic that breaks rules.

`python docs/refusal.py`, on a host where `make up` works. What is drawn is what the command printed.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
SVG_WIDTH = 112


def main() -> None:
    """Take the worked example, forget who copies its studies, let a certificate live for three years, and preview it."""
    declared = yaml.safe_load((HERE.parent / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    clinic = declared["config"]["securepacs:clinic"]
    clinic.update(name="clinic-x", dicom={"port": 13762}, https={"port": 19443}, authority={"certificate_days": 1095})
    del clinic["backup"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Pulumi.dev.yaml"
        path.write_text(yaml.safe_dump(declared), encoding="utf-8")
        environment = {**os.environ, "SECUREPACS_HOME": folder, "FORCE_COLOR": "1", "COLUMNS": str(SVG_WIDTH)}
        command = [str(Path(sys.executable).with_name("securepacs")), "preview", "--stack", "picture", "--config", str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    shown = [line for line in (done.stdout + done.stderr).splitlines() if "would be" not in line]
    console = Console(record=True, width=SVG_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print("$ securepacs preview", highlight=False)
    for line in shown:
        console.print(Text.from_ansi(line), soft_wrap=False)
    console.print(f"$ echo $?\n{done.returncode}", highlight=False)
    drawn = console.export_svg(title="securepacs preview", unique_id="refusal")
    # A picture that fetches its fonts tells somebody else who looks at it.
    drawn = re.sub(r"@font-face \{.*?\}|<!-- Generated.*?-->", "", drawn, flags=re.DOTALL)
    (HERE / "refusal.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
