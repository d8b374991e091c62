"""A secret that a configuration names by its file: it stays where it is, and only its owner may read it."""

from __future__ import annotations

import stat
from pathlib import Path

from securepacs.errors import ConfigurationError

_OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH


def named_from_the_root(path: str) -> str:
    """Hold the name of a secret's file to mean the same file wherever a command is run. Raises ValueError."""
    if not Path(path).expanduser().is_absolute():
        raise ValueError("a secret's file is named from the root or from ~, so that every way to run this clinic finds the same")
    return path


def read_secret(named: Path, where: str, expected: str) -> str:
    """Read a secret (ASCII) from its file.

    Raises ConfigurationError in one line where it is not there, is no text, or others may read it.
    """
    path = named.expanduser()
    try:
        mode, content = path.stat().st_mode, path.read_text(encoding="ascii")
    except OSError as error:
        raise ConfigurationError(where, got=f"{path}: {error.strerror}", expected="a file that can be read") from None
    except UnicodeDecodeError:
        raise ConfigurationError(where, got=f"{path}, which is no text", expected=expected) from None
    if mode & _OTHERS_MAY_READ:
        raise ConfigurationError(where, got=f"{path}, which others may read", expected="mode 0600", do=f"run `chmod 600 {path}`")
    return content
