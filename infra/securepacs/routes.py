"""Who may use which route over HTTPS: the one table. What is not in it is answered with 403, and to a stranger with 401.

The viewer's routes exist in a clinic with a viewer only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from securepacs.clinic import Clinic
from securepacs.roles import Role

READ = ("GET",)

_UID = r"[0-9]+(\.[0-9]+)*"
_STUDY = rf"/dicom-web/studies/{_UID}"
_SERIES = rf"{_STUDY}/series/{_UID}"
_INSTANCE = rf"{_SERIES}/instances/{_UID}"
_ORTHANC_ID = r"[0-9a-f]{8}(-[0-9a-f]{8}){4}"
_PICTURED = r"(/metadata|/rendered|/thumbnail)?"

EVERYBODY: tuple[Role, ...] = ("viewer", "clinician", "admin")

#: Who answers: the archive, the viewer's files, the sign-in, or the gateway itself.
Backend = Literal["archive", "viewer", "sign_in", "gateway"]


@dataclass(frozen=True)
class Route:
    """One row: these roles may use these methods on paths that match the pattern, from the first character to the last."""

    name: str
    roles: tuple[Role, ...]
    methods: tuple[str, ...]
    pattern: str
    backend: Backend = "archive"


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

#: Routes of a clinic with a viewer. Its own folders hold nothing but the viewer's package.
VIEWER_ROUTES = (
    Route("viewer_page", EVERYBODY, READ, r"^/(viewer)?$", "viewer"),
    Route("viewer_file", EVERYBODY, READ, r"^/[A-Za-z0-9._-]+\.(js|css|wasm|svg|woff2)$", "viewer"),
    Route("viewer_folder", EVERYBODY, READ, r"^/(assets|customizations|dicom-microscopy-viewer)(/[A-Za-z0-9._-]+)+$", "viewer"),
    Route("session", EVERYBODY, READ, r"^/session$", "gateway"),
)

#: Paths of such a clinic that nobody must be signed in for: the page and its form, the way out; to the provider and back from it.
SIGN_IN, SIGN_OUT, TO_PROVIDER, FROM_PROVIDER = "/oauth2/sign_in", "/oauth2/sign_out", "/oauth2/start", "/oauth2/callback"


def open_paths(clinic: Clinic) -> dict[str, tuple[str, ...]]:
    """Give the paths that nobody must be signed in for, with their methods."""
    if not clinic.viewer:
        return {}
    if clinic.sign_in.oidc:
        return dict.fromkeys((SIGN_IN, SIGN_OUT, TO_PROVIDER, FROM_PROVIDER), READ)
    return {SIGN_IN: (*READ, "POST"), SIGN_OUT: READ}


def routes(clinic: Clinic) -> tuple[Route, ...]:
    """Give the routes that exist in a clinic for those who are signed in."""
    return (*ROUTES, *VIEWER_ROUTES) if clinic.viewer else ROUTES


def methods(clinic: Clinic) -> tuple[str, ...]:
    """Give every method that any route of a clinic takes; sign-in and sign-out take no other ones."""
    return tuple(dict.fromkeys(method for route in routes(clinic) for method in route.methods))


def routes_of(clinic: Clinic, role: Role) -> list[Route]:
    """Give the routes that a role may use."""
    return [route for route in routes(clinic) if role in route.roles]
