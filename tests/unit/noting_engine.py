"""Pulumi's mocks: an engine that takes each resource, notes it, and answers with recognisable outputs."""

from __future__ import annotations

from typing import Any

import pulumi


class NotingEngine(pulumi.runtime.Mocks):
    """Takes notes of what is declared."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Note a resource and answer."""
        self.made[args.typ, args.name] = dict(args.inputs)
        names = ("certPem", "keyPem", "crlPem", "imageId", "value", "sha512crypt", "bcrypt")
        computed: dict[str, Any] = {name: f"<{name} of {args.name}>" for name in names}
        computed["notAfter"] = computed["nextUpdate"] = "2027-01-01T00:00:00Z"
        if "files" in args.inputs:  # they come as a secret: in an envelope
            computed["revisions"] = {path: f"<{path} of {args.name}>" for path in args.inputs["files"]["value"]}
        return f"{args.name}-id", {**computed, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Refuse: the component calls no function."""
        raise AssertionError(f"the component calls no function, and called {args.token}")

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Give the inputs of all resources of a kind by their names."""
        return {name: inputs for (typ, name), inputs in self.made.items() if typ.rpartition(":")[2] == kind}
