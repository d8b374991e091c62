"""One run against one target: what is given, what was found, and what becomes of a check's record."""

from __future__ import annotations

import atexit
import dataclasses
import datetime
import fnmatch
import hashlib
import importlib.metadata
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from securepacs_harness import authorisation, canary, forge
from securepacs_harness.budget import Spending
from securepacs_harness.bundles import Bundles
from securepacs_harness.check import Check
from securepacs_harness.errors import BundleError, TargetError
from securepacs_harness.evidence.bundle import check_folder
from securepacs_harness.probes import certificate, logins
from securepacs_harness.probes.inside import Inside
from securepacs_harness.reach import Pacs, password_variable
from securepacs_harness.record import Record
from securepacs_harness.residue import Canaries
from securepacs_harness.results import WORST_FIRST, Case, CheckResult, Run, Status, TargetFacts, Tier, WaiverState
from securepacs_harness.target import Target, Waiver, load_target


def tiers_up_to(highest: Tier) -> tuple[Tier, ...]:
    """Give a tier and all that do less."""
    every = tuple(Tier)
    return every[: every.index(highest) + 1]


@dataclasses.dataclass(frozen=True)
class Given:
    """What a run is started with."""

    target_file: Path
    bundles: Path | None = None
    passwords: Path | None = None
    highest: Tier = Tier.SAFE
    vantage: str = ""
    out: Path | None = None
    signing_key: Path | None = None
    authority: Path | None = None
    """Folder with cert.pem and key.pem of the authority, which then signs certificates that are to be refused."""
    more_passwords: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Passwords that were asked for."""


def read_passwords(given: Given, target: Target, environment: Mapping[str, str]) -> dict[str, str]:
    """Give the passwords and tokens at hand, by name: from a JSON file of mode 0600, or from the environment. Raises BundleError."""
    found: dict[str, str] = dict(given.more_passwords)
    if given.passwords:
        path = given.passwords
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise BundleError(f"{path}: got a file that others may read, expected mode 0600; run chmod 600 on it")
            read = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
        except ValueError as error:
            raise BundleError(f"{path}: not well-formed JSON: {error}") from None
        if not isinstance(read, dict) or not all(isinstance(word, str) for word in read.values()):
            raise BundleError(f'{path}: expected an object {{"USER": "PASSWORD"}}')
        found.update(read)
    for user in target.https.logins if target.https else ():
        given_here = environment.get(password_variable(user))
        if given_here:
            found[user] = given_here
    return found


def fingerprint_of(target: Target) -> str:
    """Give the SHA-256 of a declaration, as canonical JSON."""
    return hashlib.sha256(json.dumps(target.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def keep_apart(out: Path, given: Given, bundles: Path) -> None:
    """See that evidence, which is handed on, does not come to lie among what is kept secret. Raises BundleError."""
    place = out.resolve()
    for path in (given.target_file, bundles, given.passwords, given.signing_key, given.authority):
        inside = path is not None and path.is_dir() and place.is_relative_to(path.resolve())
        if inside or (path is not None and path.exists() and out.is_dir() and path.resolve().is_relative_to(place)):
            raise BundleError(f"{out}: got a folder with {path} in or around it, expected one for evidence alone")


class Verification:
    """One run. It is made before the first check, and makes the Run after the last."""

    def __init__(self, given: Given) -> None:
        self.target = load_target(given.target_file)
        today = datetime.datetime.now(datetime.UTC).date()
        self.allowed = authorisation.require(self.target, today)
        self.tiers = tiers_up_to(given.highest)
        self.given = given
        bundles = given.bundles or given.target_file.parent / "bundles"
        if given.out:
            keep_apart(given.out, given, bundles)
            check_folder(given.out, given.signing_key)
        self.began = datetime.datetime.now(datetime.UTC)
        if given.bundles and not bundles.is_dir():
            raise BundleError(f"{bundles}: is no folder; bundles are BUNDLES/PEER/cert.pem, key.pem and ca.pem")
        passwords = read_passwords(given, self.target, os.environ)
        budget = self.target.budget
        self.spending = Spending(budget.connections, budget.seconds)
        self.folder = Path(tempfile.mkdtemp(prefix="pacs-verify-"))
        """Images and forged certificates of this run; removed at its end, however it ends."""
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.pacs = Pacs(self.target, Bundles(bundles, self.folder / "issued"), passwords, self.spending)
        if given.authority:
            self._issue(given.authority)
        self.canaries = Canaries(self.pacs, self.folder)
        self.versions: dict[str, str] = {}
        """Product -> version, as checks saw it."""
        self._results: dict[str, CheckResult] = {}
        self._waivers_used: set[Waiver] = set()
        self._insides: dict[str, Inside] = {}
        self._today = today
        lines = {"dicom": self.pacs.line(None), **({"https": self.pacs.web} if self.target.https else {})}
        found = {listener: certificate.shown(line) for listener, line in lines.items()}
        self._certificates = {listener: certificate.fingerprint(there) for listener, there in found.items() if there}

    def _issue(self, folder: Path) -> None:
        """Have the authority sign what must be refused: expired, not yet valid, for another use. Raises BundleError."""
        try:
            cert, key = ((folder / part).read_text(encoding="ascii") for part in ("cert.pem", "key.pem"))
            authority = forge.authority_of(cert, key)
        except (OSError, ValueError):
            raise BundleError(f"{folder}: got no authority, expected cert.pem and key.pem of one, in PEM") from None
        for name in self.pacs.with_verb("echo")[:1]:
            for kind in forge.ISSUED:
                forge.issue(kind, self.folder / "issued", name, authority)

    def inside(self, part: str) -> Inside:
        """Look inside a declared part. Raises TargetError where it is not declared."""
        specification = self.target.inside.get(part)
        if specification is None:
            parts = ", ".join(sorted(self.target.inside)) or "none"
            raise TargetError(f"inside.{part}: got nothing; the declared parts are {parts}")
        if part not in self._insides:
            self._insides[part] = Inside(specification)
        return self._insides[part]

    def secrets(self) -> tuple[str, ...]:
        """Give passwords, logins as they are sent, and lines of private keys.

        A password that a product ships with is no secret: everybody has it, and reports could not be read without its words.
        """
        keys = self.pacs.bundles.folder.rglob("key.pem") if self.pacs.bundles.folder.is_dir() else ()
        lines = [line for key in keys for line in key.read_text(encoding="ascii").splitlines() if line and not line.startswith("-----")]
        known = {password for _, password in logins.DEFAULT_LOGINS}
        passwords = {user: password for user, password in self.pacs.passwords.items() if password not in known}
        shown = [self.pacs.login(user)["Authorization"].partition(" ")[2] for user in passwords]
        return (*passwords.values(), *shown, *lines)

    def patients(self) -> tuple[str, ...]:
        """Give name and identifiers of the synthetic patient: no secrets of the target's, but no evidence may hold a patient's."""
        return (canary.PATIENT_NAME, canary.PATIENT_NAME.replace("^", " "), *self.canaries.identifiers)

    def out_of_tier(self, check: Check) -> str:
        """Say why a check is not for this run; '' when it is."""
        if check.tier in self.tiers:
            return ""
        return f"it is of the tier {check.tier}, this run goes up to {self.tiers[-1]}"

    def _waived(self, check: Check, case: Case) -> Case:
        for waiver in self.target.waivers:
            answers = waiver.check == check.id and waiver.until >= self._today and fnmatch.fnmatchcase(case.what, waiver.cases)
            if case.status is Status.FOUND and answers:
                self._waivers_used.add(waiver)
                told = f"waived until {waiver.until} by {waiver.owner}: {waiver.reason}"
                return case.model_copy(update={"status": Status.WAIVED, "told": f"{case.told}; {told}".lstrip("; ")})
        return case

    def judge(self, check: Check, record: Record, seconds: float) -> CheckResult:
        """Make the result of a check out of its record; what is waived counts no more as a finding."""
        record.cases = [self._waived(check, case) for case in record.cases]
        return CheckResult(
            **_known(check),
            status=record.status,
            reason=record.reason,
            cases=tuple(record.cases),
            seconds=round(seconds, 2),
        )

    def leave_out(self, check: Check, why: str) -> CheckResult:
        """Note that a check was not made, and why."""
        return self.keep(CheckResult(**_known(check), status=Status.NOT_TESTED, reason=why))

    def keep(self, result: CheckResult) -> CheckResult:
        """Add a result. A check that is made more than once, with other parameters, keeps what each time found."""
        before = self._results.get(result.id)
        self._results[result.id] = together(before, result) if before else result
        return result

    def run(self) -> Run:
        """Give the whole run, at its end."""
        dicom = self.target.dicom
        return Run(
            version=importlib.metadata.version("securepacs"),
            began=self.began,
            ended=datetime.datetime.now(datetime.UTC),
            target=TargetFacts(
                name=self.target.name,
                dicom=f"{dicom.host}:{dicom.port} {dicom.ae_title}",
                https=self.target.https.base_url if self.target.https else "",
                declaration=fingerprint_of(self.target),
                certificates=self._certificates,
                versions=self.versions,
            ),
            vantage=self.given.vantage or self.target.vantage or "not stated",
            authorisation=self.allowed,
            tiers=self.tiers,
            connections=self.spending.made,
            budget=self.target.budget.connections,
            waivers=tuple(self._waiver_state(waiver) for waiver in self.target.waivers),
            checks=tuple(self._results.values()),
        )

    def _waiver_state(self, waiver: Waiver) -> WaiverState:
        return WaiverState(
            what=waiver.what,
            check=waiver.check,
            reason=waiver.reason,
            owner=waiver.owner,
            until=waiver.until,
            days_left=(waiver.until - self._today).days,
            used=waiver in self._waivers_used,
        )


def together(first: CheckResult, second: CheckResult) -> CheckResult:
    """Give one result of a check that was made twice: the worst of both, with the cases of both."""
    status = next(status for status in WORST_FIRST if status in {first.status, second.status})
    worst = next(result for result in (first, second) if result.status is status)
    cases = (*_cases_of(first), *_cases_of(second))
    return worst.model_copy(update={"cases": cases, "seconds": round(first.seconds + second.seconds, 2)})


def _cases_of(result: CheckResult) -> tuple[Case, ...]:
    """Give a result's cases; of one that has none its reason, so that it is told beside another's."""
    if result.cases or result.status is Status.PASSED:
        return result.cases
    return (Case(what=result.title, claim="fact", expected="to be tried", status=result.status, told=result.reason),)


def _known(check: Check) -> dict[str, object]:
    return {
        "id": check.id,
        "title": check.title,
        "group": check.group,
        "tier": check.tier,
        "controls": check.controls,
        "remedy": check.remedy,
    }


#: Where pytest's configuration holds the run.
VERIFICATION = pytest.StashKey[Verification]()


def own_check(name: str, title: str) -> Check:
    """Give the entry of a test that is not in the catalogue: somebody's own, without a decorator."""
    return Check(f"own.{name.replace('_', '-').lower()}", title, Tier.SAFE, (), "")
