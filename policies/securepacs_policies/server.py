# ruff: noqa: N802 - gRPC gives the methods their names
"""The pack as the engine sees it: Pulumi's analyzer protocol (proto/pulumi/analyzer.proto of Pulumi 3.259).

It speaks the protocol itself, by the SDK's own stubs. The SDK for policies (`pulumi_policy` 1.21) takes off the marks of secrets
before a rule sees them, answers an unknown value with an advisory line, lets a rule be turned off without a word, reads each
resource anew for each rule, and holds protobuf at 5.29, whose support has ended.
"""

from __future__ import annotations

import datetime
import os
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc  # type: ignore[import-untyped] # grpcio publishes no types
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped] # protobuf publishes no types
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from securepacs_policies.adapters import things_of
from securepacs_policies.controls import CONTROLS
from securepacs_policies.exceptions import EXCEPTIONS_SCHEMA, Settings, settings_of
from securepacs_policies.judge import Violation, judge_stack, judge_things
from securepacs_policies.message import told
from securepacs_policies.rule import Rule
from securepacs_policies.things import Resource, Stack, Thing
from securepacs_policies.values import SecretText, decoded

__all__ = ["Analyzer", "passphrase_length", "serve"]

NAME: Final = "securepacs"
VERSION: Final = "0.1.0"

_ALL: Final = "all"

_LARGEST_MESSAGE: Final = 400 << 20  # bytes; the engine's own limit
_LONGEST_SECRET: Final = 4096  # characters; a longer text is a file, not a password or a key

_PARENT_SECONDS: Final = 1.0  # between two looks whether the engine still lives

_LEVELS: Final = {
    "mandatory": analyzer_pb2.EnforcementLevel.MANDATORY,
    "advisory": analyzer_pb2.EnforcementLevel.ADVISORY,
    "disabled": analyzer_pb2.EnforcementLevel.DISABLED,
}
_LEVEL_NAMES: Final = {number: name for name, number in _LEVELS.items()}
_SEVERITIES: Final = {
    "low": analyzer_pb2.PolicySeverity.POLICY_SEVERITY_LOW,
    "medium": analyzer_pb2.PolicySeverity.POLICY_SEVERITY_MEDIUM,
    "high": analyzer_pb2.PolicySeverity.POLICY_SEVERITY_HIGH,
    "critical": analyzer_pb2.PolicySeverity.POLICY_SEVERITY_CRITICAL,
}


def passphrase_length(environment: Mapping[str, str]) -> int | None:
    """Give the length of the passphrase that encrypts the state, as the engine finds it; None where no passphrase does.

    A file that cannot be read counts as empty: the engine would not open the state with it either.
    """
    if "PULUMI_CONFIG_PASSPHRASE" in environment:
        return len(environment["PULUMI_CONFIG_PASSPHRASE"])
    file = environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if file is None:
        return None
    try:
        return len(Path(file).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return 0


def _policy(rule: Rule) -> analyzer_pb2.PolicyInfo:
    """Describe a rule to the engine, with the schema of its configuration."""
    info = analyzer_pb2.PolicyInfo(
        name=rule.id,
        displayName=rule.title,
        description=rule.why,
        message=rule.remedy,
        enforcementLevel=analyzer_pb2.EnforcementLevel.MANDATORY,
        severity=_SEVERITIES[rule.severity],
        policy_type=analyzer_pb2.PolicyType.POLICY_TYPE_STACK if rule.of_stack else analyzer_pb2.PolicyType.POLICY_TYPE_RESOURCE,
        tags=list(rule.controls),
        remediation_steps=rule.remedy,
    )
    clause = CONTROLS[rule.controls[0]].clauses[0]
    info.framework.name, info.framework.specification = clause.framework, clause.number
    info.configSchema.properties.update({**rule.parameters, "exceptions": EXCEPTIONS_SCHEMA})
    return info


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """One run of the engine: it is told each resource before that is made, and everything at the end."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        environment: Mapping[str, str],
        today: Callable[[], datetime.date] = lambda: datetime.datetime.now(datetime.UTC).date(),
    ) -> None:
        self._rules = rules
        self._passphrase = passphrase_length(environment)
        self._preview = environment.get("PULUMI_DRY_RUN") == "true"
        self._today = today
        self._settings: dict[str, Settings] = {rule.id: settings_of(rule, "mandatory", {}, today()) for rule in rules.values()}
        self._seen: dict[str, tuple[Thing, ...]] = {}

    def Handshake(self, *_: object) -> analyzer_pb2.AnalyzerHandshakeResponse:
        """Take note of nothing: the pack calls nobody."""
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def ConfigureStack(self, request: analyzer_pb2.AnalyzerStackConfigureRequest, _: object) -> analyzer_pb2.AnalyzerStackConfigureResponse:
        """Learn whether this is a preview, in which values may be unknown."""
        self._preview = request.dry_run
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def GetPluginInfo(self, *_: object) -> plugin_pb2.PluginInfo:
        """Give the pack's version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetAnalyzerInfo(self, *_: object) -> analyzer_pb2.AnalyzerInfo:
        """Describe every rule."""
        return analyzer_pb2.AnalyzerInfo(
            name=NAME,
            displayName="securepacs",
            version=VERSION,
            description="A picture archive is not deployed open: network, TLS, rights, containers, secrets.",
            supportsConfig=True,
            policies=[_policy(rule) for rule in self._rules.values()],
        )

    def Configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Take levels, parameters and exceptions. A name that no rule has ends the run: a typing error must not turn nothing off."""
        for name, asked in request.policyConfig.items():
            if name == _ALL:  # the engine has written its level beside each rule
                continue
            if name not in self._rules:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no rule is called '{name}'; docs/rules.md lists all")
            properties = json_format.MessageToDict(asked.properties)
            level = _LEVEL_NAMES.get(asked.enforcementLevel, "mandatory")
            self._settings[name] = settings_of(self._rules[name], level, properties, self._today())
        return empty_pb2.Empty()

    def Analyze(self, request: analyzer_pb2.AnalyzeRequest, _: object) -> analyzer_pb2.AnalyzeResponse:
        """Judge one resource by its inputs, before it is made or changed."""
        things = things_of(_resource(request))
        self._seen[request.urn] = things
        return self._response(judge_things(self._rules.values(), things, self._settings, preview=self._preview))

    def AnalyzeStack(self, request: analyzer_pb2.AnalyzeStackRequest, _: object) -> analyzer_pb2.AnalyzeResponse:
        """Judge everything together: by the inputs that were seen, and by outputs for what was not seen, and for secrets."""
        resources = {resource.urn: resource for resource in request.resources}
        things = [thing for urn, one in resources.items() for thing in self._seen.get(urn) or things_of(_resource(one))]
        stack = Stack(
            things=tuple(things),
            secrets=tuple(secret for resource in resources.values() for secret in _secrets(resource)),
            passphrase=self._passphrase,
            exceptions=tuple(problem for settings in self._settings.values() for problem in settings.problems),
        )
        return self._response(judge_stack(self._rules.values(), stack, self._settings, preview=self._preview))

    def Remediate(self, *_: object) -> analyzer_pb2.RemediateResponse:
        """Change nothing: what a program says is its author's to mend."""
        return analyzer_pb2.RemediateResponse()

    def Cancel(self, *_: object) -> empty_pb2.Empty:
        """Do nothing: no call lasts."""
        return empty_pb2.Empty()

    def _response(self, violations: list[Violation]) -> analyzer_pb2.AnalyzeResponse:
        return analyzer_pb2.AnalyzeResponse(
            diagnostics=[
                analyzer_pb2.AnalyzeDiagnostic(
                    policyName=violation.rule.id,
                    policyPackName=NAME,
                    policyPackVersion=VERSION,
                    description=violation.rule.title,
                    message=told(violation),
                    enforcementLevel=_LEVELS[violation.level],
                    urn=violation.urn,
                    severity=_SEVERITIES[violation.rule.severity],
                )
                for violation in violations
            ]
        )


def _resource(told_of: analyzer_pb2.AnalyzeRequest | analyzer_pb2.AnalyzerResource) -> Resource:
    return Resource(told_of.urn, told_of.type, told_of.name, decoded(told_of.properties), protect=told_of.options.protect)


def _secrets(resource: analyzer_pb2.AnalyzerResource) -> list[tuple[str, str]]:
    """Give the secrets among a resource's own outputs: a password, a key. A text as long as a file is none."""
    held: dict[str, Any] = decoded(resource.properties)
    return [(resource.name, str(value)) for value in held.values() if isinstance(value, SecretText) and len(value) <= _LONGEST_SECRET]


def serve(rules: Mapping[str, Rule]) -> None:
    """Serve one engine until it ends us, or is gone: the port on stdout, everything else by gRPC on loopback."""
    parent = os.getppid()
    # At a terminal the whole group is interrupted, and the engine ends its plugins: neither is a failure that needs a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    options = [("grpc.max_receive_message_length", _LARGEST_MESSAGE), ("grpc.max_send_message_length", _LARGEST_MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=options)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(rules, os.environ), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # An engine that was killed tells nobody: without it this process would wait for ever.
    while server.wait_for_termination(_PARENT_SECONDS) and os.getppid() == parent:
        pass
    server.stop(None)
