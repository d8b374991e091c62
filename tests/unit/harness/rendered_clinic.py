"""The clinic that mutants are made from, as a blueprint: its files rendered, its containers as the engine would tell them; no engine."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import yaml

from deployed.deployment import CLINIC_KEY, make_own_keys, write_configuration
from mutants.base import configure
from mutants.blueprint import GUARD, Blueprint, File, Part
from mutants.lab import PUBLISHED
from mutants.place import HERE
from securepacs.archive import archive_files
from securepacs.clinic import Clinic, parse_clinic
from securepacs.gateway import gateway_files
from securepacs.provider.container_spec import HARDENED
from securepacs.sign_in import SignInSecrets, sign_in_files
from securepacs.target import target
from unit.test_gateway import secrets_for

IMAGES = Path(__file__).parents[3] / "infra" / "securepacs" / "images"


def declared_clinic(*, browser: bool = False) -> Clinic:
    """Give the base clinic, parsed from the file that the laboratory deploys; or the one in which people sign in in a browser."""
    with tempfile.TemporaryDirectory(prefix="securepacs-rendered-") as place:
        path = Path(place) / "clinic.yaml"
        write_configuration(path, make_own_keys())
        configure(path)
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))["config"][CLINIC_KEY]
        return parse_clinic({**declared, "viewer": browser})


def _part(files: dict[str, str], networks: dict[str, tuple[str, ...]], **host: object) -> Part:
    config: dict[str, Any] = {
        "User": "1:1",
        "Env": ["TCP_NODELAY=1"],
        "Labels": {},
        "Cmd": ["serve"],
        "Healthcheck": {"Test": ["CMD", "x"]},
    }
    limits = {"Memory": 1 << 29, "MemorySwap": 1 << 29, "PidsLimit": 64, "PidMode": "", "CapAdd": None, "Tmpfs": {}}
    told = {**copy.deepcopy(HARDENED), **limits, "Mounts": [{"Type": "volume", "Source": "files"}], "PortBindings": {}, **host}
    return Part(config, told, networks, {name: File(text.encode(), 0o400, 1) for name, text in files.items()})


def rendered(*, browser: bool = False) -> Blueprint:
    """Give the blueprint of the base clinic, or of the one in which people sign in in a browser."""
    clinic = declared_clinic(browser=browser)
    gateway = gateway_files(clinic, secrets_for(clinic))
    archive = archive_files(clinic, "archive-password") | {
        name: (IMAGES / "archive" / name).read_text(encoding="utf-8") for name in (GUARD, "index_guard.py", "index_statistics.py")
    }
    bound = {f"{port}/tcp": [{"HostIp": PUBLISHED, "HostPort": str(port)}] for port in HERE.ports}
    parts = {
        "gateway": _part(gateway, {"edge": (), "inner": ("gateway-inner",)}, PortBindings=bound),
        "archive": _part(archive, {"inner": ("archive",)}),
    }
    if browser:
        hashes = {person.name: f"hash-of-{person.name}" for person in clinic.people}
        files = sign_in_files(clinic, SignInSecrets("cookie-secret", hashes))
        parts |= {"sign-in": _part(files, {"browser": ("sign-in",)}), "viewer": _part({}, {"browser": ("viewer",)})}
    return Blueprint(parts, target(clinic, "CA-PEM"), inner_options={"internal": True, "options": {"inhibit": "true"}})
