"""The probing program as it runs, its reading of an initramfs, and a source that lies."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
import struct
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from smc_tui.drill import facts as room
from smc_tui.drill.facts import PROBE, Wanted, gather
from smc_tui.drill.shapes import SHAPES, sorted_out
from smc_tui.model.errors import SmcError
from smc_tui.source.inventory import converse
from tests.support.pythons import old_pythons
from tests.sync.test_devices import call, loop, mounted

MIB = 1 << 20


def run(python: str, question: dict) -> list[dict]:
    """Run the probe under an interpreter; return both its answers."""
    said = subprocess.run(
        [python, "-I", str(PROBE)],
        input=json.dumps(question).encode() + b"\n",
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert said.stderr == b""
    frames, rest = [], said.stdout
    while rest:
        kind, length = struct.unpack_from("<cI", rest)
        assert kind == b"s"
        frames.append(json.loads(rest[5 : 5 + length]))
        rest = rest[5 + length :]
    return frames


@pytest.mark.parametrize("python", [sys.executable, *old_pythons()])
def test_the_probe_answers_in_the_shapes(python, tmp_path):
    sparse = tmp_path / "disk"
    with sparse.open("wb") as file:
        file.write(os.urandom(MIB))
        file.truncate(64 * MIB)
    clock, answer = run(python, {"host": True, "disks": [str(sparse), "/dev/nothing"]})
    assert abs(clock["now"] - time.time()) < 30
    kept, missing = sorted_out(answer)
    assert missing == {}
    assert set(kept) == set(SHAPES)
    assert 0 <= kept["cpu"]["busy"] <= 1
    assert kept["memory"]["total"] > 64 * MIB
    assert any(row["point"] == "/" for row in kept["filesystems"])
    row = kept["asked_disks"][0]
    assert (row["block"], row["disks"]) == (False, [])
    assert MIB <= row["allocated"] < 8 * MIB


def test_of_disks_of_this_host_only_those_are_told(tmp_path):
    _, answer = run(sys.executable, {"host": False, "disks": []})
    assert set(answer) == {"stacking", "volume_groups", "tracing", "asked_disks"}


def test_it_writes_nothing(tmp_path):
    """Nothing is opened for writing but the kernel's own pipes."""
    strace = shutil.which("strace")
    if strace is None:
        words = PROBE.read_text()
        assert "O_WRONLY" not in words
        assert 'open(path, "w' not in words
        return
    log = tmp_path / "log"
    question = b'{"host": true, "disks": []}\n'
    command = [strace, "-f", "-e", "trace=openat,open,creat", "-o", log, sys.executable, "-IB"]
    subprocess.run([*command, PROBE], input=question, check=True, capture_output=True)
    opened = [
        line for line in log.read_text().splitlines() if "O_WRONLY" in line or "O_RDWR" in line
    ]
    assert [line for line in opened if "/dev/" not in line] == []


# Its parts, loaded as a module


@pytest.fixture(scope="module")
def probe():
    """The probe's functions, without its run."""
    names: dict = {"__name__": "probe"}
    text = PROBE.read_text()
    assert text.endswith("\nmain()\n")
    exec(compile(text.removesuffix("main()\n"), str(PROBE), "exec"), names)
    return names


def cpio(*names: str) -> bytes:
    """Return an archive of small files as initramfs tools write it."""
    out = b""
    for number, name in enumerate([*names, "TRAILER!!!"]):
        body = b"" if name == "TRAILER!!!" else b"content of " + name.encode()
        fields = [number, 0o100644, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % value for value in fields)
        out += head + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + body
        out += bytes(-len(out) % 4)
    return out + bytes(-len(out) % 512)


DRIVERS = ("init", "usr/lib/modules/6.1/virtio_blk.ko.xz", "lib/modules/6.1/virtio_pci.ko")
EARLY = cpio("kernel", "kernel/x86", "kernel/x86/microcode/GenuineIntel.bin")
PACKERS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
}


@pytest.mark.parametrize("early", [b"", EARLY], ids=["alone", "behind microcode"])
@pytest.mark.parametrize("packer", PACKERS)
def test_an_initramfs_is_read(probe, tmp_path, packer, early):
    path = tmp_path / "initrd.img"
    path.write_bytes(early + PACKERS[packer](cpio(*DRIVERS) + bytes(300_000)))
    assert probe["names_in"](str(path)) == (["virtio_blk", "virtio_pci"], "")
    path.write_bytes(early + PACKERS[packer](cpio("init", "lib/modules/6.1/nvme.ko")))
    assert probe["names_in"](str(path)) == ([], "")


@pytest.mark.parametrize(("name", "flags"), [("zstd", ["-q"]), ("lz4", ["-l", "-q"])])
def test_an_initramfs_packed_by_a_program_is_read(probe, tmp_path, name, flags):
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    plain = tmp_path / "plain"
    plain.write_bytes(cpio(*DRIVERS))
    packed = subprocess.run([name, *flags, "-c", plain], check=True, capture_output=True).stdout
    path = tmp_path / "initrd.img"
    path.write_bytes(EARLY + packed)
    assert probe["names_in"](str(path)) == (["virtio_blk", "virtio_pci"], "")


def test_modules_are_found_wherever_an_initramfs_has_them(probe, tmp_path):
    """Newer tools put modules into a plain archive of their own; people append others."""
    path = tmp_path / "initrd.img"
    modules = cpio("usr", "usr/lib/modules/6.12/virtio_blk.ko.xz")
    main = gzip.compress(cpio("init", "usr/lib/modules/6.12/virtio_pci.ko"))
    path.write_bytes(EARLY + modules + main)
    assert probe["names_in"](str(path)) == (["virtio_blk", "virtio_pci"], "")
    path.write_bytes(EARLY + modules)
    assert probe["names_in"](str(path)) == (["virtio_blk"], "")
    for packer in ("gzip", "xz", "bzip2"):
        streams = [PACKERS[packer](cpio(name)) for name in ("init", *DRIVERS)]
        path.write_bytes(EARLY + streams[0] + bytes(200_000) + b"".join(streams[1:]))
        assert probe["names_in"](str(path)) == (["virtio_blk", "virtio_pci"], ""), packer
        path.write_bytes(streams[2] + b"something else")
        assert probe["names_in"](str(path)) == (["virtio_blk"], ""), packer


BROKEN = (
    b"",
    b"nonsense",
    b"\x28\xb5\x2f\xfd" + b"x" * 100,
    gzip.compress(b"x" * 10_000)[:40] + b"broken" * 9,
)


@pytest.mark.parametrize("content", BROKEN)
def test_an_initramfs_that_is_none_is_said_to_be_unreadable(probe, tmp_path, content):
    path = tmp_path / "initrd.img"
    path.write_bytes(content)
    names, why = probe["names_in"](str(path))
    assert names is None
    assert why


def test_a_name_across_two_pieces_is_found(probe):
    whole = cpio("init", "lib/modules/6.1/virtio_blk.ko")
    for at in range(len(whole)):
        assert probe["searched"](iter([whole[:at], whole[at:]])) == ["virtio_blk"], at


def test_a_driver_that_is_only_listed_is_not_there(probe, tmp_path):
    """depmod's lists in an initramfs name the drivers that were left out of it too."""
    lists = b"kernel/drivers/block/virtio_blk.ko\nx.ko: kernel/drivers/virtio/virtio_pci.ko\0"
    path = tmp_path / "initrd.img"
    path.write_bytes(gzip.compress(cpio("init", "lib/modules/6.1/modules.order") + lists))
    assert probe["names_in"](str(path)) == ([], "")


def test_a_probe_that_hangs_is_left_behind(probe, monkeypatch):
    monkeypatch.setitem(probe, "LIMIT", 0.05)
    assert "no answer" in probe["probed"](time.sleep, 30)["error"]
    assert probe["probed"](int, "x")["error"].startswith("ValueError")
    assert probe["probed"](len, "abc") == {"facts": 3}


def test_a_pipe_nobody_writes_to_holds_nothing_up(probe, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert probe["text"](str(tmp_path / "pipe")) == ""


# A source that lies


def program(tmp_path: Path, *bodies: str) -> Path:
    """Return a program that answers with these expressions as its frames."""
    path = tmp_path / "liar.py"
    frames = "".join(
        f"body = {body}\nout.write(struct.pack('<cI', b's', len(body)) + body)\n" for body in bodies
    )
    path.write_text(f"import json, struct, sys\nout = sys.stdout.buffer\n{frames}out.flush()\n")
    return path


@pytest.mark.parametrize(
    "body",
    ["b' ' * (2 << 20)", "b'[]'", "b'not json'", "b'[' * 100000", "b'\\xff\\xfe'",
     "(b'{\"a\":' * 50 + b'1' + b'}' * 50)"],
)  # fmt: skip
def test_an_answer_that_is_none_ends_the_drill(tmp_path, body):
    liar = program(tmp_path, body)
    with closing(converse(liar, None, {}, 10)) as answers, pytest.raises(SmcError) as found:
        next(answers)
    assert found.value.code == "Protocol.Malformed"


def wanted(home: Path, *disks: Path) -> Wanted:
    home.mkdir(exist_ok=True)
    return Wanted(
        home=home,
        at="2026-11-22T21:48:03.000Z",
        keep=3,
        once=False,
        limit_mbit=0,
        ssh=None,
        disks=tuple(
            {"index": index, "path": str(disk), "size": 32 * MIB, "identity": {}}
            for index, disk in enumerate(disks)
        ),
    )


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.write(os.urandom(20 * MIB))
        file.truncate(32 * MIB)
    return path


def test_lies_reach_no_rule_and_no_terminal(tmp_path, disk, monkeypatch):
    evil = {
        "tracing": {"facts": {"mounted": "\x1b[2J"}},
        "stacking": {"facts": [{"kind": "lvm", "name": "\x1b]0;x\x07", "level": "", "disks": []}]},
        "volume_groups": {"error": "\x1b[31m" + "x" * 9000},
        "cpu": 7,
    }
    text = json.dumps(evil)
    monkeypatch.setattr(room, "PROBE", program(tmp_path, "b'{\"now\": NaN}'", repr(text.encode())))
    found = gather(wanted(tmp_path / "home", disk), lambda step: None)
    assert found.skew is None
    assert "tracing" not in found.probe
    assert "\x1b" not in repr(found.probe) + "".join(found.missing.values())
    assert max(map(len, found.missing.values())) <= 200


def test_a_program_that_says_nothing_is_an_error(tmp_path, disk, monkeypatch):
    monkeypatch.setattr(room, "PROBE", program(tmp_path))
    with pytest.raises(SmcError) as found:
        gather(wanted(tmp_path / "home", disk), lambda step: None)
    assert found.value.code == "Agent.Died"


# What is found out of local disks


def test_local_disks_are_looked_at(tmp_path, disk):
    steps: list[str] = []
    found = gather(wanted(tmp_path / "home", disk), steps.append)
    assert len(steps) >= 4
    assert found.local
    assert found.link_bps
    assert found.trip
    assert found.read_bps
    assert found.room
    (seen,) = found.disks
    assert 20 * MIB <= seen.used < 24 * MIB
    assert (seen.error, seen.written, seen.mounted) == (None, False, False)
    assert abs(found.skew) < 30


def test_each_bad_disk_is_told_and_the_others_are_looked_at(tmp_path, disk):
    small = tmp_path / "small"
    small.write_bytes(bytes(2 * MIB))
    other = tmp_path / "other"
    shutil.copy(disk, other)
    asked = wanted(tmp_path / "home", tmp_path / "missing", disk, small, other)
    asked.disks[3]["identity"] = {"device": other.stat().st_dev, "inode": 1}
    found = gather(asked, lambda step: None)
    codes = [each.error and each.error.code for each in found.disks]
    assert codes == ["Disk.NotFound", None, "Disk.Shrank", "Disk.Replaced"]
    assert found.read_bps


def test_a_disk_that_is_written_to_meanwhile_is_noticed(tmp_path, disk):
    def write(step: str) -> None:
        if "server" in step or "stands" in step:
            with disk.open("r+b") as file:
                file.write(b"changed")

    found = gather(wanted(tmp_path / "home", disk), write)
    assert found.disks[0].written is True


LVM = {
    "vgs": "  vg0|1073741824\n  vg1|\n  odd\n",
    "lvs": "  vg0|linear\n  vg0|thin,pool\n  vg9|thin,pool\n",
    "pvs": "  vg0|/dev/gone\n  vg9|/dev/gone\n",
}


def test_volume_groups_are_told_with_their_room(probe, monkeypatch):
    monkeypatch.setitem(probe, "told", lambda name, *words: LVM[name])
    groups = {"vg0": {"free": 1 << 30, "thin": True, "disks": []}}
    assert probe["volume_groups"]() == {"asked": True, "groups": groups}


def test_a_server_without_lvm_was_not_asked(probe, monkeypatch):
    monkeypatch.setitem(probe, "told", lambda name, *words: None)
    assert probe["volume_groups"]() == {"asked": False, "groups": {}}


@pytest.mark.parametrize(
    ("release", "images", "running", "found"),
    [
        ("6.1", ["/boot/vmlinuz-6.0", "/boot/vmlinuz-6.1"], True, "/boot/vmlinuz-6.1"),
        ("6.1-none", ["/boot/vmlinuz-6.0", "/boot/vmlinuz-linux"], True, "/boot/vmlinuz-linux"),
        ("6.1-none", ["/boot/vmlinuz-6.0", "/boot/vmlinuz-linux"], False, ""),
    ],
)
def test_a_kernel_is_found_by_its_release_or_by_the_one_name(
    probe, release, images, running, found
):
    assert probe["image_of"](release, images, running) == found


MOUNTINFO = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 254:1 /home /srv rw,relatime shared:1 - ext4 /dev/vda1 rw
24 22 254:2 / /boot\040efi rw,relatime - vfat /dev/vda2 rw
25 22 254:3 / /iso rw,relatime - iso9660 /dev/vda3 ro
26 22 254:4 / /data ro,relatime - xfs /dev/vda4 rw
27 22 0:40 / /nfs rw,relatime - nfs4 server:/x rw
28 22 0:41 / /run rw,nosuid - tmpfs tmpfs rw
29 22 0:42 / /sub rw,relatime - btrfs /dev/gone rw
30 22 0:43 / /vol rw,relatime - btrfs /dev/null rw
short
"""


def test_what_is_mounted_for_writing_is_told_once_and_by_its_devices(probe, monkeypatch):
    monkeypatch.setitem(probe, "text", lambda path: MOUNTINFO if "mountinfo" in path else "")
    null = Path("/dev/null").stat().st_rdev
    assert probe["writable"]() == [
        ({"254:1"}, {"point": "/", "type": "ext4"}),
        ({"254:2"}, {"point": "/boot efi", "type": "vfat"}),
        # Read-only here, and for writing elsewhere perhaps: the file system itself is not.
        ({"254:4"}, {"point": "/data", "type": "xfs"}),
        # Btrfs has numbers of its own; its device has those of the kernel.
        ({f"{os.major(null)}:{os.minor(null)}"}, {"point": "/vol", "type": "btrfs"}),
    ]


@pytest.mark.root
def test_a_mounted_disk_tells_what_is_mounted_and_whether_it_can_be_frozen(tmp_path):
    file = tmp_path / "file"
    with file.open("wb") as made:
        made.truncate(64 * MIB)
    call("mkfs.ext4", "-q", file)
    with loop(file) as device:
        asked = {"host": False, "disks": [str(device)]}
        (row,) = run(sys.executable, asked)[1]["asked_disks"]["facts"]
        assert row["mounts"] == []
        with mounted(device, tmp_path / "mnt") as folder:
            answer = run(sys.executable, asked)[1]
            (row,) = answer["asked_disks"]["facts"]
            assert row["mounts"] == [{"point": str(folder), "type": "ext4"}]
        assert answer["tracing"]["facts"]["root"] is True
