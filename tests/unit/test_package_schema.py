"""The package schema for programs in other languages, and the translation of what they send."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, is_typeddict

import jsonschema
import pulumi
import pytest
from google.protobuf import struct_pb2  # type: ignore[import-untyped] # protobuf publishes no types
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

from securepacs import args
from securepacs.clinic import parse_clinic
from securepacs.component import SecurePacs
from securepacs.errors import ConfigurationError
from securepacs.provider.adapter import whole_schema
from securepacs.provider.construct import COMPONENT, MODELS, SECRET_OUTPUTS, arguments, type_token
from securepacs.provider.fields import UNKNOWN
from securepacs.provider.wire import complete_outputs, plain, secret_names

COMMITTED = Path(__file__).parents[2] / "docs" / "package.schema.json"
METASCHEMA = Path(__file__).with_name("pulumi.metaschema.json")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema as the provider gives it."""
    return whole_schema()


def test_the_committed_schema_is_the_providers(schema: dict[str, Any]) -> None:
    """docs/package.schema.json is what `securepacs schema --package` prints."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == schema
    assert schema["version"] == version("securepacs")


def test_every_argument_stands_in_the_schema_with_its_meaning(schema: dict[str, Any]) -> None:
    """Each key of each typed dictionary is a property that is described in a sentence."""
    assert set(MODELS) == {value for value in vars(args).values() if is_typeddict(value)}
    tables = [schema["resources"][COMPONENT]["inputProperties"]]
    tables += [schema["types"][type_token(typed.__name__)]["properties"] for typed in MODELS if typed is not args.SecurePacsArgs]
    for table in tables:
        assert all(told["description"].endswith(".") and len(told["description"]) > 5 for told in table.values())
    assert [len(table) for table in tables] == [
        len(typed.__annotations__) for typed in sorted(MODELS, key=lambda typed: typed is not args.SecurePacsArgs)
    ]


def test_what_is_secret_is_marked(schema: dict[str, Any]) -> None:
    """Keys and passwords are secret in the schema, so that every SDK keeps them so; nothing else of the component is."""
    outputs = schema["resources"][COMPONENT]["properties"]
    assert {name for name, told in outputs.items() if told.get("secret")} == SECRET_OUTPUTS == {"bundles", "passwords", "tokens"}
    assert set(outputs) == {name for name in SecurePacs.__annotations__ if not name.startswith("_")}
    assert schema["types"]["securepacs:index:OwnAuthority"]["properties"]["key"]["secret"] is True


def test_pulumis_metaschema_takes_it(schema: dict[str, Any]) -> None:
    """The schema is valid by Pulumi's own metaschema, which takes no component whose inputs are no properties."""
    metaschema = json.loads(METASCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(schema, metaschema)
    broken = {**schema, "resources": {COMPONENT: {**schema["resources"][COMPONENT], "inputProperties": {"name": {"type": "word"}}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, metaschema)


def test_the_schema_refers_to_nothing_that_it_lacks(schema: dict[str, Any]) -> None:
    """Each reference inside the schema leads to a type of it."""
    refs = {held for held in _walk(schema) if held.startswith("#/types/")}
    assert refs
    assert {ref.removeprefix("#/types/") for ref in refs} <= set(schema["types"])


def _walk(value: Any) -> list[str]:  # noqa: ANN401 - JSON has any shape
    if isinstance(value, dict):
        return [*([value["$ref"]] if "$ref" in value else []), *(found for held in value.values() for found in _walk(held))]
    return [found for held in value for found in _walk(held)] if isinstance(value, list) else []


SENT = {
    "name": "clinic-a",
    "archive": {"aeTitle": "CLINICA"},
    "hostNames": ["localhost"],
    "peers": [{"aeTitle": "WS01", "verbs": ["find", "move"], "moveTo": ["WS01"], "address": "ws01.example:104"}],
    "limits": {"storageMb": 100},
}


def test_names_of_the_wire_become_the_clinics_own() -> None:
    """What a program in another language sends is the same clinic that a Python program declares."""
    clinic = parse_clinic(arguments(SENT))
    assert (clinic.archive.ae_title, clinic.peers[0].move_to, clinic.limits.storage_mb) == ("CLINICA", ["WS01"], 100)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({**SENT, "peer": []}, r"securepacs:clinic.peer: got no such name"),
        ({**SENT, "peers": [{"aeTitel": "X"}]}, r"securepacs:clinic.peers\[0\].aeTitel: got no such name"),
        ({**SENT, "archive": {"ae_title": "X"}}, r"securepacs:clinic.archive.ae_title: got no such name"),
        ({**SENT, "name": UNKNOWN}, "securepacs:clinic.name: got a value that is known only after an update"),
    ],
)
def test_a_name_or_value_that_cannot_be_is_told(sent: dict[str, Any], told: str) -> None:
    """A misspelt name is never dropped in silence, and what must be known before is asked for."""
    with pytest.raises(ConfigurationError, match=told):
        arguments(sent)


@pytest.mark.parametrize("key", ["a key", UNKNOWN])
def test_the_authoritys_key_stays_secret(key: Any) -> None:  # noqa: ANN401 - a text or UNKNOWN
    """The key comes out as a secret Output, known or not, even where the program forgot to seal it."""

    async def sealed() -> tuple[bool, bool, object]:
        output: pulumi.Output[str] = arguments({**SENT, "ownAuthority": {"certificate": "PEM", "key": key}})["own_authority"]["key"]
        return await output.is_secret(), await output.is_known(), await output.future()

    with ThreadPoolExecutor(1) as apart:  # where a loop of its own ends nobody else's
        seen = apart.submit(lambda: asyncio.run(sealed())).result()
    assert seen == ((True, True, "a key") if key is not UNKNOWN else (True, False, None))


def test_output_values_of_the_wire_are_read_whatever_they_leave_out() -> None:
    """An output value without value, dependencies or secrecy, as the engine sends it, is unknown, depends on nothing and is no secret."""
    sent = struct_pb2.Struct()
    mark = {rpc._special_sig_key: rpc._special_output_value_sig}
    sent.update({"unknown": mark, "sealed": [{**mark, "value": "a key", "secret": True}], "plain": {"inside": {**mark, "value": "x"}}})
    complete_outputs(sent)
    read = PropertyValue.unmarshal_map(sent)
    assert plain(read) == {"unknown": UNKNOWN, "sealed": ["a key"], "plain": {"inside": "x"}}
    assert secret_names(read) == {"sealed"}
