"""Five clinics from one table, each a stack of its own, brought up in parallel by Pulumi's Automation API.

python clinics.py up | down
"""

import csv
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
from pulumi import automation

from securepacs import PeerArgs, SecurePacs, SecurePacsArgs

TABLE = Path(__file__).with_name("clinics.csv")
PROJECT = "five-clinics"
AT_ONCE = 5  # each builds nothing that another has built: the images share their layers


def clinic(row: dict[str, str]) -> SecurePacsArgs:
    """Turn a row of the table into a clinic: modalities store, the workstation searches and fetches."""
    modalities: list[PeerArgs] = [{"ae_title": title, "verbs": ["echo", "store"]} for title in row["modalities"].split()]
    return {
        "name": row["name"],
        "archive": {"ae_title": row["ae_title"]},
        "dicom": {"port": int(row["dicom_port"])},
        "https": {"port": int(row["https_port"])},
        "peers": [*modalities, {"ae_title": row["workstation"], "verbs": ["echo", "find", "get"]}],
        "limits": {"archive_memory_mb": 512, "cpus": 0.5},
        "backup": {"by": "restic on each host", "to": "backup.clinics.example", "hours": 26},
    }


def program(row: dict[str, str]) -> Callable[[], None]:
    """Make the Pulumi program of one clinic."""

    def declare() -> None:
        pacs = SecurePacs("pacs", clinic(row))
        pulumi.export("target", pacs.target)
        pulumi.export("bundles", pacs.bundles)

    return declare


def stack(row: dict[str, str]) -> automation.Stack:
    """Give the clinic's stack, made where there is none."""
    return automation.create_or_select_stack(row["name"], project_name=PROJECT, program=program(row))


def up(row: dict[str, str]) -> str:
    """Bring one clinic up."""
    dicom = stack(row).up(suppress_outputs=True).outputs["target"].value["dicom"]
    return f"{row['name']}: {dicom['ae_title']} at {dicom['host']}:{dicom['port']:.0f}"


def down(row: dict[str, str]) -> str:
    """Take one clinic down; the volume of its studies stays."""
    stack(row).destroy(suppress_outputs=True)
    return f"{row['name']}: down"


if __name__ == "__main__":
    # The provider came with the package into this Python's folder of programs.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with TABLE.open(encoding="utf-8", newline="") as table, ThreadPoolExecutor(AT_ONCE) as pool:
        for line in pool.map({"up": up, "down": down}[sys.argv[1]], csv.DictReader(table)):
            print(line, flush=True)
