"""This machine's own addresses."""

from __future__ import annotations

from pathlib import Path

from securepacs_harness.probes.inside import parse_local_addresses


def own_addresses() -> list[str]:
    """Give this machine's IPv4 addresses, bridges of an engine's included; none where the kernel does not tell (proc(5))."""
    table = Path("/proc/net/fib_trie")
    return parse_local_addresses(table.read_text(encoding="ascii")) if table.exists() else []
