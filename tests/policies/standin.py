# ruff: noqa: N802 - gRPC gives the methods their names
"""A stand-in for a Pulumi provider: it takes whatever is declared, makes nothing, and notes what it would have made.

The engine is the real one; the providers of Docker and Kubernetes are no Python, and are not to be had here. Each line of the file
that STANDIN_LOG names is the type and the name of a resource that was made. `standin:index:Later` has a `value` that is known only
when it is made; `random:index/randomPassword:RandomPassword` gives its secret at once.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc  # type: ignore[import-untyped] # grpcio publishes no types
from google.protobuf import empty_pb2, struct_pb2  # type: ignore[import-untyped] # protobuf publishes no types
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

_SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """One provider, whatever its name."""

    def GetPluginInfo(self, *_: object) -> plugin_pb2.PluginInfo:
        """Answer with a version."""
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetSchema(self, *_: object) -> provider_pb2.GetSchemaResponse:
        """Have no schema."""
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: provider_pb2.CheckRequest, _: object) -> provider_pb2.CheckResponse:
        """Take any configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, *_: object) -> provider_pb2.DiffResponse:
        """See no difference."""
        return provider_pb2.DiffResponse()

    def Configure(self, *_: object) -> provider_pb2.ConfigureResponse:
        """Be asked for previews of what is made."""
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=True)

    def Check(self, request: provider_pb2.CheckRequest, _: object) -> provider_pb2.CheckResponse:
        """Take any inputs."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: provider_pb2.DiffRequest, _: object) -> provider_pb2.DiffResponse:
        """Compare inputs."""
        changed = request.old_inputs != request.news
        kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=kind)

    def Create(self, request: provider_pb2.CreateRequest, _: object) -> provider_pb2.CreateResponse:
        """Note what would be made; give its inputs as its outputs."""
        *_, kind, name = request.urn.split("::")
        made = struct_pb2.Struct()
        made.CopyFrom(request.properties)
        if kind.startswith("random:"):
            made.update({"result": {**_SECRET, "value": os.environ["STANDIN_SECRET"]}})
        if not request.preview:
            with Path(os.environ["STANDIN_LOG"]).open("a", encoding="utf-8") as log:
                log.write(f"{kind} {name}\n")
            if kind == "standin:index:Later":
                made.update({"value": made.fields["given"].string_value})
        return provider_pb2.CreateResponse(id="" if request.preview else name, properties=made)

    def Update(self, request: provider_pb2.UpdateRequest, _: object) -> provider_pb2.UpdateResponse:
        """Give the new inputs as outputs."""
        return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, *_: object) -> empty_pb2.Empty:
        """Have nothing to take away."""
        return empty_pb2.Empty()

    def Cancel(self, *_: object) -> empty_pb2.Empty:
        """Have nothing to stop."""
        return empty_pb2.Empty()


def install(folder: Path, name: str) -> dict[str, str]:
    """Put the stand-in for a provider into a folder of its own; give its entry for the project's `plugins`."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    program = place / f"pulumi-resource-{name}"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {"name": name, "path": str(place)}


def main() -> None:
    """Serve one engine until it ends us."""
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
