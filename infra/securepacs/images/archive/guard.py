"""The archive's own guard: an Orthanc plugin script that refuses what Orthanc's configuration cannot.

It runs inside the archive's container, with Orthanc's embedded Python and no package but the standard library. An
exception while it is loaded stops Orthanc, on purpose: the archive does not run without its guard.

Refused here:
- an unknown key in the configuration, which Orthanc would ignore in silence;
- an index that knows nothing of the images that are stored (index_guard.py);
- C-MOVE to a destination that the requesting peer is not granted (Orthanc knows no such right);
- an instance whose SOP instance UID is stored already with other content.
"""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import orthanc
from index_guard import check_index

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

CONFIGURATION: dict[str, Any] = json.loads(orthanc.GetConfiguration())
MOVES: dict[str, list[str]] = CONFIGURATION["SecurePacs"]["Moves"]
NAME_OF_AE_TITLE = {peer["AET"]: name for name, peer in CONFIGURATION["DicomModalities"].items()}


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
    known = set(pathlib.Path("/usr/share/securepacs/orthanc-options.txt").read_text(encoding="ascii").split())
    unknown = sorted(set(unknown_keys(CONFIGURATION, known)))
    if unknown:
        raise ValueError(f"this Orthanc does not know the configuration keys {', '.join(unknown)}")


class Move:
    """One C-MOVE: the instances to send, and how far it is."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.target = request["TargetAET"]
        self.originator = request["OriginatorAET"]
        self.message = request["OriginatorID"]
        if self.target not in MOVES.get(self.originator, []):
            raise ValueError("this peer may not have images sent to this destination")
        self.instances = list(instances_of(request))
        self.done = 0

    def send_next(self) -> None:
        """Send the next instances, once for each block of sub-operations."""
        if self.done % INSTANCES_PER_ASSOCIATION == 0:
            block = self.instances[self.done : self.done + INSTANCES_PER_ASSOCIATION]
            order = {"Resources": block, "Synchronous": True, "MoveOriginatorAet": self.originator, "MoveOriginatorID": self.message}
            orthanc.RestApiPost(f"/modalities/{NAME_OF_AE_TITLE[self.target]}/store", json.dumps(order))
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


def on_change(change: int, _level: int, _resource: str) -> None:
    """Say once, when the archive has started, how much it knows: counts, in one line of the log."""
    if change == orthanc.ChangeType.ORTHANC_STARTED:
        orthanc.LogWarning(f"guard: the index knows {json.dumps(json.loads(orthanc.RestApiGet('/statistics')), sort_keys=True)}")


check_configuration()
check_index(CONFIGURATION)
orthanc.RegisterOnChangeCallback(on_change)
orthanc.RegisterMoveCallback2(start_move, lambda move: len(move.instances), Move.send_next, lambda _move: None)
orthanc.RegisterIncomingCStoreInstanceFilter(filter_c_store)
orthanc.RegisterReceivedInstanceCallback(filter_received)
