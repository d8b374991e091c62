"""A host for the bootstrap, faked by a PATH of stand-ins that note what they were asked."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE_VERSION = "3.259.0"

# What the script may use of a bare Debian: coreutils, util-linux, grep, sed, findutils, perl-base, bash.
BASE_TOOLS = [
    "base64",
    "basename",
    "bash",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "dirname",
    "env",
    "find",
    "flock",
    "grep",
    "gzip",
    "head",
    "install",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "od",
    "readlink",
    "rm",
    "sed",
    "setsid",
    "sha256sum",
    "sha512sum",
    "sleep",
    "sort",
    "tail",
    "tar",
    "touch",
    "tr",
    "uname",
    "wc",
]

# Stand-ins. Each writes its arguments to $CALLS, so that a test sees what was touched.
RECORD = 'echo "$(basename "$0") $*" >>"$CALLS"\n'
APT = RECORD + "exit 100\n"
PERL = 'exit "$FAKE_ENGINE"\n'
PYTHON = f"""
case "$*" in
  *engine.py*status*securepacs-o*) printf 'engine 1\\nimage '; test -e "$CALLS.no-browser" && echo no || echo yes; exit 0;;
  *engine.py*status*) test ! -e "$CALLS.dockerd" || {{ printf 'engine 1\\nimage yes\\n'; exit 0; }}
    printf '%b' "$FAKE_ANSWER"; exit "$FAKE_ENGINE";;
  *engine.py*) {RECORD.strip()}; cat >/dev/null; exit 0;;
  "-m venv "*) {RECORD.strip()}; sleep 0.2; mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit 0;;
  *" install "*) {RECORD.strip()}; test ! -e "$CALLS.fail-pip"; exit;;
esac
exec {sys.executable} "$@"
"""
GO = (
    RECORD
    + """
test "$1" = build && echo "toolchain $GOTOOLCHAIN of $(dirname "$0")" >>"$CALLS"
case "$1 $2" in
  "env GOVERSION") echo "go$FAKE_GO";;
  "env GOOS") echo linux;;
  "env GOARCH") echo amd64;;
  "env GOMODCACHE") echo "$CALLS.modules";;
  "mod download") for module; do true; done
    mkdir -p "$CALLS.modules/$module/bin" "$CALLS.modules/$module/pkg/tool/linux_amd64"
    touch "$CALLS.modules/$module/_go.mod" "$CALLS.modules/$module/pkg/tool/linux_amd64/compile"
    cat "$0" >"$CALLS.modules/$module/bin/go";;
  "list "*) mkdir -p "$CALLS.sdk/python/cmd"; touch "$CALLS.sdk/python/cmd/pulumi-language-python-exec"; echo "$CALLS.sdk";;
  "build "*) while [ "$1" != -o ]; do shift; done
    echo "#!/bin/sh" >"$2"; echo "echo v$FAKE_BUILT" >>"$2"; chmod +x "$2"
    sleep "$FAKE_BUILD_SECONDS"; test ! -e "$CALLS.fail-go";;
esac
"""
)
NPM = RECORD + 'echo package | gzip >fetched.tgz; echo fetched.tgz\n'
DOCKERD = 'echo $$ >"$CALLS.dockerd"; exec sleep 60\n'  # like the real one it stays, with whatever was left open
SYSTEMCTL = "dockerd >/dev/null 2>&1 </dev/null 9>&- &\n"  # a service manager's child has nothing of its caller's
MMDEBSTRAP = RECORD + 'while [ $# -gt 1 ]; do shift; done; echo tar >"$1"; test ! -e "$CALLS.fail-image"\n'


@dataclass
class Host:
    """A checkout and a PATH of its own. By default: root on Debian 12 with Python, Go and npm, an engine that has the images."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay the checkout and the stand-ins out."""
        self.checkout = self.home / "checkout"
        self.bin = self.home / "bin"
        self.calls = self.home / "calls"
        self.bin.mkdir()
        shutil.copytree(ROOT / "bootstrap", self.checkout / "bootstrap", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("requirements.lock", "pyproject.toml"):
            (self.checkout / name).write_text(f"# {name}\n")
        for tool in BASE_TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or "/nonexistent")
        self.is_user(0)
        self.is_system("ID=debian\nVERSION_ID=12\n")
        for name, body in {"apt-get": APT, "python3": PYTHON, "perl": PERL, "go": GO, "npm": NPM}.items():
            self.has(name, body)
        self.calls.touch()
        self.engine(status=0, image=True)

    def has(self, name: str, body: str) -> None:
        """Put a stand-in on PATH."""
        program = self.bin / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!{shutil.which('bash')}\n{body}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def lacks(self, *names: str) -> None:
        """Take programs from PATH."""
        for name in names:
            (self.bin / name).unlink()

    def is_user(self, number: int) -> None:
        """Make `id -u` answer so."""
        self.has("id", f"case $1 in -u) echo {number};; *) echo user{number};; esac\n")

    def is_system(self, release: str) -> None:
        """Make os-release(5) say so."""
        (self.home / "os-release").write_text(release)

    def engine(self, *, status: int, image: bool = False) -> None:
        """Make the engine answer with engine.py's exit status and have the base image or not."""
        answer = rf"engine 20.10\nimage {'yes' if image else 'no'}\n" if status == 0 else ""
        self.variables |= {"FAKE_ENGINE": str(status), "FAKE_ANSWER": answer}

    def lacks_browser_images(self) -> None:
        """Make the engine have neither the viewer's nor the sign-in's image."""
        (self.home / "calls.no-browser").touch()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the bootstrap."""
        environment = {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "CALLS": str(self.calls),
            "BOOTSTRAP_OS_RELEASE": str(self.home / "os-release"),
            "FAKE_GO": "1.26.1",
            "FAKE_BUILT": MODULE_VERSION,
            "FAKE_BUILD_SECONDS": "0",
            **self.variables,
        }
        command = [str(self.bin / "bash"), str(self.checkout / "bootstrap" / "bootstrap"), *arguments]
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdin=nothing, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the bootstrap to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=20)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def files(self) -> dict[str, int]:
        """Return every path under the checkout with its time of change."""
        return {str(path): path.lstat().st_mtime_ns for path in self.checkout.rglob("*")}

    def called(self) -> list[str]:
        """Return what the stand-ins were asked to do, the harmless questions left out."""
        return [line for line in self.calls.read_text().splitlines() if not line.startswith(("go env", "go list"))]
