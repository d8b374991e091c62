"""The provider as Pulumi's engine meets it: over gRPC, in this process, without the command line.

Values are written to the wire by hand here, so that the provider's own conversion is under test too.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped] # grpcio publishes no types
from google.protobuf import struct_pb2  # type: ignore[import-untyped] # protobuf publishes no types
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from securepacs.provider.adapter import VERSION, OneLineServicer, SecurePacsProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the wire's mark of a secret, not one


@dataclass(frozen=True)
class Secret:
    """A value that the wire marks as secret."""

    value: Any


def to_wire(value: Any) -> struct_pb2.Value:  # noqa: ANN401 - any value of the wire
    """Write a value."""
    if isinstance(value, Secret):
        return to_wire({_SIGNATURE: _SECRET, "value": value.value})
    if isinstance(value, dict):
        return struct_pb2.Value(struct_value=struct_pb2.Struct(fields={name: to_wire(held) for name, held in value.items()}))
    if isinstance(value, list):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[to_wire(held) for held in value]))
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    return struct_pb2.Value(number_value=value)


def from_wire(value: struct_pb2.Value) -> Any:  # noqa: ANN401 - any value of the wire
    """Read a value; secrets come as Secret."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        read = {name: from_wire(held) for name, held in value.struct_value.fields.items()}
        return Secret(read["value"]) if read.get(_SIGNATURE) == _SECRET else read
    if kind == "list_value":
        return [from_wire(held) for held in value.list_value.values]
    return None if kind == "null_value" else getattr(value, str(kind))


def properties(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Write properties."""
    return struct_pb2.Struct(fields={name: to_wire(held) for name, held in values.items()})


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of the wire
    """Take every mark of secrecy off."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {name: plain(held) for name, held in value.items()}
    return [plain(held) for held in value] if isinstance(value, list) else value


def _read(struct: struct_pb2.Struct) -> dict[str, Any]:
    return {name: from_wire(held) for name, held in struct.fields.items()}


class RefusedError(Exception):
    """What the provider answered instead of a result."""


@dataclass(frozen=True)
class Diff:
    """A diff: whether there are changes, what replaces, and each path with its kind."""

    changes: bool
    replaces: list[str]
    details: dict[str, str]
    delete_before_replace: bool


@dataclass
class Object:
    """A resource as Pulumi's state holds it."""

    kind: str
    id: str
    inputs: dict[str, Any]
    state: dict[str, Any]

    def output(self, name: str) -> Any:  # noqa: ANN401 - any value of the wire
        """Give a property of the state without its mark of secrecy."""
        return plain(self.state[name])


class Provider:
    """A provider that serves on a thread of its own, and the calls of an engine to it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(20)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self._port}")
        self.rpc: Any = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._loop.run_forever()

    async def _start(self) -> None:
        self._server = grpc.aio.server()
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(OneLineServicer([], VERSION, SecurePacsProvider(), ""), self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self._ready.set()

    def stop(self) -> None:
        """Stop serving."""
        self._channel.close()
        asyncio.run_coroutine_threadsafe(self._server.stop(0), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _call(self, name: str, request: Any) -> Any:  # noqa: ANN401 - generated messages have no types here
        try:
            return getattr(self.rpc, name)(request, timeout=120)
        except grpc.RpcError as refused:
            raise RefusedError(refused.details()) from None

    @staticmethod
    def urn(kind: str, name: str = "it") -> str:
        """Give a URN of a resource that has a parent, as a component's children have."""
        return f"urn:pulumi:dev::test::securepacs:index:SecurePacs${kind}::{name}"

    def check(self, kind: str, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Give the checked inputs, and each failure by its path."""
        answer = self._call("Check", provider_pb2.CheckRequest(urn=self.urn(kind), news=properties(inputs)))
        return _read(answer.inputs), {failure.property: failure.reason for failure in answer.failures}

    def checked(self, kind: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Give the checked inputs; fail where there is a failure."""
        values, failures = self.check(kind, inputs)
        assert failures == {}
        return values

    def create(self, kind: str, inputs: Mapping[str, Any]) -> Object:
        """Check and create."""
        checked = self.checked(kind, inputs)
        answer = self._call("Create", provider_pb2.CreateRequest(urn=self.urn(kind), properties=properties(checked)))
        return Object(kind, answer.id, checked, _read(answer.properties))

    def preview_create(self, kind: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Check and foresee a creation."""
        checked = self.checked(kind, inputs)
        answer = self._call("Create", provider_pb2.CreateRequest(urn=self.urn(kind), properties=properties(checked), preview=True))
        return _read(answer.properties)

    def diff(self, made: Object, inputs: Mapping[str, Any] | None = None) -> Diff:
        """Check new inputs (the old ones where none are given) and compare."""
        news = made.inputs if inputs is None else self.checked(made.kind, inputs)
        request = provider_pb2.DiffRequest(urn=self.urn(made.kind), id=made.id, olds=properties(made.state), news=properties(news))
        answer = self._call("Diff", request)
        kinds = {path: provider_pb2.PropertyDiff.Kind.Name(detail.kind) for path, detail in answer.detailedDiff.items()}
        assert answer.hasDetailedDiff
        assert answer.changes in (provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE)
        changes = answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        return Diff(changes, list(answer.replaces), kinds, answer.deleteBeforeReplace)

    def update(self, made: Object, inputs: Mapping[str, Any] | None = None, *, preview: bool = False) -> Object:
        """Check new inputs (the old ones where none are given) and update."""
        news = made.inputs if inputs is None else self.checked(made.kind, inputs)
        request = provider_pb2.UpdateRequest(
            urn=self.urn(made.kind), id=made.id, olds=properties(made.state), news=properties(news), preview=preview
        )
        return Object(made.kind, made.id, news, _read(self._call("Update", request).properties))

    def read(self, made: Object) -> Object | None:
        """Read; None where the object is gone."""
        request = provider_pb2.ReadRequest(
            urn=self.urn(made.kind), id=made.id, properties=properties(made.state), inputs=properties(made.inputs)
        )
        answer = self._call("Read", request)
        return Object(made.kind, answer.id, _read(answer.inputs), _read(answer.properties)) if answer.id else None

    def delete(self, made: Object) -> None:
        """Delete."""
        self._call("Delete", provider_pb2.DeleteRequest(urn=self.urn(made.kind), id=made.id, properties=properties(made.state)))
