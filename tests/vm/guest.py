"""A guest under QEMU: booted, watched by what it says, told, asked, and ended for certain."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.sshd import free_port
from tests.vm.disk import build
from tests.vm.tree import HOST_KEY, READY

__all__ = ["Guest", "build", "overlay"]

QEMU = "qemu-system-x86_64"
#: Seconds. A guest without hardware's help boots in some 40 on two cores that nobody else wants.
BOOT, COMMAND, SHUTDOWN, ATTACH = 240.0, 120.0, 90.0, 60.0
_PANIC = b"Kernel panic"


def overlay(base: Path, path: Path) -> Path:
    """Make a disk that begins as another one, which it leaves untouched."""
    kind = "qcow2" if base.suffix == ".qcow2" else "raw"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", kind, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


class Line:
    """A line to the machine: QEMU connects to where we listen, so that nothing is missed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self.socket = self._listener

    def accept(self, seconds: float) -> None:
        """Wait until QEMU has connected."""
        self._listener.settimeout(seconds)
        self.socket, _ = self._listener.accept()

    def close(self) -> None:
        """Close both ends of ours."""
        self.socket.close()
        self._listener.close()
        self.path.unlink(missing_ok=True)


class Talk:
    """A line of JSON documents: QMP, or the agent within the guest."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._rest = b""

    def receive(self, seconds: float) -> dict[str, Any]:
        """Return the next document."""
        self._line.socket.settimeout(seconds)
        while b"\n" not in self._rest:
            data = self._line.socket.recv(1 << 16)
            if not data:
                raise EOFError("the machine has ended")
            self._rest += data
        document, _, self._rest = self._rest.partition(b"\n")
        return dict(json.loads(document))

    def send(self, command: str, arguments: dict[str, Any]) -> None:
        """Send a command."""
        document = {"execute": command, "arguments": arguments}
        self._line.socket.sendall(json.dumps(document).encode() + b"\n")

    def ask(self, command: str, seconds: float, **arguments: Any) -> Any:
        """Send a command and return its answer; events in between are passed over."""
        self.send(command, arguments)
        while True:
            said = self.receive(seconds)
            assert "error" not in said, (command, said)
            if "return" in said:
                return said["return"]


class Guest:
    """A machine with one disk; ``with`` boots it, and nothing of it is left afterwards.

    Attributes:
        port: of loopback, where the guest's sshd answers.
        boot_seconds: from QEMU's start until the guest was up.
        alias: the guest's name in ``ssh_config``.
    """

    def __init__(self, folder: Path, disk: Path, key: Path, tree: Path, name: str = "guest"):
        self.folder, self.disk, self.alias = folder, disk, name
        self.port = free_port()
        self.boot_seconds = 0.0
        self.log = folder / f"{name}.serial"
        self.pid_file = folder / f"{name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: dict[str, Line] = {}
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        self._seen, self._ended = b"", False
        self._heard = threading.Condition()
        self._listening: threading.Thread | None = None
        self.host_key = tree / f"{HOST_KEY}.pub"
        self._write_ssh(key)

    @property
    def ssh_config(self) -> Path:
        """The client's configuration; ``alias`` is this guest's name in it."""
        return self.folder / f"{self.alias}.ssh_config"

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint, as ssh-keygen says it."""
        command = ["ssh-keygen", "-l", "-f", str(self.host_key)]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        return said.stdout.split()[1]

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_until_up()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the machine; return when its lines are connected."""
        # The path of a socket is short, that of a test's folder may be long.
        self._sockets = tempfile.TemporaryDirectory(prefix="smc-tui-vm-")
        # Where the tests are killed, so is the machine.
        command = ["setpriv", "--pdeathsig", "KILL", QEMU, *self._options()]
        for name in ("serial", "qmp", "agent"):
            self._lines[name] = Line(self._socket(name))
        said = self.folder / f"{self.alias}.qemu"
        with said.open("wb") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        try:
            for line in self._lines.values():
                line.accept(ATTACH)
            self._qmp = Talk(self._lines["qmp"])
            self._qmp.receive(ATTACH)
        except (TimeoutError, EOFError, ConnectionError):
            raise AssertionError(f"QEMU does not start: {said.read_text()}") from None
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self._agent = Talk(self._lines["agent"])
        self.qmp("qmp_capabilities")

    def wait_until_up(self, seconds: float = BOOT) -> None:
        """Wait until the guest says that it is up, and its sshd answers.

        Raises:
            AssertionError: It panicked, ended, or took longer.
        """
        begun = time.monotonic()
        words = READY.encode()
        with self._heard:
            self._heard.wait_for(
                lambda: words in self._seen or _PANIC in self._seen or self._ended, seconds
            )
            tail = self._seen[-2000:].decode(errors="replace")
            assert words in self._seen, f"the guest did not come up: {tail}"
        with socket.create_connection(("127.0.0.1", self.port), COMMAND) as connection:
            assert connection.recv(4) == b"SSH-"
        self.boot_seconds = time.monotonic() - begun

    def run(self, argv: Sequence[str], seconds: float = COMMAND) -> str:
        """Run a command as root over SSH and return what it writes; it must succeed."""
        command = ["ssh", "-F", str(self.ssh_config), self.alias, shlex.join(argv)]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, (argv, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Tell the machine something and return its answer."""
        return self._qmp.ask(command, COMMAND, **arguments)

    def agent(self, command: str, **arguments: Any) -> Any:
        """Ask the agent within the guest and return its answer."""
        return self._agent.ask(command, COMMAND, **arguments)

    def power_off(self) -> None:
        """Have the guest shut itself down and wait until the machine has ended."""
        assert self._process is not None
        # The agent's own guest-shutdown wants a system bus, which this guest has none of.
        self.agent("guest-exec", path="/bin/systemctl", arg=["--no-block", "poweroff"])
        self._process.wait(SHUTDOWN)
        self.kill()

    def kill(self) -> None:
        """End the machine at once, as a cut of its power would; free what it held."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._listening is not None:
            self._listening.join()
            self._listening = None
        for line in self._lines.values():
            line.close()
        self._lines.clear()
        if self._sockets is not None:
            self._sockets.cleanup()
            self._sockets = None
        self.pid_file.unlink(missing_ok=True)

    def _listen(self) -> None:
        """Take what comes over the serial line until the machine ends."""
        serial = self._lines["serial"].socket
        serial.settimeout(None)
        data = b"-"
        while data:
            data = b""
            with suppress(ConnectionError):
                data = serial.recv(1 << 16)
            with self._heard:
                self._seen += data
                self._ended = not data
                self._heard.notify_all()

    def _socket(self, name: str) -> Path:
        assert self._sockets is not None
        return Path(self._sockets.name) / name

    def _options(self) -> list[str]:
        kind = "qcow2" if self.disk.suffix == ".qcow2" else "raw"
        return [
            # KVM within a virtual machine is there at times, and then far slower than this.
            "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-m", "768",
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-drive", f"file={self.disk},format={kind},if=virtio,cache=unsafe,discard=unmap",
            "-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.port}-:22",
            "-device", "virtio-net-pci,netdev=n0,romfile=",
            "-device", "virtio-rng-pci",
            "-chardev", f"socket,id=serial,path={self._socket('serial')},logfile={self.log}",
            "-serial", "chardev:serial",
            "-chardev", f"socket,id=qmp,path={self._socket('qmp')}",
            "-mon", "chardev=qmp,mode=control",
            "-chardev", f"socket,id=agent,path={self._socket('agent')}",
            "-device", "virtio-serial",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-pidfile", str(self.pid_file),
        ]  # fmt: skip

    def _write_ssh(self, key: Path) -> None:
        known = self.folder / f"{self.alias}.known_hosts"
        kind, value, *_ = self.host_key.read_text().split()
        known.write_text(f"[127.0.0.1]:{self.port} {kind} {value}\n")
        self.ssh_config.write_text(
            f"Host {self.alias}\n HostName 127.0.0.1\n Port {self.port}\n User root\n"
            f"Host *\n IdentityFile {key}\n IdentitiesOnly yes\n BatchMode yes\n"
            f" UserKnownHostsFile {known}\n StrictHostKeyChecking yes\n"
        )
