"""This machine's own addresses."""

from __future__ import annotations

from pathlib import Path

from securepacs_harness.probes.inside import parse_global_addresses6, parse_local_addresses


def _told(table: str) -> str:
    path = Path(table)
    return path.read_text(encoding="ascii") if path.exists() else ""


def own_addresses() -> list[str]:
    """Give this machine's addresses beyond loopback, bridges of an engine's included; none where the kernel does not tell (proc(5))."""
    four = [address for address in parse_local_addresses(_told("/proc/net/fib_trie")) if not address.startswith("127.")]
    return four + parse_global_addresses6(_told("/proc/net/if_inet6"))
