"""Where passwords and keys stand. No message tells one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from securepacs_policies import secrecy
from securepacs_policies.rule import Finding, Parameters, rule
from securepacs_policies.things import ELSEWHERE, Build, ConfigFile, OrthancSettings, SecretFile, Stack, Workload
from securepacs_policies.values import SecretText, is_unknown, known

_AS_FILE = (
    "Write it into a file that only the service's user reads (a volume, a Docker or Kubernetes secret), and name the file:"
    " most images take NAME_FILE."
)

#: Words that stand in the manuals and examples of archives, databases and web servers.
_DEFAULTS = frozenset(
    {
        *("orthanc", "orthancpassword", "alicepassword", "bobpassword", "pacs", "dcm4chee", "postgres", "admin", "administrator", "root"),
        *("password", "passw0rd", "changeme", "changeit", "change-me", "secret", "default", "test", "demo", "guest", "letmein", "qwerty"),
        *("1234", "123456", "12345678"),
    }
)
_SHORTEST = 8

_PATH = re.compile(r"[\w.-]*(/[\w.-]+)+/?")


def _telling(settings: Mapping[str, str], *, random: bool = True) -> Iterator[str]:
    """Yield the names of settings with a secret. A name that tells is enough; raises Undecided at the end for values not known yet."""
    waiting: list[str] = []
    for name, value in settings.items():
        if name.startswith("ORTHANC__") and name.endswith("_SECRET"):  # the image's way to name a file
            continue
        if is_unknown(value):
            if secrecy.names_secret(name):
                yield name
            else:
                waiting.append(value)
        elif value != ELSEWHERE and (isinstance(value, SecretText) or secrecy.telling_settings({name: value}, random=random)):
            yield name
    for value in waiting:
        known(value)


@rule(
    "secret-in-environment",
    "No secret stands in an environment",
    why="An environment is told to whoever may inspect the container, to every child process, and to crash reports.",
    remedy=_AS_FILE,
    severity="high",
    controls=("secret-storage",),
    needs=("environment",),
)
def secret_in_environment(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each variable that holds a secret by its name, its value, or the program's own word."""
    for name in _telling(workload.environment):
        yield f"the variable {name} holds a secret"


@rule(
    "secret-in-command",
    "No secret stands on a command line",
    why="A command line is told to whoever may list processes, on the host too.",
    remedy=_AS_FILE,
    severity="high",
    controls=("secret-storage",),
    needs=("command",),
)
def secret_in_command(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield a command line that tells a secret."""
    words = workload.command
    said = [str(word) for word in words]
    if any(isinstance(word, SecretText) for word in words) or secrecy.telling_arguments(said) or secrecy.login_headers("\n".join(said)):
        yield "its command line tells a secret"


@rule(
    "secret-in-label",
    "No secret stands in a label",
    why="Labels are shown by every list of containers, and copied into metrics and logs.",
    remedy=_AS_FILE,
    severity="medium",
    controls=("secret-storage",),
    needs=("labels",),
)
def secret_in_label(workload: Workload, _: Parameters) -> Iterator[str]:
    """Yield each label that holds a secret by its name or the program's own word."""
    # A prefix says whose label it is, and a path where a secret is.
    own = {name: value for name, value in workload.labels.items() if is_unknown(value) or not _PATH.fullmatch(value)}
    for name in _telling({name.rpartition("/")[2]: value for name, value in own.items()}, random=False):
        yield f"the label {name} holds a secret"


@rule(
    "secret-in-build",
    "No secret is a build argument",
    why="A build argument stays in the image's history for whoever has the image.",
    remedy="Mount it as a build secret, or give it to the running container as a file.",
    severity="high",
    controls=("secret-storage", "image-provenance"),
    needs=("arguments",),
)
def secret_in_build(build: Build, _: Parameters) -> Iterator[str]:
    """Yield each build argument that holds a secret."""
    for name in _telling(build.arguments):
        yield f"the build argument {name} holds a secret"


@rule(
    "secret-in-configmap",
    "No secret stands in a ConfigMap",
    why="A ConfigMap is readable to everybody in its namespace, and is not encrypted in the cluster's store.",
    remedy="Put the file into a Secret, and mount that.",
    severity="high",
    controls=("secret-storage",),
    needs=("text",),
)
def secret_in_configmap(file: ConfigFile, _: Parameters) -> Iterator[str]:
    """Yield a ConfigMap's entry that has a password or a key in it, or is one by its name."""
    text = known(file.text)
    if isinstance(text, SecretText) or secrecy.says_secret(text) or secrecy.telling_settings({file.name: text}):
        yield f"'{file.name}' has a secret in it"


@rule(
    "readable-secret",
    "A file with a secret is its owner's only",
    why="What other users may read, a flaw in any other service reads.",
    remedy="Give it the mode 0400, and the service's user as its owner.",
    severity="medium",
    controls=("secret-storage",),
    needs=("mode", "text"),
)
def readable_secret(file: SecretFile, _: Parameters) -> Iterator[str]:
    """Yield a file with a secret in it that others than its owner may read."""
    mode, text = file.mode, known(file.text)
    opens = not re.fullmatch("[0-7]+", known(mode)) or int(mode, 8) & 0o077
    secret = isinstance(text, SecretText) or secrecy.says_secret(text) or secrecy.telling_settings({file.name: text}, random=False)
    if opens and secret:
        yield f"'{file.name}' has a secret in it and the mode {mode}"


@rule(
    "default-password",
    "No default password",
    why="Lists of default logins are the first thing that a scanner tries.",
    remedy="Generate it, as long as 20 characters at least, and hand it over as a secret.",
    severity="critical",
    controls=("credential-strength",),
    needs=("settings",),
)
def default_password(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield each login of an Orthanc whose password is short, known, or its own name."""
    users = orthanc.get("RegisteredUsers")
    if not isinstance(users, dict):
        return
    for name, value in users.items():
        password = str(value)
        if password.lower() in _DEFAULTS | {name.lower(), f"{name.lower()}password"} or len(password) < _SHORTEST:
            yield f"the password of '{name}' is a default one, or has fewer than {_SHORTEST} characters"


@rule(
    "default-login",
    "No login that Orthanc makes up",
    why="With remote access, sign-in and no user, Orthanc makes the login orthanc/orthanc.",
    remedy="Write RegisteredUsers, with a generated password.",
    severity="critical",
    controls=("credential-strength", "person-authentication"),
    needs=("settings", "whole"),
)
def default_login(orthanc: OrthancSettings, _: Parameters) -> Iterator[str]:
    """Yield an Orthanc that is reached from elsewhere and has no user of its own."""
    asked = orthanc.get("RemoteAccessAllowed") is True and orthanc.get("AuthenticationEnabled", default=True)
    if orthanc.whole and asked and not orthanc.get("RegisteredUsers"):
        yield "it has no RegisteredUsers, so that Orthanc makes the login orthanc/orthanc"


def _settings_of(stack: Stack) -> Iterator[tuple[Workload | ConfigFile | Build, Iterable[str]]]:
    for workload in stack.of(Workload):
        yield workload, (*workload.environment.values(), *workload.command, *workload.labels.values())
    for build in stack.of(Build):
        yield build, build.arguments.values()
    for file in stack.of(ConfigFile):
        yield file, (file.text,)


@rule(
    "generated-secret-shown",
    "What was generated as a secret stands in no setting",
    why="A password that the program generates is marked as secret in the state, and lies open again wherever it is pasted.",
    remedy=_AS_FILE,
    severity="high",
    controls=("secret-storage",),
    needs=("secrets", "workloads"),
)
def generated_secret_shown(stack: Stack, _: Parameters) -> Iterator[Finding]:
    """Yield each environment, command, label, build argument and ConfigMap with a secret of the stack's in it."""
    for thing, texts in _settings_of(stack):
        told = "\n".join(str(text) for text in texts)
        for maker, secret in stack.secrets:
            if secrecy.known_in(told, [secret]):
                yield Finding(f"a setting of it tells the secret that {maker} made", thing)


@rule(
    "state-passphrase",
    "The state is encrypted with a passphrase that is worth its name",
    why="The state holds every key of the clinic; with an empty passphrase it is as good as in the clear.",
    remedy="Set PULUMI_CONFIG_PASSPHRASE_FILE to a file with a long random text; with another secrets provider leave both variables unset.",
    severity="high",
    controls=("state-encryption",),
    needs=("passphrase",),
    parameters={"shortest": {"type": "integer", "default": 16, "description": "Least characters of the passphrase."}},
)
def state_passphrase(stack: Stack, parameters: Parameters) -> Iterator[Finding]:
    """Yield a passphrase that is empty or short."""
    length = stack.passphrase
    if length is not None and length < parameters["shortest"]:
        yield Finding(f"the passphrase of the stack's secrets is {'empty' if not length else f'{length} characters long'}")
