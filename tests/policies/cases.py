"""The table of violations: for each rule, the one line of a program that breaks it.

The first case of a rule is also tried with the real engine. `path` is what is changed; with an unknown value there the rule waits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final, Literal

from policies.programs.declared import ABSENT, APPEND, PROTECT, UNKNOWN, Path, Program, changed
from policies.programs.on_docker import DIGEST, DOCKER, GENERATED, IN_TLS
from policies.programs.on_kubernetes import KUBERNETES
from policies.programs.on_own import OWN

Dialect = Literal["docker", "kubernetes", "own"]

PROGRAMS: Final[Mapping[str, Program]] = {"docker": DOCKER, "kubernetes": KUBERNETES, "own": OWN}


@dataclasses.dataclass(frozen=True)
class Case:
    """One change of a program: of which resource, what, and to what. `unknown` is where a value may be unknown, if not there."""

    rule: str
    dialect: Dialect
    resource: str
    path: Path
    value: object
    unknown: Path | None = ()
    """() is the path itself; None: what is changed is no property that can be unknown."""

    @property
    def name(self) -> str:
        """How a test of it is called."""
        return f"{self.rule}-{self.dialect}-{self.resource}"


def _text(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, f"the program says nothing like {old!r} any more"
        return text.replace(old, new)

    return change


_ORTHANC: Path = ("uploads", 0, "content")
_HAPROXY: Path = ("uploads", 0, "content")
_CONTAINER: Path = ("spec", "template", "spec", "containers", 0)
_POD: Path = ("spec", "template", "spec")

_CASES: Final[tuple[tuple[str, Dialect, str, Path, object] | tuple[str, Dialect, str, Path, object, Path | None], ...]] = (
    # What answers from outside.
    ("published-archive", "docker", "archive", ("ports",), [{"internal": 8042, "external": 8042, "ip": "192.0.2.10"}]),
    ("published-archive", "docker", "archive", ("publishAllPorts",), True),
    ("published-archive", "kubernetes", "archive", (*_CONTAINER, "ports", 0, "hostPort"), 4242),
    ("published-archive", "own", "pacs-archive", ("ports",), [{"hostIp": "127.0.0.1", "hostPort": 4242, "containerPort": 4242}]),
    ("published-database", "docker", "database", ("ports",), [{"internal": 5432, "external": 5432, "ip": "192.0.2.10"}]),
    ("published-database", "docker", "worker", ("ports",), [{"internal": 3306, "external": 3306, "ip": "192.0.2.10"}]),
    ("published-metrics", "docker", "gateway", ("ports", APPEND), {"internal": 8404, "external": 8404, "ip": "192.0.2.10"}, ("ports",)),
    ("published-beside-gateway", "docker", "worker", ("ports",), [{"internal": 8080, "external": 8080, "ip": "192.0.2.10"}]),
    ("published-everywhere", "docker", "gateway", ("ports", 0, "ip"), "0.0.0.0"),  # noqa: S104 - what is refused
    ("published-everywhere", "docker", "gateway", ("ports", 0, "ip"), ABSENT),
    ("service-from-outside", "kubernetes", "archive-service", ("spec", "type"), "LoadBalancer"),
    ("service-from-outside", "kubernetes", "archive-service", ("spec", "externalIPs"), ["192.0.2.10"]),
    ("ingress-without-tls", "kubernetes", "web", ("spec", "tls"), ABSENT),
    (
        "ingress-to-archive", "kubernetes", "web",
        ("spec", "rules", 0, "http", "paths", 0, "backend", "service", "name"), "archive",
    ),
    # Networks.
    ("default-network", "docker", "archive", ("networksAdvanced",), ABSENT),
    ("inner-network-internal", "own", "pacs-inner", ("internal",), False),
    ("inner-network-internal", "docker", "inner", ("internal",), False),
    ("inner-network-internal", "docker", "archive", ("networksAdvanced", 0, "name"), "elsewhere"),
    ("archive-without-gateway", "docker", "gateway", ("labels",), [{"label": "securepacs.part", "value": "other"}]),
    ("archive-without-gateway", "kubernetes", "gateway", (*_POD[:-1], "metadata", "labels", "securepacs.part"), "other"),
    ("edge-beside-gateway", "docker", "worker", ("networksAdvanced", APPEND), {"name": "edge"}, ("networksAdvanced",)),
    ("network-policy-ingress", "kubernetes", "archive-policy", ("spec", "ingress", 0, "from"), []),
    ("network-policy-ingress", "kubernetes", "archive-policy", ("spec", "podSelector", "matchLabels", "app"), "another"),
    (
        "network-policy-ingress", "kubernetes", "archive-policy", ("spec", "podSelector"),
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["archive"]}]},
    ),
    ("network-policy-egress", "kubernetes", "archive-policy", ("spec", "egress", 0, "to", 0), {"ipBlock": {"cidr": "0.0.0.0/0"}}),
    ("network-policy-egress", "kubernetes", "archive-policy", ("spec", "policyTypes"), ["Ingress"]),
    # What a container may do to its host.
    ("privileged", "docker", "archive", ("privileged",), True),
    ("privileged", "kubernetes", "archive", (*_CONTAINER, "securityContext", "privileged"), True),
    ("capability-added", "docker", "archive", ("capabilities", "adds"), ["NET_ADMIN"]),
    ("capability-added", "kubernetes", "archive", (*_CONTAINER, "securityContext", "capabilities", "add"), ["SYS_ADMIN"]),
    ("capabilities-kept", "docker", "archive", ("capabilities", "drops"), ABSENT),
    ("capabilities-kept", "kubernetes", "archive", (*_CONTAINER, "securityContext", "capabilities", "drop"), ["NET_RAW"]),
    ("new-privileges", "docker", "archive", ("securityOpts",), ABSENT),
    ("new-privileges", "kubernetes", "archive", (*_CONTAINER, "securityContext", "allowPrivilegeEscalation"), ABSENT),
    ("root-user", "docker", "archive", ("user",), ABSENT),
    ("root-user", "docker", "archive", ("user",), "0:0"),
    ("root-user", "kubernetes", "archive", (*_CONTAINER, "securityContext", "runAsUser"), 0),
    ("root-user", "own", "pacs-archive", ("user",), "root"),
    ("unconfined", "docker", "archive", ("securityOpts", APPEND), "seccomp=unconfined", ("securityOpts",)),
    ("unconfined", "kubernetes", "archive", (*_POD, "securityContext"), {"seccompProfile": {"type": "Unconfined"}}),
    ("unconfined", "kubernetes", "archive", (*_POD, "securityContext"), ABSENT),
    ("unconfined", "kubernetes", "archive", (*_CONTAINER, "securityContext", "procMount"), "Unmasked"),
    ("host-network", "docker", "archive", ("networkMode",), "host"),
    ("host-network", "kubernetes", "archive", (*_POD, "hostNetwork"), True),
    ("host-namespace", "docker", "archive", ("pidMode",), "host"),
    ("host-namespace", "kubernetes", "archive", (*_POD, "hostPID"), True),
    ("host-device", "docker", "archive", ("devices",), [{"hostPath": "/dev/sda"}]),
    ("host-mount", "docker", "archive", ("volumes",), [{"hostPath": "/srv/studies", "containerPath": "/in", "readOnly": True}]),
    ("host-mount", "docker", "archive", ("mounts", APPEND), {"type": "bind", "source": "/srv", "target": "/srv"}, ("mounts",)),
    ("host-mount", "kubernetes", "archive", (*_POD, "volumes", 0), {"name": "studies", "hostPath": {"path": "/srv"}}),
    ("volume-on-host", "docker", "studies", ("driverOpts",), {"type": "none", "o": "bind", "device": "/srv/studies"}),
    ("engine-socket", "docker", "worker", ("volumes",), [{"hostPath": "/var/run/docker.sock", "containerPath": "/run/docker.sock"}]),
    ("engine-socket", "kubernetes", "archive", (*_POD, "volumes", 0), {"name": "studies", "hostPath": {"path": "/run/containerd/"}}),
    ("writable-root", "docker", "archive", ("readOnly",), ABSENT),
    ("writable-root", "kubernetes", "archive", (*_CONTAINER, "securityContext", "readOnlyRootFilesystem"), False),
    # Limits.
    ("memory-limit", "docker", "archive", ("memory",), ABSENT),
    ("memory-limit", "kubernetes", "archive", (*_CONTAINER, "resources", "limits", "memory"), ABSENT),
    ("processor-limit", "docker", "archive", ("cpus",), ABSENT),
    ("processor-limit", "kubernetes", "archive", (*_CONTAINER, "resources"), ABSENT),
    ("process-limit", "docker", "archive", ("ulimits",), ABSENT),
    ("log-limit", "docker", "archive", ("logOpts",), ABSENT),
    ("health-check", "docker", "archive", ("healthcheck",), ABSENT),
    ("health-check", "docker", "archive", ("healthcheck", "tests"), ["NONE"]),
    ("health-check", "kubernetes", "archive", (*_CONTAINER, "livenessProbe"), ABSENT),
    # Images.
    ("image-digest", "docker", "archive", ("image",), "orthancteam/orthanc:25.10.3"),
    ("image-digest", "kubernetes", "archive", (*_CONTAINER, "image"), "orthancteam/orthanc:latest"),
    ("version-floor", "docker", "gateway", ("image",), f"haproxy:2.4.1@{DIGEST}"),
    ("version-floor", "docker", "archive", ("image",), f"jodogne/orthanc-plugins:1.12.1@{DIGEST}"),
    ("build-floor", "own", "pacs-archive-image", ("buildArgs", "ORTHANC_FLOOR"), "1.11.0"),
    ("image-abandoned", "docker", "archive", ("image",), f"osimis/orthanc:24.1.2@{DIGEST}"),
    # Secrets.
    ("secret-in-environment", "own", "pacs-archive", ("environment", "ORTHANC_PASSWORD"), "k9-Vw7pQx2LmR", ("environment", "TCP_NODELAY")),
    ("secret-in-environment", "docker", "database", ("envs", APPEND), "POSTGRES_PASSWORD=k9-Vw7pQx2LmR", ("envs", 0)),
    ("secret-in-environment", "kubernetes", "archive", (*_CONTAINER, "env", 0), {"name": "API_TOKEN", "value": "k9-Vw"}),
    ("secret-in-command", "docker", "database", ("command",), ["postgres", "--password=k9-Vw7pQx2LmR"]),
    ("secret-in-label", "docker", "worker", ("labels",), [{"label": "admin_password", "value": "k9-Vw7pQx2LmR"}]),
    ("secret-in-build", "docker", "worker-image", ("buildArgs", "NPM_TOKEN"), "k9-Vw7pQx2LmR", ("buildArgs", "VERSION")),
    ("secret-in-configmap", "kubernetes", "gateway-settings", ("data", "login"), "password = k9-Vw7pQx2LmR"),
    ("readable-secret", "docker", "archive", ("uploads", 0, "permissions"), "0644"),
    ("readable-secret", "own", "pacs-archive-config", ("files", "orthanc.json", "mode"), "0444"),
    ("default-password", "docker", "archive", _ORTHANC, _text("Vw7pQx2LmR9tZs4K", "orthanc")),
    ("default-password", "docker", "archive", ("envs", APPEND), 'ORTHANC__REGISTERED_USERS={"alice":"alicePassword"}', ("envs",)),
    ("default-login", "docker", "archive", _ORTHANC, _text('"gateway": "Vw7pQx2LmR9tZs4K"', "")),
    ("generated-secret-shown", "docker", "worker", ("envs",), [f"GREETING=hello {GENERATED}"]),
    # Orthanc's own settings.
    ("orthanc-authentication", "docker", "archive", _ORTHANC, _text('"AuthenticationEnabled": true', '"AuthenticationEnabled": false')),
    ("orthanc-authentication", "docker", "archive", ("envs", APPEND), "ORTHANC__AUTHENTICATION_ENABLED=false", ("envs",)),
    ("orthanc-open-verbs", "docker", "archive", _ORTHANC, _text('"DicomAlwaysAllowFind": false', '"DicomAlwaysAllowFind": true')),
    ("orthanc-open-verbs", "kubernetes", "archive-settings", ("stringData", "orthanc.json"), _text('"DicomAlwaysAllowStore": false,', "")),
    ("orthanc-called-ae", "docker", "archive", _ORTHANC, _text('"DicomCheckCalledAet": true,', "")),
    ("orthanc-code", "docker", "archive", _ORTHANC, _text('"Name": "clinic",', '"ExecuteLuaEnabled": true,')),
    ("orthanc-overwrite", "docker", "archive", _ORTHANC, _text('"OverwriteInstances": false', '"OverwriteInstances": true')),
    ("modality-rights", "docker", "archive", _ORTHANC, _text('"AllowMove": false,', "")),
    ("readable-settings", "docker", "archive", _ORTHANC, _text('"Name": "clinic",', '"Name": "clinic"'), None),
    # Transport.
    ("tls-version", "docker", "gateway", _HAPROXY, _text("ssl-min-ver TLSv1.2", "ssl-min-ver TLSv1.0")),
    ("tls-version", "own", "pacs-gateway-config", ("files", "haproxy.cfg", "content"), _text("ssl-min-ver TLSv1.2", "")),
    ("client-certificate", "docker", "gateway", _HAPROXY, _text(" verify required", "")),
    ("client-certificate", "kubernetes", "gateway-settings", ("data", "haproxy.cfg"), _text("verify required", "verify optional")),
    ("clear-text-listener", "docker", "gateway", _HAPROXY, _text(f" {IN_TLS}", "")),
    (
        "orthanc-anonymous-tls", "docker", "archive", _ORTHANC,
        _text('"Name": "clinic",', '"DicomTlsEnabled": true, "DicomTlsRemoteCertificateRequired": false,'),
    ),
    # What a clinic declares.
    ("peer-without-verbs", "own", "pacs", ("peers", 0, "verbs"), []),
    ("peer-wildcard", "own", "pacs", ("peers", 0, "ae_title"), "ANY"),
    ("plaintext-waiver", "own", "pacs", ("peers", 1, "plaintext", "until"), "2099-12-31"),
    ("machine-token", "own", "pacs", ("machines", 0, "until"), "2099-12-31"),
    ("backup-declared", "own", "pacs", ("backup",), ABSENT),
    ("backup-declared", "docker", "archive", ("labels",), ABSENT),
    ("data-volume-kept", "own", "pacs-archive-data", ("protectData",), False),
    ("data-volume-kept", "docker", "studies", (PROTECT,), False, None),
    ("data-volume-kept", "kubernetes", "studies", (PROTECT,), False, None),
    ("data-volume-kept", "docker", "archive", ("mounts", 0, "source"), "made-by-hand"),
    # Keys.
    ("authority-lifetime", "own", "pacs-ca", ("validityDays",), 7300),
    ("authority-lifetime", "docker", "authority", ("validityPeriodHours",), 20 * 365 * 24),
    ("certificate-lifetime", "own", "pacs-peer-CT01", ("validityDays",), 825),
    ("certificate-lifetime", "docker", "certificate", ("validityPeriodHours",), 825 * 24),
    ("revocation-lifetime", "own", "pacs-crl", ("validityDays",), 3650),
    ("key-strength", "docker", "key", ("rsaBits",), 1024),
    ("key-strength", "docker", "curve", ("ecdsaCurve",), "P224"),
)  # fmt: skip

UNREAD: Final = {**DOCKER, "archive": changed(DOCKER["archive"], ("uploads",), UNKNOWN)}

CASES: Final = tuple(Case(*row) for row in _CASES)

#: Rules that no line of a program breaks: the engine's surroundings, the configuration of the rules themselves, and a list that is
#: still unknown when its resource is made.
BY_OTHER_MEANS: Final = frozenset({"state-passphrase", "exception-without-end", "readable-resource"})
