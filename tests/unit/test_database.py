"""The database's files, the archive's way to it, and the resources that a clinic with PostgreSQL declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pulumi
import pytest

from securepacs import SecurePacs, database
from securepacs.archive import DATABASE_PLUGIN, orthanc_configuration
from securepacs.args import SecurePacsArgs
from securepacs.clinic import Clinic, parse_clinic
from securepacs.errors import ConfigurationError
from securepacs.target import target
from unit.noting_engine import NotingEngine

SECRETS = database.DatabaseSecrets("<certificate>", "<key>", "abcDEF234567890xyz")


@pytest.fixture
def with_postgresql(declared: dict[str, Any]) -> Clinic:
    """The small clinic, with its index in PostgreSQL."""
    return parse_clinic({**declared, "database": "postgresql"})


def settings() -> dict[str, str]:
    """Read what is rendered as PostgreSQL would: name = value, quotes taken off."""
    lines = database.database_files(SECRETS)["postgresql.conf"].splitlines()
    return {name: value.strip("'") for name, value in (line.split(" = ", 1) for line in lines)}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("ssl", "on"),
        ("ssl_min_protocol_version", "TLSv1.3"),
        ("password_encryption", "scram-sha-256"),
        ("log_statement", "none"),
        ("log_min_error_statement", "panic"),
        ("log_parameter_max_length_on_error", "0"),
        ("unix_socket_permissions", "0700"),
    ],
)
def test_what_protects_and_lasts_is_written_down(setting: str, value: str) -> None:
    """Each setting that protects, or keeps what was acknowledged, stands in the file."""
    assert settings()[setting] == value


def test_the_one_way_in_over_the_network_is_tls_with_a_password() -> None:
    """Of the rules in pg_hba.conf one lets the network in, by TLS and SCRAM, for one role and one database; the last two reject."""
    rules = [line.split() for line in database.database_files(SECRETS)["pg_hba.conf"].splitlines() if not line.startswith("#")]
    assert [rule for rule in rules if rule[0] != "local" and rule[-1] != "reject"] == [
        ["hostssl", "orthanc", "orthanc", "all", "scram-sha-256"]
    ]
    assert [rule for rule in rules if rule[0] == "local" and rule[-1] != "reject"] == [["local", "all", "database", "peer"]]
    assert rules[-2:] == [["local", "all", "all", "reject"], ["host", "all", "all", "all", "reject"]]


def test_every_file_is_named() -> None:
    """The lists of names that the volumes are made from are those of the files that are rendered."""
    assert set(database.database_files(SECRETS)) == set(database.FILE_NAMES)
    assert tuple(sorted(database.archive_database_files("ca", "p"))) == database.ARCHIVE_FILE_NAMES


def test_the_archive_verifies_the_database(with_postgresql: Clinic) -> None:
    """Orthanc reaches PostgreSQL by full verification with the clinic's authority and channel binding; no password is in the way there."""
    section = orthanc_configuration(with_postgresql, "p")["PostgreSQL"]
    way = urlsplit(section["ConnectionUri"])
    options = parse_qs(way.query)
    assert (options["sslmode"], options["channel_binding"]) == (["verify-full"], ["require"])
    assert options["sslrootcert"] == ["/etc/archive/database-ca.pem"]
    assert options["passfile"] == ["/etc/archive/pgpass"]
    assert way.password is None
    assert (section["EnableStorage"], section["Lock"], section["IndexConnectionsCount"]) == (False, True, 1)


def test_the_images_stay_where_they_are(clinic: Clinic, with_postgresql: Clinic) -> None:
    """PostgreSQL adds a plugin and a section to Orthanc's configuration, and changes nothing else."""
    alone, beside = orthanc_configuration(clinic, "p"), orthanc_configuration(with_postgresql, "p")
    assert beside.pop("PostgreSQL")
    assert beside.pop("Plugins") == [*alone.pop("Plugins"), f"/usr/share/orthanc/plugins/{DATABASE_PLUGIN}"]
    assert beside == alone


def test_a_database_of_another_kind_is_refused(declared: dict[str, Any]) -> None:
    """The key knows two values."""
    with pytest.raises(ConfigurationError, match=r"clinic\.database: got 'mysql'"):
        parse_clinic({**declared, "database": "mysql"})


def test_the_target_tells_how_to_look_into_the_database(clinic: Clinic, with_postgresql: Clinic) -> None:
    """The target file names the third container where there is one; PostgreSQL's port is closed to the outside in any case."""
    assert target(with_postgresql, "ca")["inside"]["database"] == "docker://clinic-a-database"
    assert "database" not in target(clinic, "ca")["inside"]
    assert database.PORT in target(with_postgresql, "ca")["closed_ports"]


@pytest.fixture
def engine() -> Iterator[NotingEngine]:
    """An engine of Pulumi's that only takes notes."""
    engine = NotingEngine()
    pulumi.runtime.set_mocks(engine, project="securepacs", stack="test")
    yield engine


def declare(declared: SecurePacsArgs, kind: type[SecurePacs] = SecurePacs) -> None:
    """Declare a clinic to the noting engine and wait for its outputs."""

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # the SDK leaves it untyped
    def run() -> pulumi.Output[Any]:
        pacs = kind("pacs", declared)
        return pulumi.Output.all(pacs.target, pacs.bundles, pacs.passwords, pacs.certificates)

    run()


def test_the_database_is_alone_with_the_archive(engine: NotingEngine, declared: SecurePacsArgs) -> None:
    """The database's network is internal, and holds the archive and the database; the gateway is not on it, and no port is published."""
    declare({**declared, "database": "postgresql"})
    containers = engine.of("Container")
    on = {part: [network["name"] for network in containers[f"pacs-{part}"]["networks"]] for part in ("gateway", "archive", "database")}
    assert on["database"] == ["clinic-a-database"]
    assert on["archive"] == ["clinic-a-inner", "clinic-a-database"]
    assert "clinic-a-database" not in on["gateway"]
    assert engine.of("Network")["pacs-database"]["internal"] is True
    assert not containers["pacs-database"].get("ports")


def test_the_index_is_protected_as_the_images_are(engine: NotingEngine, declared: SecurePacsArgs) -> None:
    """The database's data volume outlives its stack."""
    declare({**declared, "database": "postgresql"})
    protected = {name for name, inputs in engine.of("Volume").items() if inputs["protectData"]}
    assert protected == {"pacs-archive-data", "pacs-database-data"}


def test_no_secret_of_the_database_is_seen_from_outside(engine: NotingEngine, declared: SecurePacsArgs) -> None:
    """Password and key are in no input of a container; a new password restarts the database, a new certificate is only read anew."""
    declare({**declared, "database": "postgresql"})
    shown = str(engine.of("Container"))
    assert "<value of" not in shown
    assert "keyPem" not in shown
    container = engine.of("Container")["pacs-database"]
    assert set(container["restartOn"]) == {"password", "postgresql.conf"}
    assert set(container["reloadOn"]) == {"pg_hba.conf", "server-key.pem", "server.pem"}
    assert container["reloadSignal"] == "SIGHUP"


def test_a_clinic_on_sqlite_has_no_database(engine: NotingEngine, declared: SecurePacsArgs) -> None:
    """By default nothing of a database is declared."""
    declare(declared)
    assert not [name for _, name in engine.made if "database" in name]
