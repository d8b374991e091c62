"""The pytest plugin: with --pacs-target each test is a check of that PACS, bracketed and reported. Without it, it does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from securepacs_harness.errors import HarnessError
from securepacs_harness.results import Tier

#: Exit status of a run: what it found, or that it could not be made.
CLEAN, FINDINGS, INCONCLUSIVE, COULD_NOT_RUN = range(4)

TARGET_OPTION: Final = "--pacs-target"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the harness's options."""
    group = parser.getgroup("pacs", "prove what a PACS refuses")
    group.addoption(TARGET_OPTION, type=Path, metavar="FILE", help="target file (.toml or .json) that declares the PACS")
    group.addoption("--pacs-bundles", type=Path, metavar="DIR", help="bundles PEER/{cert,key,ca}.pem (default: `bundles` beside FILE)")
    group.addoption("--pacs-passwords", type=Path, metavar="FILE", help='JSON {"USER": "PASSWORD"}, mode 0600; else PACS_PASSWORD_<USER>')
    group.addoption("--pacs-tier", type=Tier, choices=list(Tier), default=Tier.SAFE, help="how much may be done (default: safe)")
    group.addoption("--pacs-only", default="", metavar="IDS", help='shell-style patterns of check ids: "tls.*,dimse.find"')
    group.addoption("--pacs-out", type=Path, metavar="DIR", help="write the evidence bundle there")
    group.addoption("--pacs-sign", type=Path, metavar="KEY", help="PEM private key that signs the bundle's manifest")
    group.addoption("--pacs-authority", type=Path, metavar="DIR", help="cert.pem and key.pem of the peers' authority, to sign unfit ones")
    group.addoption("--pacs-vantage", default="", metavar="TEXT", help="from where this machine looks, in words")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hook that tells of each finished check."""
    from securepacs_harness import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run when a target is given; end pytest with one line when it cannot be made."""
    config.addinivalue_line("markers", "pacs_check(check): a check of a PACS, with its entry in the catalogue")
    from securepacs_harness import fixtures
    from securepacs_harness.running import Running
    from securepacs_harness.session import VERIFICATION, Given, Verification

    option = config.getoption
    if option(TARGET_OPTION) is not None:
        given = Given(
            option(TARGET_OPTION),
            option("--pacs-bundles"),
            option("--pacs-passwords"),
            option("--pacs-tier"),
            option("--pacs-vantage"),
            option("--pacs-out"),
            option("--pacs-sign"),
            option("--pacs-authority"),
        )
        try:
            config.stash[VERIFICATION] = Verification(given)
        except HarnessError as error:
            pytest.exit(f"securepacs-harness: {error}", returncode=COULD_NOT_RUN)
    if VERIFICATION not in config.stash:
        return
    if config.pluginmanager.hasplugin("xdist") and option("numprocesses", None):
        pytest.exit("securepacs-harness: got -n, expected one process: a run has one budget and one order", returncode=COULD_NOT_RUN)
    config.pluginmanager.register(Running(config, config.stash[VERIFICATION]), "securepacs-harness-running")
    config.pluginmanager.register(fixtures, "securepacs-harness-fixtures")
