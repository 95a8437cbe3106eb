"""The rig itself: it lets whole images pass, it sees damage, it leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.checks import Base, Verdict, as_booted, as_read, judge, notes, replayed
from tests.live.disks import (
    Filesystem,
    LiveDisk,
    call,
    lacking,
    live_disk,
    live_partitions,
    loop,
    mounted,
    users_of,
)
from tests.live.freezing import FreezeWitness, Window, freeze, frozen, thaw
from tests.live.rounds import Images, drive
from tests.live.writers import Load, writing
from tests.support.disks import MIB
from tests.support.processes import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(lacking("ext4", "xfs")), reason=lacking("ext4", "xfs")),
    pytest.mark.skipif(bool(FreezeWitness.lacking()), reason=FreezeWitness.lacking()),
]
KINDS = ["ext4", "xfs"]
#: No instant is asked for: images as they are when blocks are just read.
FUZZY = {"instant": "none"}


@pytest.fixture
def witness():
    with FreezeWitness() as witness:
        yield witness


@pytest.fixture
def rows_only():
    return Load(buffered=1, direct=0, mapped=0, trims=0, rows=200)


def copy(disk: LiveDisk, target: Path) -> Path:
    """Copy the file behind a disk, as it is now."""
    call("cp", "--sparse=always", disk.file, target)
    return target


def looked_at(file: Path, disk: LiveDisk, *bases: Base) -> Verdict:
    """Judge a copy of an image, so that it can be judged again."""
    again = file.with_name("again.raw")
    shutil.copyfile(file, again)
    verdict = Verdict()
    judge(again, disk.filesystems, dict(zip(disk.filesystems, bases, strict=False)), verdict)
    return verdict


# It lets pass what is whole ------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_a_file_system_frozen_throughout_pass(tmp_path, witness, kind):
    with live_disk(tmp_path, kind) as disk, writing(disk.filesystems[0], tmp_path / "log") as all:
        images = Images(tmp_path, tmp_path, [disk], witness, wishes=FUZZY)
        images.holding = lambda: frozen(disk.folder)
        record = drive(kind, 4, images.take, [disk], [all])
        assert record.failures == []
        assert len(record.frozen_ms()) == 4
        assert all.stop() is False
    rows = [round.verdict.last for round in record.rounds]
    assert rows == sorted(set(rows)), "the database went on between the images"
    assert rows[0] > 0


def test_images_of_a_frozen_disk_with_partitions_pass(tmp_path, witness):
    try:
        made = live_partitions(tmp_path, ("ext4", "xfs"))
        disk = made.__enter__()
    except RuntimeError as error:
        pytest.skip(str(error))
    try:
        first, second = disk.filesystems
        with writing(first, tmp_path / "log1") as one, writing(second, tmp_path / "log2") as two:
            images = Images(tmp_path, tmp_path, [disk], witness, wishes=FUZZY)
            images.holding = lambda: frozen(first.folder, second.folder)
            record = drive("partitions", 2, images.take, [disk], [one, two])
    finally:
        made.__exit__(None, None, None)
    assert record.failures == []
    assert record.rounds[-1].verdict.last > 0


# It sees damage ------------------------------------------------------------


def sewn(disk: LiveDisk, target: Path, log: Path) -> Path:
    """Make an image of two instants: every second MiB of it is as it was some rows later."""
    copy(disk, target)
    rows = len(notes(log))
    until(lambda: len(notes(log)) >= rows + 20)
    with disk.file.open("rb") as later, target.open("r+b") as image:
        for at in range(MIB, disk.size, 2 * MIB):
            later.seek(at)
            image.seek(at)
            image.write(later.read(MIB))
    return target


def test_images_of_two_instants_of_an_ext4_are_damaged_and_no_journal_helps(tmp_path):
    # A small journal comes round between the two, so that its replay repairs nothing.
    small = live_disk(tmp_path, "ext4", options=("-J", "size=1"))
    log = tmp_path / "log"
    with small as disk, writing(disk.filesystems[0], log):
        refused = beyond_help = 0
        for _ in range(5):
            with loop(sewn(disk, tmp_path / "image", log)) as device:
                refused += any("status" in line for line in as_read("ext4", device))
                beyond_help += any("status" in line for line in replayed(device))
    assert refused >= 4, "e2fsck -fn refuses them"
    assert beyond_help >= 2, "most are damaged beyond what the journal holds"


@pytest.mark.parametrize("kind", KINDS)
def test_every_image_of_two_instants_is_refused_by_what_the_files_hold(tmp_path, kind):
    """What the checkers let pass when the journal is replayed, the files give away."""
    log = tmp_path / "log"
    with live_disk(tmp_path, kind) as disk, writing(disk.filesystems[0], log):
        for _ in range(3):
            verdict = Verdict()
            with loop(sewn(disk, tmp_path / "image", log)) as device:
                harm = replayed(device) if kind == "ext4" else as_read(kind, device)
                if not harm:
                    as_booted(kind, device, tmp_path / "mount", None, verdict)
            assert harm or verdict.findings


@pytest.mark.parametrize("kind", KINDS)
def test_a_checker_refuses_what_was_overwritten(tmp_path, kind):
    with live_disk(tmp_path, kind) as disk:
        for number in range(40):
            (disk.folder / f"file{number}").write_bytes(os.urandom(20_000))
        with frozen(disk.folder):
            file = copy(disk, tmp_path / "copy")
    with loop(file) as device:
        assert as_read(kind, device) == []
    with file.open("r+b") as harmed:
        harmed.seek({"ext4": 4096 * 3, "xfs": disk.size // 4}[kind])
        harmed.write(os.urandom(8192))
    with loop(file) as device:
        assert as_read(kind, device) != []


@pytest.mark.parametrize("kind", KINDS)
def test_a_journal_that_was_not_flushed_is_seen(tmp_path, kind):
    with live_disk(tmp_path, kind) as disk:
        (disk.folder / "folder").mkdir()
        (disk.folder / "folder" / "file").write_bytes(os.urandom(20_000))
        call("sync", "-f", disk.folder)
        verdict = looked_at(copy(disk, tmp_path / "copy"), disk)
    if kind == "ext4":
        assert "journal recovery" in " ".join(verdict.findings)
    else:
        assert verdict.findings == [], "quiet and synced: its log has everything"


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_file_still_open_is_only_freed_by_a_mount(tmp_path, kind):
    with live_disk(tmp_path, kind) as disk:
        with (disk.folder / "open").open("wb") as file:
            file.write(os.urandom(100_000))
            (disk.folder / "open").unlink()
            with frozen(disk.folder):
                image = copy(disk, tmp_path / "copy")
        with loop(image) as device:
            assert as_read(kind, device) != []
            options = ["-o", "nouuid"] if kind == "xfs" else []
            with mounted(device, tmp_path / "mount", *options) as place:
                assert {path.name for path in place.iterdir()} <= {"lost+found"}
            assert as_read(kind, device) == []


# It sees what a database lacks ---------------------------------------------


@pytest.fixture
def based(tmp_path, witness, rows_only):
    """An image with a database in it, the live disk, the log, and when it was frozen."""
    with live_disk(tmp_path, "ext4") as disk:
        log = tmp_path / "log"
        with writing(disk.filesystems[0], log, rows_only):
            while len(notes(log)) < 20:
                pass
            with frozen(disk.folder):
                file = copy(disk, tmp_path / "copy")
            (window,) = witness.take()
            while notes(log)[-1][1] < window.end + 0.05:
                pass
        yield file, disk, log, window


def test_rows_are_held_to_the_instant_from_both_sides(based):
    file, disk, log, window = based
    verdict = looked_at(file, disk, Base(log, window))
    assert verdict.findings == []
    assert verdict.last >= 20
    late = Window(window.end + 0.05, window.end + 0.06, window.end + 0.06)
    (finding,) = looked_at(file, disk, Base(log, late)).findings
    assert "was committed before the freeze" in finding
    early = Window(window.begin - 0.06, window.begin - 0.05, window.begin - 0.05)
    (finding,) = looked_at(file, disk, Base(log, early)).findings
    assert "was begun after the thaw" in finding


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        ("update rows set payload = x'00' where id = 7", "the payload of row 7"),
        ("delete from rows where id = 7", "not"),
        ("delete from rows", "was committed before the freeze"),
        ("drop table rows", "no such table"),
    ],
)
def test_a_database_that_was_changed_is_seen(based, tmp_path, harm, finding):
    file, disk, log, window = based
    with (
        loop(file) as device,
        mounted(device, tmp_path / "harm") as place,
        closing(sqlite3.connect(place / "database" / "rows.db")) as base,
    ):
        base.execute(harm)
        base.commit()
    findings = looked_at(file, disk, Base(log, window)).findings
    assert finding in " ".join(findings)


def test_a_torn_database_file_is_seen(based, tmp_path):
    file, disk, log, window = based
    with loop(file) as device, mounted(device, tmp_path / "harm") as place:
        path = place / "database" / "rows.db"
        with closing(sqlite3.connect(path)) as base:
            base.execute("pragma wal_checkpoint(truncate)")
        with path.open("r+b") as harmed:
            harmed.seek(4096)
            harmed.write(os.urandom(2048))
    findings = " ".join(looked_at(file, disk, Base(log, window)).findings)
    assert "integrity_check" in findings or "database:" in findings


# It leaves nothing behind --------------------------------------------------


def test_writers_are_stopped_where_all_is_frozen(tmp_path):
    with live_disk(tmp_path, "ext4") as disk:
        with writing(disk.filesystems[0], tmp_path / "log") as all:
            pids = [writer.process.pid for writer in all.writers]
            freeze(disk.folder)
            assert all.stop(patience=0.1) is True
            assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        assert not thaw(disk.folder)
        assert users_of(disk.folder) == []


def test_a_writer_that_gave_up_is_told(tmp_path, rows_only):
    with live_disk(tmp_path, "ext4") as disk:
        with writing(disk.filesystems[0], tmp_path / "log", rows_only) as all:
            all.must_live()
            all.writers[0].process.kill()
            all.writers[0].process.wait()
            with pytest.raises(AssertionError, match="buffered ended, status -9"):
                all.must_live()
        place = disk.filesystems[0]
        gone = Filesystem(place.kind, place.device, tmp_path / "nowhere", 0, place.size)
        lost = writing(gone, tmp_path / "log2", rows_only)
        with pytest.raises(AssertionError, match=r"(?s)before it wrote: .*FileNotFound"), lost:
            pass


def test_a_disk_in_use_is_gone_and_says_who_used_it(tmp_path):
    with pytest.raises(RuntimeError, match=r"in use by .*\d+ sleep"), live_disk(tmp_path, "ext4"):
        user = subprocess.Popen(["sleep", "60"], cwd=tmp_path / "ext4")
    assert not (tmp_path / "ext4").is_mount()
    user.kill()
    user.wait()


def test_a_frozen_disk_is_thawed_and_gone(tmp_path):
    with live_disk(tmp_path, "xfs") as disk:
        freeze(disk.folder)
    assert not disk.folder.is_mount()
    assert not (Path("/sys/block") / disk.device.name / "loop").exists()


def test_the_witness_sees_children_and_forgets(tmp_path, witness):
    with live_disk(tmp_path, "ext4") as disk:
        call("fsfreeze", "--freeze", disk.folder)
        call("fsfreeze", "--unfreeze", disk.folder)
        (window,) = witness.take()
        assert 0 < window.seconds < 60
        assert witness.take() == []
