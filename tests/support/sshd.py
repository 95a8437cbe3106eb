"""A real sshd on loopback with keys of its own, for the time of a test."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import kill_all, processes

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keygen(path: Path) -> Path:
    """Make a key pair without passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@dataclass
class Sshd:
    """A server that lets the present user in with a key of the test."""

    folder: Path
    port: int
    user: str
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def prepare(cls, folder: Path, python: str | None = None, path: str | None = None) -> Sshd:
        """Write keys and configuration, start the server.

        With ``python`` that is the only interpreter which the server finds; ``path`` is
        the PATH of all that is run there.
        """
        folder.mkdir(mode=0o700)
        keygen(folder / "host_key")
        keygen(folder / "user_key")
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        server = cls(folder, free_port(), getpass.getuser())
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{server.port}\n"
            f"HostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
            "UsePAM no\nStrictModes no\nPasswordAuthentication no\nPidFile none\n"
            "PermitRootLogin prohibit-password\nMaxStartups 100\n"
        )
        if python is not None:
            with (folder / "sshd_config").open("a") as file:
                swap = f"s,/usr/bin/python3.*platform-python,{python},"
                file.write(f'ForceCommand eval "$(echo "$SSH_ORIGINAL_COMMAND" | sed {swap})"\n')
        if path is not None:
            with (folder / "sshd_config").open("a") as file:
                file.write(f'SetEnv PATH="{path}"\n')
        (folder / "ssh_config").write_text(
            f"Host source\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n"
            f"Host *\n IdentityFile {folder}/user_key\n IdentitiesOnly yes\n"
        )
        server.start()
        return server

    @property
    def config(self) -> Path:
        """The client's configuration; ``source`` is this server's name in it."""
        return self.folder / "ssh_config"

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint, as ssh-keygen says it."""
        said = subprocess.run(
            ["ssh-keygen", "-l", "-f", self.folder / "host_key.pub"],
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout.split()[1]

    def start(self) -> None:
        """Start listening; returns when connections are taken."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        assert SSHD is not None
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except ConnectionRefusedError:
                assert self.process.poll() is None, (self.folder / "log").read_text()

    def stop(self) -> None:
        """Stop listening and end every connection."""
        if self.process is not None:
            # Each connection's process is a session leader of its own.
            kill_all([self.process.pid, *processes("sshd", self.process.pid)])
            self.process.wait()
            self.process = None
