"""A clinic of our own component, and the resources that it declares, as far as rules look at them."""

from __future__ import annotations

import datetime
from typing import Any, Final

from policies.programs.declared import Declared, program
from policies.programs.on_docker import DIGEST, HAPROXY_CFG, ORTHANC_JSON

IN_A_MONTH: Final = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)).isoformat()

CLINIC: Final[dict[str, Any]] = {
    "name": "policed",
    "archive": {"ae_title": "POLICED"},
    "dicom": {"addresses": ["127.0.0.1"], "port": 12962},
    "https": {"addresses": ["127.0.0.1"], "port": 18643},
    "peers": [
        {"ae_title": "CT01", "verbs": ["echo", "store"]},
        {
            "ae_title": "XR09",
            "verbs": ["store"],
            "plaintext": {"reason": "its firmware knows no TLS", "until": IN_A_MONTH, "source": "192.0.2.7", "port": 12963},
        },
    ],
    "people": [{"name": "vera", "role": "viewer"}],
    "machines": [{"name": "sender", "role": "clinician", "until": IN_A_MONTH}],
    "backup": {"by": "restic on this host", "to": "the other building", "hours": 26},
}

_OURS = {"stack": "securepacs/dev", "component": "pacs"}


def _container(part: str, **more: object) -> Declared:
    properties = {
        **_OURS,
        "name": f"policed-{part}",
        "image": DIGEST,
        "user": "10102:10102",
        "memoryMb": 2048,
        "cpus": 1,
        "pids": 768,
        "healthcheck": {"test": ["/usr/share/securepacs/health"]},
        **more,
    }
    return Declared("securepacs:docker:Container", f"pacs-{part}", properties)


OWN = program(
    Declared("securepacs:index:SecurePacs", "pacs", CLINIC),
    Declared("securepacs:pki:CertificateAuthority", "pacs-ca", {"commonName": "policed", "keyType": "ecdsa-p256", "validityDays": 3650}),
    Declared("securepacs:pki:Certificate", "pacs-peer-CT01", {"commonName": "CT01", "keyType": "ecdsa-p256", "validityDays": 397}),
    Declared("securepacs:pki:RevocationList", "pacs-crl", {"validityDays": 397}),
    Declared("securepacs:docker:Network", "pacs-edge", {**_OURS, "name": "policed-edge", "internal": False}),
    Declared("securepacs:docker:Network", "pacs-inner", {**_OURS, "name": "policed-inner", "internal": True}),
    Declared("securepacs:docker:Volume", "pacs-archive-data", {**_OURS, "name": "policed-archive-data", "protectData": True}),
    Declared(
        "securepacs:docker:Image", "pacs-archive-image", {**_OURS, "name": "policed-archive", "buildArgs": {"ORTHANC_FLOOR": "1.12.11"}}
    ),
    Declared(
        "securepacs:docker:Files",
        "pacs-archive-config",
        {**_OURS, "volume": "policed-archive-files", "files": {"orthanc.json": {"content": ORTHANC_JSON, "mode": "0400"}}},
    ),
    Declared(
        "securepacs:docker:Files",
        "pacs-gateway-config",
        {
            **_OURS,
            "volume": "policed-gateway-files",
            "files": {"haproxy.cfg": {"content": f"{HAPROXY_CFG}\nfrontend plaintext_xr09\n  mode tcp\n  bind :12963\n", "mode": "0400"}},
        },
    ),
    _container(
        "archive",
        networks=[{"name": "policed-inner", "aliases": ["archive"]}],
        mounts=[
            {"volume": "policed-archive-files", "target": "/etc/archive", "readOnly": True},
            {"volume": "policed-archive-data", "target": "/var/lib/archive", "readOnly": False},
        ],
        environment={"TCP_NODELAY": "1"},
    ),
    _container(
        "gateway",
        networks=[{"name": "policed-edge"}, {"name": "policed-inner"}],
        ports=[
            {"hostIp": "127.0.0.1", "hostPort": 12962, "containerPort": 2762},
            {"hostIp": "127.0.0.1", "hostPort": 12963, "containerPort": 12963},
        ],
        command=["/usr/sbin/haproxy", "-f", "/etc/gateway/haproxy.cfg"],
    ),
)
