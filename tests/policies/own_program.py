"""The program of our own component, with one line of it changed: of the clinic, or of a resource that the component declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pulumi

from policies.cases import Case
from policies.programs.declared import Declared, changed
from policies.programs.on_own import CLINIC
from securepacs.component import SecurePacs

_COMPONENT = "securepacs:index:SecurePacs"


def own(case: Case | None = None, seen: set[tuple[str, str]] | None = None) -> Callable[[], None]:
    """Give the program. What it declares is noted in `seen`.

    A file's text is made while the program runs, from keys that are not known in a preview: so that it can be changed here, it is
    given as the case's own program has it.
    """

    def change(arguments: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if seen is not None:
            seen.add((arguments.type_, arguments.name))
        if case is None or arguments.name != case.resource or arguments.type_ == _COMPONENT:
            return None
        declared = Declared(arguments.type_, arguments.name, cast("dict[str, Any]", arguments.props))
        return pulumi.ResourceTransformResult(dict(_changed(declared, case).properties), arguments.opts)

    def program() -> None:
        clinic: Any = CLINIC
        if case is not None and case.resource == "pacs":
            clinic = changed(Declared(_COMPONENT, "pacs", CLINIC), case.path, case.value).properties
        pulumi.runtime.register_resource_transform(change)
        SecurePacs("pacs", clinic)

    return program


def _changed(declared: Declared, case: Case) -> Declared:
    return changed(declared, case.path, case.value)
