"""A program with a value that only its run tells, previewed and then brought up: what the policies said, as JSON on stdout.

A process of its own: when the engine ends an inline program in its midst, Pulumi's SDK leaves a coroutine behind whose end,
whenever it is collected, shuts down what the next program of the same process has open.

    PYTHONPATH=tests python -m policies.late_value FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pulumi

from policies.cases import PROGRAMS
from policies.engine import Engine, register
from policies.programs.declared import changed

DOCKER = PROGRAMS["docker"]


def program() -> None:
    """Declare a PACS whose archive's network mode is known only when another resource was made; it is the host's."""
    later = pulumi.CustomResource("standin:index:Later", "later", {"given": "host", "value": None})
    mode: pulumi.Output[str] = later.__dict__["value"]
    others = {name: DOCKER[name] for name in ("gateway", "inner", "edge", "studies")}
    register({"archive": changed(DOCKER["archive"], ("networkMode",), mode), **others})


def main() -> None:
    """Preview, bring up, and tell."""
    engine = Engine(Path(sys.argv[1]))
    told = {}
    for name, up in (("preview", False), ("up", True)):
        ended = engine.run(program, up=up)
        told[name] = {
            "rules": sorted(ended.rules),
            "advised": [event.message for event in ended.advised],
            "made": ended.made,
            "failed": bool(ended.failure),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
