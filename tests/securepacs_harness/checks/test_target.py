"""The declaration itself: what is waived until when, what it refers to, what it leaves out; and that nothing of the run stays behind."""

from __future__ import annotations

import datetime

from securepacs_harness.check import check, packaged
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.target import Target


@check(
    "target.waivers",
    "No waiver has expired",
    tier="passive",
    controls=("waiver-governance",),
    remedy="Mend what was waived, or have its owner decide again until when.",
)
def test_waivers_are_current(target: Target, record: Record) -> None:
    """Each waiver has days left; one of a packaged check names a check that exists."""
    today = datetime.datetime.now(datetime.UTC).date()
    if not target.waivers:
        record.fact("waivers", expected="none expired", told="the target declares none", holds=True)
    for waiver in target.waivers:
        left = (waiver.until - today).days
        told = f"{left} days left" if left >= 0 else f"expired {-left} days ago"
        record.fact(f"waiver by {waiver.owner}: {waiver.what}", expected="days left", told=told, holds=left >= 0)
        if waiver.check and waiver.check not in packaged() and not waiver.check.startswith("own."):
            record.fact(f"check of the waiver: {waiver.what}", expected="a check", told=f"there is no '{waiver.check}'", holds=False)


#: What a target file may leave out, and what is not tested then.
LEFT_OUT = {
    "peers": "which peer may do what",
    "https": "everything over the web",
    "closed_ports": "that the archive's own ports and those beside it are closed",
    "floor": "whether a version with a known way in is running",
    "inside": "how the parts are confined, where their secrets are, and the way out",
    "listeners": "whether something listens inside that should not",
    "log": "whether denials and accesses leave records",
    "cleanup": "whatever needs a synthetic study (the tier write)",
    "recovery": "whether there is a recent backup",
}


@check(
    "target.declared",
    "What is declared refers to what there is",
    tier="passive",
    controls=("deployment-verification",),
    remedy="Correct the name in the target file: under the wrong one nothing is declared.",
)
def test_the_declaration_refers_to_what_there_is(target: Target, record: Record) -> None:
    """Each name in the target file is one of a check, a part or a person that exists; what the file leaves out is told with its cost."""
    for what, (declared, known) in references(target).items():
        strange = sorted(set(declared) - known)
        told = f"there is no {', '.join(strange)}" if strange else f"{len(declared)} of {len(declared)}"
        if declared:
            record.fact(what, expected="each of them there", told=told, holds=not strange)
    given = target.authorisation
    if given:
        left = (given.until - datetime.datetime.now(datetime.UTC).date()).days
        told = f"{left} days left" if left >= 0 else f"ended {-left} days ago"
        record.fact(f"authorisation by {given.by}", expected="days left", told=told, holds=left >= 0)
    for section, cost in LEFT_OUT.items():
        if not getattr(target, section):
            record.not_tested(section, f"it is left out of the target file: not tested is {cost}")


def references(target: Target) -> dict[str, tuple[list[str], set[str]]]:
    """Give the names that a target file uses, by what they stand for, and those that there are."""
    expects = [name.partition("/")[0] for name in target.expects]
    # Somebody's own checks need not be a part of this run.
    checks = {*packaged(), *(name for name in expects if name.startswith("own."))}
    remover = [target.cleanup.user] if target.cleanup and target.cleanup.user else []
    return {
        "checks (expects)": (expects, checks),
        "parts (listeners)": (list(target.listeners), set(target.inside)),
        "who removes studies (cleanup.user)": (remover, set(target.https.users if target.https else {})),
    }


@check(
    "target.residue",
    "The run leaves no study behind",
    tier="write",
    controls=("deployment-verification",),
    remedy="Remove the studies of patient ID CANARY by hand, and give the target a cleanup that works.",
)
def test_nothing_is_left(record: Record, canaries: Canaries) -> None:
    """Every synthetic study is removed, also one that a defect let in, and is gone afterwards."""
    canaries.remove(record)
    if not record.cases:
        record.not_tested("synthetic studies", "none was made")
