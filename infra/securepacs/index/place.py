"""Where an archive's index stands: the fact in its volume that decides, and the refusal to lose sight of it.

The file `index` beside the stored images is the one mark. While it is there the index is in SQLite; where it is not, and
there are images, the index is in PostgreSQL. Moving an index ends by making that file appear or disappear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import docker
from docker.errors import NotFound

from securepacs import archive
from securepacs.clinic import Clinic
from securepacs.errors import DeploymentError, RefusedError
from securepacs.index.errand import Errand, sweep
from securepacs.inventory import data_volume, database_volume, owner, remove_volume, volume_of
from securepacs.target import container_name

#: Where the archive's data volume is in an errand.
VOLUME: Final = "/volume"

OLD_INDEX: Final = "index.before-postgresql"

_SHELL: Final = ("/bin/bash", "-euc")
_SECONDS: Final = 300

#: Ends with 40, and 1 more where there is an index, 2 more where an image is stored (XX/YY/UUID).
_FACTS: Final = """
cd /volume/db 2>/dev/null || exit 40
there=0; images=0
if [ -e index ]; then there=1; fi
if [ -n "$(find . -mindepth 3 -maxdepth 3 -path './??/??/*' -type f -print -quit)" ]; then images=2; fi
exit $((40 + there + images))
"""

#: Each is safe to be killed and run again. A write-ahead log never stands beside an index that is not its own.
_SCRIPTS: Final = {
    "retire": f"""
cd /volume/db 2>/dev/null || exit 0
if [ -e index ]; then rm -f {OLD_INDEX} {OLD_INDEX}-wal {OLD_INDEX}-shm; mv index {OLD_INDEX}; fi
for part in wal shm; do if [ -e index-$part ]; then mv index-$part {OLD_INDEX}-$part; fi; done
sync
""",
    "reinstate": f"""
cd /volume/db
if [ ! -e index ]; then
    for part in wal shm; do if [ -e {OLD_INDEX}-$part ]; then mv {OLD_INDEX}-$part index-$part; fi; done
    mv {OLD_INDEX} index
fi
sync
""",
    "remove": "cd /volume/db; rm -f index index-wal index-shm; sync",
    "forget": f"cd /volume/db 2>/dev/null || exit 0; rm -f {OLD_INDEX} {OLD_INDEX}-wal {OLD_INDEX}-shm; sync",
}

#: Takes the SHA-256 that the index must have.
INSTALL: Final = """
mkdir -p -m 0700 /volume/db
cd /volume/db
if [ -e index ]; then echo 'there is an index already' >/errand/out/said; exit 1; fi
rm -f index.coming index-wal index-shm
cp /errand/index index.coming
read -r sum _ < <(sha256sum index.coming)
if [ "$sum" != "$0" ]; then echo 'the index did not arrive as it was sent' >/errand/out/said; exit 1; fi
chmod 0600 index.coming
sync
mv index.coming index
sync
"""


@dataclass(frozen=True)
class Facts:
    """What the archive's volume holds."""

    index: bool
    images: bool


def volume_errand(client: docker.DockerClient, clinic: Clinic, stack: str, *, writes: bool = False) -> Errand:
    """Give an errand on the archive's data volume, as the archive's user and without a network."""
    volumes = {data_volume(clinic): (VOLUME, writes)}
    return Errand(client, owner(stack), clinic.name, clinic.images.base, archive.UID, volumes=volumes)


def facts(client: docker.DockerClient, clinic: Clinic, stack: str) -> Facts:
    """Look into the archive's volume; nothing is in one that is not there."""
    if not volume_of(client, data_volume(clinic), stack):
        return Facts(index=False, images=False)
    seen = volume_errand(client, clinic, stack).run([*_SHELL, _FACTS], _SECONDS) - 40
    if seen not in range(4):
        raise DeploymentError(f"volume {data_volume(clinic)}: could not be looked into")
    return Facts(index=bool(seen & 1), images=bool(seen & 2))


def change(client: docker.DockerClient, clinic: Clinic, stack: str, what: str) -> None:
    """Retire, reinstate, remove the index, or forget the old one. The archive does not run meanwhile, except to forget."""
    if volume_of(client, data_volume(clinic), stack):
        status = volume_errand(client, clinic, stack, writes=True).run([*_SHELL, _SCRIPTS[what]], _SECONDS)
        if status:
            raise DeploymentError(f"volume {data_volume(clinic)}: could not {what} the index (status {status})")


def hold_in_place(client: docker.DockerClient, clinic: Clinic, stack: str) -> None:
    """Refuse a deployment that names another database than the one that holds the index of stored images, or that has lost it.

    Raises RefusedError. A clinic that runs with the database that it names costs one look; another one a look into its volume.
    What a killed run left of its own look is removed first: this clinic may have no further cause to look.
    """
    sweep(client, clinic.name)
    if runs_with(client, clinic) == clinic.database:
        return
    seen = facts(client, clinic, stack)
    if not seen.images:
        return
    if not seen.index and not volume_of(client, database_volume(clinic), stack):
        raise RefusedError(
            f"volume {data_volume(clinic)}",
            got=f"images, while neither an index is beside them nor the volume {database_volume(clinic)} is on the engine",
            expected="the index that knows these images",
            do=f"put {database_volume(clinic)}, or the file db/index, back from a backup",
        )
    if seen.index == (clinic.database == "sqlite"):
        return
    held = "sqlite" if seen.index else "postgresql"
    raise RefusedError(
        "securepacs:clinic.database",
        got=f"'{clinic.database}', while the index of the stored images is in {held}",
        expected=f"'{held}'",
        do=f"`securepacs database {clinic.database}` moves the index, and loses nothing",
    )


def is_in_place(client: docker.DockerClient, clinic: Clinic, stack: str) -> bool:
    """Tell whether the index is where the clinic wants it, or there is none that could be moved."""
    index = facts(client, clinic, stack).index
    if clinic.database == "postgresql":
        return not index
    return index or not volume_of(client, database_volume(clinic), stack)


def where_the_old_is(clinic: Clinic) -> str:
    """Say where a move to the clinic's database left the index that it came from."""
    if clinic.database == "postgresql":
        return f"the file {OLD_INDEX} of the volume {data_volume(clinic)}"
    return f"the volume {database_volume(clinic)}"


def forget_old(client: docker.DockerClient, clinic: Clinic, stack: str) -> None:
    """Remove what an earlier move kept. Raises RefusedError where the index is not where the clinic says."""
    hold_in_place(client, clinic, stack)
    change(client, clinic, stack, "forget")
    if clinic.database == "sqlite":
        remove_volume(client, database_volume(clinic), stack)


def runs_with(client: docker.DockerClient, clinic: Clinic) -> str | None:
    """Give the database that the deployed archive uses, by the networks that it is on; None where none stands."""
    try:
        container = client.containers.get(container_name(clinic, "archive"))
    except NotFound:
        return None
    on = container.attrs["NetworkSettings"]["Networks"]
    return "postgresql" if container_name(clinic, "database") in on else "sqlite"
