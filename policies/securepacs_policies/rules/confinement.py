"""What a container may do to its host: privileges, namespaces, devices, mounts."""

from __future__ import annotations

from collections.abc import Iterator

from securepacs_policies.rule import Parameters, rule
from securepacs_policies.things import DataVolume, Workload

_ROOT = frozenset({"", "0", "root"})

#: Sockets of engines, and the folders that hold them.
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
_SOCKET_FOLDERS = frozenset({"/var/run", "/run", "/run/containerd", "/run/podman", "/var/run/crio"})


@rule(
    "privileged",
    "No container is privileged",
    why="A privileged container is the host: it sees every disk and every key on it.",
    remedy="Take `privileged` away; grant the one capability that is needed, if any.",
    severity="critical",
    controls=("container-privileges",),
    needs=("privileged",),
)
def privileged(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a privileged container."""
    if workload.privileged:
        yield "it is privileged"


@rule(
    "capability-added",
    "No capability is added",
    why="An archive, a database and a gateway need none: ports above 1023 can be listened on by anybody.",
    remedy="Take the added capabilities away; listen on a port above 1023.",
    severity="high",
    controls=("container-privileges",),
    needs=("capabilities_added",),
    parameters={"allowed": {"type": "array", "items": {"type": "string"}, "default": [], "description": "Capabilities that may be added."}},
)
def capability_added(workload: Workload, parameters: Parameters) -> Iterator[str]:
    """Yield each capability that is added and not allowed."""
    for capability in workload.capabilities_added:
        if capability.upper().removeprefix("CAP_") not in {name.upper().removeprefix("CAP_") for name in parameters["allowed"]}:
            yield f"the capability {capability} is added"


@rule(
    "capabilities-kept",
    "All capabilities are dropped",
    why="The engine's default set lets a service that was broken into change owners, forge packets and more.",
    remedy="Docker: capabilities={drops: ['ALL']}. Kubernetes: capabilities: {drop: [ALL]}.",
    severity="medium",
    controls=("container-privileges",),
    needs=("capabilities_dropped",),
)
def capabilities_kept(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container that keeps the engine's default capabilities."""
    if "ALL" not in {name.upper().removeprefix("CAP_") for name in workload.capabilities_dropped}:
        yield "it keeps capabilities that the engine gives by default"


@rule(
    "new-privileges",
    "No program gains privileges",
    why="One setuid program in an image is enough to become root again.",
    remedy="Docker: securityOpts=['no-new-privileges:true']. Kubernetes: allowPrivilegeEscalation: false.",
    severity="medium",
    controls=("container-privileges",),
    needs=("no_new_privileges",),
)
def new_privileges(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container whose programs may gain privileges."""
    if not workload.no_new_privileges:
        yield "its programs may gain privileges (setuid)"


@rule(
    "root-user",
    "No service runs as root",
    why="Root inside is root outside as soon as one confinement fails.",
    remedy="Name a user of its own, by number: user='10001:10001', or runAsNonRoot with runAsUser.",
    severity="high",
    controls=("container-user",),
    needs=("user",),
)
def root_user(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container that runs as root, or as whatever its image says."""
    if workload.user.partition(":")[0] in _ROOT:
        yield "it runs as root" if workload.user else "no user is named, so that it runs as its image says, most often as root"


@rule(
    "unconfined",
    "System calls stay filtered",
    why="Without seccomp and AppArmor a flaw of the kernel is a flaw of the container.",
    remedy="Docker: take the option away. Kubernetes: seccompProfile: {type: RuntimeDefault}. The default serves every part of a PACS.",
    severity="high",
    controls=("container-privileges",),
    needs=("unconfined",),
)
def unconfined(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each confinement that is switched off."""
    for name in workload.unconfined:
        yield f"{name} is switched off"


@rule(
    "host-network",
    "No container is on the host's network",
    why="On the host's network there is no gateway in front: every port that the service opens is the host's, loopback services included.",
    remedy="Take networkMode 'host' (hostNetwork) away, and attach it to a network of its own.",
    severity="critical",
    controls=("container-isolation", "network-segmentation"),
    needs=("host_namespaces",),
)
def host_network(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container on the host's network."""
    if "network" in workload.host_namespaces:
        yield "it is on the host's own network"


@rule(
    "host-namespace",
    "No container shares the host's processes or memory",
    why="Who sees the host's processes reads their environments, and may end them.",
    remedy="Take pidMode, ipcMode, usernsMode, cgroupnsMode 'host' (hostPID, hostIPC) away.",
    severity="high",
    controls=("container-isolation",),
    needs=("host_namespaces",),
)
def host_namespace(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each namespace but the network that is the host's."""
    for namespace in workload.host_namespaces:
        if namespace != "network":
            yield f"it shares the host's {namespace} namespace"


@rule(
    "host-device",
    "No device of the host is inside",
    why="A disk as a device is every file on it, past all permissions.",
    remedy="Take the device away.",
    severity="high",
    controls=("container-isolation",),
    needs=("devices",),
)
def host_device(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each device."""
    for device in workload.devices:
        yield f"it has the host's {device}"


@rule(
    "host-mount",
    "No folder of the host is inside",
    why="A folder of the host ties the container to one machine's permissions, and gives what lies in it to whoever breaks in.",
    remedy="Use a volume; hand settings over as files of a volume, a secret or a ConfigMap.",
    severity="high",
    controls=("container-filesystem", "container-isolation"),
    needs=("mounts",),
    parameters={
        "allowed": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Folders of the host that may be mounted, themselves and not what is below them.",
        }
    },
)
def host_mount(workload: Workload, parameters: Parameters) -> Iterator[str]:
    """Yield each folder of the host that is mounted and not allowed."""
    for mount in workload.mounts:
        if mount.bind and mount.source.rstrip("/") not in {path.rstrip("/") for path in parameters["allowed"]}:
            yield f"it mounts the host's {mount.source}{'' if mount.read_only else ', and may write there'}"


@rule(
    "volume-on-host",
    "A volume is no folder of the host's",
    why="A volume that binds a folder is that folder: the host's permissions, and whatever else lies there.",
    remedy="Take driverOpts away, so that the engine keeps the volume; or give it a device of its own (a disk, an NFS export).",
    severity="high",
    controls=("container-filesystem",),
    needs=("folder",),
)
def volume_on_host(volume: DataVolume, _: Parameters) -> Iterator[str]:
    """Yield a volume that is a folder of the host's."""
    if volume.folder:
        yield f"it is the host's {volume.folder}"


@rule(
    "engine-socket",
    "The engine's socket is not inside",
    why="Who writes to that socket starts a container that is root on the host.",
    remedy="Take the mount away.",
    severity="critical",
    controls=("container-isolation",),
    needs=("mounts",),
)
def engine_socket(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each mount of an engine's socket, or of a folder that holds one."""
    for mount in workload.mounts:
        if mount.source.endswith(_SOCKETS) or (mount.bind and (mount.source.rstrip("/") or "/") in _SOCKET_FOLDERS | {"/"}):
            yield f"it mounts {mount.source}, and with it the engine's socket"


@rule(
    "writable-root",
    "A service cannot change its own programs",
    why="What an intruder cannot write, an intruder cannot keep.",
    remedy="Docker: readOnly=True with a tmpfs for /tmp. Kubernetes: readOnlyRootFilesystem: true with an emptyDir.",
    severity="medium",
    controls=("container-filesystem",),
    needs=("read_only_root",),
)
def writable_root(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a container whose root file system can be written."""
    if not workload.read_only_root:
        yield "its root file system can be written"
