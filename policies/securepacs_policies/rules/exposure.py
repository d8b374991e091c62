"""What answers from outside: published ports, and Kubernetes' ways into a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.adapters.parts import DATABASE_PORTS, METRICS_PORTS
from securepacs_policies.rule import Finding, Parameters, rule
from securepacs_policies.things import Ingress, Part, Port, Service, Stack, Workload

_EVERYWHERE = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - what is refused


def _shown(port: Port) -> str:
    """Write a published port: '192.0.2.1:8042 -> 8042'."""
    if not port.number:
        return "every port that its image exposes"
    return f"{port.address or 'every address'}:{port.published or 'a free port'} -> {port.number}"


def _publishes(workload: Workload, part: Part) -> Iterator[str]:
    if workload.part == part:
        for port in workload.ports:
            yield f"the {part.value} publishes {_shown(port)}"


_BEHIND = "Take the published port away, and let the gateway reach it over a network of their own."


@rule(
    "published-archive",
    "The archive publishes no port",
    why="An archive that is reached directly is as open as its own settings, and those are open by default: this is how most of the"
    " images that lie on the Internet got there.",
    remedy=_BEHIND,
    severity="critical",
    controls=("network-exposure", "network-segmentation"),
    needs=("part", "ports"),
)
def published_archive(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each port that an archive publishes on the host."""
    yield from _publishes(workload, Part.ARCHIVE)


@rule(
    "published-database",
    "The database publishes no port",
    why="The index holds names, birth dates and identifiers of every patient; who reaches it needs no image.",
    remedy=_BEHIND,
    severity="critical",
    controls=("network-exposure", "network-segmentation"),
    needs=("part", "ports"),
)
def published_database(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each published port of a database, and each database's port that anything else publishes."""
    yield from _publishes(workload, Part.DATABASE)
    if workload.part != Part.DATABASE:
        for port in workload.ports:
            if port.number in DATABASE_PORTS:
                yield f"it publishes a database's port, {_shown(port)}"


@rule(
    "published-metrics",
    "Metrics, administration and the engine publish no port",
    why="A page of statistics tells peers, addresses and versions; an engine's port gives the whole host away.",
    remedy="Take the published port away; read metrics from inside, or through the gateway with a sign-in.",
    severity="high",
    controls=("network-exposure", "information-leaks"),
    needs=("part", "ports"),
)
def published_metrics(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each published port of a monitor, and each port of that kind that anything else publishes."""
    yield from _publishes(workload, Part.METRICS)
    if workload.part != Part.METRICS:
        for port in workload.ports:
            if port.number in METRICS_PORTS:
                yield f"it publishes a port of metrics or administration, {_shown(port)}"


@rule(
    "published-beside-gateway",
    "Only the gateway publishes ports",
    why="Each published port is a way in that somebody has to guard; one gateway is looked after, a second way in is forgotten.",
    remedy=f"{_BEHIND} Is it a gateway? Say so with the label securepacs.part=gateway.",
    severity="high",
    controls=("network-exposure",),
    needs=("part", "ports"),
)
def published_beside_gateway(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each port that is published by what is no gateway, and that no rule above tells."""
    if workload.part == Part.OTHER:
        for port in workload.ports:
            if port.number not in DATABASE_PORTS | METRICS_PORTS:
                yield f"it publishes {_shown(port)} and is no gateway"


@rule(
    "published-everywhere",
    "A port is published on addresses that are named",
    why="0.0.0.0 is every address that the host has or will ever have, that on the Internet too; Docker opens it past the host's firewall.",
    remedy="Name the address of the clinic's own network on which it is to answer.",
    severity="high",
    controls=("network-exposure",),
    needs=("ports",),
)
def published_everywhere(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each port that is published on all addresses."""
    for port in workload.ports:
        if port.address is not None and port.address in _EVERYWHERE:
            yield f"{_shown(port)} answers on every address of the host"


def from_outside(service: Service) -> bool:
    """Tell whether a service is reached from outside its cluster."""
    return service.kind in {"LoadBalancer", "NodePort"} or bool(service.external_addresses)


def chosen(service: Service, workload: Workload) -> bool:
    """Tell whether a service leads to a pod (an empty selector leads nowhere)."""
    labels = workload.pod_labels
    if labels is None or service.namespace != workload.namespace or not service.selector:
        return False
    return all(labels.get(name) == value for name, value in service.selector.items())


@rule(
    "service-from-outside",
    "No service leads from outside the cluster to archive or database",
    why="A Service of type LoadBalancer or NodePort is a published port: the cluster's firewall is the only thing before it.",
    remedy="Make it a ClusterIP, and lead from outside to the gateway only.",
    severity="critical",
    controls=("network-exposure", "network-segmentation"),
    needs=("services", "workloads"),
)
def service_from_outside(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each service that leads from outside to an archive, a database or a monitor."""
    for service in stack.of(Service):
        if not from_outside(service):
            continue
        for workload in stack.workloads(Part.ARCHIVE, Part.DATABASE, Part.METRICS):
            if chosen(service, workload):
                yield Finding(f"the {service.kind} leads from outside to the {workload.part.value} '{workload.name}'", service)


@rule(
    "ingress-without-tls",
    "An ingress has a certificate for each of its hosts",
    why="Without one, images and passwords cross the network in the clear.",
    remedy="Add a `tls` entry with a secret for each host.",
    severity="high",
    controls=("transmission-encryption",),
    needs=("hosts", "tls_hosts"),
)
def ingress_without_tls(ingress: Ingress, _: Parameters) -> Iterator[str]:
    """Yield each host for which no certificate is named."""
    for host in ingress.hosts:
        wildcard = f"*.{host.partition('.')[2]}"
        if not {host, wildcard, "*"} & set(ingress.tls_hosts):
            yield f"{'every host' if host == '*' else host} is served without TLS"


@rule(
    "ingress-to-archive",
    "An ingress leads to the gateway, not to archive or database",
    why="An ingress ends TLS and asks nobody who they are: behind it the archive's own settings are the only lock.",
    remedy="Lead the ingress to the gateway's service, which asks for a certificate or a sign-in.",
    severity="critical",
    controls=("network-segmentation", "person-authentication"),
    needs=("ingresses", "services", "workloads"),
)
def ingress_to_archive(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each ingress whose service chooses an archive or a database."""
    for ingress in stack.of(Ingress):
        for service in stack.of(Service):
            if service.name not in ingress.services or service.namespace != ingress.namespace:
                continue
            for workload in stack.workloads(Part.ARCHIVE, Part.DATABASE):
                if chosen(service, workload):
                    yield Finding(f"it leads by '{service.name}' to the {workload.part.value} '{workload.name}'", ingress)
