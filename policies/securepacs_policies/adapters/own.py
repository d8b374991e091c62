"""The resources of our own provider, and the component's declaration.

Its containers are always without privileges, so that what cannot be said there stands here as a constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from securepacs_policies.adapters import orthanc
from securepacs_policies.adapters.listeners import listeners_in
from securepacs_policies.adapters.parts import part_of
from securepacs_policies.reading import Property, told
from securepacs_policies.things import (
    Adapter,
    Authority,
    Build,
    Certificate,
    Clinic,
    DataVolume,
    Key,
    Machine,
    Mount,
    Network,
    Peer,
    Port,
    Resource,
    RevocationList,
    SecretFile,
    Thing,
    Workload,
)
from securepacs_policies.values import is_unknown

#: What the provider does where nothing is said.
_KEY_TYPE, _AUTHORITY_DAYS, _CERTIFICATE_DAYS = "ecdsa-p256", 3650, 397


def _container(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    ports = told(
        lambda: tuple(
            Port(port["containerPort"].integer(), port["hostPort"].integer(), port["hostIp"].text(), port.path)
            for port in said["ports"].items()
        )
    )
    yield Workload(
        resource=resource,
        name=said["name"].text(),
        # Its image is a digest, which says nothing; the component names each container after its part.
        part=part_of({}, "", tuple, resource.name),
        image=said["image"].text(),
        ports=ports,
        networks=told(lambda: tuple(network["name"].text() for network in said["networks"].items())),
        capabilities_dropped=("ALL",),
        no_new_privileges=True,
        user=said["user"].text(),
        read_only_root=True,
        mounts=told(
            lambda: tuple(
                Mount(
                    bind=False, source=mount["volume"].text(), target=mount["target"].text(), read_only=mount["readOnly"].flag(default=True)
                )
                for mount in said["mounts"].items()
            )
        ),
        memory=said["memoryMb"].given(),
        processors=said["cpus"].given(),
        processes=said["pids"].given(),
        health_check=said["healthcheck"].given(),
        log_limit=True,
        environment=said["environment"].mapping(),
        command=told(lambda: (*said["entrypoint"].texts(), *said["command"].texts())),
    )


def _network(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    yield Network(resource=resource, name=said["name"].text(), internal=said["internal"].flag())


def _volume(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    yield DataVolume(resource=resource, name=said["name"].text(), kept=said["protectData"].flag())


def _image(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    yield Build(resource=resource, arguments=said["buildArgs"].mapping())


def _files(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    texts = {name: file["content"].text() for name, file in said["files"].entries()}
    yield from orthanc.merged(texts.values(), {}, resource, "files")
    for name, file in said["files"].entries():
        text = texts[name]
        yield SecretFile(resource=resource, path=file.path, name=name, mode=file["mode"].text("0400"), text=text)
        yield from orthanc.written_in(text, resource, file.path)
        yield from listeners_in(text, resource, file.path)


def _key(resource: Resource, said: Property) -> Iterator[Thing]:
    kind = said["keyType"].text(_KEY_TYPE)
    if is_unknown(kind):
        yield Key(resource=resource, algorithm=kind, bits=said["keyType"].unknown, curve=kind)
        return
    algorithm, _, size = kind.partition("-")
    yield Key(resource=resource, algorithm=algorithm.upper(), bits=int(size) if size.isdecimal() else 0, curve=size)


def _authority(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    yield Authority(resource=resource, days=said["validityDays"].number(_AUTHORITY_DAYS))
    yield from _key(resource, said)


def _certificate(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    yield Certificate(resource=resource, days=said["validityDays"].number(_CERTIFICATE_DAYS))
    if said["csrPem"].absent:
        yield from _key(resource, said)


def _revocation_list(resource: Resource) -> Iterator[Thing]:
    yield RevocationList(resource=resource, days=Property(resource.properties)["validityDays"].number(_CERTIFICATE_DAYS))


def _peer(said: Property) -> Peer:
    return Peer(
        said.path,
        said["ae_title"].text(),
        said["verbs"].texts(),
        said["plaintext"].given(),
        said.at("plaintext", "port").integer(),
        said.at("plaintext", "reason").text(),
        said.at("plaintext", "until").text(),
    )


def _clinic(resource: Resource) -> Iterator[Thing]:
    said = Property(resource.properties)
    backup = said["backup"]
    yield Clinic(
        resource=resource,
        peers=told(lambda: tuple(_peer(peer) for peer in said["peers"].items())),
        machines=told(lambda: tuple(Machine(one["name"].text(), one["until"].text()) for one in said["machines"].items())),
        backup=None if backup.absent else backup.mapping(),
    )


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "securepacs:index:SecurePacs": _clinic,
        "securepacs:docker:Container": _container,
        "securepacs:docker:Network": _network,
        "securepacs:docker:Volume": _volume,
        "securepacs:docker:Image": _image,
        "securepacs:docker:Files": _files,
        "securepacs:pki:CertificateAuthority": _authority,
        "securepacs:pki:Certificate": _certificate,
        "securepacs:pki:RevocationList": _revocation_list,
    }
)
