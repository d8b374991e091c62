"""What the documents say is so, and the house rules that a program can check."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from securepacs.cli import app
from securepacs_harness.verify import app as verify_app

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
LONGEST_FILE = 420  # lines: "about 400"; what is longer has more than one reason to change

# Addresses that a document may name. Whatever serves packages or images is not among them: each machine has its own.
KNOWN_HOSTS = {
    *("keepachangelog.com", "semver.org", "www.apache.org", "json-schema.org", "www.w3.org", "docs.oasis-open.org"),
    *("ohif.org", "oauth2-proxy.github.io"),  # where what the images hold comes from
}
OF_NOBODY = re.compile(r"(^|\.)(example(\.(com|org|net))?|invalid|test|localhost)$|^[^.]+$|^[\d.]+$|^\[")  # RFC 2606, no domain, addresses

VERIFY = typer.main.get_command(verify_app)
COMMAND = typer.main.get_command(app)
assert isinstance(COMMAND, TyperGroup)
SUBCOMMANDS = COMMAND.commands


def source_files() -> list[Path]:
    """Return the files of the tree that git does not ignore, whether it is a clone or not."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()] + [".git", "*.pyc"]
    found: list[Path] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)]
        found += [Path(folder, name) for name in files if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)]
    return sorted(found)


def text_of(path: Path) -> str:
    """Return a file's text, nothing for one that holds bytes."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def commands(document: str) -> list[list[str]]:
    """Return the words of each command in a document's code fences; prompts, comments, pipes and continuations are undone."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(ROOT / document), re.MULTILINE | re.DOTALL)
    lines = "\n".join(text for language, text in fences if language in {"", "sh", "bash", "console"}).replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in re.split(r"&&|\|\||[|;]", line)]
    whole = [part for part in parts if part.count("'") % 2 == part.count('"') % 2 == 0]
    words = [shlex.split(part.strip().removeprefix("$ "), comments=True) for part in whole]
    return [found for found in words if found]


def make_targets() -> set[str]:
    """Return the targets that `make help` lists."""
    shown = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {line.split()[1] for line in shown.splitlines()}


def problems_of(words: list[str]) -> list[str]:
    """Return what is wrong with one documented command; commands of other programs pass."""
    program, arguments = Path(words[0]).name, words[1:]
    if program == "make":
        return [f"make {word}: no such target" for word in arguments if "=" not in word and word not in make_targets()]
    if program == "pacs-verify":
        return unknown_options(program, VERIFY, arguments)
    if program != "securepacs" or not arguments or arguments[0].startswith("-"):
        return []
    command = SUBCOMMANDS.get(arguments[0])
    if isinstance(command, TyperGroup) and len(arguments) > 1:
        arguments = [f"{arguments[0]} {arguments[1]}", *arguments[2:]]
        command = command.commands.get(arguments[0].rpartition(" ")[2])
    if command is None:
        return [f"securepacs {arguments[0]}: no such command"]
    return unknown_options(f"securepacs {arguments[0]}", command, arguments[1:])


def unknown_options(told: str, command: Any, arguments: list[str]) -> list[str]:  # noqa: ANN401 - typer does not export its commands' type
    """Return the options among the arguments that a command does not have."""
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    given = [word.split("=")[0] for word in arguments if word.startswith("-")]
    return [f"{told} {option}: no such option" for option in given if option not in known]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documented_commands_exist(document: str) -> None:
    """Every make target, command and option of `securepacs` in a document's code exists."""
    assert [problem for words in commands(document) for problem in problems_of(words)] == []


def test_wrong_commands_would_be_seen() -> None:
    """The check itself finds a target, a command and an option that do not exist."""
    wrong = [["make", "coffee"], ["securepacs", "fly"], ["securepacs", "up", "--upside-down"], [".venv/bin/securepacs", "fly"]]
    wrong += [["securepacs", "rotate", "clothes"], ["securepacs", "rotate", "server", "--finish"]]
    wrong += [["pacs-verify", "target.toml", "--believe"]]
    assert [len(problems_of(words)) for words in wrong] == [1, 1, 1, 1, 1, 1, 1]
    assert problems_of(["securepacs", "up", "--stack", "dev"]) == []


def test_readme_shows_the_two_commands() -> None:
    """The README's code has the two commands that the project promises."""
    shown = commands("README.md")
    assert ["make", "up"] in shown
    assert ["make", "test"] in shown


def test_every_command_shows_an_example() -> None:
    """The help of each command of `securepacs` has an example that would run."""
    for name, command in SUBCOMMANDS.items():
        example = re.search(rf"Example: .*?\b(securepacs {name}\b[^;|>)]*)", command.help or "")
        assert example, name
        assert problems_of(shlex.split(example[1])) == [], name


def test_make_help_lists_every_target() -> None:
    """`make help` lists each target that the Makefile declares."""
    declared = {word for line in text_of(ROOT / "Makefile").splitlines() if line.startswith(".PHONY:") for word in line.split()[1:]}
    assert make_targets() == declared


def test_links_inside_the_tree_lead_somewhere() -> None:
    """Every relative link of a document names a file of the tree."""
    documents = [path for path in source_files() if path.suffix == ".md"]
    links = [(path, link) for path in documents for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text_of(path))]
    assert [f"{path.name}: {link}" for path, link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("folder", ["infra", "policies", "tests", "bootstrap"])
def test_no_file_is_too_long(folder: str) -> None:
    """No source file is longer than the rule allows."""
    long = [path for path in source_files() if path.is_relative_to(ROOT / folder) and path.suffix in {".py", ".sh", "", ".j2"}]
    assert long
    assert {path.relative_to(ROOT): count for path in long if (count := text_of(path).count("\n")) > LONGEST_FILE} == {}


def test_no_module_is_a_drawer() -> None:
    """No module has a name that says nothing of what it holds."""
    drawers = {"util", "utils", "helper", "helpers", "common", "misc"}
    assert [path for path in source_files() if path.suffix == ".py" and path.stem in drawers] == []


def test_addresses_are_known_or_nobodys() -> None:
    """Every web address in the tree is a known document or nobody's: no file names a package mirror or an image registry."""
    ours = [path for path in source_files() if "schemas" not in path.parts]  # a standard's schema names what its publisher names
    seen = [
        (path.relative_to(ROOT), host) for path in ours for host in re.findall(r"https?://([A-Za-z0-9.\-\[]+)", text_of(path))
    ]
    assert {(path, host) for path, host in seen if host not in KNOWN_HOSTS and not OF_NOBODY.search(host)} == set()


def test_images_start_from_ours() -> None:
    """Every Dockerfile starts from the base image that the bootstrap made, by name or by build argument."""
    files = [path for path in source_files() if path.name == "Dockerfile"]
    assert files
    starts = {(path, start) for path in files for start in re.findall(r"^FROM (\S+)", text_of(path), re.MULTILINE)}
    assert {start for _, start in starts if not re.match(r"(securepacs-base:|\$\{?[A-Z0-9_]+\}?$|[a-z]+$)", start)} == set()


@pytest.mark.parametrize(
    ("meaning", "pattern"),
    [
        ("a path of one machine", r"(?<![\w.}])/(?:work|home|Users)/\w|/root/\."),
        ("how the work was organised", r"\b(?:helper|agent) [A-D]\b|\bissue \d|\bthe lead\b"),
        ("a note to do", r"\b(?:T[O]DO|F[I]XME|X[X]X)\b"),
    ],
)
def test_tree_holds_nothing_of_its_making(meaning: str, pattern: str) -> None:
    """No file names a path of the machine it was made on, how the work was organised, or what is left to do."""
    found = [f"{path.relative_to(ROOT)}: {match[0]}" for path in source_files() if (match := re.search(pattern, text_of(path)))]
    assert found == [], meaning


def test_every_test_states_its_behaviour() -> None:
    """Each test opens with one sentence in one line."""
    silent: list[str] = []
    for path in source_files():
        if not (path.name.startswith("test_") and path.suffix == ".py"):
            continue
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                stated = ast.get_docstring(node) or ""
                if not stated.endswith(".") or "\n" in stated:
                    silent.append(f"{path.relative_to(ROOT)}::{node.name}")
    assert silent == []


def test_no_skip_stands_for_a_pass() -> None:
    """No test of the project is skipped, whatever the host lacks; the harness's checks say what they leave out in their results."""
    pattern = re.compile(r"pytest\.(?:skip|importorskip|mark\.skip)" + r"|unittest\.skip")
    ours = [path for path in source_files() if path.is_relative_to(ROOT / "tests") and path != Path(__file__)]
    tests = [path for path in ours if not path.is_relative_to(ROOT / "tests" / "securepacs_harness")]
    assert [path for path in tests if pattern.search(text_of(path))] == []


def test_changelog_has_what_is_unreleased() -> None:
    """The changelog has the section that Keep a Changelog asks for, and it is not empty."""
    match = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE | re.DOTALL)
    assert match
    assert re.search(r"^- \S", match[1], re.MULTILINE)
