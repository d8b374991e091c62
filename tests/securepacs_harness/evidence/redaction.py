"""Keeps passwords, keys and the synthetic patient out of evidence: what a target said is cleaned, and what is written is searched."""

from __future__ import annotations

import base64
import enum
import html
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from pydantic import BaseModel

from securepacs_harness.errors import EvidenceError
from securepacs_harness.results import Run

#: What stands where a secret or a patient's name stood.
REMOVED = "[removed]"

#: Words of this length are taken out wherever they stand, also inside others.
_ANYWHERE = 6
#: Shorter ones only where they stand alone; what is shorter still is found in any text.
_ALONE = 4

#: What XML 1.0 cannot hold (section 2.2), halves of UTF-16 pairs, and what turns the direction of writing: it shows other than it is.
_ILLEGIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_INSTEAD = "\ufffd"

#: Names and fixed words of the harness's own. No target says them; taking something out of them would break what refers to them.
_OWN_WORDS = frozenset({"claim", "check", "controls", "group", "id", "tool"})


def _forms(word: str) -> Iterator[str]:
    """Give the ways in which a target, or one of the writers, may spell a word."""
    yield word
    for ascii_only in (True, False):
        yield json.dumps(word, ensure_ascii=ascii_only)[1:-1]
    yield html.escape(word)
    yield str(html.escape(word)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")  # as MarkupSafe has it
    yield quote(word, safe="")
    yield quote_plus(word)
    yield base64.b64encode(word.encode()).decode().rstrip("=")


def _patterns(secrets: Collection[str]) -> dict[str, str]:
    """Give each spelling in small letters, with the regular expression that finds it."""
    found: dict[str, str] = {}
    for secret in secrets:
        for form in _forms(secret) if len(secret) >= _ALONE else ():
            escaped = re.escape(form)
            found[form.lower()] = escaped if len(form) >= _ANYWHERE else rf"(?<!\w){escaped}(?!\w)"
    return found


def _present(patterns: Mapping[str, str], text: str) -> re.Pattern[str] | None:
    """Give one expression for the words that a text has, None where it has none. It looks for most without an expression: they are many."""
    lowered = text.lower()
    wanted = sorted((form for form in patterns if form in lowered), key=len, reverse=True)
    return re.compile("|".join(patterns[form] for form in wanted), re.IGNORECASE) if wanted else None


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - what a model dumps
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, held in value.items():
            yield from _strings(name)
            yield from _strings(held)
    elif isinstance(value, tuple | list):
        for held in value:
            yield from _strings(held)


def redacted(run: Run, secrets: Collection[str]) -> Run:
    """Give the run without any of these words, in any letter case and in any spelling, wherever a target may have said them.

    Characters that a form of evidence cannot hold, or that hide others, become U+FFFD: a target can say them too.
    """
    text = "\n".join(_strings(run.model_dump()))
    found = _present(_patterns(secrets), text)
    if found is None and not _ILLEGIBLE.search(text):
        return run

    def clean(said: str) -> str:
        return _ILLEGIBLE.sub(_INSTEAD, found.sub(REMOVED, said) if found else said)

    return _each(run, clean)


_Held = TypeVar("_Held")


def _each(value: _Held, clean: Callable[[str], str]) -> _Held:
    """Give a value with each text in it cleaned, but for the harness's own words."""
    made: Any = value
    if isinstance(value, BaseModel):
        kept = {name: getattr(value, name) for name in type(value).model_fields}
        made = type(value)(**{name: held if name in _OWN_WORDS else _each(held, clean) for name, held in kept.items()})
    elif isinstance(value, str) and not isinstance(value, enum.Enum):
        made = clean(value)
    elif isinstance(value, dict):
        made = {_each(name, clean): _each(held, clean) for name, held in value.items()}
    elif isinstance(value, tuple):
        made = tuple(_each(held, clean) for held in value)
    kept_type: _Held = made
    return kept_type


def refuse_secrets(written: Mapping[str, bytes], secrets: Collection[str]) -> None:
    """Look for the words in what is about to be written. Raises EvidenceError that names the file, never the word."""
    patterns = _patterns(secrets)
    for name, content in written.items():
        text = content.decode("utf-8")
        found = _present(patterns, text)
        if found and (match := found.search(text)):
            raise EvidenceError(
                f"{name}: got a password, key or patient's name ({len(match[0])} characters) in words of the harness's own, expected none;"
                " nothing was written: take it out of the check, or give the user a password that is no plain word"
            )
