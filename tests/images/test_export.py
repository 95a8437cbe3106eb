"""Exports: raw and qcow2 files that hold exactly the disk, sparse, whole or not at all."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import BinaryIO

import pytest

from smc_tui.images import BLOCK
from smc_tui.images.files import Files
from smc_tui.images.qcow2 import CLUSTER, Qcow2Writer
from smc_tui.model.errors import SmcError
from tests.images.faulty import Died, Fault, FaultyFiles
from tests.images.world import Disk, World, block, sample

A = "m-0000000a"
DISK = sample(2, *range(1, 20)) | {0: block(1), 255: block(2), 256: block(3)}

QEMU_IMG = shutil.which("qemu-img")
needs_qemu = pytest.mark.skipif(QEMU_IMG is None, reason="there is no qemu-img on this machine")


def test_raw(world: World, tmp_path: Path) -> None:
    world.synchronise(A, DISK)
    told: list[tuple[str, int, int]] = []
    done = world.store.export(A, 0, tmp_path / "a.raw", "raw", lambda *step: told.append(step))
    assert (tmp_path / "a.raw").read_bytes() == world.bytes_of(DISK)
    assert (tmp_path / "a.raw").stat().st_blocks * 512 <= (len(DISK) + 2) * BLOCK
    assert (done.bytes, done.stored) == (world.size, len(DISK) * BLOCK)
    assert told[-1] == ("exporting", world.size, world.size)
    assert [path.name for path in tmp_path.iterdir()] == ["a.raw"]


@pytest.mark.parametrize(
    "disk", [DISK, {}, {n: block(n) for n in range(256)}], ids=["some", "none", "all"]
)
def test_qcow2_read_by_our_own_eyes(world: World, tmp_path: Path, disk: Disk) -> None:
    world.synchronise(A, disk)
    world.store.export(A, 0, tmp_path / "a.qcow2", "qcow2")
    data = (tmp_path / "a.qcow2").read_bytes()
    assert _disk_of(data).ljust(world.size, b"\0")[: world.size] == world.bytes_of(disk)
    assert len(data) <= (len(disk) + 8) * CLUSTER


def _disk_of(data: bytes) -> bytes:
    """Read a qcow2 file as the format's specification says."""
    magic, version, _, _, bits, size, crypt, l1_size, l1_at = struct.unpack_from(
        ">4sIQIIQIIQ", data
    )
    assert (magic, version, bits, crypt) == (b"QFI\xfb", 3, 16, 0)
    disk = bytearray(size)
    for number, entry in enumerate(struct.unpack_from(f">{l1_size}Q", data, l1_at)):
        if entry:
            table = struct.unpack_from(">8192Q", data, entry & ~(1 << 63))
            for at, place in enumerate(table):
                if place:
                    place &= ~(1 << 63)
                    start = (number * 8192 + at) * CLUSTER
                    part = data[place : place + CLUSTER]
                    disk[start : start + CLUSTER] = part[: size - start]
    return bytes(disk)


@needs_qemu
@pytest.mark.parametrize("disk", [DISK, {}], ids=["some", "none"])
def test_qcow2_as_qemu_sees_it(world: World, tmp_path: Path, disk: Disk) -> None:
    world.synchronise(A, disk)
    raw, qcow2 = tmp_path / "a.raw", tmp_path / "a.qcow2"
    world.store.export(A, 0, raw, "raw")
    world.store.export(A, 0, qcow2, "qcow2")
    _qemu("check", "-f", "qcow2", qcow2)
    _qemu("compare", "-f", "raw", "-F", "qcow2", raw, qcow2)


@needs_qemu
def test_qcow2_of_a_large_sparse_disk(tmp_path: Path) -> None:
    """Several L2 tables and refcount blocks, with nothing between."""
    path = tmp_path / "large.qcow2"
    places = [0, 1, 8191, 8192, 3 * 8192 + 5, (1 << 24) - 1]
    with path.open("w+b") as file:
        writer = Qcow2Writer(Files(), file.fileno(), path, 1 << 40)
        for number in places:
            writer.write(number * CLUSTER, [block(number)])
        writer.finish()
    _qemu("check", "-f", "qcow2", path)
    assert path.stat().st_size < 20 * CLUSTER
    data = path.read_bytes()
    assert struct.unpack_from(">I", data, 36)[0] == 2048
    for number in places:
        assert data.count(block(number)) == 1


def test_reference_counts_count_themselves(tmp_path: Path) -> None:
    """At the edge of a refcount block, the block that counts it is counted too."""
    for clusters in range(32768 - 6, 32768 + 3):
        path = tmp_path / "edge.qcow2"
        with path.open("w+b") as file:
            writer = Qcow2Writer(Files(), file.fileno(), path, 1 << 20)
            writer._next = clusters  # as if so much had been written
            writer.finish()
        counted = 0
        with path.open("rb") as file:
            table, table_clusters = struct.unpack(">QI", _part(file, 48, 12))
            for (place,) in struct.iter_unpack(">Q", _part(file, table, table_clusters * CLUSTER)):
                if place:
                    counts = struct.unpack(f">{CLUSTER // 2}H", _part(file, place, CLUSTER))
                    assert set(counts) <= {0, 1}
                    counted += sum(counts)
        assert counted * CLUSTER == path.stat().st_size


def _part(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _qemu(*words: str | Path) -> None:
    assert QEMU_IMG is not None
    done = subprocess.run([QEMU_IMG, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_there_is_replaced_only_when_wanted(
    world: World, tmp_path: Path, overwrite: bool
) -> None:
    world.synchronise(A, DISK)
    target = tmp_path / "precious"
    target.write_text("precious")
    if overwrite:
        world.store.export(A, 0, target, overwrite=True)
        assert target.stat().st_size == world.size
    else:
        with pytest.raises(SmcError) as caught:
            world.store.export(A, 0, target)
        assert caught.value.code == "Export.TargetExists"
        assert target.read_text() == "precious"


def test_what_is_no_plain_file_is_never_replaced(world: World, tmp_path: Path) -> None:
    world.synchronise(A, DISK)
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for target in (tmp_path / "folder", tmp_path / "dangling", Path("/dev/null")):
        with pytest.raises(SmcError) as caught:
            world.store.export(A, 0, target, overwrite=True)
        assert caught.value.code == "Export.TargetExists"


def test_a_folder_that_is_not_there_is_named(world: World, tmp_path: Path) -> None:
    world.synchronise(A, DISK)
    with pytest.raises(SmcError) as caught:
        world.store.export(A, 0, tmp_path / "no" / "such" / "folder")
    assert caught.value.code == "Destination.IoError"
    assert "no/such" in caught.value.detail


@pytest.mark.parametrize("form", ["raw", "qcow2"])
@pytest.mark.parametrize("fault", list(Fault))
def test_it_appears_whole_or_not_at_all(
    home: Path, tmp_path: Path, form: str, fault: Fault
) -> None:
    world = World(home)
    world.synchronise(A, DISK)
    world.close()
    at = 0
    struck = True
    while struck:
        at += 1
        target = tmp_path / f"{at}.{form}"
        files = FaultyFiles(at, fault)
        world = World(home, files)
        try:
            world.store.export(A, 0, target, form)
        except (SmcError, Died):
            assert not target.exists() or files.struck.startswith("fsync_dir")
        finally:
            world.close()
        struck = bool(files.struck)
        if target.exists() and form == "raw":
            assert target.read_bytes() == world.bytes_of(DISK)
        target.unlink(missing_ok=True)
    assert at > 3
