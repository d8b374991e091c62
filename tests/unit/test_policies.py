"""What a stack's configuration says of the policies, and how a refusal is told."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import CommandError, CommandResult
from pulumi.automation.events import EngineEvent
from rich.console import Console

from securepacs.commands.progress import Progress
from securepacs.errors import ConfigurationError
from securepacs.failures import engine_failed, gathered
from securepacs.policies import Policies, policy_settings
from securepacs.state.stackfile import parse_stack_text
from securepacs.state.workspace import Workspace

IN_A_MONTH = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)).isoformat()
ANSWERED = {"reason": "old device", "owner": "it", "until": IN_A_MONTH}


def content(**asked: Any) -> dict[str, Any]:  # noqa: ANN401 - a user may write anything
    """Give a stack's file with a configuration of the policies; a rule's name has '-' for '_'."""
    return {"config": {"securepacs:clinic": {}, "securepacs:policies": {name.replace("_", "-"): said for name, said in asked.items()}}}


def test_nothing_said_is_every_rule_as_it_is() -> None:
    """A stack that says nothing of the policies has no parameters and no exceptions."""
    assert policy_settings({"config": {"securepacs:clinic": {}}}) == {}


def test_parameters_and_exceptions_are_handed_over_as_they_stand() -> None:
    """What is well formed reaches the engine as it was written."""
    asked = {"longest_days": 825, "exceptions": [ANSWERED]}
    assert policy_settings(content(certificate_lifetime=asked)) == {"certificate-lifetime": asked}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (content(priviledged={}), "securepacs:policies.priviledged: there is no such rule; docs/rules.md lists all"),
        (content(privileged="off"), "securepacs:policies.privileged: got 'off', expected a mapping with enforcementLevel, exceptions"),
        (content(privileged={"until": "x"}), "privileged.until: there is no such key, allowed are enforcementLevel, exceptions"),
        (content(privileged={"enforcementLevel": "disabled"}), "'privileged' is set to disabled without an exception"),
        (content(privileged={"enforcementLevel": "disbled"}), "privileged.enforcementLevel: got 'disbled'; input should be 'mandatory', "),
        (content(privileged={"exceptions": [{**ANSWERED, "until": "2026-01-31"}]}), "does not count: it ended on 2026-01-31"),
        (
            content(privileged={"exceptions": [{**ANSWERED, "until": "soon"}]}),
            "does not count: its last day is 'soon', expected YYYY-MM-DD",
        ),
        (
            content(privileged={"exceptions": [{**ANSWERED, "until": 20270331}]}),
            "exceptions[0].until: got 20270331; input should be a valid string",
        ),
        (content(privileged={"exceptions": [{"reason": "x", "until": IN_A_MONTH}]}), "privileged.exceptions[0].owner: field required"),
        (content(privileged={"exceptions": [{**ANSWERED, "resource": "a"}]}), "exceptions[0].resource: extra inputs are not permitted"),
        (
            content(privileged={"exceptions": [{**ANSWERED, "resources": []}]}),
            "exceptions[0].resources: got []; list should have at least 1 item",
        ),
        (
            content(privileged={"exceptions": [{**ANSWERED, "resources": 5}]}),
            "exceptions[0].resources: got 5; input should be a valid list",
        ),
        (content(privileged={"exceptions": ["because"]}), "exceptions[0]: got 'because'; input should be"),
        (content(privileged={"exceptions": 0}), "exceptions: got 0; input should be a valid list"),
        (content(certificate_lifetime={"longest_days": "many"}), "longest_days: got 'many', expected a whole number"),
        (content(certificate_lifetime={"longest_days": None}), "longest_days: got None, expected a whole number"),
        (content(certificate_lifetime={"longest_days": float("inf")}), "longest_days: got inf, expected a whole number"),
        (content(host_mount={"allowed": [b"/srv"]}), "allowed: got [b'/srv'], expected texts in it"),
        ({"config": {"securepacs:policies": ["privileged"]}}, "securepacs:policies: got ['privileged'], expected a mapping"),
    ],
)
def test_a_mistake_is_one_line(said: dict[str, Any], line: str) -> None:
    """What is wrong with the policies' configuration is told before anything else happens, with its path."""
    with pytest.raises(ConfigurationError) as told:
        policy_settings(said)
    [only] = str(told.value).splitlines()
    assert line in only


def test_a_rule_that_appears_while_a_preview_runs_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is what was asked when the preview began; a damaged memory is none; two runs share no file."""
    place = Workspace("dev", tmp_path)
    place.folder.mkdir(parents=True)
    before = Policies(place, content(), {})
    monkeypatch.setattr("securepacs.policies._written", lambda _: b"another rule")
    before.accept()
    after = Policies(place, content(), {})
    assert not after.asked_before()
    assert before.options()["policy_pack_configs"] != after.options()["policy_pack_configs"]
    (place.folder / "policies.accepted").write_bytes(b"\xff")
    assert not after.asked_before()
    after.accept()
    after.forget()
    assert not after.asked_before()


def test_what_passed_is_asked_anew_when_anything_changed(tmp_path: Path) -> None:
    """A preview is left out for the same declaration under the same rules only; the answer is a file that only its owner reads."""
    place = Workspace("dev", tmp_path)
    place.folder.mkdir(parents=True)
    declared, settings = content(), {"certificate-lifetime": {"longest_days": 825}}
    first = Policies(place, declared, {})
    assert not first.asked_before()
    first.accept()
    assert Policies(place, declared, {}).asked_before()
    assert not Policies(place, {**declared, "more": 1}, {}).asked_before()
    assert not Policies(place, declared, settings).asked_before()
    options = Policies(place, declared, settings).options()
    [written] = options["policy_pack_configs"]
    assert json.loads(Path(written).read_text(encoding="utf-8")) == settings
    assert Path(written).stat().st_mode & 0o777 == 0o600


def _violation(where: str, level: str = "mandatory") -> EngineEvent:
    policy = {
        "message": f"It is privileged.\n  rule     privileged: No container is privileged\n  where    {where}\n  mend     Take it away.\n",
        "color": "never",
        "policyName": "privileged",
        "policyPackName": "securepacs",
        "policyPackVersion": "0.1.0",
        "policyPackVersionTag": "0.1.0",
        "enforcementLevel": level,
    }
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "policyEvent": policy})


def test_what_another_pack_says_is_not_ours_to_tell() -> None:
    """A refusal or an advice of an organisation's own pack is neither an exception nor a violation of ours."""
    progress = Progress(Console(file=io.StringIO()))
    event = _violation("Container a", "advisory")
    assert event.policy_event
    event.policy_event.policy_pack_name = "their-own"
    progress(event)
    assert (progress.refused, progress.excused) == ([], [])


def test_the_same_violation_at_several_places_is_told_once() -> None:
    """Each refusal is kept once, however often the engine tells it, and places of the same one stand together."""
    progress = Progress(Console(file=io.StringIO()))
    for event in (_violation("Container a"), _violation("Container a"), _violation("Container b"), _violation("Container c", "advisory")):
        progress(event)
    [told] = gathered(progress.refused)
    assert told.splitlines()[2] == "  where    Container a; Container b"
    [excused] = progress.excused
    assert "Container c" in excused


def test_what_a_run_had_made_is_told_with_what_refused_it() -> None:
    """A refusal at the end of a run says what stands, and what else went wrong; one of a preview has nothing to say of that."""
    progress = Progress(Console(file=io.StringIO()))
    progress(_violation("Container a"))
    assert "stands" not in str(engine_failed(progress, CommandError(CommandResult("", "", 1))))
    progress.done["made"] = 3
    progress.problems.append("container b: no space left")
    told = str(engine_failed(progress, CommandError(CommandResult("", "", 1))))
    assert "what was made before stands: 3 made" in told
    assert "container b: no space left" in told


def test_a_misspelt_key_of_ours_is_not_ignored(tmp_path: Path) -> None:
    """Exceptions under a key that nobody reads would be none; another program's keys are its own."""
    with pytest.raises(ConfigurationError, match=r"securepacs:polices: got a key that nobody reads, expected securepacs:clinic or"):
        parse_stack_text("config: {securepacs:clinic: {}, securepacs:polices: {}}", tmp_path)
    assert parse_stack_text("config: {securepacs:clinic: {}, other:key: 1}", tmp_path)
