"""The container's table, and pure functions between it and the engine's API (v1.41 container create and inspect bodies)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from securepacs.provider import engine
from securepacs.provider.docker_fields import OWNER
from securepacs.provider.fields import FLAG, INTEGER, NUMBER, TEXT, Field, ListOf, MapOf, Record, Values, compare, echoed
from securepacs.provider.validators import (
    absolute_path,
    between,
    environment_name,
    host_name,
    image_id,
    ip_address,
    ipv4_address,
    not_empty,
    object_name,
    signal_name,
    user,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB: Final = 1024 * 1024
_NANO: Final = 1_000_000_000
_CPU_PERIOD: Final = 100_000  # microseconds in which a quota is used, the kernel's own default

_PORT = between(1, 65535)

ATTACHMENT = Record(
    "Attachment",
    (
        Field("name", TEXT, "Name of the network.", required=True, validator=object_name),
        Field("aliases", ListOf(TEXT), "Names of the container on this network."),
        Field("links", MapOf(TEXT), "Names that this container alone knows here: name -> the container that it means."),
        Field("ipv4", TEXT, "Fixed IPv4 address on this network.", validator=ipv4_address),
    ),
)
PORT_BINDING = Record(
    "PortBinding",
    (
        Field("hostIp", TEXT, "Literal address of the host.", required=True, validator=ip_address),
        Field("hostPort", INTEGER, "TCP port of the host.", required=True, validator=_PORT),
        Field("containerPort", INTEGER, "TCP port of the container.", required=True, validator=_PORT),
    ),
)
MOUNT = Record(
    "Mount",
    (
        Field("volume", TEXT, "Name of the volume.", required=True, validator=object_name),
        Field("target", TEXT, "Absolute path in the container.", required=True, validator=absolute_path),
        Field("readOnly", FLAG, "Mounted read-only.", default=True),
    ),
)
HEALTHCHECK = Record(
    "HealthCheck",
    (
        Field("test", ListOf(TEXT, not_empty), "Command and arguments; status 0 is healthy.", required=True),
        Field("intervalSeconds", INTEGER, "Between checks.", default=5, validator=between(1, 3600)),
        Field("timeoutSeconds", INTEGER, "For one check.", default=5, validator=between(1, 3600)),
        Field("retries", INTEGER, "Failures in a row that make it unhealthy.", default=3, validator=between(1, 100)),
        Field("startSeconds", INTEGER, "Failures in this time do not count.", default=30, validator=between(0, 3600)),
    ),
)


def _distinct_networks(networks: list[Values]) -> str | None:
    names = [network["name"] for network in networks]
    return "names a network twice" if len(set(names)) != len(names) else not_empty(networks)


def _distinct_ports(ports: list[Values]) -> str | None:
    counted = Counter((port["hostIp"], port["hostPort"]) for port in ports)
    twice = [f"{address}:{port}" for (address, port), times in counted.items() if times > 1]
    return f"publishes {', '.join(twice)} twice" if twice else None


def _distinct_targets(mounts: list[Values]) -> str | None:
    counted = Counter(mount["target"] for mount in mounts)
    twice = [target for target, times in counted.items() if times > 1]
    return f"mounts {', '.join(twice)} twice" if twice else None


#: What a new container is needed for; its hash is the label `securepacs.spec`. All but the name are changed by a swap (swap.py).
FIXED = (
    *OWNER,
    Field("name", TEXT, "Name of the container.", required=True, replace=True, validator=object_name),
    Field("image", TEXT, "Image id, sha256:….", required=True, validator=image_id),
    Field("command", ListOf(TEXT), "Command and arguments, instead of the image's."),
    Field("entrypoint", ListOf(TEXT), "Entry point, instead of the image's."),
    Field("user", TEXT, "UID:GID of its processes.", required=True, validator=user),
    Field("networks", ListOf(ATTACHMENT, _distinct_networks), "Networks that it joins.", required=True),
    Field("ports", ListOf(PORT_BINDING, _distinct_ports), "TCP ports that are published."),
    Field("mounts", ListOf(MOUNT, _distinct_targets), "Volumes that it sees."),
    Field("tmpfs", MapOf(TEXT, absolute_path), "Folders in memory: path to mount options."),
    Field("environment", MapOf(TEXT, environment_name), "Environment; not for secrets."),
    Field("extraHosts", MapOf(TEXT, host_name), "Lines of /etc/hosts: name to address."),
    Field("dns", ListOf(TEXT), "Name servers."),
    Field("nofile", INTEGER, "Open files.", default=4096, validator=between(64, 1_048_576)),
    Field("shmMb", INTEGER, "Size of /dev/shm in MiB.", validator=between(1, 65536)),
    Field("healthcheck", HEALTHCHECK, "How the engine tells that it works.", required=True),
    Field("stopSignal", TEXT, "Signal that stops it, instead of the image's.", validator=signal_name),
    Field("stopSeconds", INTEGER, "Seconds until it is killed.", default=10, validator=between(0, 3600)),
    Field("logMaxMb", INTEGER, "Size of one log file in MiB.", default=10, validator=between(1, 1024)),
    Field("logFiles", INTEGER, "Number of log files.", default=3, validator=between(1, 100)),
)
#: What the engine changes while the container runs.
LIMITS = (
    Field("memoryMb", INTEGER, "Memory in MiB; there is no swap beside it.", required=True, validator=between(6, 16_777_216)),
    Field("cpus", NUMBER, "Processors at most; it may be more than the host has.", required=True, validator=between(0.01, 1024)),
    Field("pids", INTEGER, "Processes and threads.", required=True, validator=between(1, 4_194_304)),
)
EVENTS = (
    Field("restartOn", MapOf(TEXT), "Any texts; a change restarts the container."),
    Field("reloadOn", MapOf(TEXT), "Any texts; a change makes it read its files anew, without a restart."),
    Field("reloadCheck", ListOf(TEXT, not_empty), "Command run in it before a reload; it must end with 0.", compared=False),
    Field("reloadSignal", TEXT, "Signal that makes it read its files anew.", validator=signal_name, compared=False),
    Field("reloadCommand", ListOf(TEXT, not_empty), "Command run in it for a reload, after the signal.", compared=False),
    Field("healthySeconds", INTEGER, "Seconds to wait until it is healthy.", default=60, validator=between(1, 3600), compared=False),
)


def create_body(inputs: Values) -> dict[str, Any]:
    """Give the body of POST /containers/create. Networks after the first are joined later: the API takes one."""
    body: dict[str, Any] = {
        "Image": inputs["image"],
        "User": inputs["user"],
        "Labels": engine.labels(inputs, echoed(FIXED, inputs)),
        "Env": [f"{name}={value}" for name, value in sorted(inputs.get("environment", {}).items())],
        "ExposedPorts": {f"{port['containerPort']}/tcp": {} for port in inputs.get("ports", [])},
        "Healthcheck": _healthcheck(inputs["healthcheck"]),
        "StopTimeout": inputs["stopSeconds"],
        "HostConfig": _host_config(inputs),
        "NetworkingConfig": {"EndpointsConfig": {inputs["networks"][0]["name"]: endpoint(inputs["networks"][0])}},
    }
    optional = {"Cmd": "command", "Entrypoint": "entrypoint", "StopSignal": "stopSignal"}
    return body | {name: inputs[given] for name, given in optional.items() if given in inputs}


def _healthcheck(check: Values) -> dict[str, Any]:
    return {
        "Test": ["CMD", *check["test"]],
        "Interval": check["intervalSeconds"] * _NANO,
        "Timeout": check["timeoutSeconds"] * _NANO,
        "Retries": check["retries"],
        "StartPeriod": check["startSeconds"] * _NANO,
    }


#: Not "unless-stopped": an engine that is started after it was killed stops what still runs, and then takes that for a person's stop.
RESTART: Final = {"Name": "always", "MaximumRetryCount": 0}

#: The hardening of every container; a container that shows anything else was altered.
HARDENED: Final = {
    "ReadonlyRootfs": True,
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges:true"],
    "Privileged": False,
    "IpcMode": "private",
    # A health check that is killed by its time-out leaves processes that only an init reaps; PIDs are limited.
    "Init": True,
}


def _host_config(inputs: Values) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in inputs.get("ports", []):
        bindings.setdefault(f"{port['containerPort']}/tcp", []).append({"HostIp": port["hostIp"], "HostPort": str(port["hostPort"])})
    config: dict[str, Any] = {
        **HARDENED,
        **limits_body(inputs),
        "RestartPolicy": RESTART,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": f"{inputs['logMaxMb']}m", "max-file": str(inputs["logFiles"])}},
        "NetworkMode": inputs["networks"][0]["name"],
        "PortBindings": bindings,
        "Mounts": [_mount(mount) for mount in inputs.get("mounts", [])],
        "Tmpfs": inputs.get("tmpfs", {}),
        "Ulimits": [{"Name": "nofile", "Soft": inputs["nofile"], "Hard": inputs["nofile"]}],
        "ExtraHosts": [f"{name}:{address}" for name, address in sorted(inputs.get("extraHosts", {}).items())],
        "Dns": inputs.get("dns", []),
    }
    return config | ({"ShmSize": inputs["shmMb"] * _MIB} if "shmMb" in inputs else {})


def limits_body(inputs: Values) -> dict[str, int]:
    """Give the limits as POST /containers/ID/update takes them."""
    memory = inputs["memoryMb"] * _MIB
    # A quota, not NanoCpus: of those the engine refuses more than the host has.
    quota = {"CpuPeriod": _CPU_PERIOD, "CpuQuota": round(inputs["cpus"] * _CPU_PERIOD)}
    return {"Memory": memory, "MemorySwap": memory, **quota, "PidsLimit": inputs["pids"]}


def _mount(mount: Values) -> dict[str, Any]:
    # An empty volume that the service writes takes the target's owner and mode from the image; nothing else is copied.
    return {
        "Type": "volume",
        "Source": mount["volume"],
        "Target": mount["target"],
        "ReadOnly": mount["readOnly"],
        "VolumeOptions": {"NoCopy": mount["readOnly"]},
    }


def endpoint(attachment: Values) -> dict[str, Any]:
    """Give an endpoint's settings: aliases, links, and the address where it is fixed."""
    settings: dict[str, Any] = {"Aliases": attachment.get("aliases", [])}
    if "links" in attachment:
        settings["Links"] = [f"{container}:{name}" for name, container in sorted(attachment["links"].items())]
    return settings | ({"IPAMConfig": {"IPv4Address": attachment["ipv4"]}} if "ipv4" in attachment else {})


def differs(inspected: Mapping[str, Any], state: Values, inputs: Values) -> bool:
    """Tell whether a container must be swapped for another: something is declared anew, or somebody altered it."""
    if inspected["Config"]["Labels"].get(engine.SPEC) != engine.spec_hash(echoed(FIXED, inputs)):
        return True
    seen = observe(inspected, state)
    fixed = tuple(field for field in FIXED if field.name != "name")
    # The engine takes no quota where there are NanoCpus, with which earlier versions made a container.
    return not is_hardened(inspected) or bool(inspected["HostConfig"]["NanoCpus"]) or bool(compare(fixed, {**state, **seen}, state))


def observe(inspected: Mapping[str, Any], declared: Values) -> Values:
    """Give, in the table's own terms, what a container really is; where it is as declared the two are equal."""
    host = inspected["HostConfig"]
    observed: Values = {
        "name": inspected["Name"].lstrip("/"),
        "image": inspected["Image"],
        "user": inspected["Config"]["User"],
        "memoryMb": host["Memory"] // _MIB,
        "cpus": host["CpuQuota"] / _CPU_PERIOD,
        "pids": host["PidsLimit"],
        "networks": _observe_networks(inspected["NetworkSettings"]["Networks"], declared["networks"]),
    }
    seen: dict[str, list[Values]] = {
        "ports": [
            {"hostIp": binding["HostIp"], "hostPort": int(binding["HostPort"]), "containerPort": int(port.split("/")[0])}
            for port, bindings in (host["PortBindings"] or {}).items()
            for binding in bindings
        ],
        "mounts": [
            {"volume": mount["Source"], "target": mount["Target"], "readOnly": mount.get("ReadOnly", False)}
            for mount in host.get("Mounts") or []
        ],
    }
    for name, items in seen.items():
        if items or declared.get(name):
            observed[name] = _as_declared(items, declared.get(name, []))
    return observed


def _observe_networks(joined: Mapping[str, Any], declared: list[Values]) -> list[Values]:
    known = [attachment for attachment in declared if attachment["name"] in joined]
    fixed = []
    for attachment in known:
        actual = (joined[attachment["name"]].get("IPAMConfig") or {}).get("IPv4Address", "")
        fixed.append({**attachment, "ipv4": actual} if "ipv4" in attachment else attachment)
    names = {attachment["name"] for attachment in declared}
    return [*fixed, *({"name": name} for name in joined if name not in names)]


def _as_declared(items: list[Values], declared: list[Values]) -> list[Values]:
    """Put items into the order of the declaration; the engine keeps none."""
    return [item for item in declared if item in items] + [item for item in items if item not in declared]


def is_hardened(inspected: Mapping[str, Any]) -> bool:
    """Tell whether a container still has the hardening that it was made with."""
    host = inspected["HostConfig"]
    extra = host.get("CapAdd") or host.get("Devices") or host.get("Binds") or host.get("PidMode") or host.get("UsernsMode")
    return not extra and all(host.get(name) == value for name, value in HARDENED.items())


def comes_back(inspected: Mapping[str, Any]) -> bool:
    """Tell whether the engine starts a container again whatever ended it; one that was set aside for another is not."""
    return bool(inspected["HostConfig"].get("RestartPolicy") == RESTART)
