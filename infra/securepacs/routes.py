"""Which person may use which route of the archive over HTTPS: the one table. What is not in it is answered with 403."""

from __future__ import annotations

from dataclasses import dataclass

from securepacs.clinic import Role

READ = ("GET",)

_UID = r"[0-9]+(\.[0-9]+)*"
_STUDY = rf"/dicom-web/studies/{_UID}"
_SERIES = rf"{_STUDY}/series/{_UID}"
_INSTANCE = rf"{_SERIES}/instances/{_UID}"
_ORTHANC_ID = r"[0-9a-f]{8}(-[0-9a-f]{8}){4}"
_PICTURED = r"(/metadata|/rendered|/thumbnail)?"

EVERYBODY: tuple[Role, ...] = ("viewer", "clinician", "admin")


@dataclass(frozen=True)
class Route:
    """One row: these roles may use these methods on paths that match the pattern, from the first character to the last."""

    name: str
    roles: tuple[Role, ...]
    methods: tuple[str, ...]
    pattern: str


ROUTES = (
    # QIDO-RS (PS3.18 section 10.6)
    Route("qido", EVERYBODY, READ, r"^/dicom-web/(studies|series|instances)$"),
    Route("qido_study", EVERYBODY, READ, rf"^{_STUDY}/(series|instances)$"),
    Route("qido_series", EVERYBODY, READ, rf"^{_SERIES}/instances$"),
    # WADO-RS (PS3.18 section 10.4)
    Route("wado_study", EVERYBODY, READ, rf"^{_STUDY}{_PICTURED}$"),
    Route("wado_series", EVERYBODY, READ, rf"^{_SERIES}{_PICTURED}$"),
    Route("wado_instance", EVERYBODY, READ, rf"^{_INSTANCE}(/metadata|/rendered|/thumbnail|/frames/[0-9]+(,[0-9]+)*)?$"),
    # STOW-RS (PS3.18 section 10.5)
    Route("stow", ("clinician", "admin"), ("POST",), rf"^/dicom-web/studies(/{_UID})?$"),
    # Administration: look, and delete one resource. Nothing that configures, sends, or runs.
    Route("admin_read", ("admin",), READ, r"^/(system|statistics|changes|patients|studies|series|instances)$"),
    Route("admin_resource", ("admin",), READ, rf"^/(patients|studies|series|instances)/{_ORTHANC_ID}$"),
    Route("admin_delete", ("admin",), ("DELETE",), rf"^/(patients|studies|series|instances)/{_ORTHANC_ID}$"),
)

METHODS = tuple(dict.fromkeys(method for route in ROUTES for method in route.methods))


def routes_of(role: Role) -> list[Route]:
    """Give the routes that a role may use."""
    return [route for route in ROUTES if role in route.roles]
