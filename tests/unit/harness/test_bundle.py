from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from junitparser import JUnitXml
from pydantic import BaseModel

from securepacs_harness import canary
from securepacs_harness.errors import EvidenceError
from securepacs_harness.evidence import WRITERS
from securepacs_harness.evidence.bundle import check_folder, write_bundle
from securepacs_harness.evidence.manifest import MANIFEST, SIGNATURE, problems_of
from securepacs_harness.evidence.redaction import REMOVED, redacted
from securepacs_harness.results import Run, Status
from unit.harness.runs import EVERY, run_of

#: Each is spelt in other ways somewhere: escaped in JSON, in HTML, in a URL.
SECRETS = (canary.PATIENT_NAME, 'vera\'s "pass" & <word>', "MIHcAgEBBEIBKbO9PQ4Wv+/aXq", "geheim-\u00fc\u00df")
#: Fields that no target can say.
OWN_WORDS = {"claim", "check", "controls", "group", "id", "tool"}


def soiled(value: Any, word: str) -> Any:  # noqa: ANN401 - any field of a run
    """Put a word into every text of a run that a target, or who wrote the target file, could say."""
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return value.model_copy(update={name: held if name in OWN_WORDS else soiled(held, word) for name, held in fields.items()})
    if type(value) is str:
        return f"{value} {word}"
    if isinstance(value, dict):
        return {f"{name} {word}": soiled(held, word) for name, held in value.items()}
    return tuple(soiled(held, word) for held in value) if isinstance(value, tuple) else value


def spellings(word: str) -> set[str]:
    """Give a word as the forms of evidence would escape it."""
    return {word, json.dumps(word)[1:-1], html.escape(word), html.escape(word, quote=False), base64.b64encode(word.encode()).decode()}


def in_json(word: str) -> str:
    """Give a word as it stands inside a JSON string."""
    return json.dumps(word)[1:-1]


def in_url(word: str) -> str:
    """Give a word as it stands in a path."""
    return quote(word, safe="")


def encoded(word: str) -> str:
    """Give a word in base64, without padding."""
    return base64.b64encode(word.encode()).decode().rstrip("=")


def held(folder: Path, words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Give which file of a bundle has which of the words, in any letter case."""
    texts = {file.name: file.read_text(encoding="utf-8").lower() for file in folder.iterdir()}
    return [(name, word) for name, text in texts.items() for word in words if any(form.lower() in text for form in spellings(word))]


@pytest.mark.parametrize("change", [str, str.lower, str.upper], ids=["as it is", "small", "capital"])
def test_no_secret_and_no_patient_stands_in_any_file(tmp_path: Path, change: Any) -> None:  # noqa: ANN401 - methods of str
    """Passwords, keys and the synthetic patient's name are in no file, wherever and in whatever letters a target may have said them."""
    dirty = soiled(EVERY, change(" ".join(SECRETS)))
    assert dirty.checks[0].cases[0].seen.detail.strip() == change(" ".join(SECRETS))
    write_bundle(dirty, tmp_path, secrets=SECRETS)
    assert {file.name for file in tmp_path.iterdir()} == {*WRITERS, MANIFEST}
    assert held(tmp_path, SECRETS) == []
    for name in WRITERS:
        assert REMOVED in (tmp_path / name).read_text(encoding="utf-8"), name


def test_the_search_itself_finds_each_secret(tmp_path: Path) -> None:
    """Without the cleaning each file would hold each of the words: the test above can fail."""
    write_bundle(soiled(EVERY, " ".join(SECRETS)), tmp_path)
    assert {name for name, _ in held(tmp_path, SECRETS)} == {*WRITERS, MANIFEST}
    assert {word for _, word in held(tmp_path, SECRETS)} == set(SECRETS)


@pytest.mark.parametrize("field", ["id", "group", "title", "reason"])
def test_a_secret_in_the_harness_own_words_is_refused(tmp_path: Path, field: str) -> None:
    """What is left after the cleaning keeps the whole bundle from being written, and the error does not say the secret."""
    secret = "-".join(["sesame"] * 2)
    bad = EVERY.checks[0].model_copy(update={field: f"own.{secret}"})
    run = run_of(checks=(bad,))
    if field in OWN_WORDS:
        with pytest.raises(EvidenceError, match=r"got a password, key or patient's name \(13 characters\)") as told:
            write_bundle(run, tmp_path / "out", secrets=[secret])
        assert secret not in str(told.value)
        assert list((tmp_path / "out").iterdir()) == []
    else:
        write_bundle(run, tmp_path / "out", secrets=[secret])
        assert held(tmp_path / "out", (secret,)) == []


@pytest.mark.parametrize("spell", [str, in_json, html.escape, in_url, quote_plus, encoded], ids=lambda spell: spell.__name__)
def test_every_spelling_is_taken_out(spell: Callable[[str], str]) -> None:
    """A server that says a secret escaped for JSON, HTML or a URL, or in base64, has it taken out too, also where only a name has it."""
    for secret in SECRETS:
        target = EVERY.target.model_copy(update={"versions": {spell(secret): "1"}})
        assert redacted(run_of(Status.PASSED, target=target), [secret]).target.versions == {REMOVED: "1"}


def test_short_words_are_no_secrets() -> None:
    """A word that is in every text is left; one of four letters is taken out where it stands alone."""
    assert redacted(EVERY, ["a", "the"]) == EVERY
    run = run_of(Status.PASSED, vantage="from 1234 and 12345 and x1234")
    assert redacted(run, ["1234"]).vantage == f"from {REMOVED} and 12345 and x1234"


def test_no_character_of_a_target_breaks_a_form(tmp_path: Path) -> None:
    """Control characters, half a surrogate pair and a turned direction of writing, in every text, leave each form well-formed."""
    write_bundle(soiled(EVERY, "a\x00b\x1bc\ud800d\u202ee\x85f]]>--><!--"), tmp_path)
    for name in WRITERS:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not set(text) & set("\x00\x1b\u202e\x85"), name
    assert "a\ufffdb\ufffdc" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(list(JUnitXml.fromfile(str(tmp_path / "junit.xml")))) == 1
    assert Run.model_validate_json((tmp_path / "results.json").read_bytes()).exit_code == EVERY.exit_code


def keys(folder: Path, key: Any) -> tuple[Path, Path]:  # noqa: ANN401 - several kinds
    """Write a key pair as PEM files."""
    private, public = folder / "key.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())], ids=["Ed25519", "P-256"])
def test_a_bundle_vouches_for_its_files(tmp_path: Path, key: Any) -> None:  # noqa: ANN401 - two kinds
    """A signed bundle is sound, and its folder and files are its owner's only; each way to change it is told in one line."""
    private, public = keys(tmp_path, key)
    folder = tmp_path / "evidence"
    write_bundle(EVERY, folder, signing_key=private)
    assert problems_of(folder, public) == []
    assert [path for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077] == []
    report = folder / "report.html"
    sound = report.read_text(encoding="utf-8")
    report.write_text(sound.replace("found", "fount"), encoding="utf-8")
    assert problems_of(folder, public) == [f"{report}: was changed after it was written"]
    report.write_text(sound + "!", encoding="utf-8")
    size = len(sound.encode())
    assert problems_of(folder, public) == [f"{report}: was changed after it was written: got {size + 1} bytes, expected {size}"]
    report.unlink()
    assert problems_of(folder, public) == [f"{report}: is missing"]
    report.write_text(sound, encoding="utf-8")
    (folder / "corrected.html").write_text("clean", encoding="utf-8")
    assert problems_of(folder, public) == [f"{folder / 'corrected.html'}: is not of the bundle"]


def test_a_signature_is_of_this_key_and_of_this_manifest(tmp_path: Path) -> None:
    """Another's key, another run's signature, a broken one and none at all are each told in one line."""
    private, public = keys(tmp_path, ed25519.Ed25519PrivateKey.generate())
    folder = tmp_path / "evidence"
    signature = folder / SIGNATURE
    write_bundle(EVERY, folder, signing_key=private)
    earlier = signature.read_bytes()
    write_bundle(run_of(Status.PASSED), folder, signing_key=private)
    assert problems_of(folder, public) == []
    for wrong in (earlier, b"", b"\xff?", base64.encodebytes(b"x" * 64)):
        signature.write_bytes(wrong)
        assert problems_of(folder, public) == [f"{signature}: is not this key's signature of the manifest"]
    signature.unlink()
    assert problems_of(folder) == [f"{signature}: is missing"]
    (tmp_path / "other").mkdir()
    _, other = keys(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    write_bundle(EVERY, folder, signing_key=private)
    told = problems_of(folder, other)
    assert len(told) == 1
    assert told[0].startswith(f"{folder / MANIFEST}: got the signature of the key ")
    write_bundle(EVERY, folder)
    assert problems_of(folder) == []
    assert problems_of(folder, public) == [f"{folder / MANIFEST}: was not signed"]
    assert problems_of(folder, private) == [f"{private}: got no PEM public key"]


@pytest.mark.parametrize("text", ["", "[]", '{"files": {}}', '{"files": {"../x": {"sha256": "", "bytes": 1}}}', '{"files": {"x": 1}}'])
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str) -> None:
    """A folder without a manifest, or with something else in its place, is no whole bundle."""
    assert problems_of(tmp_path) == [f"{tmp_path / MANIFEST}: is missing or no manifest: the bundle is not whole"]
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    assert problems_of(tmp_path) == [f"{tmp_path / MANIFEST}: is missing or no manifest: the bundle is not whole"]


def test_half_a_bundle_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing ends in the middle the earlier manifest is gone, and what was not replaced is told."""
    write_bundle(EVERY, tmp_path)
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if self.name == ".results.sarif.new":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(EvidenceError, match=r"evidence cannot be written there \(No space left on device\)"):
        write_bundle(run_of(Status.PASSED), tmp_path)
    assert problems_of(tmp_path) == [f"{tmp_path / MANIFEST}: is missing or no manifest: the bundle is not whole"]


def test_a_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    """What stands in results.json is the run, whole."""
    write_bundle(EVERY, tmp_path)
    assert Run.model_validate_json((tmp_path / "results.json").read_bytes()) == EVERY


def test_what_cannot_be_written_or_signed_is_told_before_a_run(tmp_path: Path) -> None:
    """A file in the folder's place, and a key that cannot sign, are one line each."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(EvidenceError, match="evidence cannot be written there"):
        check_folder(tmp_path / "file")
    with pytest.raises(EvidenceError, match="got no PEM private key"):
        check_folder(tmp_path / "out", tmp_path / "file")
    with pytest.raises(EvidenceError, match=r"cannot be read \(No such file"):
        check_folder(tmp_path / "out", tmp_path / "nowhere")
    private, public = keys(tmp_path, rsa.generate_private_key(65537, 2048))
    with pytest.raises(EvidenceError, match="got a key of type RSAPrivateKey, expected Ed25519 or EC"):
        check_folder(tmp_path / "out", private)
    write_bundle(EVERY, tmp_path / "out")
    assert problems_of(tmp_path / "out", public) == [f"{public}: got a key of type RSAPublicKey, expected Ed25519 or EC"]
