"""How long a deployment takes: warm, without a change; and what a change of certificates costs those who work meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure
from bench.stand import NAME, REVOKED, SENDER, Stand
from deployed.deployment import Stack, docker

#: Programs of ours that a run starts, by a word of their command line; what is not here is Pulumi's.
OURS = ("securepacs-policies", "pulumi-resource-securepacs", "securepacs")
_TICKS = os.sysconf("SC_CLK_TCK")
_MOST_LOOKS = 10
#: What a run with nothing to do may take, and what our own code may take of the processor in it.
UP_SECONDS, OUR_SECONDS = 4.0, 1.0
#: What each of our programs imports that is not ours: Python's own start and these are not our code.
PACKAGES = (
    "pulumi.automation, docker, cryptography.x509, pydantic, typer, rich.console, rich.table, jinja2, ruamel.yaml, tomli_w",
    "grpc, pulumi.provider.experimental.server, docker, cryptography.x509",
    "grpc, pulumi.runtime.proto.analyzer_pb2_grpc, yaml",
)


def deploying(stack: Stack, rounds: int) -> Iterator[Figure]:
    """Measure `up`: with nothing there but the images' layers, and with nothing to do."""
    times = Figure("up", "`securepacs up`", "s", "less", group="deploy")
    parts = Figure(
        "up-parts", "`securepacs up` with nothing to do: processor time of our programs, and the whole", "s", "less", group="deploy"
    )
    layers = [f"{NAME}-{part}" for part in ("archive", "gateway")]
    for _ in range(rounds):
        for name in ("warm", "no change"):
            if name == "warm":
                # What keeps the layers is another name for the images.
                kept = [(docker("images", "-q", layer).split()[0], f"{layer}-kept") for layer in layers]
                for image, tag in kept:
                    docker("tag", image, tag)
                stack.securepacs("down", "--config", str(stack.config), "--yes")
            seconds, spent = _up(stack)
            times.samples.setdefault(name, []).append(seconds)
        parts.samples.setdefault("whole", []).append(seconds)
        programs = sum(spent.values())
        parts.samples.setdefault("our programs", []).append(programs)
        parts.samples.setdefault("our code", []).append(max(0.0, programs - _packages()))
    for figure, allowed in ((times, UP_SECONDS), (parts, OUR_SECONDS)):
        figure.samples["allowed"] = [allowed] * rounds
    docker("rmi", *(f"{layer}-kept" for layer in layers), check=False)
    parts.note = "Our code: our programs, less what Python and other people's packages take in each to start (measured beside)."
    times.note = "Warm: nothing is there but the images' layers and the studies."
    for figure in (times, parts):
        print(f"{figure.name}: { ({name: round(figure.median(name), 2) for name in figure.samples}) } s", flush=True)
        yield figure


def _up(stack: Stack) -> tuple[float, dict[str, float]]:
    """Run `up`; give the seconds, and the processor time of each of our programs."""
    spent: dict[str, float] = {}
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(f"SECUREPACS_HOME={stack.environment['SECUREPACS_HOME']}", spent, ended))
    watch.start()
    began = time.monotonic()
    try:
        stack.securepacs("up", "--config", str(stack.config), "--json")
    finally:
        seconds = time.monotonic() - began
        ended.set()
        watch.join()
    return seconds, spent


def _packages() -> float:
    """Give the processor time of starting each of our programs without our code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for names in PACKAGES:
        subprocess.run([sys.executable, "-c", f"import {names}"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _watch(mark: str, spent: dict[str, float], ended: threading.Event) -> None:
    """Keep, of each of our processes, the processor time that it had when it was last seen.

    A process that is none of ours is looked at a few times only (it may still become another program): all that is looked at here takes
    from what is measured.
    """
    ours: dict[str, str] = {}
    seen: dict[str, float] = {}
    looks: dict[str, int] = {}
    while not ended.wait(0.02):
        for pid in (folder.name for folder in Path("/proc").iterdir()):
            if not pid.isdigit() or looks.get(pid, 0) > _MOST_LOOKS:
                continue
            with contextlib.suppress(OSError, IndexError):
                if pid not in ours:
                    looks[pid] = looks.get(pid, 0) + 1
                    words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")[:2]
                    program = next((name for name in OURS if any(Path(os.fsdecode(word)).name == name for word in words)), "")
                    if not program or mark.encode() not in Path("/proc", pid, "environ").read_bytes().split(b"\0"):
                        continue
                    ours[pid], looks[pid] = program, 0
                fields = Path("/proc", pid, "stat").read_text(encoding="ascii").rpartition(")")[2].split()
                seen[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
    for pid, seconds in seen.items():
        spent[ours[pid]] = spent.get(ours[pid], 0.0) + seconds


def changing(stand: Stand, rounds: int) -> Iterator[Figure]:
    """Measure the honest stores beside a new certificate of the gateway, and beside a revocation; none may fail."""
    clinic = stand.contenders["clinic"]
    figure = Figure("change-store-max", "Longest C-STORE with its own association, while the gateway reloads", "ms", "less", group="deploy")
    options = ("--folder", f"{stand.folder}/images/one", "--count", "60", "--interval", "0.05")
    changes = {"quiet": None, "new server certificate": ("rotate", "server"), "revocation": ("revoke", REVOKED)}
    for _ in range(rounds):
        for name, words in changes.items():
            run = stand.peer("store-latency", clinic, SENDER, *options)
            if words:
                stand.stack.securepacs(*words, "--config", str(stand.stack.config))
            out, err = run.communicate(timeout=300)
            if run.returncode or json.loads(out)["failed"]:
                raise RuntimeError(f"beside {name}: {out[:300]} {err[-300:]}")
            figure.samples.setdefault(name, []).append(max(json.loads(out)["latency_ms"]))
    figure.note = "60 stores, each with a handshake and an association of its own; none failed."
    print(f"{figure.name}: { ({name: round(figure.median(name)) for name in figure.samples}) } ms", flush=True)
    yield figure
