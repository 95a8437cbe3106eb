"""The programs that a user would use instead, each as the commands of one task."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from tests.support.sshd import Sshd

CIPHER = "aes128-gcm@openssh.com"  # for every side that goes over SSH

_TREE = Path(__file__).parents[2]  # so that our side is the tree that stands here

_FLOOR = """
import mmap, os, sys, threading
from blake3 import blake3
path = sys.argv[1]
size, step = os.path.getsize(path), 1 << 24
handle = os.open(path, os.O_RDONLY)
view = memoryview(mmap.mmap(handle, size, prot=mmap.PROT_READ))
parts = iter(range(0, size, step))
lock = threading.Lock()
def work():
    while True:
        with lock:
            at = next(parts, None)
        if at is None:
            return
        blake3(view[at:at + step]).digest()
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@dataclass
class Scene:
    """What all sides work on."""

    folder: Path
    disk: Path
    server: Sshd

    @property
    def ssh(self) -> list[str]:
        """The ssh command that every side uses."""
        known = self.folder / "known_hosts"
        options = [f"UserKnownHostsFile={known}", "StrictHostKeyChecking=accept-new"]
        words = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", str(self.server.config), "-c", CIPHER, *words]


class Peer(ABC):
    """One program; ``copy`` copies all of the disk, ``again`` what has changed since."""

    name: str
    needs: str

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.place = scene.folder / self.name.split()[0]

    def found(self) -> bool:
        """Tell whether the program is there."""
        return shutil.which(self.needs) is not None

    def reset(self) -> None:
        """Forget everything, so that ``copy`` starts from nothing."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)

    @abstractmethod
    def copy(self) -> None:
        """Copy the whole disk for the first time."""

    def again(self) -> None:
        """Bring the copy up to date."""
        self.copy()

    def call(self, *words: str, **environment: str) -> None:
        """Run one command to its end; it must succeed."""
        done = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_TREE), **environment},
            cwd=self.place,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}")


class Floor(Peer):
    """Reading and hashing alone, two threads, mapped: what a comparison can't beat."""

    name = "floor (read + blake3, 2 threads)"
    needs = "sh"

    def copy(self) -> None:
        self.call(sys.executable, "-c", _FLOOR, str(self.scene.disk))


class SshCat(Peer):
    """The plain pipe that people fall back on, ending in fsync."""

    name = "ssh cat > file, fsync"
    needs = "ssh"

    def copy(self) -> None:
        script = 'target=$1; shift; "$@" > "$target" && sync "$target"'
        command = [*self.scene.ssh, "source", f"cat {self.scene.disk}"]
        self.call("sh", "-c", script, "sh", str(self.place / "copy"), *command)


class Rsync(Peer):
    """rsync over SSH, in place, with its block comparison.

    ``--ignore-times``: a disk has no time stamp that tells whether it was written to.
    """

    name = "rsync --inplace --no-whole-file"
    needs = "rsync"

    def copy(self) -> None:
        options = ("--inplace", "--no-whole-file", "--ignore-times", "--fsync")
        words = ("rsync", *options, "-e", " ".join(self.scene.ssh))
        self.call(*words, f"source:{self.scene.disk}", str(self.place / "copy"))


class Restic(Peer):
    """restic into a local repository, reading the file again each time."""

    name = "restic (local, no SSH)"
    needs = "restic"

    def reset(self) -> None:
        super().reset()
        self._restic("init")

    def _restic(self, *words: str) -> None:
        cache = str(self.place / "cache")
        self.call(
            "restic", "-r", str(self.place / "repo"), "--cache-dir", cache, *words,
            RESTIC_PASSWORD="benchmark",
        )  # fmt: skip

    def copy(self) -> None:
        self._restic("backup", "--force", str(self.scene.disk))

    def again(self) -> None:
        self._restic("backup", str(self.scene.disk))


class Borg(Peer):
    """borg into a local repository without encryption."""

    name = "borg (local, no SSH)"
    needs = "borg"

    def reset(self) -> None:
        super().reset()
        self.count = 0
        self._borg("init", "-e", "none", "repo")

    def _borg(self, *words: str) -> None:
        base = str(self.place / "base")
        self.call(
            "borg", *words, BORG_BASE_DIR=base, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes"
        )

    def copy(self) -> None:
        self.count += 1
        self._borg("create", f"repo::{self.count}", str(self.scene.disk))


class Casync(Peer):
    """casync into a local store."""

    name = "casync (local, no SSH)"
    needs = "casync"

    def copy(self) -> None:
        index = str(self.place / "index.caibx")
        self.call("casync", "make", f"--store={self.place / 'store'}", index, str(self.scene.disk))


class SmcTui(Peer):
    """The command line as a user types it, engine and all, over SSH."""

    name = "smc-tui"
    needs = "ssh"

    def run(self, *words: str) -> None:
        """Run one verb."""
        self.call(sys.executable, "-m", "smc_tui", "--home", str(self.place / "home"), *words)

    def reset(self) -> None:
        if (self.place / "home").exists():
            self.run("engine", "stop")
        super().reset()
        self.bring_in("server", "job")

    def bring_in(self, source: str, job: str) -> None:
        """Import the server and create its job."""
        server = self.scene.server
        self.run(
            "source", "import", source, "--ssh", "source", "--ssh-config", str(server.config),
            "--disk", str(self.scene.disk), "--accept-key", server.fingerprint,
        )  # fmt: skip
        settings = ("--interval", "7d", "--keep", "3", "--start", "later")
        self.run("job", "create", source, "--name", job, *settings)

    def twin(self) -> None:
        """Migrate an identical second server."""
        self.bring_in("twin", "twin-job")
        self.run("job", "start", "twin-job", "--wait")

    def copy(self) -> None:
        self.run("job", "start", "job", "--wait")

    def again(self) -> None:
        self.run("job", "sync", "job", "--wait")


PEERS: tuple[type[Peer], ...] = (SmcTui, Floor, SshCat, Rsync, Restic, Borg, Casync)
