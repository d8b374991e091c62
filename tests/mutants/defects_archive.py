"""Defects of the archive: rights, destinations, what becomes of stored images. Edits of Orthanc's configuration and of its guard."""

from __future__ import annotations

import json

from mutants.blueprint import Blueprint, Edit, both, guarded_by, replaced, right, setting
from mutants.mutant import Mutant


def _moves(peer: str, *places: str) -> Edit:
    def edit(blueprint: Blueprint) -> Blueprint:
        peers = json.loads(blueprint.text("archive", "peers.json"))
        peers["SecurePacs"]["Moves"][peer] = list(places)
        return blueprint.with_text("archive", "peers.json", json.dumps(peers))

    return edit


VERBS = tuple(
    Mutant(f"one-verb-too-many-{verb}", f"a peer without any verb may {verb}", (f"dimse.{verb}",), right("NV01", name, granted=True))
    for verb, name in (
        ("echo", "AllowEcho"),
        ("store", "AllowStore"),
        ("find", "AllowFind"),
        ("get", "AllowGet"),
        ("worklist", "AllowFindWorklist"),
        ("commit", "AllowStorageCommitment"),
    )
)

RIGHTS = (
    *VERBS,
    Mutant(
        "one-verb-too-many-move",
        "a peer without any verb may move",
        ("dimse.move",),
        both(right("NV01", "AllowMove", granted=True), _moves("NV01", "WS01")),
    ),
    Mutant("echo-missing", "a peer cannot do the echo that it was granted", ("dimse.granted",), right("SC01", "AllowEcho", granted=False)),
    Mutant(
        "store-missing",
        "a peer cannot do the store that it was granted",
        ("dimse.granted-write",),
        right("MR02", "AllowStore", granted=False),
    ),
    Mutant(
        "unknown-sop-classes",
        "SOP classes that nobody knows are accepted",
        ("dimse.other-services",),
        setting("UnknownSopClassAccepted", value=True),
    ),
    Mutant(
        "find-for-all", "whoever has an association may search", ("dimse.find", "cve.options"), setting("DicomAlwaysAllowFind", value=True)
    ),
    Mutant("scripts-enabled", "scripts may be run in the archive over HTTP", ("cve.options",), setting("ExecuteLuaEnabled", value=True)),
    Mutant(
        "archive-without-login",
        "the archive itself asks for no login",
        ("credentials.backend",),
        setting("AuthenticationEnabled", value=False),
    ),
)

MOVES = (
    Mutant(
        "move-to-any-peer",
        "images are moved to any declared peer",
        ("exfiltration.move-unauthorised",),
        guarded_by("if self.target not in PEERS.moves.get(self.originator, []):", "if False:"),
    ),
    Mutant(
        "move-to-unknown-answered",
        "a move to an unknown destination is done to another",
        ("exfiltration.move-unknown",),
        guarded_by(
            'raise ValueError("this peer may not have images sent to this destination")',
            "self.target = next(iter(PEERS.moves.get(self.originator, [])), self.target)",
        ),
    ),
    Mutant(
        "destination-in-any-case",
        "a destination is compared without its case",
        ("exfiltration.move-unknown",),
        guarded_by('self.target = request["TargetAET"]', 'self.target = request["TargetAET"].upper()'),
    ),
    Mutant(
        "receiver-not-verified",
        "images are sent to whoever stands at a destination",
        ("exfiltration.receiver",),
        replaced(
            "verify required ca-file /etc/gateway/ca.pem crl-file /etc/gateway/crl.pem verifyhost 'WS01'",
            "verify none",
        ),
    ),
    Mutant(
        "receiver-by-any-name",
        "images are sent to any peer that stands at a destination",
        ("exfiltration.receiver",),
        replaced(" verifyhost 'WS01'", ""),
    ),
)

INTEGRITY = (
    Mutant(
        "overwritten",
        "another image under a stored UID replaces it",
        ("integrity.same-uid",),
        guarded_by("return DUPLICATE_SOP_INSTANCE if contradicts_stored(instance.GetInstanceData()) else 0", "return 0"),
    ),
    Mutant(
        "dropped-with-success",
        "another image under a stored UID is acknowledged and dropped",
        ("integrity.same-uid",),
        both(
            guarded_by("return DUPLICATE_SOP_INSTANCE if contradicts_stored(instance.GetInstanceData()) else 0", "return 0"),
            setting("OverwriteInstances", "Never"),
        ),
    ),
    Mutant(
        "overwritten-over-the-web",
        "another image over the web replaces a stored one",
        ("integrity.stow",),
        guarded_by("return discard if contradicts_stored(data) else keep", "return keep"),
    ),
    Mutant(
        "changed-on-the-way",
        "images are changed when they are stored",
        ("integrity.retrieved",),
        guarded_by(
            "    if origin == orthanc.InstanceOrigin.DICOM_PROTOCOL:\n        return keep\n",
            "    if origin == orthanc.InstanceOrigin.DICOM_PROTOCOL:\n"
            '        return orthanc.ReceivedInstanceAction.MODIFY, data.replace(b"SYNTHETIC", b"ANONYMOUS")\n',
        ),
    ),
)

ARCHIVE = (*RIGHTS, *MOVES, *INTEGRITY)
