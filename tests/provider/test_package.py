from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime.proto import provider_pb2

from securepacs import resources
from securepacs.provider.construct import COMPONENT
from securepacs.provider.registry import RESOURCES

if TYPE_CHECKING:
    from provider.stub import Provider

CLASSES = {
    declared.pulumi_type: declared
    for declared in vars(resources).values()
    if inspect.isclass(declared) and issubclass(declared, resources._Resource) and declared is not resources._Resource
}
_OPTIONS = {"self", "resource_name", "opts"}


def test_every_resource_has_a_class_and_every_class_a_resource() -> None:
    """The provider's registry and the typed classes name the same Pulumi types."""
    assert set(CLASSES) == set(RESOURCES)


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_a_class_takes_what_the_table_has(kind: str) -> None:
    """The keywords of a class are the inputs of the table, and what is required there has no default here."""
    taken = {
        resources._camel(name): parameter
        for name, parameter in inspect.signature(CLASSES[kind].__init__).parameters.items()
        if name not in _OPTIONS
    }
    fields = {field.name: field for field in RESOURCES[kind].inputs if not field.computed}
    assert set(taken) == set(fields)
    empty_list = {"revoked"}  # an empty list is said, so that the class may have it as its default
    required = {name for name, parameter in taken.items() if parameter.default is inspect.Parameter.empty} | (empty_list & set(taken))
    assert required == {name for name, field in fields.items() if field.required}


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_a_class_gives_what_the_table_has(kind: str) -> None:
    """Each output of a class stands in the table, secret ones are marked, and the order of replacement agrees."""
    resource, declared = RESOURCES[kind], CLASSES[kind]
    known = {field.name for field in (*resource.outputs, *resource.inputs) if field.compared}
    assert set(declared.outputs) <= known
    assert {field.name for field in resource.outputs} <= set(declared.outputs)
    assert set(declared.secret_outputs) == {field.name for field in resource.outputs if field.secret}
    assert declared.delete_before_replace == resource.delete_before_replace


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_every_property_is_described_and_named_once(kind: str) -> None:
    """A table has a description for each property, and no name stands in both tables."""
    resource = RESOURCES[kind]
    names = [field.name for field in (*resource.inputs, *resource.outputs)]
    assert len(set(names)) == len(names)
    assert all(field.description for field in (*resource.inputs, *resource.outputs))


def test_the_schema_names_every_resource(provider: Provider) -> None:
    """The schema over gRPC has each resource, its required inputs, its secrets and what replaces."""
    schema: dict[str, Any] = json.loads(provider.rpc.GetSchema(provider_pb2.GetSchemaRequest(version=0)).schema)
    assert set(schema["resources"]) == {*RESOURCES, COMPONENT}
    files = schema["resources"]["securepacs:docker:Files"]
    assert files["requiredInputs"] == ["stack", "component", "volume", "image", "files"]
    assert files["inputProperties"]["volume"]["willReplaceOnChanges"] is True
    assert files["inputProperties"]["files"]["additionalProperties"] == {"$ref": "#/types/securepacs:index:File"}
    assert schema["types"]["securepacs:index:File"]["properties"]["content"]["secret"] is True
    assert schema["resources"]["securepacs:index:Password"]["properties"]["value"]["secret"] is True


class _Recorder(mocks.Mocks):
    """Pulumi's mocks: record what reaches the wire and give two outputs."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.inputs[args.name] = args.inputs
        return "an-id", {**args.inputs, "containerId": "c0ffee", "revisions": {"some_file": "r1"}}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)


def test_names_are_camel_case_on_the_wire_and_data_is_left_alone() -> None:
    """Arguments and records become camelCase; keys of maps that are data (paths, host names) are not touched."""
    recorder = _Recorder()
    mocks.set_mocks(recorder)
    seen: list[str] = []

    @pulumi.runtime.test  # type: ignore[untyped-decorator] # the SDK does not type it
    def declare() -> pulumi.Output[None]:
        files = resources.Files(
            "files", stack="s", component="c", volume="v", image="i", files={"host_key.pem": resources.File("secret", uid=7)}
        )
        container = resources.Container(
            "box",
            stack="s",
            component="c",
            name="box",
            image="i",
            user="1:1",
            networks=[resources.Attachment("edge")],
            ports=[resources.PortBinding("127.0.0.1", 1, 2)],
            mounts=[resources.Mount("v", "/v", read_only=False)],
            memory_mb=64,
            cpus=0.5,
            pids=5,
            healthcheck=resources.HealthCheck(["true"], interval_seconds=3),
            extra_hosts={"my_host": "192.0.2.1"},
            restart_on=files.revisions,
        )
        return container.container_id.apply(seen.append)

    declare()
    box = recorder.inputs["box"]
    assert seen == ["c0ffee"]
    assert box["ports"] == [{"hostIp": "127.0.0.1", "hostPort": 1, "containerPort": 2}]
    assert box["mounts"] == [{"volume": "v", "target": "/v", "readOnly": False}]
    assert box["healthcheck"] == {"test": ["true"], "intervalSeconds": 3}
    assert (box["memoryMb"], box["extraHosts"], box["restartOn"]) == (64, {"my_host": "192.0.2.1"}, {"some_file": "r1"})
    # The SDK raises the mark of a secret from the content to the whole property.
    assert list(recorder.inputs["files"]["files"]["value"]) == ["host_key.pem"]
