"""Where secrets are, and where they must not be. A finding never tells the secret itself."""

from __future__ import annotations

import json

import securepacs_policies.secrecy as secrecy
from securepacs_harness.check import check
from securepacs_harness.parts import NO_INSIDE, containers, logs
from securepacs_harness.probes.inside import Mount
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

#: Where services keep their settings and keys; programs and the kernel's own folders are left out.
FOLDERS = ("/etc", "/run", "/var", "/opt", "/srv", "/home", "/root", "/usr/local/etc", "/app", "/data", "/config", "/certs", "/secrets")
#: Keys and certificates that come with distributions and are no secrets of anybody's.
_PUBLIC = ("/etc/ssl/certs/", "/usr/share/", "/usr/lib/")
#: File systems of the kernel's own, and where it mounts them.
_KERNELS = ("/proc", "/sys", "/dev")
_KINDS = frozenset({"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"})


def folders_of(mounts: list[Mount]) -> tuple[str, ...]:
    """Give the folders to look in: the usual ones, and all that is mounted (another file system than the folder it is mounted in)."""
    mounted = {mount.target for mount in mounts if mount.kind not in _KINDS and not mount.target.startswith(_KERNELS)}
    return (*FOLDERS, *sorted(mounted - {"/", *FOLDERS}))


@check(
    "secrets.environment",
    "No secret stands in an environment",
    tier="passive",
    controls=("secret-storage",),
    remedy="Give secrets as files that only the service reads; an environment is seen by whoever may inspect the container.",
)
def test_no_secret_stands_in_an_environment(verification: Verification, record: Record) -> None:
    """No variable of any container has a secret's name, a random value, a login in it, or a password or key that is known here."""
    for part, engine in containers(verification, record):
        environment = dict(entry.partition("=")[::2] for entry in engine.inspect()["Config"]["Env"] or [])
        telling = secrecy.telling_settings(environment)
        known = secrecy.known_in("\n".join(environment.values()), verification.secrets())
        told = f"{', '.join(telling)}{f'; {known} known secrets' if known else ''}" if telling or known else "none"
        record.fact(f"environment of {part}", expected="no secret", told=told, holds=not telling and not known)


@check(
    "secrets.settings",
    "No secret stands in a command, a label or an image",
    tier="passive",
    controls=("secret-storage",),
    remedy="Give secrets as files that only the service reads; build them into no image and write them on no label.",
)
def test_no_secret_stands_in_a_setting(verification: Verification, record: Record) -> None:
    """Neither what the engine tells of a container, nor the commands that made its image, hold a password or a key."""
    secrets = verification.secrets()
    for part, engine in containers(verification, record):
        inspected, history = engine.inspect(), engine.history()
        # Its environment is another check's; Args are what follows the program, of entrypoint and command alike.
        told_here = json.dumps({**inspected, "Config": {**inspected["Config"], "Env": None}}, ensure_ascii=False)
        found = secrecy.telling_arguments(inspected["Args"] or [])
        names = secrecy.telling_settings(inspected["Config"]["Labels"] or {}, random=False) + secrecy.telling_build_arguments(history)
        known = secrecy.known_in(told_here, secrets) + secrecy.known_in(history, secrets)
        holds = not found and not names and not known
        told = "none" if holds else f"{found} in its command, {known} known ones; by name: {', '.join(names) or 'none'}"
        record.fact(f"command, labels and image of {part}", expected="no secret", told=told, holds=holds)


@check(
    "secrets.files",
    "Private keys open to their owner only",
    tier="passive",
    controls=("secret-storage",),
    remedy="Give files with private keys and passwords the mode 0400 or 0600 and the service as owner.",
)
def test_private_keys_are_their_owners(verification: Verification, record: Record) -> None:
    """Each file inside with a private key, or with a password that is known here, opens to its owner only."""
    if not verification.target.inside:
        record.not_tested("files", NO_INSIDE)
    for part in verification.target.inside:
        inside = verification.inside(part)
        if not inside.lists_files():
            record.unknown(f"files in {part}", "it does not run, or has no command to look for files with")
            continue
        folders = folders_of(inside.mounts())
        paths, whole = inside.files_with("PRIVATE KEY-----", folders)
        found = sorted({path for path in paths if not path.startswith(_PUBLIC)})
        entries = [entry for path in found for entry in inside.entries(path)]
        open_to_others = sorted(f"{entry.path} ({entry.mode:04o})" for entry in entries if entry.mode & 0o077)
        told = ", ".join(open_to_others) or f"{len(entries)} files, each its owner's only"
        if entries:
            record.fact(f"files with keys in {part}", expected="mode 0600 or less", told=told, holds=not open_to_others)
        else:
            why = f"none was found in {len(folders)} folders: the usual ones, and all that is mounted"
            record.not_tested(f"files with keys in {part}", why)
        text, read = inside.open_to_others(folders)
        if not text and not read:
            record.unknown(f"files that others may read in {part}", "they could not be read")
            continue
        known = secrecy.known_in(text, verification.secrets())
        told = f"{known} known secrets" if known else "none"
        record.fact(f"files that others may read in {part}", expected="no secret", told=told, holds=not known)
        if not (whole and read):
            record.not_tested(f"the other files in {part}", "there are more than can be read in some seconds")


@check(
    "secrets.logs",
    "No secret stands in a log",
    tier="passive",
    controls=("secret-storage", "audit-privacy"),
    remedy="Log neither headers nor configurations.",
)
def test_no_secret_stands_in_a_log(verification: Verification, record: Record) -> None:
    """No password, key or login header that is known here stands in what a container wrote, nor in the declared log file."""
    for where, text in logs(verification, record):
        known, headers = secrecy.known_in(text, verification.secrets()), secrecy.login_headers(text)
        told = f"{known} known secrets, {headers} login headers" if known or headers else "none"
        record.fact(where, expected="no secret", told=told, holds=not known and not headers)
