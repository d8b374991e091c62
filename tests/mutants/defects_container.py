"""Defects of confinement and of secrets: what the engine is told of a container. And systems that serve nobody."""

from __future__ import annotations

import dataclasses
from typing import Any

from mutants.blueprint import Blueprint, Edit, both, container, declared, engine, replaced
from mutants.mutant import Mutant


def _as_root(blueprint: Blueprint) -> Blueprint:
    files = {name: dataclasses.replace(file, uid=0) for name, file in blueprint.parts["gateway"].files.items()}
    return blueprint.part("gateway", files=files)


def _readable(name: str) -> Edit:
    def edit(blueprint: Blueprint) -> Blueprint:
        files = blueprint.parts["gateway"].files
        return blueprint.part("gateway", files={**files, name: dataclasses.replace(files[name], mode=0o444)})

    return edit


def _mounted(source: str, target: str) -> Edit:
    def edit(blueprint: Blueprint) -> Blueprint:
        host = blueprint.parts["gateway"].host
        mount: dict[str, Any] = {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}
        return blueprint.part("gateway", host={**host, "Mounts": [*host["Mounts"], mount]})

    return edit


def _in_environment(blueprint: Blueprint) -> Blueprint:
    config = blueprint.parts["archive"].config
    return blueprint.part("archive", config={**config, "Env": [*config["Env"], "ORTHANC_PASSWORD=correct-horse-battery"]})


def _everywhere(blueprint: Blueprint) -> Blueprint:
    host = blueprint.parts["gateway"].host
    bindings = {port: [{**binding, "HostIp": ""} for binding in bound] for port, bound in host["PortBindings"].items()}
    return blueprint.part("gateway", host={**host, "PortBindings": bindings})


CONFINEMENT = (
    Mutant(
        "root",
        "the gateway runs as root",
        ("container.user",),
        both(
            container("gateway", User="0:0"),
            _as_root,
            engine("gateway", Tmpfs={"/run/gateway": "rw,noexec,nosuid,nodev,size=1m,mode=0700"}),
        ),
    ),
    Mutant("privileged", "the gateway is privileged", ("container.privileged",), engine("gateway", Privileged=True)),
    Mutant(
        "capabilities", "the gateway keeps capabilities", ("container.capabilities",), engine("gateway", CapDrop=[], CapAdd=["NET_RAW"])
    ),
    Mutant(
        "new-privileges", "the gateway's processes may gain privileges", ("container.no-new-privileges",), engine("gateway", SecurityOpt=[])
    ),
    Mutant(
        "unfiltered",
        "the gateway's system calls are not filtered",
        ("container.seccomp",),
        engine("gateway", SecurityOpt=["no-new-privileges:true", "seccomp=unconfined"]),
    ),
    Mutant("writable-root", "the gateway's root is writable", ("container.read-only",), engine("gateway", ReadonlyRootfs=False)),
    Mutant("host-processes", "the gateway sees the host's processes", ("container.host-namespaces",), engine("gateway", PidMode="host")),
    Mutant("host-folder", "a folder of the host is mounted", ("container.mounts",), _mounted("/usr/share", "/mnt")),
    Mutant(
        "engine-socket",
        "the engine's socket is mounted",
        ("container.engine-socket",),
        _mounted("/var/run/docker.sock", "/mnt/docker.sock"),
    ),
    Mutant("no-memory-limit", "the archive's memory is not limited", ("container.limits",), engine("archive", Memory=0, MemorySwap=0)),
    Mutant("no-process-limit", "the gateway's processes are not limited", ("container.limits",), engine("gateway", PidsLimit=0)),
    Mutant(
        "no-health-check",
        "nobody sees whether the gateway is well",
        ("container.health",),
        container("gateway", Healthcheck={"Test": ["NONE"]}),
    ),
    Mutant("published-everywhere", "the gateway is published on every address", ("container.published-address",), _everywhere),
)

SECRETS = (
    Mutant("secret-in-environment", "a password stands in the environment", ("secrets.environment",), _in_environment),
    Mutant(
        "secret-on-label",
        "a password stands on a label",
        ("secrets.settings",),
        container("gateway", Labels={"admin.password": "correct-horse-battery"}),
    ),
    Mutant("key-readable", "the server's private key opens to everybody", ("secrets.files",), _readable("server.pem")),
)

_PATIENCE = declared(lambda target: target["budget"].update(seconds=40))

#: Groups of checks that ask over DICOM, and those that ask anything from outside.
_OVER_DICOM = ("mtls", "association", "dimse", "exfiltration", "integrity")
_FROM_OUTSIDE = (*_OVER_DICOM, "tls", "http", "credentials", "leaks", "audit")
#: Groups that look into the containers: where there are none, there is nothing good to be seen.
_FROM_INSIDE = ("container", "secrets", "network", "cve")
#: Read the declaration; ask the archive behind the gateway; read configurations.
_ASKS_NOBODY = ("tls.required", "credentials.backend", "credentials.weak-hashes")

#: Systems that serve nobody: whatever they refuse proves nothing, and no check may pass on it.
DEAD = (
    Mutant(
        "down",
        "nothing runs",
        ("dimse.granted", "mtls.anonymous"),
        lambda blueprint: dataclasses.replace(blueprint, parts={}),
        conclusive=False,
        dead=(*_FROM_OUTSIDE, *_FROM_INSIDE),
        alive=("tls.required",),
    ),
    Mutant(
        "drops-everything",
        "the listener takes connections and never answers",
        ("dimse.granted", "mtls.anonymous"),
        both(container("gateway", Cmd=["socat", "-u", "TCP-LISTEN:2762,fork,reuseaddr", "OPEN:/dev/null"]), _PATIENCE),
        conclusive=False,
        dead=_FROM_OUTSIDE,
        alive=_ASKS_NOBODY,
    ),
    Mutant(
        "accepts-then-resets",
        "the listener takes connections and ends them",
        ("dimse.granted", "mtls.anonymous"),
        container("gateway", Cmd=["socat", "TCP-LISTEN:2762,fork,reuseaddr", "EXEC:/bin/true"]),
        conclusive=False,
        dead=_FROM_OUTSIDE,
        alive=_ASKS_NOBODY,
    ),
    Mutant(
        "rejects-everybody",
        "every association is rejected",
        ("dimse.granted", "association.calling-ae"),
        replaced(
            "  tcp-request content use-service lua.associate_rj_calling unless { var(sess.calling) -m found }\n",
            "  tcp-request content use-service lua.associate_rj_calling unless { always_false }\n",
        ),
        conclusive=False,
        dead=_OVER_DICOM,
        alive=("association.plaintext-waiver",),
    ),
)

CONTAINER = (*CONFINEMENT, *SECRETS, *DEAD)
