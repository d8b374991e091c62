"""The one root error, its kinds, and the exit status of each."""

from __future__ import annotations

from typing import ClassVar


class SecurePacsError(Exception):
    """A mistake or failure that is told in one line: where, what was got, what was expected, what to do.

    `exit_status` is what the command line ends with. 1 stays for a defect of our own, 2 for wrong usage of a command.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, where: str, *, got: str | None = None, expected: str | None = None, do: str | None = None) -> None:
        self.where = where
        self.got = got
        self.expected = expected
        self.do = do
        super().__init__(where, got, expected, do)

    def __str__(self) -> str:
        told = [f"got {self.got}"] * (self.got is not None) + [f"expected {self.expected}"] * (self.expected is not None)
        line = f"{self.where}: {', '.join(told)}" if told else self.where
        return f"{line}; {self.do}" if self.do else line


class ConfigurationError(SecurePacsError):
    """The clinic's configuration says something that cannot be."""

    exit_status = 3


class HostError(SecurePacsError):
    """Something that the host must have is missing: the Docker engine, the Pulumi CLI, a free port."""

    exit_status = 4


class DeploymentError(SecurePacsError):
    """The deployment was begun and did not end well."""

    exit_status = 5


class NotFoundError(SecurePacsError):
    """The stack, peer or person that was named does not exist."""

    exit_status = 6


class RefusedError(SecurePacsError):
    """The command was understood and not carried out, because it would lose something."""

    exit_status = 7


class ExpiryError(SecurePacsError):
    """A certificate or the revocation list expires sooner than was asked for."""

    exit_status = 8


class PolicyError(SecurePacsError):
    """What is declared breaks a policy. Nothing was made where a preview told it; what a run had made before stands."""

    exit_status = 9
