"""The provider as Pulumi sees it: each RPC unwraps its request, asks the resource, wraps the answer.

Resources are synchronous; each call runs on a thread of its own pool, so that a container that becomes healthy slowly
stops nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import grpc  # type: ignore[import-untyped] # grpcio publishes no types
from pulumi.provider.experimental import provider as rpc
from pulumi.provider.experimental import server
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from securepacs.errors import SecurePacsError
from securepacs.provider import engine
from securepacs.provider.fields import Failure, check, compare
from securepacs.provider.registry import RESOURCES
from securepacs.provider.schema import package_schema
from securepacs.provider.wire import complete_outputs, holds_secret_field, plain, property_diffs, secret_names, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from pulumi.provider.experimental.property_value import PropertyValue

    from securepacs.provider.resource import Resource

Answer = TypeVar("Answer")

VERSION = version("securepacs")
#: Calls that may wait for the engine at one time; Pulumi itself starts 4 a core at most.
THREADS = 32
#: How often it is looked whether the engine that started this process still lives, and what its last calls may take then.
_PARENT_SECONDS, _GRACE_SECONDS = 1.0, 20.0


def whole_schema() -> dict[str, Any]:
    """Give the package schema of this version."""
    from securepacs.provider import construct  # the component's modules take as long to import as all others, and few runs need them

    return package_schema(RESOURCES, VERSION, construct.component_schema())


def _type_of(urn: str) -> str:
    """Give the resource's own type of a URN: `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME` (a name may hold '::')."""
    return urn.split("::", 3)[2].rsplit("$", 1)[-1]


def _resource(urn: str) -> Resource:
    kind = _type_of(urn)
    if kind not in RESOURCES:
        raise SecurePacsError("resource type", got=kind, expected=f"one of {', '.join(sorted(RESOURCES))}")
    return RESOURCES[kind]


class SecurePacsProvider(rpc.Provider):
    """Answers the engine's calls from the registry's resources."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="securepacs")

    async def _run(self, call: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def get_schema(self, request: rpc.GetSchemaRequest) -> rpc.GetSchemaResponse:
        """Give the package schema."""
        del request
        return rpc.GetSchemaResponse(json.dumps(whole_schema()))

    async def construct(self, request: rpc.ConstructRequest) -> rpc.ConstructResponse:
        """Make the component for a program in another language."""
        from securepacs.provider import construct  # as above

        return await construct.construct(request)

    async def cancel(self) -> None:
        """Make every wait for the engine end soon, cleaning up behind it."""
        engine.CANCELLED.set()

    async def check(self, request: rpc.CheckRequest) -> rpc.CheckResponse:
        """Hold the inputs to the resource's table, and fill in defaults and computed inputs."""
        resource, secret = _resource(request.urn), secret_names(request.new_inputs)
        values, failures = await self._run(partial(_check, resource, plain(request.new_inputs), secret))
        wrapped = wrap(resource.inputs, values, secret)
        return rpc.CheckResponse(wrapped, [rpc.CheckFailure(failure.path, failure.reason) for failure in failures])

    async def diff(self, request: rpc.DiffRequest) -> rpc.DiffResponse:
        """Compare the declared inputs with the state, and look whether the engine still has what the state says."""
        resource = _resource(request.urn)
        old, new = plain(request.old_state), plain(request.new_inputs)
        changes = compare(resource.inputs, old, new)
        if not any(change.replace for change in changes):
            seen = {change.path for change in changes}
            looked = await self._run(partial(resource.look, request.resource_id, old, new))
            changes += [change for change in looked if change.path not in seen]
        return rpc.DiffResponse(
            changes=bool(changes),
            replaces=sorted({_top(change.path) for change in changes if change.replace}),
            diffs=sorted({_top(change.path) for change in changes}),
            detailed_diff=property_diffs(changes),
            delete_before_replace=resource.delete_before_replace,
        )

    async def create(self, request: rpc.CreateRequest) -> rpc.CreateResponse:
        """Make the object, or foresee it."""
        resource, inputs = _resource(request.urn), plain(request.properties)
        if request.preview:
            return rpc.CreateResponse("", self._state(resource, inputs, resource.foresee(None, inputs), request.properties))
        created = await self._run(partial(resource.create, inputs))
        return rpc.CreateResponse(created.id, self._state(resource, inputs, created.outputs, request.properties))

    async def read(self, request: rpc.ReadRequest) -> rpc.ReadResponse:
        """Give what is there; gone is no id. Inputs are always given back, or a refresh would lose them."""
        resource, state, inputs = _resource(request.urn), plain(request.properties), plain(request.inputs)
        if not inputs:
            raise SecurePacsError(
                f"{resource.pulumi_type} {request.resource_id}: import is not supported", do="declare it and let `up` make it"
            )
        found = await self._run(partial(resource.read, request.resource_id, state, inputs))
        if found is None:
            return rpc.ReadResponse(None, {}, request.inputs)
        secret = secret_names(request.properties)
        declared = {field.name for field in resource.inputs}
        seen_inputs = {name: value for name, value in found.observed.items() if name in declared and name in inputs}
        return rpc.ReadResponse(
            request.resource_id,
            wrap((*resource.inputs, *resource.outputs), {**state, **found.observed}, secret),
            wrap(resource.inputs, {**inputs, **seen_inputs}, secret_names(request.inputs)),
        )

    async def update(self, request: rpc.UpdateRequest) -> rpc.UpdateResponse:
        """Change the object in place, or foresee it."""
        resource, state, inputs = _resource(request.urn), plain(request.olds), plain(request.news)
        if request.preview:
            return rpc.UpdateResponse(self._state(resource, inputs, resource.foresee(state, inputs), request.news))
        outputs = await self._run(partial(resource.update, request.resource_id, state, inputs))
        return rpc.UpdateResponse(self._state(resource, inputs, outputs, request.news))

    async def delete(self, request: rpc.DeleteRequest) -> None:
        """Remove the object."""
        resource = _resource(request.urn)
        await self._run(partial(resource.delete, request.resource_id, plain(request.properties)))

    @staticmethod
    def _state(
        resource: Resource, inputs: dict[str, Any], outputs: dict[str, Any], given: Mapping[str, PropertyValue]
    ) -> dict[str, PropertyValue]:
        table = (*resource.inputs, *resource.outputs)
        return wrap(table, resource.state(inputs, outputs), secret_names(given))


def _check(resource: Resource, given: dict[str, Any], secret: set[str]) -> tuple[dict[str, Any], list[Failure]]:
    checked = check(resource.inputs, given)
    if resource.refuses_secrets:
        meant = {field.name for field in resource.inputs if field.secret or holds_secret_field(field.type)}
        reason = "is a secret, and this would stand in the open on the engine; put it into a file (Files)"
        checked.failures.extend(Failure(name, reason) for name in sorted(secret - meant))
    if not checked.failures:
        computed, failures = resource.complete(checked.values)
        checked.values.update(computed)
        checked.failures.extend(failures)
    return checked.values, checked.failures


def _top(path: str) -> str:
    """Give the first name of a property path."""
    return path.replace("[", ".", 1).split(".", 1)[0]


def _one_line(name: str) -> Callable[[Any, Any, Any], Coroutine[Any, Any, Any]]:
    """Make the RPC that tells a mistake of the user's in one line; only a defect of our own keeps its traceback."""
    inherited = getattr(server.ProviderServicer, name)

    async def answer(self: server.ProviderServicer, request: object, context: grpc.aio.ServicerContext[Any, Any]) -> object:
        try:
            return await inherited(self, request, context)
        except Exception as failure:
            # The SDK raises a text with a traceback from within its handler: the cause is the context.
            if isinstance(cause := failure.__context__, SecurePacsError):
                await context.abort(grpc.StatusCode.UNKNOWN, str(cause))
            raise

    return answer


_construct = _one_line("Construct")


class OneLineServicer(server.ProviderServicer):
    """The SDK's servicer with readable errors."""

    async def Construct(  # noqa: N802 - gRPC gives the method its name
        self, request: provider_pb2.ConstructRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> provider_pb2.ConstructResponse:
        """Make a component, from a request that the SDK can read."""
        complete_outputs(request.inputs)
        answer: provider_pb2.ConstructResponse = await _construct(self, request, context)
        return answer

    Check = _one_line("Check")
    Diff = _one_line("Diff")
    Create = _one_line("Create")
    Read = _one_line("Read")
    Update = _one_line("Update")
    Delete = _one_line("Delete")


async def _serve(engine_address: str) -> None:
    provider, parent = SecurePacsProvider(), os.getppid()
    served = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(OneLineServicer([], VERSION, provider, engine_address), served)
    port = served.add_insecure_port("127.0.0.1:0")
    await served.start()
    print(port, flush=True)  # the plugin protocol: the first line of stdout is the port
    # A Pulumi that was killed tells nobody: without it this process would wait for ever, with a half-made container.
    while await served.wait_for_termination(_PARENT_SECONDS):
        if os.getppid() != parent:
            await provider.cancel()
            await served.stop(_GRACE_SECONDS)


def main() -> None:
    """Serve the provider to the Pulumi engine that started this process with its own address."""
    if len(sys.argv) < 2:
        sys.exit("pulumi-resource-securepacs: is started by Pulumi, with the engine's address; try `securepacs up`")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(next((word for word in sys.argv[1:] if not word.startswith("-")), "")))
