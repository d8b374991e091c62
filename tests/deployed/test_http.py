"""What people may do: every role by every route and method. What is not in the table is refused, however it is spelt."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Mapping

import pytest

from deployed.web import web
from securepacs_harness.bracket import Bracket, Expected, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import dimse, http, routes, tricks
from securepacs_harness.probes.http import Request
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "CONNECT")

#: What the packaged checks leave out, because it would harm an archive that is open; this one is the tests' own.
HARMFUL = (
    "/dicom-web/servers/x/stow",
    f"/studies/{routes.NO_ORTHANC_ID}/anonymize",
    f"/studies/{routes.NO_ORTHANC_ID}/modify",
    f"/instances/{routes.NO_ORTHANC_ID}/export",
    "/modalities/WS01",
    "/modalities/WS01/store",
    "/modalities/WS01/move",
    "/modalities/evil",
    "/peers/evil/store",
    "/tools/find",
    "/tools/reset",
    "/tools/shutdown",
    "/tools/bulk-delete",
    "/tools/execute-script",
    "/tools/invalidate-tags",
)
PATHS = tuple(dict.fromkeys((*routes.PATHS, *HARMFUL)))

_MISSING = f"/studies/{routes.NO_ORTHANC_ID}"

NOT_ALLOWED = at(Layer.HTTP, {"403", "405", "400", "501"})
NOT_SIGNED_IN = at(Layer.HTTP, {"401", "405", "400", "501"})
MALFORMED = at(Layer.HTTP, {"400", "403", "405", "421", "414", "closed"})


def _ask(pacs: Pacs, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Attempt:
    return http.ask(f"{method} {target}", pacs.web, Request(method, target, headers or {}, body))


def _control(pacs: Pacs, user: str = "vera") -> Attempt:
    return http.ask(f"control by {user}", pacs.web, Request("GET", "/dicom-web/studies", pacs.login(user)))


@pytest.mark.parametrize("user", ["vera", "carl", "anna"])
def test_a_role_may_do_what_is_declared_and_nothing_else(pacs: Pacs, claim: Claim, user: str) -> None:
    """Each route by each method: declared ones get past the gate, all others are refused, between two signed-in controls."""
    https = pacs.target.https
    assert https is not None
    role = https.users[user].role
    declared, refused = [], []
    for method, path in itertools.product(METHODS, PATHS):
        attempt = _ask(pacs, method, path, pacs.login(user))
        if https.allows(role, method, path):
            declared.append(attempt)
        else:
            refused.append((attempt, NOT_ALLOWED))
    assert declared
    claim(_control(pacs, user)).refuses_all(refused, workers=4)
    for attempt in declared:
        # An empty POST, or an identifier of nothing, is the archive's to answer (415, 404): it does, so the gate let it through.
        accepts(attempt)


def test_nobody_may_do_anything_without_signing_in(pacs: Pacs, claim: Claim) -> None:
    """Each route by each method is refused to the anonymous."""
    cases = [(_ask(pacs, method, path), NOT_SIGNED_IN) for method, path in itertools.product(METHODS, PATHS)]
    claim(_control(pacs)).refuses_all(cases, workers=4)


def _basic(text: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


def test_only_the_right_password_signs_in(pacs: Pacs, claim: Claim) -> None:
    """A wrong password, another's, the archive's own user, and other schemes are refused."""
    vera = pacs.passwords["vera"]
    headers = {
        "a wrong password": http.basic("vera", vera[:-1]),
        "another's password": http.basic("anna", vera),
        "the archive's own user": http.basic("gateway", "gateway"),
        "a default user": http.basic("orthanc", "orthanc"),
        "an empty password": http.basic("vera", ""),
        "a token": {"Authorization": f"Bearer {vera}"},
        "a broken header": {"Authorization": "Basic !!!!"},
        "a header without a value": {"Authorization": "Basic"},
        "a user of the proxy": {"Proxy-Authorization": http.basic("vera", vera)["Authorization"]},
        "a NUL behind the name": _basic(f"vera\0x:{vera}".encode()),
    }
    cases = [
        (http.ask(what, pacs.web, Request("GET", "/dicom-web/studies", given)), at(Layer.HTTP, {"401", "400"}))
        for what, given in headers.items()
    ]
    claim(_control(pacs)).refuses_all(cases)


def _existing(pacs: Pacs, image: Instance) -> str:
    """Give the path of a stored study that could be deleted."""
    (body,) = accepts(_ask(pacs, "GET", "/studies?expand", pacs.login("anna"))).payload
    found = [study["ID"] for study in json.loads(body) if study["MainDicomTags"]["StudyInstanceUID"] == image.study]
    assert len(found) == 1
    return f"/studies/{found[0]}"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_method_stands_for_another(pacs: Pacs, claim: Claim, stored: Instance, method: str) -> None:
    """No override in the query or a header turns a GET or POST into a DELETE, not even for an administrator; the study stays."""
    path = _existing(pacs, stored)
    cases = [(_ask(pacs, method, f"{path}{query}", {**pacs.login("anna"), **headers}), MALFORMED) for query, headers in tricks.OVERRIDES]
    claim(_control(pacs, "anna")).refuses_all(cases)
    accepts(_ask(pacs, "GET", path, pacs.login("anna")), code="200")


def test_no_spelling_opens_another_route(pacs: Pacs, claim: Claim) -> None:
    """Dots, slashes, encodings, parameters, absolute forms and case lead a viewer nowhere that is not in the table."""
    cases = [(_ask(pacs, "GET", trick, pacs.login("vera")), MALFORMED) for trick in tricks.TRICKS]
    claim(_control(pacs)).refuses_all(cases)


def test_no_header_makes_another_person(pacs: Pacs, claim: Claim) -> None:
    """Headers that a proxy would set change neither route nor person, and a foreign host name is refused."""
    forged = [{name: value.format(user="anna") for name, value in headers.items()} for headers in tricks.FORGED_HEADERS]
    cases = [(_ask(pacs, "GET", "/system", {**pacs.login("vera"), **headers}), NOT_ALLOWED) for headers in forged]
    cases += [(_ask(pacs, "GET", "/dicom-web/studies", headers), NOT_SIGNED_IN) for headers in forged]
    foreign = [{"Host": "evil.example"}, {"Host": "localhost.evil.example"}, {"Host": "archive:8042"}, {"Host": ""}]
    cases += [(_ask(pacs, "GET", "/dicom-web/studies", {**pacs.login("vera"), **headers}), MALFORMED) for headers in foreign]
    claim(_control(pacs)).refuses_all(cases)


SMUGGLED = b"GET /tools/shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_no_request_hides_in_another(pacs: Pacs, claim: Claim) -> None:
    """A body with a false length or a false coding is refused; what hides in it reaches nobody."""
    cases: list[tuple[Attempt, Expected]] = [
        (_ask(pacs, "POST", "/dicom-web/studies", {**pacs.login("carl"), **framing}, b"0\r\n\r\n" + SMUGGLED), at(Layer.HTTP))
        for framing in (*tricks.FRAMINGS, {"Content-Encoding": "gzip"})
    ]
    claim(_control(pacs, "carl")).refuses_all(cases)


def test_a_body_over_the_limit_is_refused(pacs: Pacs, claim: Claim) -> None:
    """A request that says it is larger than the clinic allows is refused before it is sent."""
    size = {"Content-Length": str(65 * 1000 * 1000), "Content-Type": "application/dicom"}
    attempt = _ask(pacs, "POST", "/dicom-web/studies", {**pacs.login("carl"), **size}, b"x")
    claim(_control(pacs, "carl")).refuses(attempt, layer=Layer.HTTP, code="413").require()


@pytest.mark.parametrize("user", ["", "vera", "carl"])
def test_a_refusal_tells_nothing_of_what_is_stored(pacs: Pacs, stored: Instance, user: str) -> None:
    """Whoever is refused gets the same status, headers and body for a study that is stored and for one that is not."""
    browser, login = web(pacs), pacs.login(user) if user else {}
    pairs = [("DELETE", _existing(pacs, stored), _MISSING), ("GET", _existing(pacs, stored), _MISSING)]
    if not user:
        studies = "/dicom-web/studies"
        pairs += [("GET", f"{studies}/{stored.study}{part}", f"{studies}/1.2.3{part}") for part in ("", "/metadata", "/series")]
    for method, there, missing in pairs:
        told = [browser.ask(method, path, login) for path in (there, missing)]
        assert told[0].status_code == (403 if user else 401)
        first, second = ((a.status_code, a.content, {k: v for k, v in a.headers.items() if k != "Date"}) for a in told)
        assert first == second


def test_an_administrator_deletes_one_study(pacs: Pacs, image: Instance, claim: Claim) -> None:
    """Only the administrator's DELETE removes a study; a clinician's is refused and the study stays."""
    accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    path = _existing(pacs, image)
    cases = [(_ask(pacs, "DELETE", path, pacs.login(user)), NOT_ALLOWED) for user in ("vera", "carl")]
    claim(_ask(pacs, "GET", path, pacs.login("anna"))).refuses_all(cases)
    accepts(_ask(pacs, "DELETE", path, pacs.login("anna")), code="200")
    accepts(_ask(pacs, "GET", path, pacs.login("anna")), code="404")


def test_a_wrong_password_takes_as_long_for_a_name_that_is_not_there(pacs: Pacs) -> None:
    """Whether a name exists is not told by the time until 401: a hash was computed for the one and not for the other."""
    browser, taken = web(pacs), dict[str, list[float]](anna=[], nobody=[])
    for _ in range(8):
        for name, seconds in taken.items():
            began = time.monotonic()
            answer = browser.ask("GET", "/dicom-web/studies", {}, auth=(name, "wrong"))
            seconds.append(time.monotonic() - began)
            assert answer.status_code == 401
    least = [min(seconds) for seconds in taken.values()]
    assert min(least) > 0.1
    assert abs(least[0] - least[1]) < 0.002, taken
