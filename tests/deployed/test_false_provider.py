"""What a provider says is held against its keys, its name, this client, this question and the time: a false word opens nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deployed.deployment import docker
from deployed.false_provider import FalseProvider, Said, challenge, serving
from deployed.keycloak import HOST, known_here
from deployed.provided import Person
from deployed.test_identity_provider import EDGE, NAME, Clinic, provided_clinic

PORT, RELAY = 18544, "securepacs-test-false-provider"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """The clinic, of which nobody runs the provider yet."""
    with provided_clinic(tmp_path_factory.mktemp("false")) as made:
        yield made


@pytest.fixture(scope="module")
def provider(clinic: Clinic, dcmtk_image: str) -> Iterator[FalseProvider]:
    """The provider, on this host's own address in the clinic's outer network; its name there is a relay's."""
    relay = ("--name", RELAY, "--network", f"{NAME}-edge", "--network-alias", HOST, "--cap-drop", "ALL", "--read-only")
    docker("rm", "-f", RELAY, check=False)
    docker("run", "-d", *relay, dcmtk_image, "socat", f"TCP-LISTEN:{PORT},fork,reuseaddr", f"TCP:{EDGE}:{PORT}")
    try:
        with known_here(), serving(EDGE, PORT, clinic.provider.folder / "own", clinic.provider.client_secret) as made:
            clinic.declare(**made.section())
            yield made
    finally:
        docker("rm", "-f", RELAY, check=False)


def go_through(clinic: Clinic, provider: FalseProvider, **said: Any) -> Person:  # noqa: ANN401 - the fields of Said
    """Ask, let the provider say this, and come back; give the browser."""
    person = clinic.person()
    question = parse_qs(urlsplit(person.begin()).query)
    provider.said = Said(nonce=question["nonce"][0], **said)
    person.come_back(f"/oauth2/callback?code=any&state={question['state'][0]}")
    if provider.asked:
        form, _ = provider.asked[-1]
        assert challenge(form["code_verifier"][0]) == question["code_challenge"][0]
    return person


#: What is wrong -> what the provider says.
FALSE: dict[str, dict[str, Any]] = {
    "no signature": {"algorithm": "none"},
    "signed with the client's secret": {"algorithm": "HS256"},
    "signed with a key that is not the provider's": {"foreign_key": True},
    "another issuer": {"claims": {"iss": "https://elsewhere.example"}},
    "for another client": {"claims": {"aud": "another"}},
    "an answer to another question": {"claims": {"nonce": "another"}},
    "an answer to no question": {"claims": {"nonce": None}},
    "over for six minutes": {"clock": -660},
    "not yet for an hour": {"claims": {"nbf": 4_102_444_800}},
    "no name": {"claims": {"preferred_username": ""}},
    "a name that would be two lines of a log": {"claims": {"preferred_username": "x\nuser=anna role=admin"}},
    "a name with a space": {"claims": {"preferred_username": "mal lory"}},
}


@pytest.mark.parametrize("what", FALSE)
def test_a_false_word_opens_nothing(clinic: Clinic, provider: FalseProvider, what: str) -> None:
    """A token with this one thing wrong opens nothing; the same without it does, before and after."""
    assert go_through(clinic, provider).who() == ("mallory", "admin")
    assert go_through(clinic, provider, **FALSE[what]).who() in {401, 403}
    assert go_through(clinic, provider).who() == ("mallory", "admin")


@pytest.mark.parametrize("clock", [-240, 240, 3600])
def test_clocks_may_differ_by_less_than_a_token_lasts(clinic: Clinic, provider: FalseProvider, clock: int) -> None:
    """A provider whose clock is four minutes behind, or ahead by four minutes or an hour, still signs people in."""
    assert go_through(clinic, provider, clock=clock).who() == ("mallory", "admin")


def test_the_clinic_proves_itself_to_the_provider(clinic: Clinic, provider: FalseProvider) -> None:
    """With each code the clinic sends its secret and the verifier of its own challenge, and no other address than its own is named."""
    go_through(clinic, provider)
    form, authorization = provider.asked[-1]
    assert authorization.startswith("Basic ") or form["client_secret"] == [clinic.provider.client_secret]
    assert form["grant_type"] == ["authorization_code"]
    assert form["redirect_uri"][0].startswith("https://localhost:")


def test_another_provider_ends_every_session(clinic: Clinic, provider: FalseProvider) -> None:
    """A clinic that changes its provider ends the sessions that the one before had opened."""
    person = go_through(clinic, provider)
    assert person.who() == ("mallory", "admin")
    clinic.declare(**{**provider.section(), "client_id": "another"})
    assert person.who() == 401
    clinic.declare(**provider.section())
    assert HOST in person.begin()
