from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from junitparser import JUnitXml

from securepacs_harness import canary
from securepacs_harness.evidence import WRITERS, page
from securepacs_harness.evidence.bundle import EvidenceError, check_folder, problems_of, redacted, write_bundle
from securepacs_harness.results import Case, CheckResult, Run, Seen, Status, TargetFacts, Tier, WaiverState

SCHEMAS = Path(__file__).parent / "schemas"
NOW = datetime.datetime(2026, 11, 25, 6, 0, tzinfo=datetime.UTC)
SEEN = Seen(layer="association", outcome="refused", code="1/1/3", seconds=0.01)
REMEDY = "Bind the calling AE title to the certificate."


def case(status: Status, what: str = "CT01's certificate as WS01") -> Case:
    """Give one case that ended so."""
    return Case(
        what=what, claim="refused", expected="refused at association", status=status, seen=SEEN, before=SEEN, after=SEEN, told="words"
    )


def result(id: str, status: Status, controls: tuple[str, ...] = ("peer-identity",)) -> CheckResult:
    """Give a check that ended so."""
    return CheckResult(
        id=id,
        title="A title",
        group=id.partition(".")[0],
        tier=Tier.SAFE,
        controls=controls,
        remedy=REMEDY,
        status=status,
        reason="" if status is Status.PASSED else "a reason",
        cases=(case(status),),
        seconds=0.5,
    )


def run_of(*statuses: Status, **more: Any) -> Run:  # noqa: ANN401 - any field of Run
    """Give a run with a check of each status."""
    fields: dict[str, Any] = {
        "version": "0.1.0",
        "began": NOW,
        "ended": NOW + datetime.timedelta(seconds=30),
        "target": TargetFacts(name="clinic-a", dicom="127.0.0.1:2762 CLINICA", declaration="ab" * 32, certificates={"dicom": "cd" * 32}),
        "vantage": "the clinic's own network",
        "authorisation": "it stands on the machine that tests it",
        "tiers": (Tier.PASSIVE, Tier.SAFE),
        "connections": 12,
        "budget": 500,
        "waivers": (
            WaiverState(what="old X-ray", check="tls.check-2", reason="old", owner="Dr. B", until=NOW.date(), days_left=5, used=True),
        ),
        "checks": tuple(result(f"tls.check-{index}", status) for index, status in enumerate(statuses)),
    }
    return Run(**{**fields, **more})


EVERY = run_of(*Status)
RUNS = [EVERY, run_of(Status.PASSED, waivers=()), run_of(Status.NOT_TESTED), run_of(Status.FOUND, Status.FOUND)]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((Status.PASSED,), 0),
        ((Status.PASSED, Status.NOT_TESTED, Status.WAIVED), 0),
        ((Status.PASSED, Status.FOUND, Status.INCONCLUSIVE), 1),
        ((Status.PASSED, Status.INCONCLUSIVE), 2),
        ((Status.NOT_TESTED,), 2),
        ((), 2),
    ],
)
def test_the_exit_code_tells_the_verdict(statuses: tuple[Status, ...], code: int) -> None:
    """Findings are 1; what is inconclusive, or has shown nothing at all, is 2; waived and left out beside a pass is 0."""
    assert run_of(*statuses).exit_code == code


@pytest.mark.parametrize("run", RUNS)
def test_sarif_is_valid(run: Run) -> None:
    """What is written as SARIF is valid by the standard's own schema."""
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(json.loads(WRITERS["results.sarif"](run)))


@pytest.mark.parametrize("run", RUNS)
def test_oscal_is_valid(run: Run) -> None:
    """What is written as OSCAL assessment results is valid by NIST's own schema."""
    text = (SCHEMAS / "oscal-assessment-results-1.1.3.json").read_text(encoding="utf-8")
    # Python's regular expressions have no Unicode classes; our tokens are ASCII.
    schema = json.loads(text.replace(r"\\p{L}", "[A-Za-z]").replace(r"\\p{N}", "[0-9]"))
    written = json.loads(WRITERS["oscal-assessment-results.json"](run))
    if run.count(Status.NOT_TESTED) == len(run.checks):
        assert "findings" not in written["assessment-results"]["results"][0]
    jsonschema.Draft7Validator(schema).validate(written)


@pytest.mark.parametrize("run", RUNS)
def test_junit_tells_each_status(run: Run, tmp_path: Path) -> None:
    """What is written as JUnit XML is read back with as many failures, errors and skipped as there were."""
    (tmp_path / "junit.xml").write_text(WRITERS["junit.xml"](run), encoding="utf-8")
    read = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    skipped = run.count(Status.NOT_TESTED) + run.count(Status.WAIVED)
    counts = (run.count(Status.FOUND), run.count(Status.INCONCLUSIVE), skipped, len(run.checks))
    assert (read.failures, read.errors, read.skipped, read.tests) == counts


@pytest.mark.parametrize("run", RUNS)
def test_the_page_needs_nothing_else(run: Run) -> None:
    """The page has no script, loads nothing, and tells verdict, target, vantage point and every check."""
    text = WRITERS["report.html"](run)
    assert not re.search(r"<script|src=|href=|url\(|@import", text)
    assert text.count("<title>") >= 1
    for word in (page.verdict(run)[1], "clinic-a", "the clinic&#39;s own network", "ab" * 32, *(check.id for check in run.checks)):
        assert word in text
    assert len(re.findall(r"<rect ", text)) == len(run.checks)


def test_the_page_shows_words_of_a_target_as_words() -> None:
    """What a target said is no markup of the page."""
    nasty = result("tls.nasty", Status.FOUND).model_copy(update={"cases": (case(Status.FOUND, "<script>alert(1)</script>"),)})
    text = WRITERS["report.html"](run_of(checks=(nasty,)))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_no_secret_and_no_patient_stands_in_any_file(tmp_path: Path) -> None:
    """Passwords, keys and the synthetic patient's name are in no file, wherever a target may have said them."""
    secrets = (canary.PATIENT_NAME, "a-password-of-vera", "MIGHAgEAMBMGByqGSM49AgEG")
    dirty = " ".join(secrets)
    bad = Case(
        what=dirty,
        claim="fact",
        expected=dirty,
        status=Status.FOUND,
        told=dirty,
        seen=Seen(layer="http", outcome="refused", code=dirty, detail=dirty),
    )
    check = CheckResult(
        id="own.dirty", title=dirty, group="own", tier=Tier.SAFE, remedy=dirty, status=Status.FOUND, reason=dirty, cases=(bad,)
    )
    facts = TargetFacts(name=dirty, dicom=dirty, https=dirty, declaration="ab", versions={"x": dirty})
    write_bundle(run_of(checks=(check,), vantage=dirty, target=facts), tmp_path, secrets=secrets)
    files = list(tmp_path.iterdir())
    assert len(files) == len(WRITERS) + 1
    assert [(file.name, word) for file in files for word in secrets if word in file.read_text(encoding="utf-8")] == []


def test_short_words_are_no_secrets() -> None:
    """A word that would be found everywhere is not removed."""
    assert redacted(EVERY, ["a"]) == EVERY


def keys(folder: Path, key: Any) -> tuple[Path, Path]:  # noqa: ANN401 - several kinds
    """Write a key pair as PEM files."""
    private, public = folder / "key.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())], ids=["Ed25519", "P-256"])
def test_a_bundle_vouches_for_its_files(tmp_path: Path, key: Any) -> None:  # noqa: ANN401 - two kinds
    """A signed bundle is sound; a changed, a missing and a swapped file, and another's signature are each told."""
    private, public = keys(tmp_path, key)
    folder = tmp_path / "evidence"
    write_bundle(EVERY, folder, signing_key=private)
    assert problems_of(folder, public) == []
    assert folder.stat().st_mode & 0o077 == 0
    report = folder / "report.html"
    report.write_text(report.read_text(encoding="utf-8").replace("found", "passed"), encoding="utf-8")
    assert problems_of(folder, public) == [f"{report}: was changed after it was written"]
    report.unlink()
    assert problems_of(folder, public) == [f"{report}: is missing"]
    write_bundle(run_of(Status.PASSED), folder, signing_key=private)
    _, other = keys(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    assert problems_of(folder, other) == [f"{folder / 'manifest.sig'}: is not this key's signature of the manifest"]
    (folder / "manifest.json").unlink()
    assert problems_of(folder) == [f"{folder / 'manifest.json'}: is missing or no manifest: the bundle is not whole"]


def test_an_unsigned_bundle_is_told_so(tmp_path: Path) -> None:
    """Whoever asks for a signature is told that there is none."""
    _, public = keys(tmp_path, ed25519.Ed25519PrivateKey.generate())
    write_bundle(EVERY, tmp_path / "evidence")
    assert problems_of(tmp_path / "evidence") == []
    assert problems_of(tmp_path / "evidence", public) == [f"{tmp_path / 'evidence' / 'manifest.sig'}: is missing or no signature"]


def test_what_cannot_be_written_or_signed_is_told_before_a_run(tmp_path: Path) -> None:
    """A file in the folder's place, and a key that cannot sign, are one line each."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(EvidenceError, match="evidence cannot be written there"):
        check_folder(tmp_path / "file")
    with pytest.raises(EvidenceError, match="got no PEM private key"):
        check_folder(tmp_path / "out", tmp_path / "file")
    with pytest.raises(EvidenceError, match=r"cannot be read \(No such file"):
        check_folder(tmp_path / "out", tmp_path / "nowhere")
    private, _ = keys(tmp_path, rsa.generate_private_key(65537, 2048))
    with pytest.raises(EvidenceError, match="got a key of type RSAPrivateKey, expected Ed25519 or EC"):
        check_folder(tmp_path / "out", private)
