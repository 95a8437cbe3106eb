"""A logical volume over two disks, written to while it is imaged: each image is of one instant.

Device-mapper cuts what is written at the borders of its stripes and keeps no queue: the
kernel says of a large write only where it ended. The writes here cross many stripes.
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from tests.vm.guest import Guest
from tests.vm.rig import Rig
from tests.vm.smc import Smc

pytestmark = pytest.mark.vm

DEVICE = "/dev/wide/data"
PIECE, PIECES = 512 << 10, 32

#: Two disks in memory, a volume striped over them, a file system.
MAKE = """\
set -e
modprobe loop
for each in 1 2; do truncate -s 96M /dev/shm/disk$each; losetup -f /dev/shm/disk$each; done
pvs=$(losetup -n -O NAME -j /dev/shm/disk1; losetup -n -O NAME -j /dev/shm/disk2)
vgcreate -q wide $pvs
lvcreate -q -y -i 2 -I 64k -l 100%FREE -n data wide
mkfs.ext4 -q /dev/wide/data
mkdir /data
mount /dev/wide/data /data
"""

#: Piece after piece, past the page cache, filled with the number of its turn.
WRITE = f"""\
import mmap, os, struct, time
path = "/data/pieces"
with open(path, "wb") as file:
    os.posix_fallocate(file.fileno(), 0, {PIECE * PIECES})
fd = os.open(path, os.O_RDWR | os.O_DIRECT)
buffer = mmap.mmap(-1, {PIECE})
turn = 0
while True:
    turn += 1
    buffer[:] = struct.pack("<Q", turn) * {PIECE // 8}
    os.pwrite(fd, buffer, turn % {PIECES} * {PIECE})
    time.sleep(0.04)  # a guest without a processor of its own has little time for all else
"""


def turn_of(image: Path, folder: Path) -> int:
    """Return the last turn that an image's file holds, all of it proven to be of that instant."""
    subprocess.run(["e2fsck", "-fn", image], check=True, capture_output=True)
    file = folder / "pieces"
    dump = ["debugfs", "-R", f"dump /pieces {file}", image]
    subprocess.run(dump, check=True, capture_output=True)
    content = file.read_bytes()
    pieces = [content[at : at + PIECE] for at in range(0, len(content), PIECE)]
    turns = [struct.unpack_from("<Q", piece)[0] for piece in pieces]
    for piece, turn in zip(pieces, turns, strict=True):
        assert piece == struct.pack("<Q", turn) * (PIECE // 8), f"turn {turn} is there in part"
    last = max(turns)
    assert sorted(turns) == list(range(last - PIECES + 1, last + 1))
    return last


def written(source: Guest) -> None:
    """Have every piece written once, and then again and again."""
    source.run(["sh", "-c", MAKE])
    source.run(["systemd-run", "-q", "--unit=pieces", "python3", "-c", WRITE])
    look = f"dd if=/data/pieces bs={PIECE} count=1 status=none | od -An -tu8 -N8"
    source.run(["sh", "-c", f"until [ $({look}) -gt {PIECES} ]; do sleep 0.1; done"])


def test_a_striped_volume_is_imaged_while_large_writes_go_on(
    rig: Rig, image: Path, smc: Smc, tmp_path: Path
) -> None:
    with rig.booted(tmp_path, image, "striped") as source:
        written(source)
        found = smc.imports("wide", source, "--disk", DEVICE)
        assert [disk["path"] for disk in found["disks"]] == [DEVICE]
        with rig.laps.lap("images of a striped volume"):
            smc.waiting("job", "create", "wide", "--name", "mig", "--start", "now")
            for _ in range(2):
                smc.waiting("job", "sync", "mig")
        job = smc("job", "show", "mig")
        source.run(["systemctl", "stop", "pieces"])
        smc.waiting("job", "cancel", "mig", "--yes", "mig")
    last = 0
    for each in job["images"]:
        assert each["consistency"] == "frozen"
        file = tmp_path / "image.raw"
        smc("image", "export", each["id"], file)
        turn = turn_of(file, tmp_path)
        file.unlink()
        assert turn > last
        last = turn
