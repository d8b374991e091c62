"""Whether denials and accesses leave records, and whether those keep what is private (HIPAA 164.312(b), PS3.15 A.5)."""

from __future__ import annotations

import re

from securepacs_harness import canary, people
from securepacs_harness.bracket import Verdict, at
from securepacs_harness.canary import Instance
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import Attempt, Layer, Outcome
from securepacs_harness.parts import logs
from securepacs_harness.probes import association, http, routes
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs, Stranger, nobody_has
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.session import Verification
from securepacs_harness.target import Log
from securepacs_harness.trail import CLOCK, SECONDS, Trail

NO_LOG = "the target does not say where records are (log)"


def trail_of(verification: Verification, record: Record, what: str) -> tuple[Log, Trail] | None:
    """Give the declared log; note where there is none. Raises TrailError where it cannot be read."""
    log = verification.target.log
    if log is None:
        record.not_tested(what, NO_LOG)
        return None
    return log, Trail(verification, log)


def found(record: Record, trail: Trail, what: str, pattern: str, **words: str) -> None:
    """Note whether what was done since the trail began has left its record."""
    seen = trail.has(pattern, **words)
    told = "found" if seen else f"none within {SECONDS:.0f} s"
    record.fact(f"record of {what}", expected="found by the probe's own name", told=told, holds=seen)


def granted(record: Record, trail: Trail, what: str, attempt: Attempt, pattern: str, **words: str) -> None:
    """Try what is declared to work, and note whether it leaves its record. What was not granted has none to be looked for."""
    trail.begin()
    seen = record.look(attempt)
    if seen.outcome is Outcome.ACCEPTED:
        found(record, trail, what, pattern, **words)
    else:
        record.unknown(f"record of {what}", f"it was not granted: {seen.outcome} at {seen.layer} ({seen.code})")


def denied(record: Record, trail: Trail, what: str, attempt: Attempt, control: Attempt, pattern: str, **words: str) -> None:
    """Try what is to be refused, between two controls, and note whether it leaves its record. A system that is down denies nothing."""
    trail.begin()
    (refusal,) = record.bracket(control).tries([(attempt, DENIED)])
    if refusal.verdict is Verdict.REFUSED:
        found(record, trail, what, pattern, **words)
    else:
        record.not_tested(f"record of {what}", "it was not refused")


#: By whom something is denied: not by the network.
DENIED = at({Layer.TLS, Layer.ASSOCIATION, Layer.CONTEXT, Layer.DIMSE, Layer.HTTP})


@check(
    "audit.denials",
    "Every denial leaves a record",
    controls=("audit-trail",),
    remedy="Log refused associations with source, time, and the name that was shown or claimed; keep the clock right.",
)
def test_denials_leave_records(verification: Verification, pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """A false name, a missing certificate and what a role may not do can each be found in the log, whose clock is right."""
    there = trail_of(verification, record, "denials")
    if there is None:
        return
    log, trail = there
    able = pacs.with_verb("echo")
    if able:
        line, echo = pacs.caller(able[0]).line, pacs.echo_control()
        false_name = association.echo(f"{able[0]}'s line under a false name", line, stranger.called, stranger.ae_title)
        denied(record, trail, "a false name", false_name, echo, log.denial, ae=stranger.ae_title, peer=able[0])
    else:
        record.not_tested("a false name", nobody_has("echo"))
    if able and pacs.target.dicom.tls and log.anonymous:
        anonymous = association.echo("a stranger without a certificate", stranger.line, stranger.called, stranger.ae_title)
        denied(record, trail, "no certificate", anonymous, echo, log.anonymous)
    else:
        why = "the target does not say what its record looks like (log.anonymous)" if able else nobody_has("echo")
        record.not_tested("no certificate", why)
    _person_denied(pacs, record, trail, log)
    off = trail.clock()
    if off is None:
        record.not_tested("clock of the records", f"{log.part} does not tell the time (date)")
    else:
        record.fact("clock of the records", expected=f"within {CLOCK} s of here", told=f"{off:.0f} s off", holds=off <= CLOCK)


def _person_denied(pacs: Pacs, record: Record, trail: Trail, log: Log) -> None:
    """Have somebody ask for what the role may not have."""
    what = "what a role may not do"
    if not log.person_denied:
        record.not_tested(what, "the target does not say what its record looks like (log.person_denied)")
        return
    refused = [(user, request) for user in people.by_rights(pacs) if (request := people.beyond(pacs, user))]
    refused = [(user, request) for user, request in refused if not pacs.https.allows(people.PUBLIC, "GET", routes.path_of(request))]
    if not refused:
        record.not_tested(what, "nobody's password is at hand whose role may read less than another")
        return
    user, request = refused[0]
    attempt = people.asked(pacs, routes.as_person(request, pacs.login(user)), f"as {user}", http.judge_gate)
    denied(record, trail, what, attempt, person_control(pacs, user=user), log.person_denied, user=user)


@check(
    "audit.accesses",
    "Every access leaves a record",
    controls=("audit-trail",),
    remedy="Log each association with its peer, and each request with its user, role and how it ended.",
)
def test_accesses_leave_records(verification: Verification, pacs: Pacs, record: Record) -> None:
    """A granted echo can be found by its peer's AE title, and a person's request by the user's name."""
    there = trail_of(verification, record, "accesses")
    if there is None:
        return
    log, trail = there
    able = pacs.with_verb("echo")
    if able:
        granted(record, trail, "a granted echo", pacs.echo_control(able[0]), log.access, ae=able[0], peer=able[0])
    else:
        record.not_tested("a granted echo", nobody_has("echo"))
    signed_in = pacs.people()
    if signed_in and log.person:
        granted(record, trail, "a person's request", person_control(pacs, user=signed_in[0]), log.person, user=signed_in[0])
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
    for where, text in logs(verification, record):
        told = told_of(text, image)
        record.fact(where, expected="no patient data", told=", ".join(told) or "none", holds=not told)


def told_of(text: str, image: Instance) -> list[str]:
    """Say what a text tells of the synthetic patient."""
    first, last = canary.PATIENT_NAME.split("^")
    uids = {"the study's UID": image.study, "the series' UID": image.series, "the instance's UID": image.sop_instance}
    private = {
        "the patient's name": rf"{first}[\^ ]{last}",
        "the patient's ID": rf"(?<![\w^]){canary.PATIENT_ID}(?!\w|[\^ ]{last})",
        **{what: rf"(?<![\d.]){re.escape(uid)}(?!\d|\.\d)" for what, uid in uids.items()},
    }
    return [what for what, pattern in private.items() if re.search(pattern, text)]
