"""Guessing at the form: it is throttled, and it tells nobody which names there are (NIST SP 800-63B section 5.2.2, CWE-204, CWE-208)."""

from __future__ import annotations

import re
import secrets

from securepacs_harness import browsing
from securepacs_harness.check import check
from securepacs_harness.checks.test_credentials import THROTTLED
from securepacs_harness.observation import Observation, Outcome
from securepacs_harness.probes import sign_in
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

#: How many wrong passwords of one name are tried at most. Fewer than elsewhere: a form is for people.
MOST_GUESSES = 20
#: Pairs of a known and an unknown name that are timed; the last one only where the others differ. Few, for each wrong password counts
#: towards a lock-out of somebody; so the known names take turns.
PAIRS = 3
#: Seconds by which answers may differ. Slow hashes take a quarter of one at least; noise only adds.
TOLERANCE = 0.1
#: What is another one in each page: numbers that are used once, and the name that was typed.
_ONCE = re.compile(rb"[A-Za-z0-9_+/=-]{16,}")


def _nobody() -> str:
    return f"zz{secrets.token_hex(4)}"


@check(
    "session.guessing",
    "Guessing at the form is throttled",
    tier="load",
    controls=("credential-strength",),
    remedy="Answer 429 after some wrong passwords for a name, whether it exists or not (NIST SP 800-63B section 5.2.2).",
)
def test_guessing_at_the_form_is_throttled(pacs: Pacs, record: Record) -> None:
    """After at most so many wrong passwords for one unknown name the next one is answered otherwise; nobody's own name is locked."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    record.accepts(browsing.signing_in_anew(pacs, user))
    name, expected = _nobody(), f"told to wait after {MOST_GUESSES} at most"
    first: Observation | None = None
    for count in range(1, MOST_GUESSES + 1):
        seen = record.look(browsing.trying(pacs, f"wrong password {count} for an unknown name", name, f"wrong-{count}"))
        if seen.outcome is Outcome.ACCEPTED:
            record.fact("wrong passwords", expected="refused", told=f"number {count} opened a session", holds=False)
            return
        if seen.outcome is not Outcome.REFUSED:
            record.unknown("wrong passwords", f"the answer to number {count} was {seen.outcome}: {seen.code}")
            return
        first = first or seen
        if first.code == "429":
            record.unknown("wrong passwords", "the first one was told to wait: this machine may be locked out already")
            return
        if seen.code in THROTTLED and seen.code != first.code:
            record.fact("wrong passwords", expected=expected, told=f"{seen.code} after {count - 1}", holds=True)
            return
    record.fact("wrong passwords", expected=expected, told=f"all {MOST_GUESSES} were judged", holds=False)


def differ(known: list[float], unknown: list[float]) -> bool:
    """Tell whether two kinds of answers can be told apart by their seconds: no one of a kind is as quick as any of the other.

    Noise makes an answer slower, never quicker: so it is the quickest of each that are compared.
    """
    quick, slow = sorted((known, unknown), key=min)
    return min(slow) - min(quick) > TOLERANCE and min(slow) > max(quick)


def masked(page: bytes, name: str) -> bytes:
    """Give an answer without what is another one in each: the name that was typed, and numbers that are used once."""
    return _ONCE.sub(b"ONCE", page.replace(name.encode(), b"NAME"))


@check(
    "session.unknown-name",
    "The form does not tell which names there are",
    tier="load",
    controls=("information-leaks", "credential-strength"),
    remedy="Answer a wrong password alike, and after the same time, whether there is the name or not (CWE-204, CWE-208).",
)
def test_an_unknown_name_is_answered_as_a_known_one(pacs: Pacs, record: Record) -> None:
    """A wrong password of a declared person and any of an unknown name get the same status and page, neither sooner than the other."""
    user = browsing.somebody(pacs, record)
    if user is None:
        return
    record.accepts(browsing.signing_in_anew(pacs, user))
    # Whoever signs in here comes last: the others lose less by one wrong password.
    names = sorted(pacs.https.users, key=lambda name: name in pacs.passwords)
    times: tuple[list[float], list[float]] = ([], [])
    answers: tuple[set[tuple[str, bytes]], set[tuple[str, bytes]]] = (set(), set())
    while names and len(times[0]) < PAIRS and (len(times[0]) < PAIRS - 1 or differ(*times)):
        known = names.pop(0)
        tried = {"a declared": known, "an unknown": _nobody()}
        pair = [_answered(pacs, record, kind, name) for kind, name in tried.items()]
        if any(seen.code == "429" for seen in pair):
            continue  # an earlier run's wrong passwords
        names.append(known)
        if any(seen.outcome is not Outcome.REFUSED for seen in pair):
            record.unknown("answers to wrong passwords", f"they were {' and '.join(str(seen) for seen in pair)}")
            return
        for which, (seen, name) in enumerate(zip(pair, tried.values(), strict=True)):
            times[which].append(seen.seconds)
            answers[which].add((seen.code, masked(b"".join(seen.payload), name)))
    if not times[0]:
        record.unknown(
            "answers to wrong passwords", "this machine was told to wait for each name: too many wrong passwords of earlier runs"
        )
        return
    codes = [", ".join(sorted({code for code, _ in kind})) for kind in answers]
    same = answers[0] == answers[1]
    told = "the same" if same else f"{codes[0]} for a declared name, {codes[1]} for an unknown one, or other words"
    record.fact("answers to wrong passwords", expected="the same", told=told, holds=same)
    quickest = " and ".join(f"{min(kind) * 1000:.0f} ms" for kind in times)
    expected = f"less than {TOLERANCE * 1000:.0f} ms apart"
    record.fact(
        "seconds until they came", expected=expected, told=f"{quickest}, the quickest of {len(times[0])} each", holds=not differ(*times)
    )


def _answered(pacs: Pacs, record: Record, kind: str, name: str) -> Observation:
    """Give the answer to a wrong password, timed without the form's page."""
    form = sign_in.form_of(pacs.web, browsing.declared(pacs))
    return record.look(browsing.trying(pacs, f"a wrong password of {kind} name", name, "no-password-of-anybody", form=form))
