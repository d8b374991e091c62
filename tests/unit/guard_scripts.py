"""The scripts of the archive's image, which are no modules of the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "infra" / "securepacs" / "images" / "archive"


def loaded(name: str) -> Any:  # noqa: ANN401 - a script of the image, no module of the package
    """Load a script as Orthanc's Python would."""
    specification = importlib.util.spec_from_file_location(name, _FOLDER / f"{name}.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
