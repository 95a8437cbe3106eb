"""The tree of files a guest's disk is made of: Debian 12 by debootstrap, with what servers run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.support.sshd import keygen

SUITE = "bookworm"
PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "zstd", "kmod", "udev",
    "systemd", "systemd-sysv", "iproute2", "openssh-server", "python3", "qemu-guest-agent",
    "nginx-light", "sqlite3", "e2fsprogs", "xfsprogs", "lvm2",
)  # fmt: skip

#: The database that the service ``ledger`` writes to, and the line that says a guest is up.
LEDGER = "/srv/ledger/ledger.db"
READY = "rig: this guest is ready"

#: Where the server's key lies in the tree; it has no other.
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"

_LEDGER = f"""\
import os, sqlite3, time

os.makedirs(os.path.dirname({LEDGER!r}), exist_ok=True)
db = sqlite3.connect({LEDGER!r})
db.execute("pragma journal_mode=wal")
db.execute("create table if not exists entry(id integer primary key, at real, note text)")
while True:
    note = os.urandom(200).hex()
    db.execute("insert into entry(at, note) values(?, ?)", (time.time(), note))
    db.commit()
    time.sleep(0.2)
"""

#: Written before anything is installed: these make the installing short and the guest small.
_BEFORE = {
    "etc/dpkg/dpkg.cfg.d/rig": "force-unsafe-io\n"
    "path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n"
    "path-exclude=/usr/share/locale/*\npath-exclude=/usr/share/info/*\n",
    "etc/initramfs-tools/conf.d/rig": "MODULES=list\n",
    "usr/share/initramfs-tools/modules.d/rig": "virtio_pci\nvirtio_blk\next4\nxfs\n",
}

_AFTER = {
    "etc/hostname": "src-web-01\n",
    "etc/systemd/network/eth0.network": "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n",
    "etc/ssh/sshd_config.d/rig.conf": f"HostKey /{HOST_KEY}\nUseDNS no\n",
    "usr/local/bin/ledger.py": _LEDGER,
    "etc/systemd/system/ledger.service": "[Unit]\nDescription=A ledger that is written to\n"
    "[Service]\nExecStart=/usr/bin/python3 /usr/local/bin/ledger.py\n"
    "[Install]\nWantedBy=multi-user.target\n",
    # What waits for a guest reads this on its serial line.
    "etc/systemd/system/ready.service": "[Unit]\nDescription=Says that this guest is up\n"
    "Wants=network-online.target\nAfter=network-online.target ssh.service ledger.service\n"
    f"[Service]\nType=oneshot\nExecStart=/usr/bin/echo {READY}\n"
    "StandardOutput=tty\nTTYPath=/dev/ttyS0\n[Install]\nWantedBy=multi-user.target\n",
}

_WANTED = ("systemd-networkd.service", "ledger.service", "ready.service")
#: They would write, or take a slow processor, at times of their own.
_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "getty@tty1.service", "getty-static.service",
)  # fmt: skip


def make_tree(folder: Path) -> Path:
    """Make the tree in a folder, or return the one that was made there by the same recipe.

    Raises:
        subprocess.CalledProcessError: A package could not be had or installed.
    """
    recipe = repr((SUITE, PACKAGES, _BEFORE, _AFTER, _WANTED, _MASKED))
    tree = folder / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if tree.exists():
        return tree
    half = folder / f"{tree.name}.half"
    remove_tree(half)
    _write(half, _BEFORE)
    _debootstrap(half, folder / "debootstrap.log")
    _configure(half)
    half.rename(tree)
    return tree


def remove_tree(tree: Path) -> None:
    """Remove a tree; nothing is mounted in it, for that was done in a namespace of its own."""
    if tree.exists():
        shutil.rmtree(tree)


def kernel_of(tree: Path) -> str:
    """Return the release of the tree's kernel."""
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    return kernel.name.removeprefix("vmlinuz-")


def _debootstrap(tree: Path, log: Path) -> None:
    """Install the packages; what is mounted meanwhile goes with the mount namespace."""
    command = [
        "unshare", "--mount", "debootstrap", "--variant=minbase",
        f"--include={','.join(PACKAGES)}", SUITE, str(tree),
    ]  # fmt: skip
    with log.open("wb") as file:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False
        )
    assert done.returncode == 0, "\n".join(log.read_text().splitlines()[-20:])


def _configure(tree: Path) -> None:
    _write(tree, _AFTER)
    for packed in (tree / "var/cache/apt/archives").glob("*.deb"):
        packed.unlink()
    shutil.rmtree(tree / "var/lib/apt/lists")
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    keygen(tree / HOST_KEY)
    # An account that is locked is let in by no key.
    _call("chroot", tree, "passwd", "-d", "root")
    units = tree / "etc/systemd/system"
    for name in _WANTED:
        _call("chroot", tree, "systemctl", "enable", name)
    for name in _MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    (tree / "etc/machine-id").write_text("")


def _write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _call(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_plain())
    assert done.returncode == 0, (command, done.stdout, done.stderr)


def _plain() -> dict[str, str]:
    """Return an environment that means the same in another root."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH"}
    return {**kept, "LC_ALL": "C"}
