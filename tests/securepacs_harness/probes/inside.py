"""What can be seen from inside a container, through testinfra: who runs, what listens, what is writable, which way leads out."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import shlex
from collections.abc import Collection
from typing import Any

import testinfra

from securepacs_harness.errors import HarnessError

_LISTEN = "0A"
_UNREACHED = 255
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


#: A connection attempt with an end, without `timeout`: that fails where the kernel gives it no timer, and would look like a refusal.
_CONNECT = """(exec 3<>/dev/tcp/{host}/{port}) 2>/dev/null &
for _ in $(seq {tenths}); do kill -0 $! 2>/dev/null || break; sleep 0.1; done
kill $! 2>/dev/null && exit 1
wait $!"""


#: Ends a command after some seconds, where there is `timeout`: an archive has more files than can be read.
_IN_TIME = "limit=; timeout 5 true 2>/dev/null && limit='timeout 15'; $limit"
#: Its exit status then.
_TOO_LONG = 124
#: Images are no texts: grep tells them apart, where it can.
_TEXTS = "text=cat; grep -I x /dev/null 2>/dev/null; [ $? = 1 ] && text='grep -hI .';"
_BYTES = 32_000_000


class InsideError(HarnessError):
    """The target file names a part in a way that testinfra does not know."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A listening TCP socket: address literal and port."""

    address: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only the container itself can reach it; Java listens on ::ffff:127.0.0.1, which is 127.0.0.1."""
        address = ipaddress.ip_address(self.address)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback

    @property
    def reachable_at(self) -> str:
        """The address at which the container itself reaches it."""
        return "127.0.0.1" if ipaddress.ip_address(self.address).is_unspecified else self.address


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """What /proc/PID/status says of a process (proc(5)); capabilities as bit masks."""

    uid: int
    """The effective one."""
    uids: frozenset[int]
    """Real, effective, saved and of the file system: a process can take each of them again."""
    gid: int
    effective: int
    permitted: int
    inheritable: int
    bounding: int
    ambient: int
    no_new_privileges: bool
    seccomp: int
    """0 off, 1 strict, 2 filter."""

    @property
    def capabilities(self) -> int:
        """Every capability that it has or can get."""
        return self.effective | self.permitted | self.inheritable | self.ambient | self.bounding


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mounts."""

    target: str
    kind: str
    options: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: mode bits, owner."""

    path: str
    mode: int
    uid: int
    gid: int
    kind: str


def _address(text: str) -> str:
    """Read an address of /proc/net/tcp{,6}: 32-bit words, each in the machine's (little-endian) order."""
    raw = bytes.fromhex(text)
    words = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return str(ipaddress.ip_address(words))


def parse_listeners(table: str) -> list[Listener]:
    """Give the listening sockets in the text of /proc/net/tcp or /proc/net/tcp6."""
    found = []
    for row in table.splitlines():
        fields = row.split()
        if len(fields) > 3 and fields[0].endswith(":") and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            found.append(Listener(_address(address), int(port, 16)))
    return sorted(found)


def parse_routes(table: str) -> list[ipaddress.IPv4Network]:
    """Give the destinations in the text of /proc/net/route; 0.0.0.0/0 is a default route."""
    networks = []
    for row in table.splitlines()[1:]:
        fields = row.split()
        if len(fields) > 7:
            networks.append(ipaddress.IPv4Network((_address(fields[1]), _address(fields[7]))))
    return networks


def parse_routes6(table: str) -> list[str]:
    """Give the interfaces of default routes in the text of /proc/net/ipv6_route, without the unreachable ones on loopback."""
    rows = (row.split() for row in table.splitlines())
    return [fields[9] for fields in rows if len(fields) > 9 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo"]


def parse_local_addresses(trie: str) -> list[str]:
    """Give a host's own IPv4 addresses in the text of /proc/net/fib_trie: the leaves marked "/32 host LOCAL"."""
    return sorted(set(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", trie)), key=ipaddress.IPv4Address)


def parse_global_addresses6(table: str) -> list[str]:
    """Give a host's own IPv6 addresses of global scope (00) in the text of /proc/net/if_inet6."""
    rows = (row.split() for row in table.splitlines())
    return sorted(str(ipaddress.IPv6Address(int(fields[0], 16))) for fields in rows if len(fields) > 3 and fields[3] == "00")


def parse_status(text: str) -> Process:
    """Read /proc/PID/status. Raises KeyError when a field is missing."""
    fields = dict(re.findall(r"^(\w+):\s*(.*)$", text, flags=re.MULTILINE))
    return Process(
        uid=int(fields["Uid"].split()[1]),
        uids=frozenset(map(int, fields["Uid"].split())),
        gid=int(fields["Gid"].split()[1]),
        effective=int(fields["CapEff"], 16),
        permitted=int(fields["CapPrm"], 16),
        inheritable=int(fields["CapInh"], 16),
        bounding=int(fields["CapBnd"], 16),
        ambient=int(fields["CapAmb"], 16),
        no_new_privileges=fields["NoNewPrivs"] == "1",
        seccomp=int(fields["Seccomp"]),
    )


def parse_statuses(text: str) -> list[Process]:
    """Read the number of the shell that looks, and /proc/PID/status of each process; the shell and its children are left out."""
    shell, _, rest = text.partition("\n")
    found = []
    for status in rest.split("\n\n"):
        numbers = dict(re.findall(r"^(Pid|PPid):\s*(\d+)$", status, flags=re.MULTILINE))
        if "CapEff" in status and shell.strip() not in numbers.values():
            found.append(parse_status(status))
    return found


def parse_sockets(table: str, ports: Collection[int]) -> set[str]:
    """Give the inodes of the sockets that listen on these ports, in the text of /proc/net/tcp or /proc/net/tcp6."""
    rows = (row.split() for row in table.splitlines())
    listening = (fields for fields in rows if len(fields) > 9 and fields[3] == _LISTEN)
    return {fields[9] for fields in listening if int(fields[1].rpartition(":")[2], 16) in ports}


def parse_holders(text: str, inodes: Collection[str]) -> list[int]:
    """Give the processes that hold one of these sockets, in what `ls -l /proc/[0-9]*/fd` prints."""
    found, pid = set(), 0
    for row in text.splitlines():
        if folder := re.fullmatch(r"/proc/(\d+)/fd:", row):
            pid = int(folder[1])
        elif (held := re.search(r"-> socket:\[(\d+)\]$", row)) and held[1] in inodes:
            found.add(pid)
    return sorted(found)


def parse_mounts(text: str) -> list[Mount]:
    """Read /proc/self/mounts."""
    rows = (row.split() for row in text.splitlines())
    return [Mount(fields[1], fields[2], frozenset(fields[3].split(","))) for fields in rows if len(fields) > 3]


def parse_entries(text: str) -> list[Entry]:
    """Read lines of `stat -c '%a %u %g %F|%n'`."""
    found = []
    for row in text.splitlines():
        head, _, path = row.partition("|")
        mode, uid, gid, kind = head.split(" ", 3)
        found.append(Entry(path, int(mode, 8), int(uid), int(gid), kind))
    return found


def _words(folders: Collection[str]) -> str:
    return " ".join(map(shlex.quote, folders))


def _text(done: Any) -> str:  # noqa: ANN401 - testinfra's result
    """Give what a command printed; bytes that are no text stand as replacement characters."""
    raw: bytes = done.stdout_bytes
    return raw.decode("utf-8", errors="replace")


class Inside:
    """One container (or host) seen through a testinfra specification such as docker://NAME."""

    def __init__(self, specification: str) -> None:
        """Raises InsideError for a specification that testinfra does not know."""
        try:
            self._host: Any = testinfra.get_host(specification)
        except (ImportError, RuntimeError, ValueError) as error:
            raise InsideError(f"inside: got '{specification}', expected docker://NAME, ssh://HOST or local:// ({error})") from None

    def run(self, command: str, *arguments: str) -> tuple[int, str]:
        """Run a command; give its exit status and what it printed. A host that cannot be reached is status 255, as ssh has it."""
        try:
            done = self._host.run(command, *arguments)
        except RuntimeError:
            # testinfra's ssh raises it with all that was said, and takes a command that ends with 255 for the same.
            return _UNREACHED, ""
        return int(done.rc), _text(done)

    def read(self, path: str) -> str:
        """Give a file's text; '' where it cannot be read."""
        status, out = self.run("cat %s", path)
        return out if status == 0 else ""

    def size(self, path: str) -> int | None:
        """Give a file's length in bytes; None where it cannot be read."""
        status, out = self.run("wc -c < %s", path)
        return int(out) if status == 0 and out.strip().isdigit() else None

    def read_from(self, path: str, start: int) -> str:
        """Give a file's text from a byte on; '' where it cannot be read, or ends before."""
        status, out = self.run("tail -c +%s %s", str(start + 1), path)
        return out if status == 0 else ""

    def listeners(self) -> list[Listener]:
        """Give what listens inside, IPv4 and IPv6."""
        return sorted(listener for table in _TABLES for listener in parse_listeners(self.read(table)))

    def process(self, pid: int | str = 1) -> Process:
        """Give the state of a process, by default the service itself."""
        return parse_status(self.read(f"/proc/{pid}/status"))

    def processes(self) -> list[int]:
        """Give the numbers of the processes."""
        _, out = self.run("ls /proc")
        return [int(name) for name in out.split() if name.isdigit()]

    def commands(self) -> list[list[str]]:
        """Give the command lines of the processes that can be read, each as its words; what looks is one of them."""
        _, out = self.run("for file in /proc/[0-9]*/cmdline; do cat $file 2>/dev/null && echo; done")
        return [words for line in out.split("\n") if (words := [word for word in line.split("\0") if word])]

    def running(self) -> list[Process]:
        """Give the state of every process that can be read, without what looks; none where nothing can be looked at."""
        _, out = self.run("echo $$; for file in /proc/[0-9]*/status; do cat $file 2>/dev/null && echo; done")
        return parse_statuses(out)

    def serving(self, ports: Collection[int]) -> list[Process]:
        """Give the processes that listen on these ports; none where who looks may not see them."""
        inodes = {inode for table in _TABLES for inode in parse_sockets(self.read(table), ports)}
        _, out = self.run("ls -l /proc/[0-9]*/fd 2>/dev/null")
        states = [self.read(f"/proc/{pid}/status") for pid in parse_holders(out, inodes)]
        return [parse_status(state) for state in states if "CapEff" in state]

    def lists_files(self) -> bool:
        """Tell whether files can be looked for at all: the part runs, and has the command find."""
        status, _ = self.run("find / -maxdepth 0")
        return status == 0

    def files_with(self, mark: str, folders: Collection[str]) -> tuple[list[str], bool]:
        """Give the files in these folders, of at most a megabyte each, that hold a mark, and whether all were looked at in time.

        The mark is an argument of a command: no secret may be one.
        """
        search = f"find {_words(folders)} -xdev -type f -size -1024k -exec grep -lF -e %s {{}} + 2>/dev/null"
        status, out = self.run(f"{_IN_TIME} {search}", mark)
        return out.splitlines(), status != _TOO_LONG

    def open_to_others(self, folders: Collection[str]) -> tuple[str, bool]:
        """Give the lines of the texts in these folders, of 64 kB at most each, that others than their owner may read.

        And whether it is all of them: who looks stops after some seconds, and some megabytes.
        """
        search = f"find {_words(folders)} -xdev -type f -size -64k -perm /044 -exec $text {{}} + 2>/dev/null"
        _, out = self.run(f"{_TEXTS} ({_IN_TIME} {search}; echo; echo ended $?) | head -c {_BYTES}")
        text, _, ended = out.rpartition("\nended ")
        return (text, ended.strip() != str(_TOO_LONG)) if ended.strip().isdigit() else (out, False)

    def routes(self) -> list[ipaddress.IPv4Network]:
        """Give the destinations of the IPv4 routes."""
        return parse_routes(self.read("/proc/net/route"))

    def default_routes6(self) -> list[str]:
        """Give the interfaces of IPv6 default routes."""
        return parse_routes6(self.read("/proc/net/ipv6_route"))

    def mounts(self) -> list[Mount]:
        """Give what is mounted."""
        return parse_mounts(self.read("/proc/self/mounts"))

    def entries(self, folder: str) -> list[Entry]:
        """Give a folder and all below it."""
        _, out = self.run("find %s -xdev -exec stat -c '%%a %%u %%g %%F|%%n' {} +", folder)
        return parse_entries(out)

    def can_write(self, folder: str) -> bool:
        """Try to make a file in a folder, and take it away again."""
        status, _ = self.run("touch %s/.probe && rm %s/.probe", folder, folder)
        return status == 0

    def may_write(self, folder: str) -> bool:
        """Tell whether files could be made in a folder, without making one; never on what is mounted read-only (access(2))."""
        status, _ = self.run("test -w %s", folder)
        return status == 0

    def http_status(self, port: int, path: str) -> int | None:
        """Send a GET to a port of the part's own loopback, without a login (needs bash); give the answer's status, None without one."""
        request = f"GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n"
        script = f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{request}' >&3 && timeout 5 head -n 1 <&3"
        _, out = self.run("bash -c %s", script)
        found = re.match(r"HTTP/1\.[01] (\d{3})", out)
        return int(found[1]) if found else None

    def can_reach(self, host: str, port: int, seconds: int = 3) -> bool:
        """Try to open a TCP connection from inside (needs bash); False also when nothing came of it in the time given."""
        status, _ = self.run("bash -c %s", _CONNECT.format(host=host, port=port, tenths=10 * seconds))
        return status == 0
