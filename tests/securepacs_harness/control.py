"""The authorised controls: what is declared to succeed, so that a refusal beside it means something."""

from __future__ import annotations

from collections.abc import Sequence

from securepacs_harness.errors import TargetError
from securepacs_harness.observation import Attempt
from securepacs_harness.probes import dimse, http, routes
from securepacs_harness.reach import Pacs, no_control, nobody_has
from securepacs_harness.record import Record
from securepacs_harness.target import Https, Rule, permits

#: Paths tried for a control over HTTPS, the harmless first; the first that the role's own table allows to GET is taken.
HARMLESS = (
    f"/dicom-web/studies?StudyInstanceUID={routes.NO_UID}",
    "/system",
    "/statistics",
    "/studies?limit=1&since=0",
    f"/dcm4chee-arc/aets/DCM4CHEE/rs/studies?StudyInstanceUID={routes.NO_UID}",
    "/",
)


def control_for(pacs: Pacs, wanted: str) -> Attempt:
    """Give the control that is asked for: a verb that leaves nothing behind, "role:ROLE", or "user:NAME". Raises TargetError."""
    kind, _, name = wanted.partition(":")
    if kind == "role":
        return person_control(pacs, role=name)
    if kind == "user":
        return person_control(pacs, user=name)
    if wanted not in _VERBS:
        raise TargetError(f"control: got '{wanted}', expected one of {', '.join(_VERBS)}, role:ROLE or user:NAME")
    able = pacs.with_verb(wanted)
    if not able:
        return no_control(f"{wanted} of a declared peer", nobody_has(wanted))
    return _VERBS[wanted](pacs.caller(able[0]))


_VERBS = {
    "echo": dimse.echo,
    "find": lambda caller: dimse.find(caller, StudyInstanceUID="2.25.0"),
    "worklist": dimse.worklist,
}


def echoing(pacs: Pacs, record: Record, what: str) -> str | None:
    """Give the first peer that can be echoed as, to be caller and control; note `what` as unknown where there is none."""
    able = pacs.with_verb("echo")
    if not able:
        record.unknown(what, nobody_has("echo"))
    return able[0] if able else None


def harmless_path(https: Https, role: str) -> str | None:
    """Give a path that a role may GET and that changes nothing: a known one, or an example of its own routes; None where it has none."""
    return harmless_among(https.roles.get(role, []))


def harmless_among(rules: Sequence[Rule]) -> str | None:
    """Give a path that these rules let be read, as above."""
    known = next((path for path in HARMLESS if permits(rules, "GET", path.partition("?")[0])), None)
    own = (routes.example(rule.route) for rule in rules if "GET" in rule.methods)
    return known or next((request.target for request in own if request), None)


def person_control(pacs: Pacs, *, user: str | None = None, role: str | None = None) -> Attempt:
    """Give a person's GET of something harmless, with the right password."""
    what = f"GET by {user or role or 'a declared user'}"
    if pacs.target.https is None:
        return no_control(what, "the target declares no HTTPS listener")
    able = [name for name in pacs.people(role) if user in {None, name}]
    if not able:
        return no_control(what, "no such user's password is at hand")
    path = harmless_path(pacs.https, pacs.https.users[able[0]].role)
    if path is None:
        return no_control(what, f"the role of {able[0]} has no route that is known to be harmless")
    return http.ask(f"GET {path} as {able[0]}", pacs.web, http.Request("GET", path, pacs.login(able[0])), http.judge_gate)
