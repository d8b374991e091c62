"""Which networks parts are on, and which way leads to the archive."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.rule import Finding, Parameters, rule
from securepacs_policies.things import Network, NetworkPolicy, Part, Stack, Workload

_INNER = (Part.ARCHIVE, Part.DATABASE)


@rule(
    "default-network",
    "Every part is on networks of its own",
    why="Whatever else runs on the host is on Docker's default network too, and reaches what is there.",
    remedy="Declare a network and attach the container to it.",
    severity="medium",
    controls=("network-segmentation",),
    needs=("networks", "part"),
)
def default_network(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a part of a PACS that joins no network of its own."""
    if workload.networks is not None and not workload.networks and workload.part != Part.OTHER:
        yield f"the {workload.part.value} joins no network, so that it stands on the engine's default one"


@rule(
    "inner-network-internal",
    "Archive and database stand on internal networks only",
    why="A network with a route out is a way for images to leave, and for an intruder to fetch tools.",
    remedy="Set internal=True on the network (attached by its name, not its id); the gateway is on it and on one with a route.",
    severity="high",
    controls=("network-segmentation", "network-egress"),
    needs=("workloads", "networks"),
)
def inner_network_internal(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each network of an archive or a database that has a route out, or that the program does not declare."""
    declared = {network.name: network for network in stack.of(Network)}
    for workload in stack.workloads(*_INNER):
        for name in workload.networks or ():
            network = declared.get(name)
            if network is None:
                yield Finding(f"the {workload.part.value} joins the network '{name}', which this program does not declare", workload)
            elif not network.internal:
                yield Finding(f"the {workload.part.value} '{workload.name}' is on '{name}', which has a route out", network)


@rule(
    "archive-without-gateway",
    "Every archive has a gateway in front of it",
    why="Orthanc binds no certificate to an AE title and asks no peer for its rights before it answers: a gateway does.",
    remedy="Put a gateway (HAProxy, nginx …) on the archive's network. Is there one? Say so with the label securepacs.part=gateway.",
    severity="high",
    controls=("network-segmentation", "peer-authentication"),
    needs=("workloads",),
)
def archive_without_gateway(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each archive that shares no network (in Kubernetes: no cluster) with a gateway."""
    gateways = list(stack.workloads(Part.GATEWAY))
    for archive in stack.workloads(Part.ARCHIVE):
        if not any(_together(archive, gateway) for gateway in gateways):
            yield Finding(f"the archive '{archive.name}' has no gateway on a network of its own", archive)


def _together(archive: Workload, gateway: Workload) -> bool:
    if archive.networks is not None and gateway.networks is not None:
        return not set(archive.networks).isdisjoint(gateway.networks)
    # In a cluster every pod reaches every other; who may is for the network policies to say.
    return archive.pod_labels is not None and gateway.pod_labels is not None


@rule(
    "edge-beside-gateway",
    "Only the gateway is on a network with a route out",
    why="Whatever stands on both networks is a way around the gateway.",
    remedy="Leave only the gateway on the edge network.",
    severity="high",
    controls=("network-segmentation",),
    needs=("workloads", "networks"),
)
def edge_beside_gateway(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each workload that is no gateway and stands on an internal network and on one with a route."""
    internal = {network.name: network.internal for network in stack.of(Network)}
    for workload in stack.of(Workload):
        joined = {internal.get(name) for name in workload.networks or ()}
        if joined >= {True, False} and workload.part != Part.GATEWAY:
            yield Finding(f"'{workload.name}' is on an internal network and on one with a route out, and is no gateway", workload)


def _policies_of(stack: Stack, workload: Workload, kind: str) -> list[NetworkPolicy]:
    """Give the policies that choose a pod for a direction."""
    labels = workload.pod_labels or {}
    return [
        policy
        for policy in stack.of(NetworkPolicy)
        if policy.namespace == workload.namespace
        and kind in policy.types
        and all(labels.get(name) == value for name, value in policy.selector.items())
        and all(expression.holds(labels) for expression in policy.expressions)
    ]


def _open_pods(stack: Stack, kind: str) -> Iterator[Finding]:
    for workload in stack.workloads(*_INNER):
        if workload.pod_labels is None:
            continue
        policies = _policies_of(stack, workload, kind)
        if not policies:
            yield Finding(f"no NetworkPolicy limits the {kind.lower()} of the {workload.part.value} '{workload.name}'", workload)
        for policy in policies:
            if policy.open_ingress if kind == "Ingress" else policy.open_egress:
                yield Finding(f"its {kind.lower()} is open to everybody, for the {workload.part.value} '{workload.name}'", policy)


@rule(
    "network-policy-ingress",
    "A NetworkPolicy lets only the gateway reach archive and database",
    why="Without one every pod of the cluster reaches every other: a flaw in any of them is one in the archive.",
    remedy="Declare a NetworkPolicy that chooses the pods, with `policyTypes: [Ingress]` and `from` the gateway's podSelector.",
    severity="high",
    controls=("network-segmentation",),
    needs=("workloads", "policies"),
)
def network_policy_ingress(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each archive or database in Kubernetes that anybody in the cluster reaches."""
    yield from _open_pods(stack, "Ingress")


@rule(
    "network-policy-egress",
    "A NetworkPolicy keeps archive and database from reaching out",
    why="An archive that may call anybody can be made to send its images there.",
    remedy="Declare a NetworkPolicy that chooses the pods, with `policyTypes: [Egress]` and `to` what they need only.",
    severity="high",
    controls=("network-egress",),
    needs=("workloads", "policies"),
)
def network_policy_egress(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each archive or database in Kubernetes that reaches anybody."""
    yield from _open_pods(stack, "Egress")
