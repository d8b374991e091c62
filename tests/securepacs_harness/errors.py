"""The harness's errors: each tells in one line where, what was got, what was expected."""

from __future__ import annotations


class HarnessError(Exception):
    """Root of what the harness raises for a mistake in what it was given."""


class TargetError(HarnessError):
    """The target file cannot be read or says something that cannot be."""


class BundleError(HarnessError):
    """A bundle (certificate, key, authority) is missing or not usable."""


class CannotOfferError(HarnessError):
    """This machine's TLS library cannot offer what a probe wants to offer: nothing was learnt about the target."""


class NoSessionError(HarnessError):
    """A person whose password is at hand was not signed in: what needs a session shows nothing."""


class BudgetError(HarnessError):
    """The run may make no more connections, or take no more time."""


class AuthorisationError(HarnessError):
    """The target is not this machine's own, and its file holds no authorisation to test it."""


class CatalogueError(HarnessError):
    """A check is declared wrongly: an id twice, a control that does not exist."""


class EvidenceError(HarnessError):
    """Evidence cannot be written, signed or verified."""
