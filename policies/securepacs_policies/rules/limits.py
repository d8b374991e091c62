"""What a service may use up, and whether somebody sees that it is sick."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.rule import Parameters, rule
from securepacs_policies.things import Workload

_WHY = "One client with one large request would take the host's {what}, and every other service with it."


@rule(
    "memory-limit",
    "Memory is limited",
    why=_WHY.format(what="memory"),
    remedy="Docker: memory=…. Kubernetes: resources.limits.memory.",
    severity="medium",
    controls=("container-resources",),
    needs=("memory",),
)
def memory_limit(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container that may use all memory."""
    if not workload.memory:
        yield "its memory has no limit"


@rule(
    "processor-limit",
    "Processors are limited",
    why=_WHY.format(what="processors"),
    remedy="Docker: cpus='1.0'. Kubernetes: resources.limits.cpu.",
    severity="low",
    controls=("container-resources",),
    needs=("processors",),
)
def processor_limit(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container that may use all processors."""
    if not workload.processors:
        yield "its processors have no limit"


@rule(
    "process-limit",
    "Processes are limited",
    why=_WHY.format(what="processes"),
    remedy="Docker: ulimits=[{name: 'nproc', hard: 512, soft: 512}]. Kubernetes limits them on its nodes (podPidsLimit).",
    severity="low",
    controls=("container-resources",),
    needs=("processes",),
)
def process_limit(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container that may start any number of processes; what cannot say it is left out."""
    if workload.processes is not None and not workload.processes:
        yield "its processes have no limit"


@rule(
    "log-limit",
    "Logs do not fill the disk",
    why="A full disk stops the archive; who can make it log can fill it.",
    remedy="logOpts={'max-size': '10m', 'max-file': '5'}, or a logging driver that rotates.",
    severity="low",
    controls=("container-resources", "audit-trail"),
    needs=("log_limit",),
)
def log_limit(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container whose log grows for ever; what cannot say it is left out."""
    if workload.log_limit is not None and not workload.log_limit:
        yield "its log grows without a limit"


@rule(
    "health-check",
    "A sick service is seen",
    why="A service that hangs looks as if it ran, until a doctor waits for an image.",
    remedy="Docker: healthcheck={tests: ['CMD', …]}. Kubernetes: a livenessProbe or a readinessProbe.",
    severity="low",
    controls=("container-health",),
    needs=("health_check",),
)
def health_check(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container without a health check; what ends by itself is left out."""
    if workload.health_check is not None and not workload.health_check:
        yield "it has no health check"
