"""What images are run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from securepacs_policies.rule import Parameters, rule
from securepacs_policies.things import Build, Workload
from securepacs_policies.values import known

#: Products by the names of their images; the tags of orthancteam's images are dates, and say nothing of Orthanc's version.
_PRODUCTS = (
    ("orthanc", r"jodogne/orthanc(-plugins|-python)?"),
    ("haproxy", r"haproxy(-alpine|-debian|-ubuntu)?"),
    ("nginx", r"nginx(-unprivileged)?"),
    ("postgres", r"postgres(ql)?"),
)

#: Below these there are known ways in (Orthanc: CVE-2026-5437 to 5445), or nobody mends any.
_LOWEST = {"orthanc": "1.12.11", "haproxy": "2.8", "nginx": "1.28", "postgres": "15"}

_FLOORS = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "default": {},
    "description": f"Lowest version of a product, in place of ours: {', '.join(f'{name} {version}' for name, version in _LOWEST.items())}.",
}


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _split(image: str) -> tuple[str, str, bool]:
    """Give an image's name, its tag, and whether it is pinned by digest."""
    name, at, digest = image.partition("@")
    base, colon, tag = name.rpartition(":")
    pinned = bool(re.fullmatch(r"sha256:[0-9a-f]{64}", digest if at else image))
    return (base, tag, pinned) if colon and "/" not in tag else (name, "", pinned)


@rule(
    "image-digest",
    "Images are named by digest",
    why="A tag is a promise that its owner may change: the image that was tested is not the one that starts after the next pull.",
    remedy="Name it NAME@sha256:…; RemoteImage gives it as repoDigest.",
    severity="medium",
    controls=("image-provenance",),
    needs=("image",),
)
def image_digest(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield an image that is named by tag."""
    if not _split(workload.image)[2]:
        yield f"its image '{workload.image}' is named without a digest"


@rule(
    "version-floor",
    "No version with a known way in",
    why="Public ways into old archives are tried on every address of the Internet within days.",
    remedy="Raise the image's version.",
    severity="high",
    controls=("known-vulnerabilities",),
    needs=("image",),
    parameters={"floors": _FLOORS},
)
def version_floor(workload: Workload, parameters: Parameters) -> Iterator[str]:
    """Yield an image whose tag is a version below its product's floor. A tag that is no version says nothing."""
    name, tag, _ = _split(workload.image)
    floors = {**_LOWEST, **parameters["floors"]}
    for product, pattern in _PRODUCTS:
        floor = floors[product]
        if _numbers(tag) and re.search(rf"(^|/){pattern}$", name) and _numbers(tag) < _numbers(floor):
            yield f"{product} {tag} is below {floor}"


@rule(
    "build-floor",
    "An image is not built below the archive's floor",
    why="Our own archive image refuses to be built with an Orthanc below its argument ORTHANC_FLOOR: who lowers it lowers the lock.",
    remedy="Raise ORTHANC_FLOOR, or leave it to the module.",
    severity="high",
    controls=("known-vulnerabilities",),
    needs=("arguments",),
    parameters={"floors": _FLOORS},
)
def build_floor(build: Build, parameters: Parameters) -> Iterator[str]:
    """Yield a build whose floor for Orthanc is below the configured one."""
    lowest, floor = known(build.arguments.get("ORTHANC_FLOOR")), {**_LOWEST, **parameters["floors"]}["orthanc"]
    if lowest is not None and _numbers(lowest) < _numbers(floor):
        yield f"it may be built with Orthanc {lowest}, below {floor}"


@rule(
    "image-abandoned",
    "No image that nobody makes any more",
    why="An image that has moved or ended gets no mended packages.",
    remedy="Use the image's successor (osimis/orthanc is orthancteam/orthanc today).",
    severity="medium",
    controls=("known-vulnerabilities", "image-provenance"),
    needs=("image",),
    parameters={
        "abandoned": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["osimis/orthanc", "osimis/orthanc-pro"],
            "description": "Names of images, without registry and tag.",
        }
    },
)
def image_abandoned(workload: Workload, parameters: Parameters) -> Iterator[str]:
    """Yield an image that is on the list."""
    name = _split(workload.image)[0]
    if any(name == abandoned or name.endswith(f"/{abandoned}") for abandoned in parameters["abandoned"]):
        yield f"'{name}' is not made any more"
