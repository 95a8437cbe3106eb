"""Real block devices and a destination that fills up: these need root."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.disks import MIB, change_disk, make_disk
from tests.support.runs import Job, image_equals

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
]


def call(*words: object) -> str:
    """Run a command that must succeed and return what it printed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def loop(path: Path):
    """Attach a file as a block device."""
    device = Path(call("losetup", "-f", "--show", path))
    try:
        yield device
    finally:
        call("losetup", "-d", device)


@contextmanager
def mounted(device: Path, folder: Path, *options: object):
    """Mount a device or file system for the time of a block."""
    folder.mkdir()
    call("mount", *options, device, folder)
    try:
        yield folder
    finally:
        call("umount", folder)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


def test_a_block_device_is_read_past_the_page_cache(home, tmp_path):
    file = make_disk(tmp_path / "file", 48 * MIB)
    with loop(file) as device:
        device.read_bytes()  # now the page cache of the device knows the old content
        job = Job(home, [device])
        first = job.result()
        assert first["image"]["consistency"] == "stopped"
        assert image_equals(job, "m-00000001", 0, file)
        change_disk(file, 20, seed=4)  # behind the device's page cache, as a file system does
        assert job.result()["bytes_sent"] <= 20 * 65536
    assert image_equals(job, "m-00000002", 0, file)


def test_a_disk_written_to_is_fuzzy_where_no_instant_is_wanted_and_a_quiet_one_is_not(
    home, tmp_path
):
    file = tmp_path / "file"
    with file.open("wb") as made:
        made.truncate(64 * MIB)
    call("mkfs.ext4", "-q", file)
    with loop(file) as device:
        job = Job(home, [device])
        with mounted(device, tmp_path / "mnt") as folder:
            (folder / "before").write_bytes(os.urandom(8 * MIB))
            os.sync()
            assert job.survey()["disks"][0]["mounted"]
            run = job.start(limit_mbit=40, instant="none")
            while run.line().get("sent", 0) < MIB:
                pass
            (folder / "meanwhile").write_bytes(os.urandom(MIB))
            os.sync()
            run.tell({"do": "limit", "mbit": 0})
            assert run.last()["image"]["consistency"] == "fuzzy"
        assert job.result()["image"]["consistency"] == "stopped"
        assert image_equals(job, "m-00000002", 0, file)
        with job.store() as store:
            exported = tmp_path / "exported"
            store.export("m-00000002", 0, exported)
        call("e2fsck", "-fn", exported)


def test_another_disk_under_the_same_name_is_refused(home, tmp_path):
    file = make_disk(tmp_path / "file", 8 * MIB)
    other = make_disk(tmp_path / "other", 8 * MIB, seed=2)
    with loop(file) as device:
        job = Job(home, [device])
        job.result()
    call("losetup", device, other)
    try:
        assert job.run()["code"] == "Disk.Replaced"
    finally:
        call("losetup", "-d", device)


def test_a_full_destination_ends_the_run_and_a_retry_goes_on(tmp_path):
    file = make_disk(tmp_path / "file", 96 * MIB)
    with mounted(
        Path("tmpfs"), tmp_path / "home", "-t", "tmpfs", "-o", "size=40m,mode=700"
    ) as home:
        job = Job(home, [file])
        last = job.run()
        assert (last["kind"], last["code"]) == ("error", "Destination.Full")
        with job.store() as store:
            assert store.images() == []
        call("mount", "-o", "remount,size=400m", home)
        job.result()
        assert image_equals(job, "m-00000002", 0, file)
        with job.store() as store:
            assert store.check().found == 0
