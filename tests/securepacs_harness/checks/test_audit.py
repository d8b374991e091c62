"""Whether denials and accesses leave records, and whether those keep what is private (HIPAA 164.312(b), PS3.15 A.5)."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable

from securepacs_harness import canary
from securepacs_harness.bracket import at
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, http
from securepacs_harness.probes.engine import engine_of
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs, Stranger, nobody_has
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.session import Verification
from securepacs_harness.target import Log

#: How long a record may take to be written, and how far its clock may be off.
SECONDS = 5.0
NO_LOG = "the target does not say where records are (log)"


def log_text(verification: Verification, log: Log, since: str) -> str:
    """Read the declared log: a file inside the part, or what its container wrote since then."""
    specification = verification.target.inside[log.part]
    if log.file:
        return verification.inside(log.part).read(log.file)
    engine = engine_of(specification)
    return engine.logs(since) if engine else ""


def found_after(verification: Verification, pattern: str, act: Callable[[], object], words: dict[str, str]) -> bool:
    """Do something and look for its record; words in braces in the pattern are the probe's own."""
    log = verification.target.log
    if log is None:
        return False
    since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    before = len(log_text(verification, log, since)) if log.file else 0
    act()
    wanted = re.compile(pattern.format(**{name: re.escape(value) for name, value in words.items()}))
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if wanted.search(log_text(verification, log, since)[before:]):
            return True
        time.sleep(0.25)
    return False


def record_of(verification: Verification, record: Record, what: str, pattern: str, attempt: Attempt, words: dict[str, str]) -> None:
    """Note whether an attempt leaves a record."""
    seen = found_after(verification, pattern, lambda: record.look(attempt), words)
    told = "found" if seen else f"none within {SECONDS:.0f} s"
    record.fact(f"record of {what}", expected="found by the probe's own name", told=told, holds=seen)


@check(
    "audit.denials",
    "Every denial leaves a record",
    controls=("audit-trail",),
    remedy="Log refused associations with source, time, and the name that was shown or claimed.",
)
def test_denials_leave_records(verification: Verification, pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """An association under a name that is not the caller's, and one without a certificate, can be found in the log."""
    log = pacs.target.log
    if log is None:
        record.not_tested("denials", NO_LOG)
        return
    able = pacs.with_verb("echo")
    words = {"ae": stranger.ae_title, "peer": able[0] if able else "", "source": ""}
    if able:
        line = pacs.caller(able[0]).line
        false_name = association.echo(f"{able[0]}'s line under a false name", line, stranger.called, stranger.ae_title)
        record.bracket(pacs.echo_control()).tries([(false_name, at({Layer.ASSOCIATION, Layer.TLS}))])
        record_of(verification, record, "a false name", log.denial, false_name, words)
    else:
        record.not_tested("a false name", nobody_has("echo"))
    if pacs.target.dicom.tls and log.anonymous:
        anonymous = association.echo("a stranger without a certificate", stranger.line, stranger.called, stranger.ae_title)
        record_of(verification, record, "no certificate", log.anonymous, anonymous, words)
    else:
        record.not_tested("no certificate", "the target does not say what its record looks like (log.anonymous)")


@check(
    "audit.accesses",
    "Every access leaves a record",
    controls=("audit-trail",),
    remedy="Log each association with its peer, and each request with its user, role and how it ended.",
)
def test_accesses_leave_records(verification: Verification, pacs: Pacs, record: Record) -> None:
    """A granted echo can be found by its peer's AE title, and a person's request by the user's name."""
    log = pacs.target.log
    if log is None:
        record.not_tested("accesses", NO_LOG)
        return
    able = pacs.with_verb("echo")
    if able:
        words = {"ae": able[0], "peer": able[0], "source": ""}
        record_of(verification, record, "a granted echo", log.access, pacs.echo_control(able[0]), words)
    else:
        record.not_tested("a granted echo", nobody_has("echo"))
    people = pacs.people()
    if people and log.person:
        words = {"user": people[0], "ae": "", "peer": "", "source": ""}
        record_of(verification, record, "a person's request", log.person, person_control(pacs, user=people[0]), words)
    else:
        why = "nobody's password is at hand" if log.person else "the target does not say what its record looks like (log.person)"
        record.not_tested("a person's request", why)


@check(
    "audit.privacy",
    "Operating logs hold no patient data",
    tier="write",
    controls=("audit-privacy",),
    remedy="Log neither names nor identifiers of patients and studies; turn debug logs off.",
)
def test_logs_hold_no_patient_data(verification: Verification, record: Record, canaries: Canaries) -> None:
    """After a synthetic study was stored, searched and fetched, no log of any part has its patient's name or its identifiers."""
    image = canaries.stored
    pacs = verification.pacs
    if pacs.people():
        path = f"/dicom-web/studies/{image.study}/metadata"
        record.look(http.ask("GET of the synthetic study", pacs.web, Request("GET", path, pacs.login(pacs.people()[0]))))
    looked = 0
    for part, specification in verification.target.inside.items():
        engine = engine_of(specification)
        if engine is None:
            record.not_tested(f"log of {part}", "it is no container")
            continue
        text = engine.logs()
        private = {"the patient's name": canary.PATIENT_NAME, "the study's UID": image.study, "the instance's UID": image.sop_instance}
        found = [what for what, word in private.items() if word in text]
        looked += 1
        record.fact(f"log of {part}", expected="no patient data", told=", ".join(found) or "none", holds=not found)
    if not looked:
        record.not_tested("logs", "the target declares no container to look into (inside)")
