"""What is stored stays as it is, and comes back as it was (HIPAA 164.312(c))."""

from __future__ import annotations

from securepacs_harness import canary
from securepacs_harness.bracket import at
from securepacs_harness.canary import Instance
from securepacs_harness.check import check
from securepacs_harness.observation import Layer, Outcome
from securepacs_harness.probes import dimse, http
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries

REFUSED = at({Layer.ASSOCIATION, Layer.CONTEXT, Layer.DIMSE})
#: What an archive answers that has looked at the instances (PS3.18 table 10.5.3-1); any other says that it never came to that.
STOW_ANSWERS = ("200", "202", "409")
NOBODY_GETS = "no peer that has the verb get can be called as, so nobody can look at what is stored"


def fetched(pacs: Pacs, image: Instance, record: Record) -> bytes | None:
    """Fetch a stored image as a peer that may; None where nobody may or it did not come."""
    able = pacs.with_verb("get")
    if not able:
        record.not_tested("what is stored", NOBODY_GETS)
        return None
    seen = record.accepts(dimse.get(pacs.caller(able[0]), image))
    return seen.payload[0] if seen.payload else None


def same(came: bytes, image: Instance) -> bool:
    """Tell whether a data set came back as it was sent, but for trailing padding (PS3.10 section 7.2)."""
    sent = canary.dataset_bytes(image.path)
    return canary.without_padding(came, image.transfer_syntax) == canary.without_padding(sent, image.transfer_syntax)


def unchanged(pacs: Pacs, record: Record, image: Instance, what: str) -> None:
    """Note whether the stored image is still the first one."""
    came = fetched(pacs, image, record)
    if came is not None:
        kept = same(came, image)
        record.fact(what, expected="the first image", told="the first image" if kept else "another one: it was replaced", holds=kept)


@check(
    "integrity.retrieved",
    "What is fetched is what was stored",
    tier="write",
    controls=("instance-integrity",),
    remedy="Store and send data sets as they came; turn off what changes them on the way.",
)
def test_what_comes_back_is_what_was_sent(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """A synthetic image that is stored and fetched is the same, byte for byte."""
    unchanged(pacs, record, canaries.stored, "the stored image")


@check(
    "integrity.same-uid",
    "Another image under a stored SOP instance UID does not replace it",
    tier="write",
    controls=("instance-integrity",),
    remedy="Refuse an instance whose SOP instance UID is stored with other content, and say so to the sender (status 0x0111).",
)
def test_a_stored_image_is_not_replaced(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """A C-STORE of other pixels under the same identifiers is refused, not acknowledged, and the first image stays."""
    able = pacs.with_verb("store")
    image = canaries.stored
    attempt = dimse.store(pacs.caller(able[0]), canaries.twin(image))
    control = dimse.store(pacs.caller(able[0]), image)
    made = record.bracket(control).tries([(attempt, record.expected(REFUSED))])
    unchanged(pacs, record, image, "the stored image after another was sent")
    if made[0].seen.outcome is Outcome.ACCEPTED:
        record.fact("acknowledgement", expected="none for what is not kept", told="the sender was told that it was stored", holds=False)


@check(
    "integrity.stow",
    "Another image over the web does not replace a stored one",
    tier="write",
    controls=("instance-integrity",),
    remedy="Hold instances that come over HTTP against what is stored, as those that come over DICOM.",
)
def test_a_stored_image_is_not_replaced_over_the_web(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """A STOW-RS of other pixels under the same identifiers leaves the first image as it is."""
    path = "/dicom-web/studies"
    https = pacs.target.https
    able = [user for user in pacs.people() if https and https.allows(https.users[user].role, "POST", path)]
    if not able:
        record.not_tested("STOW-RS", f"nobody whose password is at hand may POST {path}")
        return
    image = canaries.stored
    body, kind = stow_body(canaries.twin(image))
    request = Request("POST", path, {**pacs.login(able[0]), "Content-Type": kind, "Accept": "application/dicom+json"}, body)
    seen = record.look(http.ask(f"STOW-RS of another image as {able[0]}", pacs.web, request))
    if seen.code not in STOW_ANSWERS:
        why = f"the archive did not judge it: got {seen.code}, expected one of {', '.join(STOW_ANSWERS)}"
        record.unknown("what became of the other image", why)
    unchanged(pacs, record, image, "the stored image after another came over the web")


def stow_body(image: Instance) -> tuple[bytes, str]:
    """Write the body of a STOW-RS request with one instance, and its content type (PS3.18 section 10.5)."""
    boundary = "securepacs-harness"
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = head + image.path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return body, f'multipart/related; type="application/dicom"; boundary={boundary}'
