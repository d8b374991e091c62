"""The resources of the viewer and the sign-in: the third part of component.py, for the clinic that has people look at images.

The two stand on a network of their own, on which there is nobody else but the gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pulumi

from securepacs import gateway, resources, sign_in, viewer
from securepacs.target import container_name

if TYPE_CHECKING:
    from securepacs.component import SecurePacs

_MEMORY_MB, _PIDS = 256, 64


@dataclass(frozen=True)
class AttachedBrowser:
    """What the gateway gets of them; nothing where the clinic has no viewer."""

    networks: list[resources.Attachment] = field(default_factory=list)
    depends_on: list[pulumi.Resource] = field(default_factory=list)


def declare_browser(pacs: SecurePacs, network: resources.Network | None, people: Mapping[str, resources.Password]) -> AttachedBrowser:
    """Declare the viewer and the sign-in with their files on their network; without one the clinic asks for no viewer."""
    if network is None:
        return AttachedBrowser()
    parts = [_viewer(pacs, network), _sign_in(pacs, network, people)]
    names = [gateway.BROWSER_NAME] if pacs._clinic.sign_in.oidc else None
    return AttachedBrowser([resources.Attachment(network.name, aliases=names)], [part for part in parts if part is not None])


def _viewer(pacs: SecurePacs, network: resources.Network) -> resources.Container | None:
    image = pacs._image("viewer", further={"OHIF": pacs._clinic.images.viewer})
    return _container(
        pacs,
        "viewer",
        viewer,
        image,
        network,
        tmpfs={"/tmp": f"rw,noexec,nosuid,nodev,size=64m,mode=0700,uid={viewer.UID},gid={viewer.GID}"},  # noqa: S108 - a tmpfs of the container's own
        stop_signal="SIGQUIT",  # nginx finishes what is open
    )


def _sign_in(pacs: SecurePacs, network: resources.Network, people: Mapping[str, resources.Password]) -> resources.Container | None:
    clinic = pacs._clinic
    image = pacs._image("sign-in", further={"OAUTH2_PROXY": clinic.images.sign_in})
    cookie = pacs._password("session-cookie", clinic.rotations.login, length=32)
    provider = clinic.sign_in.oidc
    secrets = pulumi.Output.all(
        cookie=cookie.value,
        people=pulumi.Output.all(**({} if provider else {name: password.bcrypt for name, password in people.items()})),
        client=pulumi.Output.secret(pacs._client_secret or ""),
    ).apply(lambda known: sign_in.sign_in_files(clinic, sign_in.SignInSecrets(known["cookie"], known["people"], known["client"])))
    volume, files = pacs._files("sign-in", image, sign_in.UID, list(sign_in.file_names(clinic)), secrets)
    return _container(
        pacs,
        "sign-in",
        sign_in,
        image,
        network,
        mounts=[resources.Mount(volume.name, sign_in.FOLDER)],
        # Names and hashes are not among them: it reads those anew by itself, and nobody is refused meanwhile.
        restart_on={name: files.revisions[name] for name in sign_in.restarts_for(clinic)},
        # Its provider's hosts are the gateway, for it alone: it knows no name server, and has no other way out.
        links={host: container_name(clinic, "gateway") for host, _ in provider.hosts()} if provider else None,
    )


def _container(
    pacs: SecurePacs,
    part: str,
    module: ModuleType,
    image: resources.Image,
    network: resources.Network,
    links: Mapping[str, str] | None = None,
    **own: Any,  # noqa: ANN401 - Container's own arguments
) -> resources.Container | None:
    """Declare one of the two; `module` knows its user and its name on the network."""
    if not pacs._serves:
        return None
    return resources.Container(
        f"{pacs._name}-{part}",
        name=container_name(pacs._clinic, part),
        image=image.image_id,
        user=f"{module.UID}:{module.GID}",
        networks=[resources.Attachment(network.name, aliases=[module.HOST], links=links)],
        dns=["127.0.0.1"],
        memory_mb=_MEMORY_MB,
        cpus=pacs._clinic.limits.cpus,
        pids=_PIDS,
        healthcheck=pacs._health,
        opts=pacs._child(),
        **own,
        **pacs._owner,
    )
