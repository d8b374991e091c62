"""What looks like a secret, and what is one: pure functions over texts. None of them tells the secret itself."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

#: Names of settings that hold secrets, in one spelling: small letters and underscores.
_TELLING = re.compile(
    r"password|passwd|passphrase|secret|token|credential|api_?key|private_?key|access_?key|registered_?users"
    r"|(?<!by)pass$|_pwd$|(?<!gpg)(?<!public)(?<!host)_key$"
)
#: Endings of names that hold something about a secret: where it is, how long it lives, what it is called.
_ABOUT = re.compile(
    r"_(file|path|dir|folder|name|url|uri|endpoint|issuer|headers?|type|ttl|lifetime|validity|expiry|seconds|length|max|count|enabled)$"
)
#: A path says where a secret is; a number under another name than a password's is a measure (MAX_TOKENS=500).
_PLACE = re.compile(r"/[\w./-]+")
_MEASURED = re.compile(r"(?!.*(pass|pwd|pin))")
#: Values that are no secrets whatever their setting is called.
_PLAIN = frozenset({"", "true", "false", "yes", "no", "on", "off", "none", "null"})

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
#: scheme://user:password@host (RFC 3986 section 3.2.1).
_LOGIN_IN_URL = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
#: A setting inside a value: of a Java option, a connection string, or JSON. A reference, a path and an empty value are none.
_SAID = re.compile(
    r"(password|passwd|secret|token|registeredusers)\"?\s*[=:]\s*"
    r"(?!\"?[$/]|\{\s*\}|\"\"|\"?(true|false|null)\b)"
    r"[^\s,;&}]",
    re.IGNORECASE,
)
#: A login as an option of curl's and wget's: -u NAME:VALUE, --user NAME:VALUE; and as HAProxy writes one.
_LOGIN_OPTION = re.compile(r"(^|\s)(-u|--user)[= ]\S+:\S+|\binsecure-password\s+\S|\bstats\s+auth\s+\S+:\S")
_LOGIN_HEADER = re.compile(r"authorization\"?\s*[:=]\s*\"?(basic|bearer)\s", re.IGNORECASE)

#: Bits a character above which a long word is no word: base64 has up to 6, a path or a sentence below 4.
_RANDOM_BITS = 4.3
_LONG = 20
#: Shorter words stand in many texts by chance.
_KNOWN = 8


def entropy(word: str) -> float:
    """Give the bits a character of a word (Shannon)."""
    counts = [word.count(letter) / len(word) for letter in set(word)]
    return -sum(share * math.log2(share) for share in counts)


def looks_random(word: str) -> bool:
    """Tell whether a word is long and random enough to be a key."""
    plain = re.fullmatch(r"[A-Za-z0-9+=_-]+", word) is not None
    return len(word) >= _LONG and plain and entropy(word) >= _RANDOM_BITS


def names_secret(name: str) -> bool:
    """Tell whether a setting, an option or a label of this name holds a secret, and not where one is."""
    spelt = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return _TELLING.search(spelt) is not None and _ABOUT.search(spelt) is None


def says_secret(value: str) -> bool:
    """Tell whether a value has a login, a private key, or a secret's setting in it."""
    return any(pattern.search(value) for pattern in (_LOGIN_IN_URL, _PRIVATE_KEY, _SAID, _LOGIN_OPTION))


def _is_plain(name: str, value: str) -> bool:
    """Tell whether the value of a setting with a secret's name is none."""
    measured = value.isdecimal() and _MEASURED.match(name.lower()) is not None
    return value.lower() in _PLAIN or measured or _PLACE.fullmatch(value) is not None


def telling_settings(settings: Mapping[str, str], *, random: bool = True) -> list[str]:
    """Give the names of settings that hold a secret by their name, or by their value; `random` ones too where that is no checksum."""
    return sorted(
        name
        for name, value in settings.items()
        if (names_secret(name) and not _is_plain(name, value)) or says_secret(value) or (random and looks_random(value))
    )


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give names and values of a command line: NAME=VALUE, NAME:VALUE, and --NAME VALUE."""
    pieces = " ".join(words).split()
    for piece, after in zip(pieces, [*pieces[1:], ""], strict=False):
        set_here = re.fullmatch(r"([^=:]+)[=:](.*)", piece)
        if set_here:
            yield set_here[1], set_here[2]
        elif piece.startswith("-") and not after.startswith("-"):
            yield piece, after


def telling_arguments(words: Sequence[str]) -> int:
    """Count what a command line tells: options that set a secret, logins, keys. A path or a variable is where one is, and no secret."""
    named = sum(names_secret(name) and value[:1] not in {"", "/", "$"} and value.lower() not in _PLAIN for name, value in _options(words))
    return (
        named
        or int(_LOGIN_OPTION.search(" ".join(words)) is not None)
        or sum(says_secret(word) or looks_random(word) for word in " ".join(words).split())
    )


def telling_build_arguments(history: str) -> list[str]:
    """Give the names of build arguments with a secret in the commands that made an image: they stay in it for whoever has it.

    BuildKit writes `RUN |1 NAME=value /bin/sh -c …` and `ARG NAME=value`; the older builder `|1 NAME=value /bin/sh -c …`.
    """
    heads = re.findall(r"^(?:RUN )?\|\d+ (.*?)(?: /bin/|$)", history, flags=re.MULTILINE)
    heads += re.findall(r"^(?:/bin/sh -c #\(nop\)\s+)?ARG (.*)$", history, flags=re.MULTILINE)
    given = dict(pair for head in heads for pair in re.findall(r"(\w+)=(\S+)", head))
    return telling_settings(given, random=False)


def login_headers(text: str) -> int:
    """Count the HTTP logins in a text (RFC 7617, RFC 6750)."""
    return len(_LOGIN_HEADER.findall(text))


def known_in(text: str, secrets: Collection[str]) -> int:
    """Count the known secrets that stand in a text, as they are or as JSON spells them."""
    return sum(any(form in text for form in {secret, json.dumps(secret)[1:-1]}) for secret in secrets if len(secret) >= _KNOWN)
