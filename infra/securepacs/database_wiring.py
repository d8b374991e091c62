"""The database's resources: the second half of component.py, for the clinic that asks for PostgreSQL.

It stands apart because most clinics have none of it; what it uses of the component are the component's own makers of parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from securepacs import database, resources
from securepacs.target import container_name
from securepacs.trust import Trust

if TYPE_CHECKING:
    from securepacs.component import SecurePacs

_MEMORY_MB, _PIDS = 1024, 64

#: The first start makes the cluster, and a start after a crash reads the log of what was written.
_HEALTHY_SECONDS = 300

_HEALTH = resources.HealthCheck(test=["/usr/share/securepacs/health"], interval_seconds=3, timeout_seconds=5, retries=5, start_seconds=120)


@dataclass(frozen=True)
class AttachedDatabase:
    """What the archive gets of its database; nothing where the index is its own file."""

    networks: list[resources.Attachment] = field(default_factory=list)
    files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Secret files of the archive: name -> text."""
    restarts_for: tuple[str, ...] = ()
    """Those of the files for which the archive restarts; the others are read anew with each connection."""
    depends_on: list[pulumi.Resource] = field(default_factory=list)


def declare_database(pacs: SecurePacs, trust: Trust) -> AttachedDatabase:
    """Declare the database with its network, volumes and files, where the clinic asks for one."""
    clinic = pacs._clinic
    certificate = trust.database
    if certificate is None:
        return AttachedDatabase()
    login = pacs._password("database-login", clinic.rotations.login, length=40)
    name = container_name(clinic, "database")
    network = pacs._network("database", internal=True)
    image = pacs._image("database", POSTGRESQL_MAJOR=database.POSTGRESQL_MAJOR)
    data = pacs._volume("database-data", data=True)
    secrets = pulumi.Output.all(certificate.cert_pem, certificate.key_pem, login.value).apply(
        lambda known: database.database_files(database.DatabaseSecrets(known[0], known[1], known[2]))
    )
    volume, files = pacs._files("database", image, database.UID, list(database.FILE_NAMES), secrets)
    container = resources.Container(
        f"{pacs._name}-database",
        name=name,
        image=image.image_id,
        user=f"{database.UID}:{database.GID}",
        networks=[resources.Attachment(network.name, aliases=[database.HOST])],
        mounts=[resources.Mount(volume.name, database.FOLDER), resources.Mount(data.name, database.DATA_FOLDER, read_only=False)],
        tmpfs={
            "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777",  # noqa: S108 - a tmpfs of the container's own
            "/run/postgresql": f"rw,noexec,nosuid,nodev,size=1m,mode=0700,uid={database.UID},gid={database.GID}",
        },
        dns=["127.0.0.1"],
        memory_mb=_MEMORY_MB,
        cpus=clinic.limits.cpus,
        pids=_PIDS,
        healthcheck=_HEALTH,
        # "Fast shutdown": SIGTERM would wait until the archive itself lets go.
        stop_signal="SIGINT",
        stop_seconds=60,
        healthy_seconds=_HEALTHY_SECONDS,
        # A new password is set at the start, a new certificate is read anew.
        restart_on={name: files.revisions[name] for name in database.RESTARTS_FOR},
        reload_on={name: files.revisions[name] for name in database.RELOADS},
        reload_signal="SIGHUP",
        opts=pacs._child(),
        **pacs._owner,
    )
    known = pulumi.Output.all(trust.ca_pem, login.value).apply(lambda told: database.archive_database_files(told[0], told[1]))
    return AttachedDatabase(
        networks=[resources.Attachment(network.name)],
        files={name: known[name] for name in database.ARCHIVE_FILE_NAMES},
        restarts_for=("pgpass",),
        depends_on=[container],
    )
