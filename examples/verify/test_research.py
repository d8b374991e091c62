"""A clinic's own check: the research node reads, and never writes. Run it with `pacs-verify target.toml --own test_research.py`."""

from __future__ import annotations

from collections.abc import Callable

from securepacs_harness import Bracket, Caller, Canaries, Layer, at, check, dimse


@check(
    "own.research-reads-only",
    "The research node may not store",
    tier="write",
    controls=("peer-rights",),
    remedy="Take the right to store from RES01.",
)
def test_research_may_not_store(control: Callable[..., Bracket], peer: Callable[..., Caller], canaries: Canaries) -> None:
    """The research node's C-STORE is refused, between two echoes of its own that succeed."""
    attempt = dimse.store(peer("RES01"), canaries.new())
    control(dimse.echo(peer("RES01"))).tries([(attempt, at({Layer.ASSOCIATION, Layer.CONTEXT, Layer.DIMSE}))])
