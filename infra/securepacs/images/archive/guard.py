"""The archive's own guard: an Orthanc plugin script that refuses what Orthanc's configuration cannot.

It runs inside the archive's container, with Orthanc's embedded Python and no package but the standard library. An
exception while it is loaded stops Orthanc, on purpose: the archive does not run without its guard.

Refused here:
- an unknown key in the configuration, which Orthanc would ignore in silence;
- an index that knows nothing of the images that are stored (index_guard.py);
- a limit of the storage below what is stored, for which Orthanc would delete the oldest patients;
- data that a later minor version of Orthanc has written, which this one might damage and Orthanc itself would open;
- C-MOVE to a destination that the requesting peer is not granted (Orthanc knows no such right);
- an instance whose SOP instance UID is stored already with other content.

And two things are done: SQLite is told how to search (index_statistics.py), and who the peers are is taken over from their
file while Orthanc runs, so that no other peer's association ends for it.
"""

import json
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import orthanc
from index_guard import check_index, check_size
from index_statistics import tell_sqlite

#: PS3.7 C.5.7: Duplicate SOP instance.
DUPLICATE_SOP_INSTANCE = 0x0111

#: Instances that travel to a C-MOVE destination on one association.
INSTANCES_PER_ASSOCIATION = 32

#: Keys whose own keys are names that the clinic chose.
NAMED_BY_CLINIC = {"RegisteredUsers", "SecurePacs"}
MAPS_OF_OBJECTS = {"DicomModalities"}

LEVEL_KEYS = {
    "PATIENT": ("patients", "PatientID"),
    "STUDY": ("studies", "StudyInstanceUID"),
    "SERIES": ("series", "SeriesInstanceUID"),
    "IMAGE": ("instances", "SOPInstanceUID"),
    "INSTANCE": ("instances", "SOPInstanceUID"),
}

OWN = pathlib.Path("/usr/share/securepacs")
PEERS_FILE = pathlib.Path("/etc/archive/peers.json")
WRITTEN_BY, KNOWS_STUDIES = pathlib.Path("/var/lib/archive/written-by"), pathlib.Path("/var/lib/archive/knows-studies")

#: An archive that has run this long is past the health gate of its deployment, and its data are its own version's from then on.
#: Before, the version that it replaced may come back.
SETTLED_SECONDS = 90


class Peers:
    """Who the peers are: what Orthanc was started with, and after each reload what their file says."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.moves: dict[str, list[str]] = configuration["SecurePacs"]["Moves"]
        self.modalities: dict[str, dict[str, Any]] = configuration["DicomModalities"]

    def name_of(self, ae_title: str) -> str:
        """Give the name under which Orthanc knows a peer."""
        return next(name for name, peer in self.modalities.items() if peer["AET"] == ae_title)

    def take_over(self, configuration: dict[str, Any]) -> None:
        """Make Orthanc know exactly these peers; destinations that are not granted any more are taken away first."""
        told = Peers(configuration)
        self.moves = {peer: sorted(set(places) & set(told.moves.get(peer, []))) for peer, places in self.moves.items()}
        for name in self.modalities:
            if name not in told.modalities:
                orthanc.RestApiDelete(f"/modalities/{name}")
        for name, modality in told.modalities.items():
            if self.modalities.get(name) != modality:
                orthanc.RestApiPut(f"/modalities/{name}", json.dumps(modality))
        self.moves, self.modalities = told.moves, told.modalities


CONFIGURATION: dict[str, Any] = json.loads(orthanc.GetConfiguration())
PEERS = Peers(CONFIGURATION)


def unknown_keys(section: dict[str, Any], known: set[str]) -> Iterator[str]:
    """Yield the keys of a configuration section that Orthanc's documentation does not name."""
    for key, value in section.items():
        if key not in known and key != "SecurePacs":
            yield key
        if key in NAMED_BY_CLINIC or not isinstance(value, dict):
            continue
        for part in value.values() if key in MAPS_OF_OBJECTS else [value]:
            yield from unknown_keys(part, known)


def check_configuration() -> None:
    """Stop Orthanc when its configuration has a key that it would ignore."""
    unknown = sorted(set(unknown_keys(CONFIGURATION, known_keys())))
    if unknown:
        raise ValueError(f"this Orthanc does not know the configuration keys {', '.join(unknown)}")


def known_keys() -> set[str]:
    """Give the configuration keys that this Orthanc's own documentation names."""
    return set((OWN / "orthanc-options.txt").read_text(encoding="ascii").split())


def minor(version: str) -> tuple[int, ...]:
    """Give major and minor version as numbers: '1.13.0+dfsg-1' -> (1, 13)."""
    return tuple(int(part) for part in version.split(".")[:2])


def check_version() -> None:
    """Stop Orthanc before it opens data of a later minor version.

    Orthanc guards only the number of its schema, which stays 6 while the schema itself changes (1.13 adds columns and
    tables to what 1.12 wrote, and 1.12 opens that without a word).
    """
    own = (OWN / "orthanc-version").read_text(encoding="ascii").strip()
    if WRITTEN_BY.exists():
        before = WRITTEN_BY.read_text(encoding="ascii").strip()
        if minor(before) > minor(own):
            raise ValueError(
                f"the data were written by Orthanc {before}, this is {own}: a later version's data are not opened by an earlier one"
            )
    settled = threading.Timer(SETTLED_SECONDS, note, [WRITTEN_BY, own])
    settled.daemon = True
    settled.start()


def note(path: pathlib.Path, text: str) -> None:
    """Write down a fact about the data beside them, whole or not at all."""
    unfinished = path.with_suffix(".new")
    with unfinished.open("w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def reload_peers(output: "orthanc.RestOutput", _url: str, **request: Any) -> None:  # noqa: ANN401 - what Orthanc gives
    """Answer POST /securepacs/peers: take over who the peers are. It needs the gateway's login, and the gateway has no route to it."""
    if request["method"] != "POST":
        output.SendMethodNotAllowed("POST")
        return
    try:
        told = json.loads(PEERS_FILE.read_text(encoding="utf-8"))
        unknown = sorted(set(unknown_keys(told, known_keys())))
        if unknown:
            raise ValueError(f"this Orthanc does not know the configuration keys {', '.join(unknown)}")
        PEERS.take_over(told)
    except Exception as error:  # noqa: BLE001 - whatever failed, the reload must say so
        orthanc.LogError(f"guard: the peers were not taken over: {error!r}")
        output.SendHttpStatus(500, f"{error!r}\n")
        return
    output.AnswerBuffer("taken over\n", "text/plain")


class Move:
    """One C-MOVE: the instances to send, and how far it is."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.target = request["TargetAET"]
        self.originator = request["OriginatorAET"]
        self.message = request["OriginatorID"]
        if self.target not in PEERS.moves.get(self.originator, []):
            raise ValueError("this peer may not have images sent to this destination")
        self.instances = list(instances_of(request))
        self.done = 0

    def send_next(self) -> None:
        """Send the next instances, once for each block of sub-operations."""
        if self.done % INSTANCES_PER_ASSOCIATION == 0:
            block = self.instances[self.done : self.done + INSTANCES_PER_ASSOCIATION]
            order = {"Resources": block, "Synchronous": True, "MoveOriginatorAet": self.originator, "MoveOriginatorID": self.message}
            orthanc.RestApiPost(f"/modalities/{PEERS.name_of(self.target)}/store", json.dumps(order))
        self.done += 1


def instances_of(request: dict[str, Any]) -> Iterator[str]:
    """Yield the Orthanc identifiers of the instances that a C-MOVE asks for, by exact identifiers: no wildcard is read."""
    resource, key = LEVEL_KEYS[request["Level"]]
    if request["Level"] == "STUDY" and not request[key]:
        key = "AccessionNumber"
    for identifier in filter(None, request[key].split("\\")):
        for found in json.loads(orthanc.RestApiPost("/tools/lookup", identifier)):
            if found["Path"].startswith(f"/{resource}/"):
                if resource == "instances":
                    yield found["ID"]
                else:
                    yield from json.loads(orthanc.RestApiGet(f"{found['Path']}/instances?expand=false"))


def start_move(**request: Any) -> Move:  # noqa: ANN401 - what Orthanc gives
    """Begin a C-MOVE; an exception is answered with 0xC000, whether the destination is unknown or only not granted."""
    return Move(request)


def meta_element(data: bytes, tag: bytes) -> str:
    """Read one element of the file meta information (PS3.10 section 7.1: explicit VR little endian)."""
    at, end = 144, 144 + int.from_bytes(data[140:144], "little")
    while at < end:
        long_form = data[at + 4 : at + 6] in (b"OB", b"UN", b"UT", b"SQ", b"OW")
        start = at + 12 if long_form else at + 8
        length = int.from_bytes(data[at + 8 : at + 12] if long_form else data[at + 6 : at + 8], "little")
        if data[at : at + 4] == tag:
            return data[start : start + length].rstrip(b"\0 ").decode("ascii")
        at = start + length
    raise ValueError("the file meta information has no such element")


def without_padding(elements: bytes) -> bytes:
    """Leave out the Data Set Trailing Padding (FFFC,FFFC), which has no significance and which senders drop (PS3.10 section 7.2)."""
    at = elements.rfind(b"\xfc\xff\xfc\xff")
    for representation in (b"OB\0\0", b""):
        value = at + 8 + len(representation)
        length = int.from_bytes(elements[value - 4 : value], "little")
        if at >= 0 and elements[at + 4 : at + 4 + len(representation)] == representation and value + length == len(elements):
            return elements[:at]
    return elements


def data_set(data: bytes) -> tuple[str, bytes]:
    """Give transfer syntax and data set of a DICOM file; the meta information around it differs by who wrote the file."""
    end = 144 + int.from_bytes(data[140:144], "little")
    return meta_element(data, b"\x02\x00\x10\x00"), without_padding(data[end:])


def contradicts_stored(data: bytes) -> bool:
    """Tell whether an instance with this SOP instance UID is stored with other content (HIPAA 164.312(c)(1))."""
    uid = meta_element(data, b"\x02\x00\x03\x00")
    for found in json.loads(orthanc.RestApiPost("/tools/lookup", uid)):
        if found["Type"] == "Instance":
            stored = orthanc.RestApiGet(f"/instances/{found['ID']}/file")
            if data_set(stored) != data_set(data):
                orthanc.LogWarning("guard: refused an instance whose SOP instance UID is stored with other content")
                return True
    return False


def filter_c_store(instance: "orthanc.DicomInstance") -> int:
    """Answer a C-STORE: 0 accepts. An exception here makes Orthanc answer with a failure."""
    return DUPLICATE_SOP_INSTANCE if contradicts_stored(instance.GetInstanceData()) else 0


def filter_received(data: bytes, origin: "orthanc.InstanceOrigin") -> tuple[Any, None]:
    """Keep or discard what came over HTTP. Orthanc would keep it when this fails, so failing means discarding."""
    keep, discard = (orthanc.ReceivedInstanceAction.KEEP_AS_IS, None), (orthanc.ReceivedInstanceAction.DISCARD, None)
    if origin == orthanc.InstanceOrigin.DICOM_PROTOCOL:
        return keep
    try:
        return discard if contradicts_stored(data) else keep
    except Exception as error:  # noqa: BLE001 - whatever failed, an unchecked instance must not overwrite a stored one
        orthanc.LogError(f"guard: discarded an instance that could not be checked: {error!r}")
        return discard


def on_change(change: int, level: int, _resource: str) -> None:
    """Say once, when the archive has started, how much it knows; and note from then on whether it knows any study.

    The note tells a lost index from files that a crash left before their commit, of which no index ever knew.
    """
    types = orthanc.ChangeType
    if change == types.ORTHANC_STARTED or (change == types.DELETED and level == orthanc.ResourceType.PATIENT):
        known = json.loads(orthanc.RestApiGet("/statistics"))
        if change == types.ORTHANC_STARTED:
            orthanc.LogWarning(f"guard: the index knows {json.dumps(known, sort_keys=True)}")
        if not int(known["CountStudies"]):
            KNOWS_STUDIES.unlink(missing_ok=True)
        elif not KNOWS_STUDIES.exists():
            note(KNOWS_STUDIES, "yes")
    elif change == types.NEW_STUDY and not KNOWS_STUDIES.exists():
        note(KNOWS_STUDIES, "yes")


check_configuration()
check_version()
check_index(CONFIGURATION, known=KNOWS_STUDIES.exists())
check_size(CONFIGURATION)
if "PostgreSQL" not in CONFIGURATION:
    tell_sqlite(pathlib.Path(CONFIGURATION["IndexDirectory"]) / "index")
orthanc.RegisterOnChangeCallback(on_change)
orthanc.RegisterRestCallback("/securepacs/peers", reload_peers)
orthanc.RegisterMoveCallback2(start_move, lambda move: len(move.instances), Move.send_next, lambda _move: None)
orthanc.RegisterIncomingCStoreInstanceFilter(filter_c_store)
orthanc.RegisterReceivedInstanceCallback(filter_received)
