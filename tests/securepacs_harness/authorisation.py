"""Who may be tested: what stands on this machine, and what its file authorises."""

from __future__ import annotations

import datetime
import ipaddress
import socket
from urllib.parse import urlsplit

from securepacs_harness.errors import AuthorisationError
from securepacs_harness.target import Target


def hosts_of(target: Target) -> list[str]:
    """Give the hosts that a run connects to."""
    urls = [target.https.base_url if target.https else "", (target.cleanup and target.cleanup.base_url) or ""]
    return list(dict.fromkeys([target.dicom.host, *(urlsplit(url).hostname or "" for url in urls if url)]))


def is_own(host: str) -> bool:
    """Tell whether every address of a host is one of this machine's own (loopback included): whoever runs this can bind to it."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return bool(found) and all(_bindable(str(address)) for address in found)


def _bindable(address: str) -> bool:
    family = socket.AF_INET6 if ipaddress.ip_address(address.partition("%")[0]).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def require(target: Target, today: datetime.date) -> str:
    """Say why the target may be tested. Raises AuthorisationError when it may not."""
    foreign = [host for host in hosts_of(target) if not is_own(host)]
    if not foreign:
        return "it stands on the machine that tests it"
    given = target.authorisation
    where = f"authorisation: {', '.join(foreign)} is not this machine's own"
    if given is None:
        raise AuthorisationError(f"{where} and the target file authorises nobody; let its owner add [authorisation] by = ..., until = ...")
    if given.until < today:
        raise AuthorisationError(f"{where} and the authorisation by {given.by} ended on {given.until}; have it renewed")
    return f"authorised by {given.by} until {given.until}"
