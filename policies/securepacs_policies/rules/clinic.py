"""What a clinic declares of its peers and machines, and of the copies of its studies."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from securepacs_policies.rule import Finding, Parameters, rule
from securepacs_policies.things import Clinic, DataVolume, Part, Stack
from securepacs_policies.values import known

_WILDCARDS = frozenset({"", "*", "ANY", "ANYAE", "ANY-SCP", "ANYSCP"})

#: With this label a program says by whom, where to and how often a workload's studies are copied.
BACKUP_LABEL = "securepacs.backup"

_BACKUP = ("by", "to", "hours")


@rule(
    "peer-without-verbs",
    "Each peer has its verbs",
    why="A peer that may do nothing is a name that somebody forgot: the next one to look grants it everything.",
    remedy="Write what the device needs: verbs: [echo, store]; or take the peer out.",
    severity="low",
    controls=("peer-rights",),
    needs=("peers",),
)
def peer_without_verbs(clinic: Clinic, _: Parameters) -> Iterator[str]:
    """Yield each peer without a verb."""
    for peer in clinic.peers:
        if not peer.verbs:
            yield f"the peer '{peer.ae_title}' has no verbs"


@rule(
    "peer-wildcard",
    "A peer is one device",
    why="A wildcard is every device, and every stranger.",
    remedy="Write one peer for each device, under its own AE title.",
    severity="critical",
    controls=("peer-identity",),
    needs=("peers",),
)
def peer_wildcard(clinic: Clinic, _: Parameters) -> Iterator[str]:
    """Yield each peer whose AE title stands for many."""
    for peer in clinic.peers:
        if peer.ae_title.upper().replace("_", "-") in _WILDCARDS or "*" in peer.ae_title or "?" in peer.ae_title:
            yield f"the AE title '{peer.ae_title}' is a wildcard"


@rule(
    "plaintext-waiver",
    "Each waiver has a reason and a last day",
    why="A device without TLS that is let in 'for now' is let in for ever, unless a day ends it.",
    remedy="Write `reason` and `until`, no more than a year ahead; renew it while the device is still there.",
    severity="high",
    controls=("waiver-governance", "transmission-encryption"),
    needs=("peers",),
    parameters={"longest_days": {"type": "integer", "default": 366, "description": "Most days from today until a waiver ends."}},
)
def plaintext_waiver(clinic: Clinic, parameters: Parameters) -> Iterator[str]:
    """Yield each waiver that has no reason, has ended, or ends too late."""
    today = datetime.datetime.now(datetime.UTC).date()
    for peer in clinic.peers:
        if not peer.plaintext:
            continue
        if not peer.reason.strip():
            yield f"the waiver of '{peer.ae_title}' has no reason"
        try:
            days = (datetime.date.fromisoformat(known(peer.until)) - today).days
        except ValueError:
            yield f"the waiver of '{peer.ae_title}' has no last day (got '{peer.until}', expected YYYY-MM-DD)"
            continue
        if days < 0:
            yield f"the waiver of '{peer.ae_title}' ended on {peer.until}"
        elif days > parameters["longest_days"]:
            yield f"the waiver of '{peer.ae_title}' ends on {peer.until}, more than {parameters['longest_days']} days from today"


@rule(
    "machine-token",
    "A machine's token has a last day that is near",
    why="A token lies in a file on somebody's machine, and is copied with it: what never ends opens the archive from a disk that was sold.",
    remedy="Write `until` no more than a year and a month ahead; `securepacs rotate machine NAME` makes the next token.",
    severity="medium",
    controls=("credential-strength", "person-authentication"),
    needs=("machines",),
    parameters={"longest_days": {"type": "integer", "default": 397, "description": "Most days from today until a token ends."}},
)
def machine_token(clinic: Clinic, parameters: Parameters) -> Iterator[str]:
    """Yield each machine whose token ends too late or never. One that has ended opens nothing, and is no breach."""
    today = datetime.datetime.now(datetime.UTC).date()
    for machine in clinic.machines:
        try:
            days = (datetime.date.fromisoformat(known(machine.until)) - today).days
        except ValueError:
            yield f"the token of '{machine.name}' has no last day (got '{machine.until}', expected YYYY-MM-DD)"
            continue
        if days > parameters["longest_days"]:
            yield f"the token of '{machine.name}' ends on {machine.until}, more than {parameters['longest_days']} days from today"


@rule(
    "data-volume-kept",
    "A mistake in the program deletes no studies",
    why="Removing a line, or renaming a resource, deletes a volume and every study on it.",
    remedy="Ours: protect_data. Others: the resource option protect=True on the volume or claim, which the program declares itself.",
    severity="high",
    controls=("data-retention",),
    needs=("workloads", "volumes"),
)
def data_volume_kept(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each volume into which an archive or a database writes, and which is not kept or not declared."""
    declared = {volume.name: volume for volume in stack.of(DataVolume)}
    for workload in stack.workloads(Part.ARCHIVE, Part.DATABASE):
        for mount in workload.mounts:
            if mount.bind or mount.read_only:
                continue
            volume = declared.get(mount.source)
            if volume is None:
                yield Finding(
                    f"the volume '{mount.source}' at {mount.target} is not declared by this program, so that nothing keeps it", workload
                )
            elif not volume.kept:
                yield Finding(f"the volume '{mount.source}', into which the {workload.part.value} writes, is not kept", volume)


@rule(
    "backup-declared",
    "Somebody copies the studies",
    why="A disk ends, a host burns, a ransom note arrives: what has no copy is gone (HIPAA 164.308(a)(7)(ii)(A)).",
    remedy=f"Ours: the clinic's `backup`. Docker: the label {BACKUP_LABEL} on the archive; Kubernetes: the annotation. By whom, to where.",
    severity="medium",
    controls=("recovery-backup",),
    needs=("clinics", "workloads"),
)
def backup_declared(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield a clinic, or an archive without one, of which nothing says who copies its studies."""
    clinics = list(stack.of(Clinic))
    for clinic in clinics:
        missing = [key for key in _BACKUP if not (clinic.backup or {}).get(key)]
        if missing:
            yield Finding(f"it declares no backup: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not said", clinic)
    for archive in stack.workloads(Part.ARCHIVE):
        if not clinics and not archive.labels.get(BACKUP_LABEL):
            yield Finding(f"nothing says who copies the studies of '{archive.name}'", archive)
