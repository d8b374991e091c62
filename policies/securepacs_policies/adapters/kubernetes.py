"""The resources of pulumi-kubernetes that a PACS in a cluster is made of: pods by whatever makes them, services, policies, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from securepacs_policies.adapters.parts import part_of
from securepacs_policies.adapters.settings import in_environment, in_text
from securepacs_policies.reading import Property, told
from securepacs_policies.things import (
    Adapter,
    ConfigFile,
    DataVolume,
    Ingress,
    Mount,
    NetworkPolicy,
    Port,
    Resource,
    Service,
    Thing,
    Workload,
)

#: Where the pod stands in what makes it; a Pod is one itself.
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "kubernetes:core/v1:Pod": (),
    "kubernetes:core/v1:ReplicationController": ("spec", "template"),
    "kubernetes:apps/v1:Deployment": ("spec", "template"),
    "kubernetes:apps/v1:StatefulSet": ("spec", "template"),
    "kubernetes:apps/v1:DaemonSet": ("spec", "template"),
    "kubernetes:apps/v1:ReplicaSet": ("spec", "template"),
    "kubernetes:batch/v1:Job": ("spec", "template"),
    "kubernetes:batch/v1:CronJob": ("spec", "jobTemplate", "spec", "template"),
}

_NAMESPACES = (("hostNetwork", "network"), ("hostPID", "pid"), ("hostIPC", "ipc"))


def _either(first: Property, second: Property) -> Property:
    """Give what the container says, else what its pod says."""
    return second if first.absent else first


def _user(container: Property, pod: Property) -> str:
    number, never_root = _either(container["runAsUser"], pod["runAsUser"]), _either(container["runAsNonRoot"], pod["runAsNonRoot"])
    if not number.absent:
        return number.text()
    # The kubelet refuses a container whose image runs as root.
    return "not root" if never_root.flag() else ""


def _unconfined(container: Property, pod: Property) -> Iterator[str]:
    for field, name in (("seccompProfile", "seccomp"), ("appArmorProfile", "apparmor")):
        if _either(container[field], pod[field])["type"].text() == "Unconfined":
            yield name


def _mounts(container: Property, volumes: Mapping[str, Property]) -> Iterator[Mount]:
    for mount in container["volumeMounts"].items():
        name = mount["name"].text()
        volume = volumes.get(name, Property(None))
        bind = not volume["hostPath"].absent
        source = volume.at("hostPath", "path") if bind else volume.at("persistentVolumeClaim", "claimName")
        # Settings and secrets are read-only whatever is said; what has no claim dies with its pod.
        kept = bind or not source.absent
        yield Mount(bind, source.text(name), mount["mountPath"].text(), told(lambda m=mount, k=kept: not k or m["readOnly"].flag()))  # type: ignore[misc] # bound now


def _environment(said: Property) -> dict[str, str]:
    """Give the variables whose values stand here; one that refers to a secret has none."""
    return told(lambda: {entry["name"].text(): entry["value"].text() for entry in said.items() if not entry["value"].absent})


def _workload(resource: Resource, container: Property, pod: Property, metadata: Property, volumes: Mapping[str, Property]) -> Workload:
    of_container, of_pod = container["securityContext"], pod["securityContext"]
    labels, image, environment = metadata["labels"].mapping(), container["image"].text(), _environment(container["env"])
    listens = told(lambda: tuple(port["containerPort"].integer() for port in container["ports"].items()))
    limits = container.at("resources", "limits")
    return Workload(
        resource=resource,
        path=container.path,
        name=container["name"].text(),
        part=told(lambda: part_of(labels, image, lambda: listens, container["name"].text())),
        image=image,
        ports=told(
            lambda: tuple(
                Port(port["containerPort"].integer(), port["hostPort"].integer(), port["hostIP"].text(), port.path)
                for port in container["ports"].items()
                if not port["hostPort"].absent
            )
        ),
        listens=listens,
        networks=None,
        host_namespaces=told(lambda: tuple(name for field, name in _NAMESPACES if pod[field].flag())),
        privileged=of_container["privileged"].flag(),
        capabilities_added=of_container.at("capabilities", "add").texts(),
        capabilities_dropped=of_container.at("capabilities", "drop").texts(),
        no_new_privileges=told(lambda: not of_container["allowPrivilegeEscalation"].flag(default=True)),
        unconfined=told(lambda: tuple(_unconfined(of_container, of_pod))),
        user=told(lambda: _user(of_container, of_pod)),
        devices=told(lambda: tuple(device["devicePath"].text() for device in container["volumeDevices"].items())),
        read_only_root=of_container["readOnlyRootFilesystem"].flag(),
        mounts=told(lambda: tuple(_mounts(container, volumes))),
        memory=limits["memory"].given(),
        processors=limits["cpu"].given(),
        health_check=told(lambda: any(bool(container[probe].given()) for probe in ("livenessProbe", "readinessProbe"))),
        environment=environment,
        command=told(lambda: (*container["command"].texts(), *container["args"].texts())),
        labels=told(lambda: {**metadata["labels"].mapping(), **metadata["annotations"].mapping()}),
        namespace=Property(resource.properties).at("metadata", "namespace").text("default"),
        pod_labels=labels,
    )


def _pod(resource: Resource) -> Iterator[Thing]:
    template = Property(resource.properties).at(*_TEMPLATES[resource.type])
    pod, metadata = template["spec"], template["metadata"]
    volumes: Mapping[str, Property] = told(lambda: {volume["name"].text(): volume for volume in pod["volumes"].items()})
    for kind in ("containers", "initContainers"):
        for container in pod[kind].items():
            yield _workload(resource, container, pod, metadata, volumes)
            yield from in_environment(_environment(container["env"]), resource, f"{container.path}.env")


def _of(resource: Resource) -> tuple[Property, Property, str, str]:
    """Give what nearly every resource has: itself, its spec, its name and its namespace."""
    said = Property(resource.properties)
    return said, said["spec"], said.at("metadata", "name").text(resource.name), said.at("metadata", "namespace").text("default")


def _service(resource: Resource) -> Iterator[Thing]:
    _, spec, name, namespace = _of(resource)
    yield Service(
        resource=resource,
        name=name,
        namespace=namespace,
        selector=spec["selector"].mapping(),
        kind=spec["type"].text("ClusterIP"),
        external_addresses=spec["externalIPs"].texts(),
    )


def _ingress(resource: Resource) -> Iterator[Thing]:
    _, spec, _, namespace = _of(resource)

    def services() -> Iterator[str]:
        if not spec["defaultBackend"].absent:
            yield spec.at("defaultBackend", "service", "name").text()
        for rule in spec["rules"].items():
            for path in rule.at("http", "paths").items():
                yield path.at("backend", "service", "name").text()

    yield Ingress(
        resource=resource,
        namespace=namespace,
        services=told(lambda: tuple(services())),
        hosts=told(lambda: tuple(rule["host"].text("*") for rule in spec["rules"].items())),
        tls_hosts=told(lambda: tuple(host for tls in spec["tls"].items() for host in (tls["hosts"].texts() or ("*",)))),
    )


def _opens(rules: Property, peers: str) -> bool:
    """Tell whether a rule of a policy is for everybody: without peers, for every pod, or for every address."""
    for rule in rules.items():
        named = rule[peers].items()
        if not named:
            return True
        for peer in named:
            everywhere = peer.at("ipBlock", "cidr").text() in {"0.0.0.0/0", "::/0"}
            everybody = peer.at("namespaceSelector").value == {} and peer["podSelector"].absent
            if everywhere or everybody:
                return True
    return False


def _chosen(selector: Property) -> dict[str, str]:
    """Give the labels that a selector asks for. One with expressions is read as choosing nobody: it must not pass for a lock."""
    if selector["matchExpressions"].given():
        return {"(matchExpressions)": ""}
    return dict(selector["matchLabels"].mapping())


def _network_policy(resource: Resource) -> Iterator[Thing]:
    _, spec, _, namespace = _of(resource)
    yield NetworkPolicy(
        resource=resource,
        namespace=namespace,
        selector=told(lambda: _chosen(spec["podSelector"])),
        types=told(lambda: spec["policyTypes"].texts() or ("Ingress", *(() if spec["egress"].absent else ("Egress",)))),
        open_ingress=told(lambda: _opens(spec["ingress"], "from")),
        open_egress=told(lambda: _opens(spec["egress"], "to")),
    )


def _claim(resource: Resource) -> Iterator[Thing]:
    _, _, name, _ = _of(resource)
    yield DataVolume(resource=resource, name=name, kept=resource.protect)


def _config_map(resource: Resource) -> Iterator[Thing]:
    for name, value in Property(resource.properties)["data"].entries():
        text = value.text()
        yield ConfigFile(resource=resource, path=value.path, name=name, text=text)
        yield from in_text(text, resource, value.path)


def _secret(resource: Resource) -> Iterator[Thing]:
    """Of a Secret only the settings that stand in clear text can be read."""
    for _, value in Property(resource.properties)["stringData"].entries():
        yield from in_text(value.text(), resource, value.path)


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        **dict.fromkeys(_TEMPLATES, _pod),
        "kubernetes:core/v1:Service": _service,
        "kubernetes:networking.k8s.io/v1:Ingress": _ingress,
        "kubernetes:networking.k8s.io/v1:NetworkPolicy": _network_policy,
        "kubernetes:core/v1:PersistentVolumeClaim": _claim,
        "kubernetes:core/v1:ConfigMap": _config_map,
        "kubernetes:core/v1:Secret": _secret,
    }
)
