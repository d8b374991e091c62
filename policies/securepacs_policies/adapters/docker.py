"""The resources of pulumi-docker and pulumi-docker-build: containers, Swarm services, networks, volumes, images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from operator import eq
from types import MappingProxyType

from securepacs_policies.adapters import orthanc
from securepacs_policies.adapters.listeners import listeners_in
from securepacs_policies.adapters.parts import part_of
from securepacs_policies.reading import Property, from_base64, told
from securepacs_policies.things import Adapter, Build, DataVolume, Mount, Network, Port, Resource, SecretFile, Thing, Workload
from securepacs_policies.values import is_unknown

#: How a container is told to share a namespace of the host's, by property.
_NAMESPACES = (("networkMode", "network"), ("pidMode", "pid"), ("ipcMode", "ipc"), ("usernsMode", "user"), ("cgroupnsMode", "cgroup"))

_CONFINEMENTS = frozenset({"seccomp", "apparmor", "label", "systempaths"})

#: Logging drivers that write a file of their own, without an end; the first is the engine's default.
_GROWING_LOGS = frozenset({"", "json-file"})


def _environment(said: Property) -> dict[str, str]:
    """Give ['NAME=value'] as names and values; one that is not known at all stands under its path."""

    def entry(item: Property) -> tuple[str, str]:
        text = item.text()
        if is_unknown(text):
            return item.path, text
        name, _, value = text.partition("=")
        return name, type(text)(value)  # a secret text stays one

    return told(lambda: dict(entry(item) for item in said.items()))


def _labels(said: Property) -> dict[str, str]:
    return told(lambda: {entry["label"].text(): entry["value"].text() for entry in said.items()})


def _networks(said: Property) -> tuple[str, ...] | None:
    """Give the networks that it joins; None where it shares another's, or has none."""
    mode = said["networkMode"].text()
    joined = tuple(network["name"].text() for network in said["networksAdvanced"].items())
    if joined or mode in {"", "bridge", "default"}:
        return joined
    return None if mode in {"host", "none"} or mode.startswith("container:") else (mode,)


def _mounts(said: Property) -> Iterator[Mount]:
    for mount in said["mounts"].items():
        kind, source, target = mount["type"].text(), mount["source"].text(), mount["target"].text()
        if is_unknown(kind) or kind != "tmpfs":
            yield Mount(told(partial(eq, kind, "bind")), source, target, mount["readOnly"].flag())
    for volume in said["volumes"].items():
        bind = not volume["hostPath"].absent
        source = volume["hostPath" if bind else "volumeName"].text()
        yield Mount(bind, source, volume["containerPath"].text(), volume["readOnly"].flag())


def _published(said: Property) -> tuple[Port, ...]:
    ports = [Port(port["internal"].integer(), port["external"].integer(), port["ip"].text(), port.path) for port in said["ports"].items()]
    if said["publishAllPorts"].flag():
        ports.append(Port(0, 0, "", "publishAllPorts"))
    return tuple(ports)


def _options(said: Property) -> list[str]:
    """Give security options in one spelling: 'seccomp=unconfined'."""
    return [option.replace(":", "=") for option in said["securityOpts"].texts()]


def _checks(said: Property) -> bool:
    """Tell whether there is a health check; ["NONE"] switches the image's off."""
    tests = said.at("healthcheck", "tests").texts()
    return bool(tests) and tests[0] != "NONE"


def _content(upload: Property) -> str:
    """Give what an upload writes, in whichever of its three ways; what lies on the host's disk is not read."""
    encoded = upload["contentBase64"]
    return upload["content"].text() if encoded.absent else from_base64(encoded.text())


def _container(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    image, environment, labels = said["image"].text(), _environment(said["envs"]), _labels(said["labels"])
    ports = told(lambda: _published(said))
    yield Workload(
        resource=resource,
        name=said["name"].text(resource.name),
        part=told(lambda: part_of(labels, image, lambda: [port.number for port in ports], resource.name)),
        image=image,
        ports=ports,
        networks=told(lambda: _networks(said)),
        host_namespaces=told(lambda: tuple(namespace for field, namespace in _NAMESPACES if said[field].text() == "host")),
        privileged=said["privileged"].flag(),
        capabilities_added=said.at("capabilities", "adds").texts(),
        capabilities_dropped=said.at("capabilities", "drops").texts(),
        no_new_privileges=told(lambda: not {"no-new-privileges", "no-new-privileges=true"}.isdisjoint(_options(said))),
        unconfined=told(
            lambda: tuple(
                option.partition("=")[0]
                for option in _options(said)
                if option.partition("=")[0] in _CONFINEMENTS and option.endswith(("=unconfined", "=disable"))
            )
        ),
        user=said["user"].text(),
        devices=told(
            lambda: (
                *(device["hostPath"].text() for device in said["devices"].items()),
                *(f"devices '{rule}'" for rule in said["deviceCgroupRules"].texts()),
                *(["GPUs"] if said["gpus"].given() or said["deviceRequests"].items() else []),
            )
        ),
        read_only_root=said["readOnly"].flag(),
        mounts=told(lambda: tuple(_mounts(said))),
        memory=told(lambda: said["memory"].number() > 0),
        processors=told(lambda: any(said[field].number() > 0 for field in ("cpus", "cpuQuota"))),
        processes=told(lambda: any(limit["name"].text() == "nproc" for limit in said["ulimits"].items())),
        health_check=told(lambda: _checks(said)),
        log_limit=told(lambda: bool(said["logOpts"]["max-size"].given()) or said["logDriver"].text() not in _GROWING_LOGS),
        environment=environment,
        command=told(lambda: (*said["entrypoints"].texts(), *said["command"].texts(), *said.at("healthcheck", "tests").texts())),
        labels=labels,
    )
    uploads = [(upload, _content(upload)) for upload in said["uploads"].items()]
    yield from orthanc.merged([text for _, text in uploads], environment, resource, "uploads and envs")
    for upload, text in uploads:
        mode = upload["permissions"].text("0644")
        yield SecretFile(resource=resource, path=upload.path, name=upload["file"].text(), mode=mode, text=text)
        yield from orthanc.written_in(text, resource, upload.path)
        yield from listeners_in(text, resource, upload.path)


def _of_service(said: Property, spec: Property) -> dict[str, str]:
    """Give the labels of a service and of its containers."""
    return told(lambda: {**_labels(said["labels"]), **_labels(spec["labels"])})


def _service(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    task = said["taskSpec"]
    spec, limits = task["containerSpec"], task.at("resources", "limits")
    image, environment, labels = spec["image"].text(), spec["env"].mapping(), _of_service(said, spec)
    ports = told(
        lambda: tuple(
            # Without a published port Swarm chooses one, on every node.
            Port(port["targetPort"].integer(), port["publishedPort"].integer(), None, port.path)
            for port in said.at("endpointSpec", "ports").items()
        )
    )
    yield Workload(
        resource=resource,
        path=spec.path,
        name=said["name"].text(resource.name),
        part=told(lambda: part_of(labels, image, lambda: [port.number for port in ports], resource.name)),
        image=image,
        ports=ports,
        networks=told(lambda: tuple(network["name"].text() for network in task["networksAdvanceds"].items())),
        capabilities_added=spec["capAdds"].texts(),
        capabilities_dropped=spec["capDrops"].texts(),
        no_new_privileges=True,  # Swarm has no way to say it of a service
        user=spec["user"].text(),
        read_only_root=spec["readOnly"].flag(),
        mounts=told(lambda: tuple(_mounts(spec))),
        memory=told(lambda: limits["memoryBytes"].number() > 0),
        processors=told(lambda: limits["nanoCpus"].number() > 0),
        health_check=told(lambda: _checks(spec)),
        log_limit=told(
            lambda: bool(task.at("logDriver", "options", "max-size").given()) or task.at("logDriver", "name").text() not in _GROWING_LOGS
        ),
        environment=environment,
        command=told(lambda: (*spec["commands"].texts(), *spec["args"].texts(), *spec.at("healthcheck", "tests").texts())),
        labels=labels,
    )
    yield from orthanc.merged((), environment, resource, f"{spec.path}.env", whole=not spec["configs"].items())


def _network(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    yield Network(resource=resource, name=said["name"].text(resource.name), internal=said["internal"].flag())


def _volume(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    device = said.at("driverOpts", "device").text()
    bound = told(lambda: "bind" in said.at("driverOpts", "o").text().split(",") or said.at("driverOpts", "type").text() == "bind")
    folder = told(lambda: device if bound else "")
    yield DataVolume(resource=resource, name=said["name"].text(resource.name), kept=resource.protect, folder=folder)


def _image(resource: Resource) -> Iterator[Thing]:
    """Of `docker.Image`, `docker.RemoteImage` and `docker-build.Image`: each has its arguments in another place."""
    said = Property(resource.properties)
    for place in (said["buildArgs"], said.at("build", "args"), said.at("build", "buildArgs"), said.at("build", "buildArg")):
        if not place.absent:
            yield Build(resource=resource, path=place.path, arguments=place.mapping())


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "docker:index/container:Container": _container,
        "docker:index/service:Service": _service,
        "docker:index/network:Network": _network,
        "docker:index/volume:Volume": _volume,
        "docker:index/image:Image": _image,
        "docker:index/remoteImage:RemoteImage": _image,
        "docker-build:index:Image": _image,
    }
)
