"""The database's files, as pure functions of a clinic and its secrets: PostgreSQL's configuration, and how the archive reaches it.

Only the index stands in the database; the images stay in the archive's volume. The one way in over the network is TLS 1.3
with the password of the one role, for the one database; the server proves itself by a certificate of the clinic's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from securepacs.clinic import Clinic

#: The user that PostgreSQL runs as, in the image and in the files' ownership.
UID = GID = 10103

#: Where the configuration and the data stand in the container.
FOLDER, DATA_FOLDER = "/etc/database", "/var/lib/database"

#: The port on the database's network; it is not published.
PORT = 5432

#: The major version that the image installs. Data of one cannot be read by another: moving on means moving the index.
POSTGRESQL_MAJOR = "18"

#: The name on the database's network, in the server's certificate.
HOST = "database"

#: Role and database of the index.
ROLE = NAME = "orthanc"

#: The database's files: what it restarts for, and what it reads anew while it runs.
RESTARTS_FOR, RELOADS = ("password", "postgresql.conf"), ("pg_hba.conf", "server-key.pem", "server.pem")
FILE_NAMES = (*RESTARTS_FOR, *RELOADS)

#: Files that the archive needs to reach the database, beside its configuration.
ARCHIVE_FILE_NAMES = ("database-ca.pem", "pgpass")

#: PostgreSQL's settings. What protects and what lasts is written down, though some are today's defaults: defaults change.
SETTINGS: dict[str, str | int] = {
    "data_directory": f"{DATA_FOLDER}/data",
    "hba_file": f"{FOLDER}/pg_hba.conf",
    # Who may connect, and how.
    "listen_addresses": "*",
    "port": PORT,
    "unix_socket_directories": "/run/postgresql",
    "unix_socket_permissions": "0700",
    "max_connections": 20,
    "authentication_timeout": "5s",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_cert_file": f"{FOLDER}/server.pem",
    "ssl_key_file": f"{FOLDER}/server-key.pem",
    "ssl_min_protocol_version": "TLSv1.3",
    "row_security": "on",
    # A connection whose client died gives its lock back soon: Orthanc holds one on the whole index.
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": "15s",
    # What is acknowledged is on the disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_wal_size": "512MB",
    # What the container has.
    "shared_buffers": "256MB",
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    # The log goes to the engine. It holds no statement, for a statement holds patients' names.
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_statement": "none",
    "log_min_duration_statement": -1,
    "log_min_error_statement": "panic",
    "log_parameter_max_length": 0,
    "log_parameter_max_length_on_error": 0,
    "log_error_verbosity": "terse",
    "log_connections": "off",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

_HBA = f"""\
# Who may connect: the container's own user over the socket, and the archive's role over TLS with its password.
local   all      database               peer
hostssl {NAME}  {ROLE}   all           scram-sha-256
local   all      all                    reject
host    all      all        all         reject
"""


@dataclass(frozen=True)
class DatabaseSecrets:
    """What the database's files are made of, beside the clinic: PEM texts and the role's password."""

    server_pem: str
    server_key_pem: str
    password: str


def _setting(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def database_files(secrets: DatabaseSecrets) -> dict[str, str]:
    """Give the content of each file of the database: name -> text."""
    return {
        "password": f"{secrets.password}\n",
        "pg_hba.conf": _HBA,
        "postgresql.conf": "".join(f"{name} = {_setting(value)}\n" for name, value in SETTINGS.items()),
        "server-key.pem": secrets.server_key_pem,
        "server.pem": secrets.server_pem,
    }


def uses_postgresql(clinic: Clinic) -> bool:
    """Tell whether the clinic's index stands in PostgreSQL."""
    return clinic.database == "postgresql"


def connection_uri(folder: str) -> str:
    """Give libpq's way to the database, without the password: that stands in `folder`/pgpass.

    The server must prove itself under its name, and that it knows the password too (SCRAM with channel binding).
    """
    options = {
        "sslmode": "verify-full",
        "sslrootcert": f"{folder}/database-ca.pem",
        "ssl_min_protocol_version": "TLSv1.3",
        "channel_binding": "require",
        "gssencmode": "disable",
        "passfile": f"{folder}/pgpass",
        "connect_timeout": "5",
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
        "application_name": "archive",
    }
    return f"postgresql://{ROLE}@{HOST}:{PORT}/{NAME}?" + "&".join(f"{name}={value}" for name, value in options.items())


def archive_section(folder: str) -> dict[str, Any]:
    """Give the section `PostgreSQL` of Orthanc's configuration; `folder` holds ARCHIVE_FILE_NAMES in the archive's container."""
    return {
        "EnableIndex": True,
        "EnableStorage": False,
        "ConnectionUri": connection_uri(folder),
        # One archive on one index: a second one is refused.
        "Lock": True,
        # Transactions are serialised: more connections make more collisions, and storing slower.
        "IndexConnectionsCount": 1,
        # The database may come later than the archive, or come back.
        "MaximumConnectionRetries": 20,
        "ConnectionRetryInterval": 1,
    }


def archive_database_files(ca_pem: str, password: str) -> dict[str, str]:
    """Give the files with which the archive reaches the database: name -> text (libpq's password file, the authority)."""
    return {"database-ca.pem": ca_pem, "pgpass": f"{HOST}:{PORT}:{NAME}:{ROLE}:{password}\n"}
