"""The same thing said in other ways: what opens an archive is refused however it is spelt, and what does not is left alone."""

from __future__ import annotations

import base64
import json
import textwrap
from typing import Any

import pytest

from policies.cases import PROGRAMS
from policies.judging import judged
from policies.programs.declared import APPEND, UNKNOWN, Declared, Path, Program, changed
from policies.programs.on_docker import DIGEST, DOCKER, GENERATED, HAPROXY_CFG, ORTHANC_JSON
from policies.programs.on_kubernetes import KUBERNETES

_ORTHANC: Path = ("uploads", 0, "content")
_CONTAINER: Path = ("spec", "template", "spec", "containers", 0)
_POD: Path = ("spec", "template", "spec")
_INGRESS: Path = ("spec", "ingress", 0, "from")

_OPEN = '"AuthenticationEnabled": false'


def _nginx(server: str, around: str = "http") -> str:
    return f"{around} {{ server {{ {server} }} }}"


#: Rule, program, resource, what is written where.
REFUSED: tuple[tuple[str, str, str, Path, object], ...] = (
    # Orthanc's JSON is not everybody's JSON.
    ("orthanc-authentication", "docker", "archive", _ORTHANC, f'{{"DicomAet": "X", {_OPEN},}}'),
    ("orthanc-authentication", "docker", "archive", _ORTHANC, f'{{"HttpPort": ${{PORT}}, {_OPEN}}}'),
    ("orthanc-authentication", "docker", "archive", _ORTHANC, f'/* ours */ {{"Name": "two\nlines", {_OPEN} // later\n}}'),
    ("orthanc-code", "docker", "archive", _ORTHANC, '{"ExecuteLuaEnabled": true}'),
    ("readable-settings", "docker", "archive", _ORTHANC, f'{{"DicomAet": "X" {_OPEN}}}'),
    # Orthanc takes a name as it is written.
    ("orthanc-called-ae", "docker", "archive", _ORTHANC, ORTHANC_JSON.replace("DicomCheckCalledAet", "DicomCheckCalledAET")),
    ("orthanc-open-verbs", "docker", "archive", _ORTHANC, ORTHANC_JSON.replace("AllowStore", "AllowSTORE")),
    # Variables of the image, nested, old, and as a whole.
    ("orthanc-overwrite", "docker", "archive", ("envs", APPEND), 'ORTHANC_JSON={"OverwriteInstances": true}'),
    ("modality-rights", "docker", "archive", ("envs", APPEND), 'ORTHANC__DICOM_MODALITIES__CT02=["CT02", "192.0.2.5", 104]'),
    ("default-password", "docker", "archive", ("envs", APPEND), "ORTHANC__REGISTERED_USERS__admin=orthanc"),
    ("orthanc-authentication", "docker", "archive", ("envs", APPEND), "AC_AUTHENTICATION_ENABLED=false"),
    ("modality-rights", "docker", "archive", _ORTHANC, ORTHANC_JSON.replace('"AET": "CT01"', '"AET": "*"')),
    # Text that stands in another form.
    (
        "orthanc-authentication",
        "docker",
        "archive",
        ("uploads", 0),
        {
            "file": "/etc/orthanc/o.json",
            "contentBase64": base64.b64encode(f'{{"DicomAet": "X", {_OPEN}}}'.encode()).decode(),
            "permissions": "0400",
        },
    ),
    (
        "orthanc-authentication",
        "kubernetes",
        "archive-settings",
        ("data",),
        {"o.json": base64.b64encode(f'{{"DicomAet": "X", {_OPEN}}}'.encode()).decode()},
    ),
    ("orthanc-authentication", "kubernetes", "gateway-settings", ("data",), {"ORTHANC__AUTHENTICATION_ENABLED": "false"}),
    ("readable-secret", "docker", "worker", ("uploads",), [{"file": "/run/db_password", "content": "k9-Vw7pQx2LmR"}]),
    ("readable-secret", "docker", "archive", ("uploads", 0, "permissions"), "0648"),
    # Gateways.
    ("client-certificate", "docker", "gateway", _ORTHANC, textwrap.indent(HAPROXY_CFG.replace(" verify required", ""), "    ")),
    ("client-certificate", "docker", "gateway", _ORTHANC, HAPROXY_CFG.replace("verify required", "verify required crt-ignore-err all")),
    (
        "client-certificate",
        "docker",
        "gateway",
        _ORTHANC,
        HAPROXY_CFG.replace("frontend dicom", "frontend one").replace(":2762", ":9999").replace(" verify required", ""),
    ),
    (
        "clear-text-listener",
        "docker",
        "gateway",
        _ORTHANC,
        "frontend web\n mode http\n bind 192.0.2.1:443 ssl crt /x\n bind 192.0.2.1:80,192.0.2.1:2762\n default_backend b\n",
    ),
    ("clear-text-listener", "docker", "gateway", _ORTHANC, _nginx("listen 2762; location / { proxy_pass http://archive:8042; }")),
    (
        "tls-version",
        "docker",
        "gateway",
        _ORTHANC,
        _nginx("listen 443 ssl; ssl_protocols TLSv1 TLSv1.2; location / { if ($request_method = OPTIONS) { return 204; } }"),
    ),
    (
        "client-certificate",
        "docker",
        "gateway",
        _ORTHANC,
        _nginx("listen 2763 ssl; ssl_protocols TLSv1.2; proxy_pass archive:4242;", "stream"),
    ),
    ("readable-secret", "docker", "gateway", _ORTHANC, f"{HAPROXY_CFG}\nuserlist people\n  user vera insecure-password hunter2hunter2\n"),
    ("readable-secret", "docker", "gateway", _ORTHANC, f"{HAPROXY_CFG}\nlisten stats\n  stats auth admin:admin1admin\n"),
    # Kubernetes.
    ("network-policy-ingress", "kubernetes", "archive-policy", (*_INGRESS, 0), {"namespaceSelector": {}, "podSelector": {}}),
    ("network-policy-ingress", "kubernetes", "archive-policy", (*_INGRESS, 0), {"namespaceSelector": {"matchLabels": {}}}),
    (
        "network-policy-ingress",
        "kubernetes",
        "archive-policy",
        ("spec", "podSelector"),
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["archive"]}]},
    ),
    ("ingress-without-tls", "kubernetes", "web", ("spec",), {"defaultBackend": {"service": {"name": "gateway"}}}),
    (
        "clear-text-listener",
        "kubernetes",
        "gateway-settings",
        ("data", "haproxy.cfg"),
        "frontend d\n mode tcp\n bind :2762\n default_backend a\n",
    ),
    (
        "secret-in-command",
        "kubernetes",
        "archive",
        (*_CONTAINER, "livenessProbe"),
        {"exec": {"command": ["curl", "-u", "admin:k9Vw7pQx2LmR", "http://localhost:8042/system"]}},
    ),
    (
        "secret-in-command",
        "kubernetes",
        "archive",
        (*_CONTAINER, "livenessProbe"),
        {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "Basic b3J0aGFuYzpvcnRoYW5j"}]}},
    ),
    # Docker.
    (
        "secret-in-command",
        "docker",
        "archive",
        ("healthcheck", "tests"),
        ["CMD-SHELL", "curl -u admin:k9Vw7pQx2LmR http://localhost:8042/system"],
    ),
    ("host-device", "docker", "archive", ("deviceCgroupRules",), ["c *:* rwm"]),
    ("version-floor", "docker", "database", ("image",), f"registry.example:5000/library/postgres:9.6@{DIGEST}"),
)

#: Program, resource, what is written where: nothing is wrong with it.
ALLOWED: tuple[tuple[str, str, Path, object], ...] = (
    ("docker", "archive", ("envs", APPEND), "ORTHANC__DICOM_AET=CLINIC"),
    ("docker", "archive", ("envs", APPEND), "ORTHANC__REGISTERED_USERS_SECRET=users"),
    ("docker", "archive", ("envs", APPEND), "ORTHANC__DICOM_TLS_PRIVATE_KEY=/run/secrets/archive.key"),
    ("docker", "worker", ("envs",), ["MAX_TOKENS=500", "SESSION_TOKEN_VALIDITY=3600"]),
    ("docker", "worker", ("image",), f"prometheuscommunity/postgres-exporter:v0.15.0@{DIGEST}"),
    ("docker", "worker", ("image",), f"harbor.example/pacs/anonymiser:3@{DIGEST}"),
    ("docker", "gateway", ("ports", APPEND), {"internal": 443, "external": 443, "ip": "192.0.2.10"}),
    ("docker", "worker", ("logOpts",), {"max-size": "5m"}),
    (
        "kubernetes",
        "archive",
        (*_CONTAINER, "env", APPEND),
        {"name": "ORTHANC__REGISTERED_USERS", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
    ),
    ("kubernetes", "archive", (*_CONTAINER, "env", APPEND), {"name": "ORTHANC__DICOM_AET", "value": "CLINIC"}),
    (
        "kubernetes",
        "archive-policy",
        ("spec", "podSelector"),
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["archive", "db"]}]},
    ),
    ("kubernetes", "gateway", ("metadata", "namespace"), "edge"),
    (
        "kubernetes",
        "archive",
        ("spec", "template", "metadata", "annotations", "vault.hashicorp.com/agent-inject-secret-db"),
        "secret/data/pacs/db",
    ),
    (
        "kubernetes",
        "archive",
        (*_POD, "initContainers"),
        [
            {
                key: value
                for key, value in KUBERNETES["archive"].properties["spec"]["template"]["spec"]["containers"][0].items()
                if key not in {"livenessProbe", "ports", "volumeMounts"}
            }
        ],
    ),
)


def _changed(program: Program, resource: str, path: Path, value: object) -> dict[str, Declared]:
    return {**program, resource: changed(program[resource], path, value)}


def _found(program: Program, *, preview: bool = False) -> dict[str, str]:
    found = judged(program, preview=preview, secrets=(("login", GENERATED),), passphrase=64)
    return {violation.rule.id: f"{violation.where}: {violation.what}" for violation in found}


@pytest.mark.parametrize(("rule", "dialect", "resource", "path", "value"), REFUSED, ids=[f"{row[0]}-{n}" for n, row in enumerate(REFUSED)])
def test_what_opens_an_archive_is_refused_however_it_is_said(rule: str, dialect: str, resource: str, path: Path, value: object) -> None:
    """Another spelling, another property, another form of the same opening is told by the same rule."""
    assert rule in _found(_changed(PROGRAMS[dialect], resource, path, value))


@pytest.mark.parametrize(("dialect", "resource", "path", "value"), ALLOWED, ids=[f"{row[1]}-{n}" for n, row in enumerate(ALLOWED)])
def test_what_is_sound_is_left_alone(dialect: str, resource: str, path: Path, value: object) -> None:
    """What a careful engineer writes is told by no rule, in a preview and in a run."""
    for preview in (True, False):
        assert _found(_changed(PROGRAMS[dialect], resource, path, value), preview=preview) == {}


def test_settings_in_two_files_are_one_configuration() -> None:
    """What one file does not say another may: they are judged together, as Orthanc reads them."""
    whole: dict[str, Any] = json.loads(ORTHANC_JSON)
    halves = [{name: whole[name] for name in names} for names in (list(whole)[::2], list(whole)[1::2])]
    uploads = [{"file": f"/etc/orthanc/{n}.json", "content": json.dumps(half), "permissions": "0400"} for n, half in enumerate(halves)]
    assert _found(_changed(DOCKER, "archive", ("uploads",), uploads)) == {}


def test_a_setting_that_an_unknown_variable_may_hold_is_waited_for() -> None:
    """In a preview a variable that is not known at all may be any setting: nothing is told as missing, and nothing passes in the run."""
    program = _changed(DOCKER, "archive", ("envs",), ["ORTHANC__DICOM_AET=CLINIC", UNKNOWN])
    assert _found(program, preview=True) == {}
    assert {"orthanc-open-verbs", "default-login"} <= set(_found(program))


def test_a_redirect_to_https_is_no_listener_in_the_clear() -> None:
    """A listener that does nothing but send a browser to HTTPS may be published; one that serves too may not."""
    published = _changed(DOCKER, "gateway", ("ports", APPEND), {"internal": 80, "external": 80, "ip": "192.0.2.10"})
    redirect = "frontend plain\n  mode http\n  bind :80\n  http-request redirect scheme https code 301\n"
    assert _found(_changed(published, "gateway", _ORTHANC, HAPROXY_CFG + redirect)) == {}
    served = f"{redirect}  default_backend archive\n"
    assert "clear-text-listener" in _found(_changed(published, "gateway", _ORTHANC, HAPROXY_CFG + served))
    server = "listen 80; location / { return 301 https://$host$request_uri; }"
    assert "clear-text-listener" not in _found(_changed(published, "gateway", _ORTHANC, _nginx(server)))


def test_a_swarm_service_names_no_address() -> None:
    """A Swarm gateway cannot say on which address it answers, and is not asked; an archive's port without a number is published too."""
    task = {
        "containerSpec": {
            "image": f"haproxy:3.0.5@{DIGEST}",
            "user": "99",
            "readOnly": True,
            "capDrops": ["ALL"],
            "healthcheck": {"tests": ["CMD", "true"]},
        },
        "resources": {"limits": {"memoryBytes": 1 << 28, "nanoCpus": 1000000000}},
        "logDriver": {"name": "journald"},
        "networksAdvanceds": [{"name": "inner"}],
    }
    gateway = Declared(
        "docker:index/service:Service",
        "front",
        {"taskSpec": task, "endpointSpec": {"ports": [{"targetPort": 2762, "publishedPort": 2762}]}},
    )
    assert _found({**DOCKER, "front": gateway}) == {}
    archive = changed(
        changed(gateway, ("taskSpec", "containerSpec", "image"), f"orthancteam/orthanc:25.10.3@{DIGEST}"),
        ("endpointSpec", "ports"),
        [{"targetPort": 8042}],
    )
    assert "published-archive" in _found({**DOCKER, "front": archive})
