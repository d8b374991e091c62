"""The pack as a process, over the protocol that the engine speaks."""

from __future__ import annotations

import datetime
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped] # grpcio publishes no types
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped] # protobuf publishes no types
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policies.cases import PROGRAMS
from policies.engine import PACK
from policies.judging import struct
from policies.programs.declared import UNKNOWN, Declared, changed
from securepacs_policies.exceptions import Excuse
from securepacs_policies.rule import catalogue
from securepacs_policies.server import Analyzer, passphrase_length

DOCKER = PROGRAMS["docker"]
ARCHIVE = DOCKER["archive"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """The pack, started as the engine starts it."""
    with subprocess.Popen([PACK, "127.0.0.1:1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


@pytest.fixture
def stub(process: subprocess.Popen[str]) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """A client of the pack."""
    assert process.stdout
    options = [("grpc.max_receive_message_length", 1 << 28), ("grpc.max_send_message_length", 1 << 28)]
    with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}", options=options) as channel:
        yield analyzer_pb2_grpc.AnalyzerStub(channel)


def request(declared: Declared, **properties: Any) -> analyzer_pb2.AnalyzeRequest:  # noqa: ANN401 - properties have any shape
    """Tell of a resource, as the engine does before it is made."""
    asked = analyzer_pb2.AnalyzeRequest(
        type=declared.type,
        name=declared.name,
        urn=f"urn:pulumi:dev::p::{declared.type}::{declared.name}",
        properties=struct({**declared.properties, **properties}),
    )
    asked.options.protect = declared.protect
    return asked


def configuration(**asked: Mapping[str, Any]) -> analyzer_pb2.ConfigureAnalyzerRequest:
    """Configure rules as the engine does; a level stands under `enforcementLevel`."""
    made = analyzer_pb2.ConfigureAnalyzerRequest()
    for name, said in asked.items():
        properties = dict(said)
        level = properties.pop("enforcementLevel", "MANDATORY")
        made.policyConfig[name.replace("_", "-")].enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level)
        made.policyConfig[name.replace("_", "-")].properties.update(properties)
    return made


def rules_of(answer: analyzer_pb2.AnalyzeResponse) -> set[str]:
    """Give the rules that an answer names."""
    return {diagnostic.policyName for diagnostic in answer.diagnostics}


def test_it_ends_with_the_engine_that_started_it() -> None:
    """When Pulumi is killed, which tells nobody, the pack ends by itself."""
    with subprocess.Popen(["bash", "-c", f"{PACK} 127.0.0.1:1 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout
        process, _port = Path("/proc") / engine.stdout.readline().strip(), engine.stdout.readline()
        assert process.exists()
        engine.kill()
        end = time.monotonic() + 20
        while process.exists():
            assert time.monotonic() < end
            time.sleep(0.1)


def test_every_rule_is_described(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """The engine learns each rule's name, level, severity, framework, remedy, and the schema of its configuration."""
    told = stub.GetAnalyzerInfo(empty_pb2.Empty())
    assert told.supportsConfig
    assert {policy.name for policy in told.policies} == set(catalogue())
    for policy in told.policies:
        assert policy.enforcementLevel == analyzer_pb2.EnforcementLevel.MANDATORY
        assert policy.severity != analyzer_pb2.PolicySeverity.POLICY_SEVERITY_UNSPECIFIED
        assert policy.description and policy.displayName and policy.remediation_steps and policy.framework.name
        assert "exceptions" in policy.configSchema.properties
        parameters = catalogue()[policy.name].parameters
        assert set(parameters) <= set(policy.configSchema.properties.keys())


def test_one_process_judges_a_resource_and_then_the_whole(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """What each resource declared is remembered for the rules that look at all of them together."""
    stub.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(dry_run=True))
    open_network = changed(DOCKER["inner"], ("internal",), False)  # noqa: FBT003 - a property's value
    for declared in {**DOCKER, "inner": open_network}.values():
        assert rules_of(stub.Analyze(request(declared))) == set()
    # At the end the engine tells outputs; here they say nothing, and the inputs are what counts.
    resources = [
        analyzer_pb2.AnalyzerResource(type=one.type, name=one.name, urn=f"urn:pulumi:dev::p::{one.type}::{one.name}")
        for one in DOCKER.values()
    ]
    answer = stub.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources))
    assert rules_of(answer) == {"inner-network-internal"}
    assert answer.diagnostics[0].urn.endswith("::inner")


def test_a_resource_that_went_is_judged_no_more(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """Only what the engine names at the end counts, whatever was told before."""
    stub.Analyze(request(changed(ARCHIVE, ("networksAdvanced",), [{"name": "elsewhere"}])))
    assert "inner-network-internal" not in rules_of(stub.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest()))


@pytest.mark.parametrize(("preview", "found"), [(True, set()), (False, {"root-user"})])
def test_what_is_unknown_waits_in_a_preview_only(stub: analyzer_pb2_grpc.AnalyzerStub, *, preview: bool, found: set[str]) -> None:
    """The same unknown value is no finding in a preview, and a refusal in a run."""
    stub.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(dry_run=preview))
    assert rules_of(stub.Analyze(request(ARCHIVE, user=UNKNOWN))) == found


def test_a_secret_is_told_by_no_message(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """The answer names the variable and the place, and holds no part of the value."""
    answer = stub.Analyze(request(ARCHIVE, envs=["DB_PASSWORD=hunter2-is-my-password"]))
    assert rules_of(answer) == {"secret-in-environment"}
    assert "DB_PASSWORD" in answer.diagnostics[0].message
    assert "hunter2" not in str(answer)


def test_a_name_that_no_rule_has_is_refused(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """A misspelt rule ends the run, and says where the right names are."""
    with pytest.raises(grpc.RpcError, match=r"no rule is called 'priviledged'; docs/rules\.md"):
        stub.Configure(configuration(priviledged={"enforcementLevel": "DISABLED"}))


def test_a_very_large_resource_is_judged(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """A file of many megabytes neither breaks the protocol nor hides what stands beside it."""
    uploads = [{"file": "/etc/notes", "content": "x" * (20 << 20), "permissions": "0400"}]
    assert rules_of(stub.Analyze(request(ARCHIVE, uploads=uploads, privileged=True))) == {"privileged"}


def test_a_resource_that_is_no_part_of_a_pacs_is_left_alone(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """Types that no adapter knows are judged by nobody, whatever they say."""
    foreign = Declared("aws:s3/bucket:Bucket", "images", {"privileged": True, "envs": ["PASSWORD=x"]})
    assert rules_of(stub.Analyze(request(foreign))) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_without_a_word(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Told to end, by the engine or at a terminal, it ends at once and prints no traceback."""
    assert process.stdout and process.stdout.readline()
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert said == ""


def test_an_exception_ends_on_its_last_day() -> None:
    """It counts on that day, and not on the next."""
    day = datetime.date(2026, 11, 30)
    asked = {"exceptions": [{"reason": "old device", "owner": "it", "until": day.isoformat()}]}
    for today, level in ((day, "ADVISORY"), (day + datetime.timedelta(days=1), "MANDATORY")):
        analyzer = Analyzer(catalogue(), {}, lambda today=today: today)  # type: ignore[misc] # bound now
        analyzer.Configure(configuration(privileged=asked), None)
        [told] = analyzer.Analyze(request(ARCHIVE, privileged=True), None).diagnostics
        assert told.enforcementLevel == analyzer_pb2.EnforcementLevel.Value(level)


def test_a_rule_that_is_turned_off_without_a_word_still_refuses() -> None:
    """`disabled` alone is told as a violation of its own, and the rule refuses as before."""
    analyzer = Analyzer(catalogue(), {})
    analyzer.Configure(configuration(privileged={"enforcementLevel": "DISABLED"}), None)
    assert rules_of(analyzer.Analyze(request(ARCHIVE, privileged=True), None)) == {"privileged"}
    assert rules_of(analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(), None)) == {"exception-without-end"}


def test_a_resource_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that breaks lets nothing pass: that is told as a violation, with the kind of the error and none of its words."""

    def broken(_: object) -> Iterator[object]:
        raise ValueError("hunter2")
        yield

    monkeypatch.setattr("securepacs_policies.adapters.ADAPTERS", {ARCHIVE.type: broken})
    answer = Analyzer(catalogue(), {}).Analyze(request(ARCHIVE), None)
    assert rules_of(answer) == {"readable-resource"}
    assert "ValueError" in str(answer) and "hunter2" not in str(answer)


def test_names_of_resources_are_patterns_of_two_kinds() -> None:
    """In an exception * and ? stand for other letters; brackets stand for themselves."""
    excuse = Excuse("r", "o", datetime.date.max, ("orthanc[0]", "c?-*"))
    assert [excuse.covers(name) for name in ("orthanc[0]", "orthanc0", "ct-7", "ct7")] == [True, False, True, False]


def test_the_length_of_the_passphrase(tmp_path: Any) -> None:  # noqa: ANN401 - pytest's own
    """It is read where the engine reads it: the variable first, then the file; what cannot be read is empty."""
    (tmp_path / "passphrase").write_text("twelve chars\n", encoding="utf-8")
    file = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase")}
    assert passphrase_length({}) is None
    assert passphrase_length(file) == 12
    assert passphrase_length({**file, "PULUMI_CONFIG_PASSPHRASE": ""}) == 0
    assert passphrase_length({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "gone")}) == 0
