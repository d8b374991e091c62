"""What a stranger learns from refusals and from answers."""

from __future__ import annotations

import re

from securepacs_harness.bracket import at
from securepacs_harness.check import check
from securepacs_harness.control import person_control
from securepacs_harness.observation import EndedError, Layer, Outcome
from securepacs_harness.probes import association, http, pdu, routes
from securepacs_harness.probes.http import Request
from securepacs_harness.probes.line import opened
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries

#: Names of products in headers and error pages.
PRODUCTS = re.compile(r"orthanc|haproxy|nginx|apache|civetweb|mongoose|wildfly|undertow|jetty|tomcat|dcm4che|dcmtk", re.IGNORECASE)
#: Headers that tell nothing but the product.
TELLING = ("server", "x-powered-by", "via", "x-aspnet-version")


@check(
    "leaks.http",
    "Answers tell no product and no version",
    controls=("information-leaks",),
    remedy="Take the Server header and its like out of every response, and give error pages of one's own.",
)
def test_answers_tell_no_product(pacs: Pacs, record: Record) -> None:
    """Neither headers nor bodies of refused requests name the product."""
    if pacs.target.https is None:
        record.not_tested("answers", "the target declares no HTTPS listener")
        return
    requests = {"an anonymous request": Request("GET", "/system"), "a malformed path": Request("GET", "//x")}
    for what, request in requests.items():
        headers = http.headers_of(pacs.web, request)
        telling = [f"{name}: {headers[name][:40]}" for name in TELLING if headers.get(name)]
        telling += [f"{name}: {value[:40]}" for name, value in headers.items() if name not in TELLING and PRODUCTS.search(value)]
        record.fact(f"headers of {what}", expected="no product", told="; ".join(telling) or "none", holds=not telling)
        seen = record.look(http.ask(f"{what}, for its body", pacs.web, request))
        named = sorted({found.lower() for body in seen.payload for found in PRODUCTS.findall(body.decode("latin-1"))})
        record.fact(f"body of {what}", expected="no product", told=", ".join(named) or "none", holds=not named)


@check(
    "leaks.reject-reasons",
    "A rejection does not tell which AE titles there are",
    controls=("information-leaks",),
    remedy="Reject a known AE title with another's certificate exactly as an unknown one.",
)
def test_known_and_unknown_titles_look_the_same(pacs: Pacs, record: Record, stranger: Stranger) -> None:
    """Under a peer's certificate, another declared AE title and an unknown one get the same answer; anonymously too."""
    able = pacs.with_verb("echo")
    others = [name for name, peer in pacs.target.peers.items() if name not in able[:1] and not peer.plaintext]
    if not able or not others:
        record.not_tested("AE titles", "there are not two declared peers to compare")
        return
    caller = pacs.caller(able[0])
    lines = {f"with the certificate of {able[0]}": caller.line, "without a certificate": stranger.line}
    for how, line in lines.items():
        known = record.look(association.echo(f"a declared AE title {how}", line, stranger.called, others[0]))
        unknown = record.look(association.echo(f"an unknown AE title {how}", line, stranger.called, stranger.ae_title))
        told = f"known: {known.layer} {known.code}; unknown: {unknown.layer} {unknown.code}"
        same = (known.layer, known.code) == (unknown.layer, unknown.code)
        record.fact(f"answers {how}", expected="the same", told=told, holds=same)


@check(
    "leaks.implementation",
    "A stranger is not told which implementation it is",
    controls=("information-leaks", "peer-authentication"),
    remedy="Let nobody have an A-ASSOCIATE-AC before it has proved who it is: it bears the implementation's name and version.",
)
def test_a_stranger_is_not_told_the_implementation(record: Record, stranger: Stranger) -> None:
    """An association by a stranger gets no A-ASSOCIATE-AC, which would bear implementation class UID and version name."""
    request = pdu.associate_rq(stranger.called, stranger.ae_title)
    try:
        with opened(stranger.line, Layer.ASSOCIATION) as connection:
            connection.send(request)
            answer = connection.pdu()
            told = ""
            if isinstance(answer, pdu.Accepted):
                told = answer.implementation or "an A-ASSOCIATE-AC without a name"
                association.release(connection)
    except EndedError as ended:
        if ended.seen.layer is Layer.TCP or ended.seen.outcome in {Outcome.TIMEOUT, Outcome.INCONCLUSIVE}:
            record.unknown("the answer to a stranger", str(ended.seen.code))
            return
        told = ""
    record.fact("implementation told to a stranger", expected="none", told=told or "none", holds=not told)


@check(
    "leaks.existence",
    "A refusal does not tell what is stored",
    tier="write",
    controls=("information-leaks",),
    remedy="Refuse before the archive is asked, so that what is there and what is not are refused alike.",
)
def test_a_refusal_does_not_tell_what_is_stored(pacs: Pacs, record: Record, canaries: Canaries) -> None:
    """For the anonymous a stored study and one that is not there are refused with the same answer."""
    if pacs.target.https is None:
        record.not_tested("refusals", "the target declares no HTTPS listener")
        return
    image = canaries.stored
    request = Request("GET", f"/dicom-web/studies/{image.study}/metadata")
    served = record.look(http.ask("the study, anonymously", pacs.web, request, http.judge_served))
    if served.outcome is Outcome.ACCEPTED:
        record.not_tested("refusals", "nobody is asked for a login, which http.anonymous tells")
        return
    cases = [
        (http.ask(f"a study that is {how}, anonymously", pacs.web, Request("GET", path), http.judge_served), at(Layer.HTTP))
        for how, path in {
            "stored": f"/dicom-web/studies/{image.study}/metadata",
            "not there": f"/dicom-web/studies/{routes.NO_UID}/metadata",
        }.items()
    ]
    stored, absent = record.bracket(person_control(pacs)).tries(cases)
    same = (stored.seen.code, stored.seen.payload) == (absent.seen.code, absent.seen.payload)
    told = "the same" if same else f"{stored.seen.code} and {absent.seen.code}, or other words"
    record.fact("refusals of a stored and an absent study", expected="the same", told=told, holds=same)
