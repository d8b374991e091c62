"""A PACS of pulumi-docker's resources that breaks no rule."""

from __future__ import annotations

import json

from policies.programs.declared import Declared, program

DIGEST = f"sha256:{'5e' * 32}"

#: What the stand-in for pulumi-random makes: a secret without the looks of one.
GENERATED = "eleven quiet tables wait"

ORTHANC_JSON = json.dumps(
    {
        "Name": "clinic",
        "DicomAet": "CLINIC",
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"gateway": "Vw7pQx2LmR9tZs4K"},
        **{f"DicomAlwaysAllow{verb}": False for verb in ("Echo", "Store", "Find", "FindWorklist", "Get", "Move")},
        "DicomCheckCalledAet": True,
        "StrictAetComparison": True,
        "OverwriteInstances": False,
        "DicomModalities": {
            "ct01": {
                "AET": "CT01",
                "Host": "gateway",
                "Port": 11112,
                "AllowEcho": True,
                "AllowStore": True,
                "AllowFind": False,
                "AllowFindWorklist": False,
                "AllowGet": False,
                "AllowMove": False,
                "AllowStorageCommitment": False,
            }
        },
    },
    indent=1,
)

IN_TLS = "ssl crt /etc/gateway/server.pem ca-file /etc/gateway/peers.pem verify required"

HAPROXY_CFG = f"""\
global
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets

frontend dicom
  mode tcp
  bind :2762 {IN_TLS}
  default_backend archive

backend archive
  mode tcp
  server archive archive:4242
"""

HARDENED = {
    "readOnly": True,
    "capabilities": {"drops": ["ALL"]},
    "securityOpts": ["no-new-privileges:true"],
    "memory": 2048,
    "cpus": "1.0",
    "ulimits": [{"name": "nproc", "soft": 512, "hard": 512}],
    "logOpts": {"max-size": "10m", "max-file": "5"},
    "tmpfs": {"/tmp": "rw,noexec,nosuid,size=64m"},  # noqa: S108 - a container's own
}

DOCKER = program(
    Declared("docker:index/network:Network", "edge", {"name": "edge", "internal": False}),
    Declared("docker:index/network:Network", "inner", {"name": "inner", "internal": True}),
    Declared("docker:index/volume:Volume", "studies", {"name": "studies"}, protect=True),
    Declared("docker:index/volume:Volume", "rows", {"name": "rows"}, protect=True),
    Declared("docker-build:index:Image", "worker-image", {"push": False, "buildArgs": {"VERSION": "3"}}),
    Declared("random:index/randomPassword:RandomPassword", "login", {"length": 24}),
    Declared(
        "docker:index/container:Container",
        "archive",
        {
            **HARDENED,
            "image": f"orthancteam/orthanc:25.10.3@{DIGEST}",
            "user": "10102:10102",
            "networksAdvanced": [{"name": "inner", "aliases": ["archive"]}],
            "mounts": [{"type": "volume", "source": "studies", "target": "/var/lib/orthanc/db"}],
            "envs": ["TZ=UTC"],
            "healthcheck": {"tests": ["CMD", "/probes/test-aliveness.py"]},
            "labels": [{"label": "securepacs.backup", "value": "restic, to the other building, every night"}],
            "uploads": [{"file": "/etc/orthanc/orthanc.json", "content": ORTHANC_JSON, "permissions": "0400"}],
        },
    ),
    Declared(
        "docker:index/container:Container",
        "database",
        {
            **HARDENED,
            "image": f"postgres:17.2@{DIGEST}",
            "user": "70:70",
            "networksAdvanced": [{"name": "inner"}],
            "mounts": [{"type": "volume", "source": "rows", "target": "/var/lib/postgresql/data"}],
            "envs": ["POSTGRES_PASSWORD_FILE=/run/secrets/login"],
            "healthcheck": {"tests": ["CMD", "pg_isready"]},
        },
    ),
    Declared(
        "docker:index/container:Container",
        "gateway",
        {
            **HARDENED,
            "image": f"haproxy:3.0.5@{DIGEST}",
            "user": "99:99",
            "networksAdvanced": [{"name": "edge"}, {"name": "inner"}],
            "ports": [{"internal": 2762, "external": 2762, "ip": "192.0.2.10"}],
            "command": ["haproxy", "-f", "/etc/gateway/haproxy.cfg"],
            "healthcheck": {"tests": ["CMD", "haproxy", "-c", "-f", "/etc/gateway/haproxy.cfg"]},
            "uploads": [{"file": "/etc/gateway/haproxy.cfg", "content": HAPROXY_CFG}],
        },
    ),
    Declared(
        "docker:index/container:Container",
        "worker",
        {
            **HARDENED,
            "image": f"clinic/anonymiser:3@{DIGEST}",
            "user": "1000",
            "networksAdvanced": [{"name": "inner"}],
            "healthcheck": {"tests": ["CMD", "true"]},
        },
    ),
    Declared("tls:index/privateKey:PrivateKey", "key", {"algorithm": "RSA", "rsaBits": 3072}),
    Declared("tls:index/privateKey:PrivateKey", "curve", {"algorithm": "ECDSA", "ecdsaCurve": "P256"}),
    Declared(
        "tls:index/selfSignedCert:SelfSignedCert",
        "authority",
        {"isCaCertificate": True, "validityPeriodHours": 3650 * 24, "allowedUses": ["cert_signing"], "privateKeyPem": "made elsewhere"},
    ),
    Declared(
        "tls:index/locallySignedCert:LocallySignedCert",
        "certificate",
        {
            "validityPeriodHours": 397 * 24,
            "allowedUses": ["client_auth"],
            "caCertPem": "made elsewhere",
            "caPrivateKeyPem": "made elsewhere",
            "certRequestPem": "made elsewhere",
        },
    ),
)
