"""What a workload does in a PACS: told by its label, else by its image, its ports and its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from securepacs_policies.things import Part

__all__ = ["DATABASE_PORTS", "DICOM_PORTS", "METRICS_PORTS", "PART_LABEL", "part_of"]

#: A label with which a program says it itself: archive, database, gateway, metrics or other.
PART_LABEL = "securepacs.part"

DICOM_PORTS = frozenset({104, 2761, 2762, 4242, 11112})
DATABASE_PORTS = frozenset({389, 636, 1433, 1521, 3306, 5432, 6379, 9200, 27017})
METRICS_PORTS = frozenset({2375, 2376, 3000, 5601, 8404, 8405, 9090, 9093, 9100, 9187, 9990})

_ARCHIVES = r"orthanc|dcm4chee|dcmqrscp|conquest|dicoogle|pacs(?![\w.-]*/)"
_DATABASES = r"postgres|mysql|mariadb|mssql|oracle|mongo|redis|openldap|slapd|elasticsearch|opensearch"
_GATEWAYS = r"haproxy|nginx|traefik|envoy|caddy|stunnel|ghostunnel|gateway|ingress"
_METRICS = r"prometheus|grafana|exporter|kibana|loki|alertmanager|cadvisor|portainer|adminer|pgadmin"

#: By image, in this order: an exporter of a database is no database, slapd-dcm4chee is no archive.
_BY_IMAGE = ((Part.METRICS, _METRICS), (Part.DATABASE, _DATABASES), (Part.GATEWAY, _GATEWAYS), (Part.ARCHIVE, _ARCHIVES))
#: By name, where the image says nothing: the words at its end say more than those at its beginning.
_BY_NAME = (
    (Part.METRICS, rf"{_METRICS}|metrics"),
    (Part.GATEWAY, rf"{_GATEWAYS}|proxy"),
    (Part.DATABASE, rf"{_DATABASES}|database|db"),
    (Part.ARCHIVE, rf"{_ARCHIVES}|archive"),
)


def _named(image: str) -> str:
    """Give the path of an image's name, without registry, tag and digest."""
    path = image.partition("@")[0]
    head, slash, rest = path.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        path = rest
    return path.rpartition(":")[0] if ":" in path.rpartition("/")[2] else path


def part_of(labels: Mapping[str, str], image: str, ports: Callable[[], Iterable[int]], name: str) -> Part:
    """Tell what a workload does; its ports are asked for only where label and image say nothing.

    Raises Undecided where what it needs is not known yet.
    """
    said = labels.get(PART_LABEL)
    if said is not None:
        return next((part for part in Part if part.value == said.lower()), Part.OTHER)
    path = _named(image).lower()
    for part, pattern in _BY_IMAGE:
        if re.search(pattern, path):
            return part
    listens = set(ports())
    for part, known in ((Part.DATABASE, DATABASE_PORTS), (Part.METRICS, METRICS_PORTS), (Part.ARCHIVE, DICOM_PORTS - {2761, 2762})):
        if listens & known:
            return part
    for part, pattern in _BY_NAME:
        if re.search(rf"(^|[-_.])({pattern})([-_.]|\d*$)", name.lower()):
            return part
    return Part.OTHER
