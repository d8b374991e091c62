"""A PACS of pulumi-kubernetes' resources that breaks no rule."""

from __future__ import annotations

from typing import Any

from policies.programs.declared import Declared, program
from policies.programs.on_docker import DIGEST, HAPROXY_CFG, ORTHANC_JSON

NAMESPACE = "pacs"
CONFINED = {"seccompProfile": {"type": "RuntimeDefault"}}


def _meta(name: str, **more: object) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, **more}


def _container(name: str, image: str, **more: object) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"{image}@{DIGEST}",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 10102,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"limits": {"memory": "2Gi", "cpu": "1"}},
        "livenessProbe": {"tcpSocket": {"port": 4242}},
        **more,
    }


def _pod(app: str, container: dict[str, Any], **more: object) -> dict[str, Any]:
    annotations = {"securepacs.backup": "velero, to the other site, every night"}
    spec = {"securityContext": CONFINED, "containers": [container], **more}
    return {"metadata": {"labels": {"app": app}, "annotations": annotations}, "spec": spec}


def _policy(name: str, app: str) -> Declared:
    spec = {
        "podSelector": {"matchLabels": {"app": app}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "gateway"}}}]}],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "gateway"}}}]}],
    }
    return Declared("kubernetes:networking.k8s.io/v1:NetworkPolicy", name, {"metadata": _meta(name), "spec": spec})


KUBERNETES = program(
    Declared("kubernetes:core/v1:PersistentVolumeClaim", "studies", {"metadata": _meta("studies"), "spec": {}}, protect=True),
    Declared("kubernetes:core/v1:ConfigMap", "gateway-settings", {"metadata": _meta("gateway"), "data": {"haproxy.cfg": HAPROXY_CFG}}),
    Declared("kubernetes:core/v1:Secret", "archive-settings", {"metadata": _meta("archive"), "stringData": {"orthanc.json": ORTHANC_JSON}}),
    Declared(
        "kubernetes:apps/v1:StatefulSet",
        "archive",
        {
            "metadata": _meta("archive"),
            "spec": {
                "template": _pod(
                    "archive",
                    _container(
                        "archive",
                        "orthancteam/orthanc:25.10.3",
                        ports=[{"containerPort": 4242}, {"containerPort": 8042}],
                        env=[{"name": "TZ", "value": "UTC"}],
                        volumeMounts=[{"name": "studies", "mountPath": "/var/lib/orthanc/db"}],
                    ),
                    volumes=[{"name": "studies", "persistentVolumeClaim": {"claimName": "studies"}}],
                )
            },
        },
    ),
    Declared(
        "kubernetes:apps/v1:Deployment",
        "gateway",
        {
            "metadata": _meta("gateway"),
            "spec": {"template": _pod("gateway", _container("gateway", "haproxy:3.0.5", ports=[{"containerPort": 2762}]))},
        },
    ),
    Declared(
        "kubernetes:core/v1:Service",
        "archive-service",
        {"metadata": _meta("archive"), "spec": {"selector": {"app": "archive"}, "ports": [{"port": 4242}]}},
    ),
    Declared(
        "kubernetes:core/v1:Service",
        "gateway-service",
        {"metadata": _meta("gateway"), "spec": {"type": "LoadBalancer", "selector": {"app": "gateway"}, "ports": [{"port": 2762}]}},
    ),
    Declared(
        "kubernetes:networking.k8s.io/v1:Ingress",
        "web",
        {
            "metadata": _meta("web"),
            "spec": {
                "tls": [{"hosts": ["pacs.clinic.example"], "secretName": "web"}],
                "rules": [
                    {
                        "host": "pacs.clinic.example",
                        "http": {"paths": [{"path": "/", "backend": {"service": {"name": "gateway", "port": {"number": 8443}}}}]},
                    }
                ],
            },
        },
    ),
    _policy("archive-policy", "archive"),
)
