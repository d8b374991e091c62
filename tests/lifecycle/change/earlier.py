"""Stands for an earlier release of this project, for Orthanc 1.12 and HAProxy 3.0: run as a module it is that release's command line."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployed.deployment import Stack, run
from securepacs import archive, cli, gateway, policies
from securepacs.clinic import Clinic
from securepacs.commands import deployment

FLOOR = "1.12.0"

#: Options that Orthanc 1.12.7 does not know, and one that it knows only as a Boolean.
UNKNOWN = ("MaximumFileSizeInArchiveMB", "MaximumRequestBodySizeMB")
OTHERWISE = {"OverwriteInstances": False}

#: What HAProxy 3.0 does not know.
UNKNOWN_WORD = "tune.lua.bool-sample-conversion"


@dataclasses.dataclass(frozen=True)
class EarlierStack(Stack):
    """A stack that is driven by the earlier release."""

    def securepacs(self, *arguments: str, seconds: float = 600) -> str:
        """Run a command of the earlier release."""
        environment = {**self.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
        return run([sys.executable, "-m", "lifecycle.change.earlier", *arguments, "--stack", self.name], environment, seconds)


def main() -> None:
    """Run the command line with what the earlier release had otherwise."""
    orthanc, haproxy = archive.orthanc_configuration, gateway.haproxy_configuration

    def orthanc_then(clinic: Clinic, gateway_password: str) -> dict[str, Any]:
        configuration = {**orthanc(clinic, gateway_password), **OTHERWISE}
        return {key: value for key, value in configuration.items() if key not in UNKNOWN}

    def haproxy_then(clinic: Clinic, secrets: gateway.GatewaySecrets) -> str:
        return "".join(line for line in haproxy(clinic, secrets).splitlines(keepends=True) if UNKNOWN_WORD not in line)

    def held_then(content: Mapping[str, Any]) -> dict[str, Any]:
        return {**policies.policy_settings(content), "build-floor": {"floors": {"orthanc": FLOOR}}}

    archive.ORTHANC_FLOOR = FLOOR
    archive.orthanc_configuration = orthanc_then
    gateway.haproxy_configuration = haproxy_then
    deployment.policy_settings = held_then  # type: ignore[attr-defined] # what it imported, and hands on to nobody
    cli.main()


if __name__ == "__main__":
    main()
