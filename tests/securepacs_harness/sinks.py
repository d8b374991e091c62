"""Receivers at the declared addresses of peers, where those are this machine's: so that what is sent to a peer can be counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from securepacs_harness.authorisation import is_own
from securepacs_harness.probes.sink import Sink
from securepacs_harness.reach import Pacs

#: Receivers by the peer in whose place they stand.
Sinks = Mapping[str, Sink]


def reachable(pacs: Pacs) -> dict[str, str]:
    """Give the declared addresses at which this machine can stand, by peer."""
    declared = {name: peer.address for name, peer in pacs.target.peers.items() if peer.address}
    return {name: address for name, address in declared.items() if is_own(address.rpartition(":")[0].strip("[]"))}


def receiver(pacs: Pacs, name: str, address: str) -> Sink:
    """Give a receiver that shows the peer's own bundle, where it is at hand."""
    return Sink(address, name, pacs.bundles.material(name) if pacs.bundles.has(name) else None)


@contextmanager
def standing(pacs: Pacs, leave_out: str = "") -> Iterator[Sinks]:
    """Stand at every reachable address but one; an address that is taken already is left out."""
    with ExitStack() as open_:
        sinks = {}
        for name, address in reachable(pacs).items():
            if name == leave_out:
                continue
            try:
                sinks[name] = open_.enter_context(receiver(pacs, name, address))
            except OSError:
                continue
        yield sinks
