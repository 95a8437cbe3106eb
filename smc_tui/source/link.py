"""A program runs on the source: over the system's ssh, or in a process here.

The program's text goes over standard input and is executed from memory, so
nothing is left behind. The remote command is one constant string; no text of
the user's or of the source's ever becomes part of it. ``ssh`` itself is the
system's, so the user's configuration, jump hosts, agents and keys all work,
with these things fixed: no questions (BatchMode), no shared connection (its
host key would not be the one checked here), keep-alives that notice a dead
path within 20 s, and the host key looked up under the source's own alias in a
known_hosts file of our own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import sys
import threading
import zlib
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from smc_tui.model.errors import SmcError
from smc_tui.model.units import printable

_F_SETPIPE_SZ = 1031  # linux/fcntl.h; a bigger pipe means fewer switches between ssh and us
_PIPE_SIZE = 1 << 20

# Exit codes of our own bootstrap, outside what sudo (1), sh (126, 127) and ssh (255) use.
_NO_PYTHON = 96
_OLD_PYTHON = 97
_SSH_FAILED = 255

# The system's own first: what PATH finds may be a wrapper, slow or of a virtual environment.
_PYTHONS = "/usr/bin/python3 python3 /usr/libexec/platform-python"

# No quotes inside: it stands in double quotes within single quotes.
_BOOTSTRAP = (
    f"import sys,zlib;sys.version_info<(3,6) and sys.exit({_OLD_PYTHON});"
    "i=sys.stdin.buffer;exec(zlib.decompress(i.read(int(i.readline()))))"
)
_REMOTE = (
    "exec sh -c '"
    f"for p in {_PYTHONS}; do "
    'p=$(command -v "$p") && break; done; '
    f'test -n "$p" || exit {_NO_PYTHON}; '
    f'test "$(id -u)" = 0 && exec "$p" -I -c "{_BOOTSTRAP}"; '
    f'exec sudo -n "$p" -I -c "{_BOOTSTRAP}"'
    "'"
)

_ADDRESS = re.compile(r"(?:[A-Za-z0-9_.+-]+@)?(?:[A-Za-z0-9_.%-]+|\[?[0-9A-Fa-f:.%]+\]?)")

# What ssh and sudo say, and what it means here; the first match counts.
_SAYINGS = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "HostKey.Changed"),
    ("Host key verification failed", "HostKey.NotAccepted"),
    ("Could not resolve hostname", "Source.UnknownHost"),
    ("Permission denied", "Source.AuthRefused"),
    ("Too many authentication failures", "Source.AuthRefused"),
    ("Connection refused", "SourceServer.Offline"),
    ("Connection timed out", "SourceServer.Offline"),
    ("No route to host", "SourceServer.Offline"),
    ("Network is unreachable", "SourceServer.Offline"),
    ("sudo: ", "Source.NoSudo"),
)


@dataclass(frozen=True)
class SshTarget:
    """How to reach a source over SSH.

    Attributes:
        target: ``[user@]host``, where host may be an alias of the ssh configuration.
        alias: the name under which the host key stands in ``known_hosts``.
    """

    target: str
    alias: str
    known_hosts: Path
    port: int | None = None
    config: Path | None = None

    @classmethod
    def of(cls, facts: dict[str, Any], known_hosts: Path) -> SshTarget:
        """Return the target that a source's ``ssh`` document describes.

        Raises:
            SmcError: Source.BadAddress.
        """
        target = str(facts["target"])
        if not _ADDRESS.fullmatch(target) or target.startswith("-") or "@-" in target:
            raise SmcError("Source.BadAddress", f"{target!r} is no [USER@]HOST")
        port = facts.get("port")
        config = facts.get("config")
        return cls(
            target=target,
            alias=str(facts["alias"]),
            known_hosts=known_hosts,
            port=int(port) if port else None,
            config=Path(config) if config else None,
        )

    def command(self, *options: str, known_hosts: Path | None = None) -> list[str]:
        """Return the ssh command line up to and with the target."""
        # ssh splits this option at blanks and expands % in it.
        keys = str(known_hosts or self.known_hosts).replace("%", "%%")
        fixed = (
            "BatchMode=yes",
            "ConnectTimeout=15",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            "ControlMaster=no",
            "ControlPath=none",
            "ClearAllForwardings=yes",
            "Compression=no",
            f'UserKnownHostsFile="{keys}"',
            "GlobalKnownHostsFile=/dev/null",
            f"HostKeyAlias={self.alias}",
            "UpdateHostKeys=no",
            *options,
        )
        return [
            "ssh",
            *(("-F", str(self.config)) if self.config else ()),
            "-T",
            "-x",
            "-a",
            *(word for option in fixed for word in ("-o", option)),
            *(("-p", str(self.port)) if self.port else ()),
            "--",
            self.target,
        ]


@lru_cache
def _fast_cipher(config: Path | None, target: str) -> tuple[str, ...]:
    """Return the option that prefers AES-GCM, where that is faster and nobody chose otherwise.

    OpenSSH's default, ChaCha20, is the slower one by far on a processor with
    AES instructions. A user's own Ciphers setting is left alone.
    """
    if " aes " not in Path("/proc/cpuinfo").read_text(errors="replace"):
        return ()

    def asked(file: str | None) -> subprocess.Popen[str]:
        words = ["ssh", "-G", *(("-F", file) if file else ()), "--", target]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(words, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, text=True)

    # Both at once: each takes 15 ms and more, at the beginning of every run.
    users, plain = asked(str(config) if config else None), asked("/dev/null")
    if _ciphers(users) != _ciphers(plain):
        return ()
    return ("Ciphers=^aes128-gcm@openssh.com,aes256-gcm@openssh.com",)


def _ciphers(answer: subprocess.Popen[str]) -> str:
    said, _ = answer.communicate()
    return next((line for line in said.splitlines() if line.startswith("ciphers ")), "")


def ssh_environment() -> dict[str, str]:
    """Return the environment for ssh: messages in the language that is parsed here."""
    return {**os.environ, "LC_ALL": "C"}


def explain_ssh(stderr: str, otherwise: str) -> SmcError:
    """Return the error that ssh's or sudo's words stand for."""
    lines = _lines(stderr)
    for saying, code in _SAYINGS:
        for line in lines:
            if saying in line:
                return SmcError(code, "" if code == "HostKey.Changed" else line)
    return SmcError(otherwise, _last_line(stderr))


def _lines(said: str) -> list[str]:
    return [printable(line.strip()) for line in said.splitlines() if line.strip()]


def _last_line(said: str) -> str:
    return next(iter(reversed(_lines(said))), "")


class Link:
    """A running program on the source with its standard input and output.

    Attributes:
        sink: file descriptor to write to the program.
        source: file descriptor to read from the program.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=40)
        self.connected = False
        assert process.stdin is not None
        assert process.stdout is not None
        self.sink = process.stdin.fileno()
        self.source = process.stdout.fileno()
        for handle in (self.sink, self.source):
            with contextlib.suppress(OSError):
                fcntl.fcntl(handle, _F_SETPIPE_SZ, _PIPE_SIZE)
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    @classmethod
    def start(cls, program: Path, ssh: SshTarget | None) -> Link:
        """Start the program on the source (over ssh) or here (``ssh`` None)."""
        if ssh is None:
            command = [sys.executable, "-I", "-c", _BOOTSTRAP]
        else:
            cipher = _fast_cipher(ssh.config, ssh.target)
            command = [*ssh.command("StrictHostKeyChecking=yes", *cipher), _REMOTE]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=ssh_environment(),
            start_new_session=True,  # a ^C at the terminal is not the link's business
        )
        link = cls(process)
        text = zlib.compress(program.read_bytes(), 9)
        try:
            link.write(b"%d\n" % len(text) + text)
        except SmcError:
            link.close()
            raise
        return link

    def write(self, data: bytes) -> None:
        """Write all of the data.

        Raises:
            SmcError: whatever the program or ssh died of.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.sink, view) :]
        except OSError:
            raise self.failure() from None

    def failure(self) -> SmcError:
        """Return why the link ended; waits for the process, which has closed its output."""
        try:
            status = self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._ear.join(5)
        said = "\n".join(self._said)
        if status == _NO_PYTHON:
            return SmcError("Source.NoPython", "no python3 was found")
        if status == _OLD_PYTHON:
            return SmcError("Source.NoPython", "its python3 is older than 3.6")
        broke = status == _SSH_FAILED or status < 0
        if self.connected:
            # What was said at the login, a warning of sudo's say, is not why it ended.
            return SmcError("Link.Lost" if broke else "Agent.Died", _last_line(said))
        return explain_ssh(said, "SourceServer.Offline" if broke else "Agent.Died")

    def close(self, patience: float = 5.0) -> None:
        """End the program: it stops when its input ends.

        Args:
            patience: seconds after which it is killed; 0 for one that may not hear us.
        """
        if not patience:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(patience or None)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._ear.join(5)
        if self._process.stderr is not None and not self._ear.is_alive():
            self._process.stderr.close()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in iter(lambda: self._process.stderr.readline(4096), b""):  # type: ignore[union-attr]
            self._said.append(line.decode(errors="replace"))
