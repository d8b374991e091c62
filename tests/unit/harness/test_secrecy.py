"""What looks like a secret in an environment, a command line, an image's history and a log."""

from __future__ import annotations

import json

import pytest

from securepacs_harness.checks.test_secrets import folders_of
from securepacs_harness.probes.inside import Mount
from securepacs_policies import secrecy

RANDOM = "YHKLsU7pJoCf8ohkJjQ86hEWsDReafMr8qMqaGb9"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORTHANC_PASSWORD", "x"),
        ("ORTHANC__REGISTERED_USERS", '{"a": "b"}'),
        ("LDAP_ROOTPASS", "changeme"),
        ("DB_PWD", "x"),
        ("ENCRYPTION_KEY", "x"),
        ("keystore-password", "x"),
        ("SETTING", RANDOM),
        ("DATABASE_URL", "postgres://orthanc:hunter2@db/orthanc"),
        ("JAVA_OPTS", "-Xmx1g -Djavax.net.ssl.keyStorePassword=changeit"),
        ("ORTHANC_JSON", '{"RegisteredUsers": {"a": "b"}}'),
        ("DSN", "host=db user=orthanc password=hunter2"),
        ("PEM", "-----BEGIN EC PRIVATE KEY-----\nMHc"),
    ],
)
def test_a_setting_tells_by_its_name_or_its_value(name: str, value: str) -> None:
    """A secret's name, a long random value, a login in a URL, and a secret's setting inside a value are told."""
    assert secrecy.telling_settings({name: value}) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("JWT_SECRET_PATH", "/run/secrets/jwt"),
        ("TOKEN_URL", "https://idp.example/token"),
        ("ASK_FOR_PASSWORD", "true"),
        ("DB_PASSWORD", ""),
        ("PROXY_BYPASS", "localhost"),
        ("GPG_KEY", "7169605F62C751356D054A26A821E680E5FA6305"),
        ("PUBLIC_KEY", "x"),
        ("PWD", "/"),
        ("PATH", "/usr/bin:/bin"),
        ("MALLOC_ARENA_MAX", "5"),
        ("VERSION", "1.13.0+dfsg-1"),
        ("JAVA_OPTS", "-Dpassword=${DB_PASSWORD} -Dtoken=/run/secrets/token"),
        ("ORTHANC_JSON", '{"RegisteredUsers": {}, "Token": null}'),
        ("PACS_URL", "http://archive:8042/a@b"),
    ],
)
def test_a_setting_that_is_about_a_secret_tells_nothing(name: str, value: str) -> None:
    """Where a secret is, whether one is asked for, public keys, paths and versions are no secrets."""
    assert secrecy.telling_settings({name: value}) == []


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--password=x", "--config", "/etc/x"], 1),
        (["--requirepass", "hunter2"], 1),
        (["sh", "-c", "exec server --api-token abc --port 80"], 1),
        (["--db", "postgres://orthanc:hunter2@db/orthanc"], 1),
        ([RANDOM], 1),
        (["--password-file", "/run/secrets/x", "--password-file=/run/secrets/x"], 0),
        (["--token=/run/secrets/token", "--ask-password", "--verbose"], 0),
        (["sh", "-c", "export TOKEN=$(cat /run/secrets/x)"], 0),
        (["-S", "/run/gateway/master.sock,mode,600,level,admin"], 0),
        ([], 0),
    ],
)
def test_a_command_line_tells_in_one_word_or_two(words: list[str], count: int) -> None:
    """A secret stands behind an equals sign or in the next word; the place of one is none."""
    assert secrecy.telling_arguments(words) == count


@pytest.mark.parametrize("line", ["RUN |1 API_TOKEN=abc /bin/sh -c make", "|1 API_TOKEN=abc /bin/sh -c make", "ARG API_TOKEN=abc"])
def test_a_build_argument_stays_in_the_image(line: str) -> None:
    """What was given to a build stands in its history, in each of the forms that builders write; what its commands say is no argument."""
    quiet = "RUN |1 VERSION=1.13 /bin/sh -c useradd --password=x orthanc\nENV PATH=/usr/bin\nARG VERSION"
    assert secrecy.telling_build_arguments(f"{quiet}\n{line}") == ["API_TOKEN"]
    assert secrecy.telling_build_arguments(quiet) == []


def test_known_secrets_are_counted_and_short_words_are_not() -> None:
    """A secret that stands in a text is counted, also as JSON spells it; a word that stands everywhere is none."""
    assert secrecy.known_in("password is correct-horse", ["correct-horse", "is", "absent-secret"]) == 1
    awkward = 'correct"horse\\ä'
    assert secrecy.known_in(json.dumps({"x": awkward}), [awkward]) == 1


def test_a_login_header_is_seen_as_logs_write_it() -> None:
    """Basic and bearer logins are counted, in any case and as JSON has them; the name of the header alone is none."""
    text = 'Authorization: Basic YTpi\nauthorization=bearer x\n{"authorization": "Basic YTpi"}\nheader Authorization missing\n'
    assert secrecy.login_headers(text) == 3


def test_what_is_mounted_is_looked_at_too() -> None:
    """A volume anywhere is looked at once; the root and the kernel's own file systems are not."""

    def mount(target: str, kind: str = "ext4") -> Mount:
        return Mount(target, kind, frozenset({"rw"}))

    mounts = [
        mount("/", "overlay"),
        mount("/images"),
        mount("/var/lib/x"),
        mount("/etc"),
        mount("/proc", "proc"),
        mount("/dev/mqueue", "tmpfs"),
    ]
    folders = folders_of(mounts)
    assert {"/images", "/var/lib/x", "/etc"} <= set(folders)
    assert len(folders) == len(set(folders))
    assert not {"/", "/proc", "/dev/mqueue"} & set(folders)
