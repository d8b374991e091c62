"""Writes docs/api.md to standard output: the public API, from docstrings and from the package schema. `make docs` runs it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import securepacs
from securepacs import errors, resources
from securepacs.provider.adapter import whole_schema
from securepacs.provider.construct import COMPONENT, type_token

Schema = Mapping[str, Any]

#: Records whose type has another name in the schema.
WIRE_NAMES = {"Revoked": "RevokedCertificate"}


def snake(name: str) -> str:
    """Give a property's name as Python has it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def type_of(told: Schema) -> str:
    """Say a property's type in a word or two."""
    if "$ref" in told:
        name = told["$ref"].rpartition(":")[2]
        return "any" if name.endswith("Any") else f"[{name}](#{name.lower()})"
    if told["type"] == "array":
        return f"list of {type_of(told['items'])}"
    if told["type"] == "object":
        return f"map of {type_of(told['additionalProperties'])}"
    return str(told["type"])


def table(properties: Schema, required: list[str]) -> Iterator[str]:
    """Write a table of properties; those that are required are marked."""
    yield "| Name | Type | Meaning |"
    yield "| --- | --- | --- |"
    for name, told in properties.items():
        notes = [*["Required."] * (name in required), *["A secret."] * (told.get("secret", False) and "secret" not in told["description"])]
        meaning = " ".join([told["description"], *notes]).replace("|", "\\|")
        default = f" Default `{told['default']}`." if "default" in told else ""
        yield f"| `{snake(name)}` | {type_of(told)} | {meaning}{default} |"
    yield ""


def component(schema: Schema) -> Iterator[str]:
    """Write the component, its outputs, and each type of its arguments."""
    told = schema["resources"][COMPONENT]
    yield from ("## securepacs", "", inspect.getdoc(securepacs) or "", "")
    yield from ("### SecurePacs", "", "`SecurePacs(name, args, opts=None)`", "", inspect.getdoc(securepacs.SecurePacs) or "", "")
    yield from ("Outputs:", "", *table(told["properties"], []))
    yield from ("### SecurePacsArgs", "", inspect.getdoc(securepacs.SecurePacsArgs) or "", "")
    yield from table(told["inputProperties"], told["requiredInputs"])
    for name in securepacs.__all__:
        if name.endswith("Args") and name != "SecurePacsArgs":
            kind = schema["types"][type_token(name)]
            yield from (f"### {name.removesuffix('Args')}", "", f"`{name}`: {kind['description']}", "")
            yield from table(kind["properties"], kind.get("required", []))


def mistakes() -> Iterator[str]:
    """Write the errors: what a program may catch, and what a command ends with."""
    yield from ("### Errors", "", "| Class | Exit status of a command | Meaning |", "| --- | --- | --- |")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SecurePacsError)]
    for kind in sorted(kinds, key=lambda kind: kind.exit_status):
        exported = f"`securepacs.{kind.__name__}`" if kind.__name__ in securepacs.__all__ else f"`{kind.__name__}`"
        yield f"| {exported} | {kind.exit_status} | {' '.join((inspect.getdoc(kind) or '').split())} |"
    yield ""


def parts(schema: Schema) -> Iterator[str]:
    """Write the resources that the component is made of, and the records that they take."""
    yield from ("## securepacs.resources", "", inspect.getdoc(resources) or "", "")
    for name in resources.__all__:
        kind = getattr(resources, name)
        token = getattr(kind, "pulumi_type", None)
        yield from (f"### {name}", "")
        if token is None:
            told = schema["types"][f"securepacs:index:{WIRE_NAMES.get(name, name)}"]
            yield from (inspect.getdoc(kind) or "", "", *table(told["properties"], told.get("required", [])))
            continue
        told = schema["resources"][token]
        own = {field: value for field, value in told["properties"].items() if field not in told["inputProperties"]}
        yield from (f"`{token}`. {inspect.getdoc(kind)}", "", *table(told["inputProperties"], told["requiredInputs"]))
        yield from ("Outputs, beside the inputs:", "", *table(own, []))


def main() -> None:
    """Print the whole."""
    schema = whole_schema()
    print(Path(__file__).with_name("api.head.md").read_text(encoding="utf-8"))
    print("\n".join([*component(schema), *mistakes(), *parts(schema)]).rstrip())


if __name__ == "__main__":
    main()
