"""The resources of pulumi-kubernetes that a PACS in a cluster is made of: pods by whatever makes them, services, policies, settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from securepacs_policies.adapters import orthanc
from securepacs_policies.adapters.listeners import listeners_in
from securepacs_policies.adapters.parts import part_of
from securepacs_policies.reading import Property, from_base64, told
from securepacs_policies.things import (
    ELSEWHERE,
    Adapter,
    ConfigFile,
    DataVolume,
    Expression,
    Ingress,
    Mount,
    NetworkPolicy,
    Port,
    Resource,
    Service,
    Thing,
    Workload,
)
from securepacs_policies.values import known

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

#: What makes pods that end by themselves, so that nothing asks whether they are well.
_ENDING = frozenset({"kubernetes:batch/v1:Job", "kubernetes:batch/v1:CronJob"})

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
    # Without a profile there is none, unless the kubelet was told otherwise.
    if _either(container["seccompProfile"], pod["seccompProfile"])["type"].text("Unconfined") == "Unconfined":
        yield "seccomp"
    if _either(container["appArmorProfile"], pod["appArmorProfile"])["type"].text() == "Unconfined":
        yield "apparmor"
    if container["procMount"].text() == "Unmasked":
        yield "the mask of /proc"


def _mounts(container: Property, volumes: Mapping[str, Property]) -> Iterator[Mount]:
    for mount in container["volumeMounts"].items():
        name = mount["name"].text()
        volume = volumes.get(name, Property(None))
        bind = not volume["hostPath"].absent
        source = volume.at("hostPath", "path") if bind else volume.at("persistentVolumeClaim", "claimName")
        # Settings and secrets are read-only whatever is said; what has no claim dies with its pod.
        kept = bind or not source.absent
        yield Mount(bind, source.text(name), mount["mountPath"].text(), mount["readOnly"].flag() if kept else True)


def _environment(said: Property) -> dict[str, str]:
    """Give the variables; one that refers to a secret or a ConfigMap is said elsewhere."""
    return told(
        lambda: {
            entry["name"].text(): ELSEWHERE if entry["value"].absent and entry["valueFrom"].given() else entry["value"].text()
            for entry in said.items()
        }
    )


def _probe(container: Property) -> Iterator[str]:
    """Yield the words and the headers with which a probe asks."""
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield from container.at(name, "exec", "command").texts()
        for header in container.at(name, "httpGet", "httpHeaders").items():
            yield f"{header['name'].text()}: {header['value'].text()}"


def _sick_is_seen(container: Property) -> bool:
    return any(bool(container[probe].given()) for probe in ("livenessProbe", "readinessProbe"))


def _said_of(*places: Property) -> dict[str, str]:
    """Give labels and annotations together: what a value may not be as a label, it is as an annotation."""
    return {name: text for place in places for kind in ("labels", "annotations") for name, text in place[kind].mapping().items()}


def _workload(
    resource: Resource, container: Property, pod: Property, metadata: Property, volumes: Mapping[str, Property], *, ends: bool
) -> Workload:
    own = Property(resource.properties)["metadata"]
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
        health_check=None if ends else told(lambda: _sick_is_seen(container)),
        environment=environment,
        command=told(lambda: (*container["command"].texts(), *container["args"].texts(), *_probe(container))),
        labels=told(lambda: _said_of(own, metadata)),
        namespace=own["namespace"].text("default"),
        port_names=told(lambda: {port["name"].text(): port["containerPort"].integer() for port in container["ports"].items()}),
        pod_labels=labels,
    )


def _says_all(container: Property) -> bool:
    """Tell whether a container's own variables are all that it is told."""
    return not container["envFrom"].items() and not container["volumeMounts"].items()


def _pod(resource: Resource) -> Iterator[Thing]:
    template = Property(resource.properties).at(*_TEMPLATES[resource.type])
    pod, metadata = template["spec"], template["metadata"]
    volumes: Mapping[str, Property] = told(lambda: {volume["name"].text(): volume for volume in pod["volumes"].items()})
    for kind in ("containers", "initContainers"):
        for container in pod[kind].items():
            ends = resource.type in _ENDING or (kind == "initContainers" and container["restartPolicy"].text() != "Always")
            yield _workload(resource, container, pod, metadata, volumes, ends=ends)
            # Files of settings stand in other resources: with any of them variables are not the whole.
            alone = told(partial(_says_all, container))
            yield from orthanc.merged((), _environment(container["env"]), resource, f"{container.path}.env", whole=alone)


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
        targets=told(lambda: tuple(_either(port["targetPort"], port["port"]).text() for port in spec["ports"].items())),
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

    def hosts() -> Iterator[str]:
        for rule in spec["rules"].items():
            yield rule["host"].text("*")
        if spec["defaultBackend"].given():
            yield "*"

    yield Ingress(
        resource=resource,
        namespace=namespace,
        services=told(lambda: tuple(services())),
        hosts=told(lambda: tuple(hosts())),
        tls_hosts=told(lambda: tuple(host for tls in spec["tls"].items() for host in (tls["hosts"].texts() or ("*",)))),
    )


def _everybody(peer: Property) -> bool:
    """Tell whether a peer of a policy is every address, or every pod of the cluster."""

    def empty(selector: Property) -> bool:
        return not selector["matchLabels"].mapping() and not selector["matchExpressions"].items()

    if peer["ipBlock"].given():
        return peer.at("ipBlock", "cidr").text() in {"0.0.0.0/0", "::/0"}
    return bool(peer["namespaceSelector"].given()) and empty(peer["namespaceSelector"]) and empty(peer["podSelector"])


def _opens(rules: Property, peers: str) -> bool:
    """Tell whether a rule of a policy is for everybody: without peers, for every pod, or for every address."""
    return any(not rule[peers].items() or any(_everybody(peer) for peer in rule[peers].items()) for rule in rules.items())


def _expressions(selector: Property) -> tuple[Expression, ...]:
    return tuple(
        Expression(said["key"].text(), said["operator"].text(), said["values"].texts()) for said in selector["matchExpressions"].items()
    )


def _network_policy(resource: Resource) -> Iterator[Thing]:
    _, spec, _, namespace = _of(resource)
    yield NetworkPolicy(
        resource=resource,
        namespace=namespace,
        selector=spec.at("podSelector", "matchLabels").mapping(),
        expressions=told(lambda: _expressions(spec["podSelector"])),
        types=told(lambda: spec["policyTypes"].texts() or ("Ingress", *(() if spec["egress"].absent else ("Egress",)))),
        open_ingress=told(lambda: _opens(spec["ingress"], "from")),
        open_egress=told(lambda: _opens(spec["egress"], "to")),
    )


def _claim(resource: Resource) -> Iterator[Thing]:
    _, _, name, _ = _of(resource)
    yield DataVolume(resource=resource, name=name, kept=resource.protect)


def _text(said: Property, decode: Callable[[str], str]) -> str:
    return decode(known(said.text()))


def _settings(resource: Resource, texts: Mapping[str, Property], decode: Callable[[str], str] = str) -> Iterator[Thing]:
    """Yield what the entries of a ConfigMap or a Secret say: files of settings, or variables for `envFrom`."""
    values = {name: told(partial(_text, said, decode)) for name, said in texts.items()}
    variables = {name: value for name, value in values.items() if name.startswith("ORTHANC_")}
    yield from orthanc.merged([value for name, value in values.items() if name not in variables], variables, resource, "data")
    for name, value in values.items():
        yield from orthanc.written_in(value, resource, texts[name].path)
        yield from listeners_in(value, resource, texts[name].path)


def _config_map(resource: Resource) -> Iterator[Thing]:
    entries = dict(Property(resource.properties)["data"].entries())
    for name, value in entries.items():
        yield ConfigFile(resource=resource, path=value.path, name=name, text=value.text())
    yield from _settings(resource, entries)


def _secret(resource: Resource) -> Iterator[Thing]:
    """Of a Secret the settings are read; that they are secret is what it is for."""
    said = Property(resource.properties)
    yield from _settings(resource, dict(said["stringData"].entries()))
    yield from _settings(resource, dict(said["data"].entries()), from_base64)


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
