"""`securepacs recover`, and the guard that sends a person there.

A clinic's keys live in the stack's state. Where the engine has objects of a stack and the state that made them is not
there, an ordinary `up` would make a second authority, and every peer would be locked out without a word. So `up`,
`preview` and `down` refuse then, and `recover` puts the newest good state back; only where there is none it offers to
begin with new keys on the old studies.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import NotFound
from rich.table import Table

from securepacs.errors import DeploymentError, NotFoundError, RefusedError
from securepacs.failures import KNOWN_FAILURES
from securepacs.inventory import stack_label
from securepacs.provider.engine import COMPONENT, STACK
from securepacs.provider.files_volume import HELPER
from securepacs.state.checkpoints import MOST_TRIED, Checkpoint, Opens, kept, opens, present, present_files, put_back, set_aside
from securepacs.state.locks import clear_dead_locks, held_locks
from securepacs.state.workspace import PROJECT, Workspace

_STOP_SECONDS = 20


@dataclass(frozen=True)
class Standing:
    """One object on the engine that carries a stack's label."""

    kind: str
    name: str
    id: str
    component: str
    detail: str
    passing: bool = False
    """True of a container that a run makes for a moment; it says nothing about a clinic."""


def standing(client: docker.DockerClient, stack: str) -> list[Standing]:
    """List what the engine has of a stack: containers, networks, volumes."""
    label = stack_label(stack)
    api = client.api
    containers = api.containers(all=True, filters={"label": label})
    found = [
        Standing("container", c["Names"][0].lstrip("/"), c["Id"], _component(c), c["Status"], passing=HELPER in c["Labels"])
        for c in containers
    ]
    found += [Standing("network", n["Name"], n["Id"], _component(n), n["Driver"]) for n in api.networks(filters={"label": label})]
    volumes = api.volumes(filters={"label": label})["Volumes"] or []
    found += [Standing("volume", v["Name"], v["Name"], _component(v), f"made {v['CreatedAt'][:10]}") for v in volumes]
    return sorted(found, key=lambda one: (one.kind, one.name))


def _component(found: Mapping[str, Any]) -> str:
    return str((found.get("Labels") or {}).get(COMPONENT, ""))


def stacks_on(client: docker.DockerClient) -> list[str]:
    """Name the stacks of which the engine has anything."""
    api, filters = client.api, {"label": STACK}
    listed = [api.containers(all=True, filters=filters), api.networks(filters=filters), api.volumes(filters=filters)["Volumes"] or []]
    owners = {found["Labels"][STACK] for kind in listed for found in kind}
    return sorted(owner.removeprefix(f"{PROJECT}/") for owner in owners if owner.startswith(f"{PROJECT}/"))


def counted(found: Sequence[Standing]) -> str:
    """'2 containers, 1 network'."""
    counts = Counter(one.kind for one in found if not one.passing)
    return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in sorted(counts.items())) or "nothing"


class State(enum.Enum):
    """What there is of a stack's state."""

    GOOD = "a good state"
    MISSING = "no state"
    DAMAGED = "a state that cannot be read"
    FOREIGN = "a state that knows nothing of them"


def judge(found: Sequence[Standing], state: Checkpoint | None, *, has_file: bool) -> State:
    """Hold the state against what stands on the engine.

    A state without resources is that of a clinic that is down, and its volume may stand. But where containers stand,
    the state that made them knew resources: networks and volumes are written into it before the first container is made.
    """
    if state is None:
        return State.DAMAGED if has_file else State.MISSING
    containers = [one for one in found if one.kind == "container" and not one.passing]
    return State.FOREIGN if containers and not state.ids else State.GOOD


def guard(place: Workspace, client: docker.DockerClient) -> None:
    """Refuse to go on where the engine has objects of the stack, and the state that made them is not there.

    Raises RefusedError with the way out.
    """
    found = standing(client, place.stack)
    state = _state_of(place, found)
    if state is State.GOOD or (state is State.MISSING and counted(found) == "nothing"):
        return
    stands = "" if counted(found) == "nothing" else f" while {counted(found)} of it stand on the engine"
    raise RefusedError(
        f"stack '{place.stack}'",
        got=f"{state.value}{stands}",
        expected="the state that made the clinic",
        do=f"run `securepacs recover --stack {place.stack}`; nothing was changed",
    )


def _state_of(place: Workspace, found: Sequence[Standing]) -> State:
    if place.is_own_backend:
        return judge(found, present(place), has_file=bool(present_files(place)))
    # Another backend keeps its states itself, and only whether there is one can be asked: also from a fresh clone, as a pipeline's is.
    place.prepare(place.configuration())
    try:
        place.open_existing()
    except NotFoundError:
        return State.MISSING
    return State.GOOD


@dataclass(frozen=True)
class Finding:
    """What `recover` found, and so what it may do."""

    state: State
    found: Sequence[Standing]
    checkpoint: Checkpoint | None = None
    """The newest state that can be put back."""
    sealed: bool = False
    """Whether there are states that only another passphrase opens."""

    @property
    def known(self) -> int:
        """How many of the standing objects the checkpoint knows."""
        return sum(one.id in self.checkpoint.ids for one in self.found) if self.checkpoint else 0


def look(place: Workspace, client: docker.DockerClient) -> Finding:
    """Look at the engine and at the states that are kept; nothing is changed.

    Raises NotFoundError where there is nothing of this stack anywhere, DeploymentError while another run is working.
    """
    found = standing(client, place.stack)
    clear_dead_locks(place.home / "backend", PROJECT, place.stack)
    if held_locks(place.home / "backend", PROJECT, place.stack):
        raise DeploymentError("another run is working on this stack", do="wait until it ends")
    state = _state_of(place, found)
    finding = _among_kept(place, found, state) if place.is_own_backend else Finding(state, found)
    if finding == Finding(State.MISSING, []):
        there = f"one of {', '.join(stacks)}" if (stacks := stacks_on(client)) else "a clinic, of which the engine has none"
        raise NotFoundError(f"stack '{place.stack}'", got="neither a state nor an object on the engine", expected=there, do="use --stack")
    return finding


def _among_kept(place: Workspace, found: Sequence[Standing], state: State) -> Finding:
    """Find the newest state that Pulumi opens; where containers stand it must know resources."""
    now, sealed = present(place), False
    needed = any(one.kind == "container" and not one.passing for one in found)
    for checkpoint in [one for one in kept(place) if one.ids or not needed][:MOST_TRIED]:
        verdict, is_present = opens(place, checkpoint), now is not None and checkpoint.text == now.text
        if verdict is Opens.YES:
            return Finding(state, found, checkpoint, sealed)
        if state is State.GOOD and is_present:
            if verdict is Opens.SEALED:
                return Finding(state, found, sealed=True)
            state = State.DAMAGED
        sealed |= verdict is Opens.SEALED
    return Finding(state, found, sealed=sealed)


def table(finding: Finding) -> Table:
    """Show what stands on the engine."""
    shown = Table("kind", "name", "component", "state")
    for one in finding.found:
        shown.add_row(one.kind, one.name, one.component, f"{one.detail} (left by a run that was killed)" if one.passing else one.detail)
    return shown


def told(finding: Finding) -> str:
    """Say in one line what there is of the state."""
    if finding.checkpoint is not None:
        newest = f"the newest good one is {finding.checkpoint.path.name} of {finding.checkpoint.time[:19]}Z"
        return f"found {finding.state.value}; {newest}, and knows {finding.known} of these {len(finding.found)} objects"
    if finding.sealed:
        return "found a state that only another passphrase opens"
    return f"found {finding.state.value}, and no older one that can be used"


class Way(enum.Enum):
    """What `recover` does."""

    NOTHING = enum.auto()
    RESTORE = enum.auto()
    BEGIN_ANEW = enum.auto()


#: What a person must say yes to before new keys are made.
QUESTION = (
    "The authority's key is lost. The studies are kept, but every peer will need its new bundle and every person a new password,"
    " and the clinic stands still until `securepacs up`. Go on?"
)


def way(finding: Finding, *, new_authority: bool) -> Way:
    """Choose what to do: keys are given up only where nothing else is left.

    Raises DeploymentError where there are states that only another passphrase opens, and they are not given up.
    """
    if finding.checkpoint is not None:
        return Way.NOTHING if finding.state is State.GOOD else Way.RESTORE
    if finding.sealed and not new_authority:
        what, do = KNOWN_FAILURES["incorrect passphrase"]
        raise DeploymentError(what, do=f"{do}; if it is lost for good, `securepacs recover --new-authority` begins with new keys")
    return Way.BEGIN_ANEW


def carry_out(chosen: Way, finding: Finding, place: Workspace, client: docker.DockerClient) -> Iterator[str]:
    """Do it; give the lines that say what was done and what comes next. What was in the state's place is set aside."""
    option = "" if place.stack == "dev" else f" --stack {place.stack}"
    if chosen is Way.NOTHING:
        yield f"nothing is to be recovered; `securepacs up{option}` brings the clinic to its configuration"
        return
    moved = set_aside(place, salt=chosen is Way.BEGIN_ANEW) if place.is_own_backend else []
    yield from (f"set aside: {path}" for path in moved)
    if chosen is Way.RESTORE and finding.checkpoint is not None:
        place.prepare(place.configuration())
        put_back(place, finding.checkpoint)
        yield f"put back with all keys: {finding.checkpoint.path.name} of {finding.checkpoint.time[:19]}Z"
        yield f"run `securepacs up{option}` now; it does again whatever was done after that time"
        return
    place.prepare({})
    clear(client, finding.found)
    place.open()
    volumes = [one.name for one in finding.found if one.kind == "volume"]
    yield f"kept: {', '.join(volumes) or 'no volume, there was none'}"
    yield f"run `securepacs up{option}` now, then `securepacs bundle PEER{option} --out bundles` for each peer: all keys will be new"


def clear(client: docker.DockerClient, found: Sequence[Standing]) -> None:
    """Remove containers and networks, whose keys nobody has any more; volumes stay."""
    for one in (one for one in found if one.kind == "container"):
        try:
            container = client.containers.get(one.id)
            container.stop(timeout=_STOP_SECONDS)
            container.remove(v=True, force=True)
        except NotFound:
            continue
    for one in (one for one in found if one.kind == "network"):
        try:
            client.networks.get(one.id).remove()
        except NotFound:
            continue
