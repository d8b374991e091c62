"""The section of an identity provider: what it must say, what becomes of it, and how a discovery document fills it in."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from securepacs.clinic import parse_clinic
from securepacs.commands import provider as provider_command
from securepacs.commands.provider import section
from securepacs.errors import ConfigurationError
from securepacs.gateway import gateway_file_names, gateway_files
from securepacs.identity_provider import IdentityProvider
from securepacs.routes import open_paths
from securepacs.secret_arguments import CLIENT_SECRET, client_secret, take_secrets
from securepacs.sign_in import SignInSecrets, file_names, provider_generation, role_values, sign_in_files
from securepacs.target import target
from unit.test_gateway import configuration, secrets_for
from unit.test_own_authority import CERTIFICATE

IDP = "https://idp.example"


@pytest.fixture
def declared(declared: dict[str, Any]) -> dict[str, Any]:
    """The small clinic, with a viewer and an identity provider."""
    oidc = {
        "issuer": f"{IDP}/realms/clinic",
        "login_url": f"{IDP}/realms/clinic/auth",
        "token_url": f"{IDP}/realms/clinic/token",
        "keys_url": "https://keys.idp.example:8443/certs",
        "sign_out_url": f"{IDP}/realms/clinic/logout%20now",
        "client_id": "pacs&co",
        "roles": {"readers": "viewer", "heads": "admin", "second readers": "viewer"},
    }
    return {**declared, "viewer": True, "sign_in": {"oidc": oidc}}


def _altered(declared: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - anything may stand in a configuration
    return {**declared, "sign_in": {"oidc": {**declared["sign_in"]["oidc"], **changes}}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"token_url": "http://idp.example/token"}, "https://HOST"),
        ({"token_url": "https://10.0.0.7/token"}, "called by its name"),
        ({"keys_url": "https://idp.example/certs?x=1"}, "https://HOST"),
        ({"login_url": "https://user@idp.example/"}, "https://HOST"),
        ({"issuer": "https://idp.example:99999/"}, "https://HOST"),
        ({"roles": {}}, "at least 1"),
        ({"roles": {"a,b": "admin"}}, "text that matches"),
        ({"roles": {"a": "owner"}}, "viewer"),
        ({"scopes": ["profile"]}, "openid"),
        ({"client_secret": "x"}, "never stands in a configuration"),
        ({"client_secret_file": "secret"}, "from the root"),
        ({"authority": "x"}, "PEM"),
        ({"locked_out": ["a b"]}, "text that matches"),
        ({"password": "x"}, "no such key"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(declared: dict[str, Any], changes: dict[str, Any], told: str) -> None:
    """Each mistake in the section is one line with its path and what is allowed."""
    with pytest.raises(ConfigurationError, match=told) as caught:
        parse_clinic(_altered(declared, **changes))
    assert "securepacs:clinic.sign_in.oidc" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_provider_is_for_browsers(declared: dict[str, Any]) -> None:
    """A provider without a viewer is refused; with one nobody has to be declared in the clinic itself."""
    with pytest.raises(ConfigurationError, match=r"sign_in\.oidc"):
        parse_clinic({**declared, "viewer": False})
    assert not parse_clinic({**declared, "people": []}).people


def test_the_sign_in_asks_for_a_bound_code(declared: dict[str, Any]) -> None:
    """The code flow with PKCE, nonce and asymmetric signatures; hashes of people are not there, and the secret is a file of its own."""
    clinic = parse_clinic(declared)
    files = sign_in_files(clinic, SignInSecrets("c" * 32, {}, "very secret"))
    assert tuple(files) == file_names(clinic)
    settings = tomllib.loads(files["sign-in.cfg"])
    assert settings["code_challenge_method"] == "S256"
    assert settings["insecure_oidc_skip_nonce"] is False
    assert not {"none", "HS256"} & set(settings["oidc_enabled_signing_algs"])
    assert settings["prompt"] == "login"
    assert "very secret" not in files["sign-in.cfg"]
    assert files["client-secret"] == "very secret"
    assert not {"htpasswd_file", "client_secret", "display_htpasswd_form"} & set(settings)


def test_the_highest_role_is_asked_first(declared: dict[str, Any]) -> None:
    """Roles stand from the highest down with all their values; one that nobody can have is not asked for."""
    assert role_values(parse_clinic(declared)) == [("admin", "heads"), ("viewer", "readers,second readers")]


def test_the_gateway_carries_to_the_providers_hosts_alone(declared: dict[str, Any]) -> None:
    """One listener for each port, which knows the names behind it; the browser's own way to the provider is none of the clinic's."""
    text = configuration(declared)
    assert "bind gateway-browser:443" in text
    assert "bind gateway-browser:8443" in text
    assert "server provider idp.example:443" in text
    assert "server provider keys.idp.example:8443" in text
    assert "client_id=pacs%%26co" in text
    assert "logout%%20now?" in text
    assert "is_form" not in text


def test_locked_out_people_stand_in_a_file(declared: dict[str, Any]) -> None:
    """A name that is locked out is data of a file, so that the gateway reloads for it and restarts for nothing."""
    clinic = parse_clinic(_altered(declared, locked_out=["otto", "olga@example"]))
    files = gateway_files(clinic, secrets_for(clinic))
    assert files["locked.list"] == "otto\nolga@example\n"
    assert set(files) == set(gateway_file_names(clinic))


def test_the_form_is_gone_and_the_ways_are_there(declared: dict[str, Any]) -> None:
    """With a provider the sign-in's page has no form, and the ways there and back are open; the harness is told the same."""
    clinic = parse_clinic(declared)
    paths = open_paths(clinic)
    assert paths["/oauth2/sign_in"] == ("GET",)
    assert {"/oauth2/start", "/oauth2/callback"} < set(paths)
    assert [rule["route"] for rule in target(clinic, "CA")["https"]["roles"]["anonymous"]] == [f"^{path}$" for path in paths]
    assert {443, 8443} <= set(target(clinic, "CA")["listeners"]["gateway"])


def test_another_client_is_another_generation(declared: dict[str, Any]) -> None:
    """Sessions of another issuer or client fit no more; what else changes in the section ends none."""
    provider = parse_clinic(declared).sign_in.oidc
    other = parse_clinic(_altered(declared, client_id="other")).sign_in.oidc
    same = parse_clinic(_altered(declared, ask_again=False)).sign_in.oidc
    assert provider
    assert other
    assert same
    assert provider_generation(provider) != provider_generation(other)
    assert provider_generation(provider) == provider_generation(same)


def test_the_secret_is_a_file_of_its_owner(declared: dict[str, Any], tmp_path: Path) -> None:
    """The client's secret is read without its line's end; a file that others may read, or that is not there, is told in one line."""
    path = tmp_path / "secret"
    path.write_text("s3cret\n", encoding="ascii")
    path.chmod(0o600)
    provider = parse_clinic(_altered(declared, client_secret_file=str(path))).sign_in.oidc
    assert provider
    assert provider.read_secret() == "s3cret"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="0600"):
        provider.read_secret()
    path.unlink()
    with pytest.raises(ConfigurationError, match="No such file"):
        provider.read_secret()


def test_a_programs_secret_is_parted_from_the_clinic(declared: dict[str, Any]) -> None:
    """The secret that a program gives is taken out of what is validated and shown; a file beside it is one too many."""
    secret = pulumi.Output.secret("x")
    clinic, taken = take_secrets(_altered(declared, client_secret=secret))
    assert taken == {CLIENT_SECRET: secret}
    provider = parse_clinic(clinic).sign_in.oidc
    assert provider
    assert client_secret(provider, secret) is secret
    with pytest.raises(ConfigurationError, match="client_secret_file"):
        client_secret(provider, None)
    both = parse_clinic(_altered(declared, client_secret_file=str(Path("/run/secret")))).sign_in.oidc
    assert both
    with pytest.raises(ConfigurationError, match="one of them"):
        client_secret(both, secret)


DISCOVERED = {
    "issuer": IDP,
    "authorization_endpoint": f"{IDP}/a",
    "token_endpoint": f"{IDP}/t",
    "jwks_uri": f"{IDP}/k",
    "code_challenge_methods_supported": ["plain", "S256"],
}


def test_a_discovery_document_fills_the_section() -> None:
    """The section has the endpoints as the provider names them; a provider that ends no sessions leaves that key out."""
    assert section(IDP, DISCOVERED) == {"issuer": IDP, "login_url": f"{IDP}/a", "token_url": f"{IDP}/t", "keys_url": f"{IDP}/k"}
    assert section(IDP, {**DISCOVERED, "end_session_endpoint": f"{IDP}/e"})["sign_out_url"] == f"{IDP}/e"


def test_what_the_command_prints_is_a_section(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is printed is YAML that a clinic takes as it is, with the authority as its file has it."""
    (tmp_path / "ca.pem").write_text(CERTIFICATE, encoding="ascii")
    monkeypatch.setattr(provider_command, "_discovered", lambda *_: DISCOVERED)
    provider_command.provider(IDP, tmp_path / "ca.pem")
    printed = yaml.safe_load(capsys.readouterr().out)["sign_in"]["oidc"]
    made = IdentityProvider(**printed)
    assert (made.issuer, made.authority) == (IDP, CERTIFICATE)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"issuer": "https://elsewhere.example"}, "as the provider calls itself"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "S256"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(changes: dict[str, Any], told: str) -> None:
    """Another provider's document, one without an endpoint, and a provider without PKCE are told, and nothing is printed."""
    with pytest.raises(ConfigurationError, match=told):
        section(IDP, {**DISCOVERED, **changes})


def test_the_target_file_declares_no_form(declared: dict[str, Any]) -> None:
    """Where people sign in at a provider there is no form of the clinic's own that the harness could fill; with one it is declared."""
    assert "sign_in" not in target(parse_clinic(declared), "CA")["https"]
    assert "sign_in" in target(parse_clinic({**declared, "sign_in": {}}), "CA")["https"]
