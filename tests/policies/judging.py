"""Asking all rules about a program that is data, as the server does when the engine tells it of each resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2  # type: ignore[import-untyped] # protobuf publishes no types

from policies.programs.declared import Declared, Program
from securepacs_policies.adapters import things_of
from securepacs_policies.exceptions import Settings
from securepacs_policies.judge import Violation, judge_stack, judge_things
from securepacs_policies.rule import catalogue
from securepacs_policies.things import Resource, Stack, Thing
from securepacs_policies.values import decoded


def struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Give properties as they cross the wire."""
    made = struct_pb2.Struct()
    made.update(properties)
    return made


def things(declared: Declared) -> tuple[Thing, ...]:
    """Give what one resource declares."""
    urn = f"urn:pulumi:dev::policed::{declared.type}::{declared.name}"
    return things_of(Resource(urn, declared.type, declared.name, decoded(struct(declared.properties)), protect=declared.protect))


def judged(
    program: Program,
    *,
    preview: bool = False,
    settings: Mapping[str, Settings] | None = None,
    secrets: tuple[tuple[str, str], ...] = (),
    passphrase: int | None = None,
) -> list[Violation]:
    """Give every violation of a program, resource by resource and then of the whole."""
    rules, configured = catalogue().values(), settings or {}
    of_each = {name: things(declared) for name, declared in program.items()}
    found = [violation for some in of_each.values() for violation in judge_things(rules, some, configured, preview=preview)]
    everything = tuple(thing for some in of_each.values() for thing in some)
    stack = Stack(everything, secrets=secrets, passphrase=passphrase)
    return [*found, *judge_stack(rules, stack, configured, preview=preview)]
