"""Whether anything answers at a TCP port."""

from __future__ import annotations

import errno
import socket

from securepacs_harness.budget import Spending
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome

#: Ports on which picture archives, what stands beside them, and what runs them are found, and what that is.
KNOWN_PORTS: dict[int, str] = {
    104: "DICOM",
    389: "LDAP",
    636: "LDAP over TLS",
    1433: "SQL Server",
    1521: "Oracle",
    2375: "Docker engine",
    2376: "Docker engine over TLS",
    2575: "HL7",
    2761: "DICOM ISCL",
    2762: "DICOM over TLS",
    3306: "MySQL",
    4242: "Orthanc's DICOM",
    5005: "Java debugger",
    5432: "PostgreSQL",
    5985: "Windows remote management",
    6379: "Redis",
    8000: "a web server",
    8042: "Orthanc's REST",
    8080: "a web server",
    8404: "HAProxy's statistics",
    8405: "a health port",
    8787: "Java debugger",
    9090: "Prometheus or WildFly's console",
    9100: "a metrics exporter",
    9200: "Elasticsearch",
    9990: "WildFly's console",
    11112: "DICOM",
    11113: "DICOM",
    27017: "MongoDB",
}


def connect(what: str, host: str, port: int, *, timeout: float = 3.0, spending: Spending | None = None) -> Attempt:
    """Try a TCP connection and nothing else. "unreachable" is how a firewall refuses that answers with ICMP host-prohibited."""

    def observe() -> Observation:
        if spending:
            spending.connect()
        try:
            with socket.create_connection((host, port), timeout):
                return Observation(Layer.TCP, Outcome.ACCEPTED, "open")
        except TimeoutError:
            return Observation(Layer.TCP, Outcome.TIMEOUT, "time-out")
        except ConnectionRefusedError:
            return Observation(Layer.TCP, Outcome.REFUSED, "refused")
        except OSError as error:
            if error.errno == errno.EHOSTUNREACH:
                return Observation(Layer.TCP, Outcome.REFUSED, "unreachable", "no route, or a firewall's answer")
            return Observation(Layer.TCP, Outcome.INCONCLUSIVE, type(error).__name__, error.strerror or "")

    return Attempt(what, observe)
