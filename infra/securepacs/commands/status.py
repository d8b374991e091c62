"""`securepacs status`: what the engine, the gateway and the deployment know of a clinic, in one set of facts."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import docker
import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Column, Table

from securepacs import inventory
from securepacs.commands.deployment import outputs_of
from securepacs.commands.terminal import Json, Stack, told
from securepacs.errors import ExpiryError
from securepacs.status import REFUSALS

#: What ends sooner is shown in red: an `up` should have renewed it by then.
_SOON_DAYS = 14

#: What the gateway alone knows; null where it does not answer.
_OF_GATEWAY = ("parts", "peers", "refusals", "countedSince", "storage")

_UNKNOWN = "unknown, the gateway does not answer"


def status(
    stack: Stack = "dev",
    as_json: Json = False,
    check: Annotated[
        int, typer.Option("--check", metavar="DAYS", help="End with status 8 where something expires within so many days.")
    ] = 0,
) -> None:
    """Show what runs, how long each certificate lasts, which peers came, what was refused, and how much is stored.

    Example: securepacs status --check 14
    """
    outputs = outputs_of(stack)
    target = outputs["target"]
    client, now = inventory.engine(), datetime.datetime.now(datetime.UTC)
    backup = _look_at_backup(client, target, now)
    known = facts(
        target["name"],
        inventory.containers(client, stack),
        lasting(outputs["certificates"], now),
        inventory.stored_mb(client, target["name"]),
        inventory.gateway_status(client, target["name"]),
        backup,
    )
    if as_json:
        told.print_json(json.dumps(known))
    else:
        for part in shown(known, now):
            told.print(part, highlight=False, soft_wrap=isinstance(part, str))
    _hold_in_date(known["certificates"], check)


def _look_at_backup(client: docker.DockerClient, target: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any] | None:
    """See when the newest backup was made, and have the gateway's page say so; None where it is not declared how it is seen."""
    recovery = target.get("recovery")
    if recovery is None:
        return None
    newest = inventory.newest_backup(client, target["name"], recovery["newest"])
    inventory.tell_backup(client, target["name"], newest, now)
    return backup_seen(recovery, newest)


def lasting(certificates: Mapping[str, Mapping[str, str]], now: datetime.datetime) -> dict[str, dict[str, Any]]:
    """Give with each certificate the whole days that are left of it."""
    return {
        what: {**told_of, "daysLeft": (datetime.datetime.fromisoformat(told_of["notAfter"]) - now).days}
        for what, told_of in sorted(certificates.items())
    }


def backup_seen(recovery: Mapping[str, Any], newest: str | None) -> dict[str, Any]:
    """Give what was seen of the newest backup: how old it may be, in hours, and when it was made (None: the command told no time)."""
    return {"hours": int(recovery["max_age_hours"]), "newest": newest}


def facts(
    name: str,
    running: Sequence[inventory.Running],
    certificates: dict[str, dict[str, Any]],
    stored_mb: int | None,
    gateway: Mapping[str, Any] | None,
    backup: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Put together what is known, as `--json` prints it."""
    declared = gateway["backup"] if gateway else None
    return {
        "name": name,
        "containers": [vars(container) for container in running],
        "certificates": certificates,
        "storedMb": stored_mb,
        **{key: gateway[key] if gateway else None for key in _OF_GATEWAY},
        # What was seen a moment ago is what the gateway was told.
        "backup": {**(backup or {}), **(declared or {})} or None,
    }


def shown(known: Mapping[str, Any], now: datetime.datetime) -> Iterator[RenderableType]:
    """Yield what a person reads of it."""
    containers = Table("container", "state", "health", "since", title=escape(known["name"]))
    for container in known["containers"]:
        containers.add_row(container["name"], container["state"], container["health"], container["started"][:19])
    yield containers
    certificates = Table("certificate", "days left", "until", Column("serial", overflow="fold"))
    for what, it in known["certificates"].items():
        soon = "[red]" if it["daysLeft"] < _SOON_DAYS else ""
        certificates.add_row(escape(what), f"{soon}{it['daysLeft']}", it["notAfter"], it.get("serial", ""))
    yield certificates
    yield from _counted(known)
    stored = known["storedMb"]
    limit = f" of {known['storage']['limitMb']} MB" if known["storage"] else ""
    yield f"stored: {'unknown, the archive does not run' if stored is None else f'{stored} MB{limit}'}"
    yield f"backup: {escape(_backup(known['backup'], now, gateway=known['peers'] is not None))}"


def _counted(known: Mapping[str, Any]) -> Iterator[RenderableType]:
    if known["peers"] is None:
        yield f"peers: {_UNKNOWN}"
        yield f"refused: {_UNKNOWN}"
        return
    peers = Table("peer", "last let through", "associations of 24 hours")
    for ae_title, it in sorted(known["peers"].items()):
        peers.add_row(escape(ae_title), it["lastSeen"] or "not yet", str(it["associationsOfDay"]))
    yield peers
    refused = Table("refused", "times in 24 hours", "why")
    for refusal in REFUSALS:
        refused.add_row(refusal.name, str(known["refusals"][refusal.name]), refusal.told)
    yield refused
    yield f"counted since: {known['countedSince'] or 'a moment'}"


def _backup(backup: Mapping[str, Any] | None, now: datetime.datetime, *, gateway: bool) -> str:
    if backup is None:
        return "nobody is declared to copy the studies" if gateway else _UNKNOWN
    whose = f"by {backup['by']}, to {backup['to']}; " if "by" in backup else ""
    allowed = f"the newest may be {backup['hours']} hours old"
    if "newest" not in backup:
        return f"{whose}{allowed}; how it is seen is not declared (backup.newest)"
    if backup["newest"] is None:
        return f"{whose}{allowed}; unknown, its command failed or told no time"
    hours = (now - datetime.datetime.fromisoformat(backup["newest"])).total_seconds() / 3600
    return f"{whose}{allowed}, and is {hours:.1f} ({backup['newest']})"


def _hold_in_date(certificates: Mapping[str, Mapping[str, Any]], days: int) -> None:
    """Raise ExpiryError for what expires within so many days."""
    soon = [f"{what} in {it['daysLeft']} days" for what, it in certificates.items() if it["daysLeft"] < days]
    if soon:
        raise ExpiryError(
            "certificates", got=f"{', '.join(soon)}", expected=f"{days} days and more", do="run `securepacs up`, which renews them"
        )
