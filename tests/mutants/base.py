"""The clinic that every mutant is made from: really deployed by the command line. Its images are the mutants' images."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from deployed.deployment import (
    BOTH_USAGES,
    Stack,
    authority_of,
    fetch_bundles,
    fetch_words,
    make_own_keys,
    remove_left_overs,
    write_configuration,
)
from mutants import defects_archive, defects_browser, defects_certificate, defects_container, defects_web, defects_wire
from mutants.blueprint import GUARD, Blueprint, blueprint_of, files_of
from mutants.lab import Base
from mutants.mutant import Mutant, unchanged
from mutants.place import HERE
from securepacs_harness import forge
from securepacs_harness.bundles import write_bundle
from securepacs_harness.forge import Authority
from securepacs_harness.results import Tier
from securepacs_harness.target import Target, load_target

NAME = HERE.clinic
#: A peer whose first certificate is revoked.
REVOKED = "RV01"
#: A healthy PACS, which must be clean.
HARDENED = Mutant("hardened", "none", (), unchanged)
#: The same under load: else a check that alarms whenever it is made would pass for one that finds its mutants.
LOADED = Mutant("hardened-under-load", "none", (), unchanged, Tier.LOAD, "availability.*,credentials.guessing,dimse.granted")
#: A healthy PACS in which people sign in in a browser, tried in all that is made for it.
BROWSER = Mutant("hardened-in-a-browser", "none", (), unchanged, Tier.LOAD, defects_browser.ONLY, browser=True)
#: What makes one of the two clinics of the other, in their configuration.
SWITCH = ("viewer: false", "viewer: true")
#: Checks of what neither clinic declares.
UNDECLARED = ("recovery.backup", "recovery.restored")
#: Checks of what only the clinic with a sign-in in a browser declares.
IN_A_BROWSER = (
    *("http.page-headers", "session.cookie", "session.ended", "session.forged", "session.foreign", "session.guessing"),
    *("session.idle", "session.images", "session.rights", "session.unknown-name"),
)


@dataclasses.dataclass(frozen=True)
class Laboratory:
    """What mutants are made of, and with what they are called."""

    base: Base
    blueprint: Blueprint
    browser: Blueprint
    """The same clinic, in which people sign in in a browser."""
    bundles: Path
    passwords: Path
    mutants: tuple[Mutant, ...]


def configure(path: Path) -> None:
    """Make the deployed tests' clinic the laboratory's: another name, ports and subnet."""
    text = path.read_text(encoding="utf-8")
    for old, new in (
        ("DEPTEST", NAME.upper()),
        ("deptest", NAME),
        ("10.231.250", HERE.subnet),
        ("12762", str(HERE.ports[0])),
        ("12763", str(HERE.ports[1])),
        ("18443", str(HERE.ports[2])),
        # What is not under test there costs each of the mutants two containers.
        SWITCH[::-1],
        ("wrong_passwords: 60", "wrong_passwords: 30"),
    ):
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def all_mutants(authority: Authority, other: Authority, server_name: str) -> tuple[Mutant, ...]:
    """Give every mutant; some are signed by the clinic's authority, or by another clinic's."""
    special = defects_certificate.mutants(authority, other, server_name)
    web = (*defects_web.WEB, *defects_browser.BROWSER)
    return (*defects_wire.WIRE, *special, *defects_archive.ARCHIVE, *web, *defects_container.CONTAINER)


@contextmanager
def laboratory(folder: Path) -> Iterator[Laboratory]:
    """Deploy the clinic, take its blueprint, its bundles and its authority; take it down at the end."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SECUREPACS_"))}
    stack = Stack(NAME, folder / "clinic.yaml", {**own, "SECUREPACS_HOME": str(folder / "home")})
    keys = make_own_keys()
    remove_left_overs(NAME)
    write_configuration(stack.config, keys)
    configure(stack.config)
    try:
        stack.up()
        target = _target(stack, folder)
        bundles = folder / "bundles"
        fetch_bundles(stack, target, bundles, keys)
        (bundles / "_revoked").mkdir()
        shutil.copytree(bundles / REVOKED, bundles / "_revoked" / REVOKED)
        stack.securepacs("revoke", REVOKED, "--reason", "keyCompromise", "--config", str(stack.config))
        stack.securepacs("bundle", REVOKED, "--out", str(bundles))
        authority = authority_of(stack)
        for kind in forge.ISSUED:
            forge.issue(kind, bundles, "CT01", authority)
        other = _other_clinic(bundles, target.ca)
        passwords = folder / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps(fetch_words(stack, target)), encoding="utf-8")
        blueprint = _blueprint(target)
        # Made last and left standing: with its containers the engine would lose their images.
        stack.config.write_text(stack.config.read_text(encoding="utf-8").replace(*SWITCH), encoding="utf-8")
        stack.up()
        browser = _blueprint(_target(stack, folder))
        every = all_mutants(authority, other, target.dicom.server_name)
        yield Laboratory(Base(NAME, HERE.subnet, HERE.ports), blueprint, browser, bundles, passwords, every)
    finally:
        stack.securepacs("down", "--config", str(stack.config), "--delete-data", NAME, "--yes")


def _target(stack: Stack, folder: Path) -> Target:
    stack.securepacs("target", "--out", str(folder / "target.toml"))
    return load_target(folder / "target.toml")


def _blueprint(target: Target) -> Blueprint:
    client = docker.from_env()
    made = blueprint_of(client, NAME, json.loads(target.model_dump_json(exclude_none=True)))
    # The guard is at hand, for mutants that run another one from beside the configuration.
    own = files_of(client.containers.get(f"{NAME}-archive"), "/usr/share/securepacs")
    uid = next(iter(made.parts["archive"].files.values())).uid
    beside = {name: dataclasses.replace(own[name], mode=0o400, uid=uid) for name in (GUARD, "index_guard.py", "index_statistics.py")}
    return made.part("archive", files={**made.parts["archive"].files, **beside})


def _other_clinic(bundles: Path, ca: str) -> forge.Authority:
    other = forge.new_authority("Other Clinic CA")
    key = ec.generate_private_key(ec.SECP256R1())
    cert = forge.certify("CT01", key, other, usages=BOTH_USAGES).public_bytes(Encoding.PEM).decode()
    write_bundle(bundles / f"_{defects_certificate.OTHER_AUTHORITY}" / "CT01", "CT01", cert=cert, key=forge.pem_of(key), ca=ca)
    return other
