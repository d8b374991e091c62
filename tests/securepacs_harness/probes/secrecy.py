"""What looks like a secret, and what is one: pure functions over texts. None of them tells the secret itself."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

#: Names of settings that hold secrets; a name that ends with _FILE holds a path instead.
_TELLING = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|APIKEY|API_KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIAL)(?!.*_FILE$)", re.IGNORECASE)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
#: Bits a character above which a long word is no word: base64 has up to 6, a path or a sentence below 4.
_RANDOM_BITS = 4.3
_LONG = 20


def entropy(word: str) -> float:
    """Give the bits a character of a word (Shannon)."""
    counts = [word.count(letter) / len(word) for letter in set(word)]
    return -sum(share * math.log2(share) for share in counts)


def looks_random(word: str) -> bool:
    """Tell whether a word is long and random enough to be a key."""
    plain = re.fullmatch(r"[A-Za-z0-9+=_-]+", word) is not None
    return len(word) >= _LONG and plain and entropy(word) >= _RANDOM_BITS


def telling_settings(environment: Mapping[str, str]) -> list[str]:
    """Give the names of settings that hold a secret by their name or by their value."""
    return sorted(name for name, value in environment.items() if value and (_TELLING.search(name) or looks_random(value)))


def telling_arguments(words: Collection[str]) -> int:
    """Count the words of a command line that set a password or look like a key."""
    return sum(bool(_TELLING.search(word) and ("=" in word or ":" in word)) or looks_random(word) for word in words)


def holds_private_key(text: str) -> bool:
    """Tell whether a text has a private key in it."""
    return _PRIVATE_KEY.search(text) is not None


def known_in(text: str, secrets: Collection[str]) -> int:
    """Count the known secrets that stand in a text."""
    return sum(secret in text for secret in secrets if len(secret) >= 8)
