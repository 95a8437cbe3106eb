"""Disks in use: one instant, and what was written since the last one. These need root."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.disks import MIB
from tests.support.processes import processes, until
from tests.support.records import INSTANCES, records
from tests.support.runs import Job, Run, image_equals
from tests.sync.test_devices import call, loop, mounted

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
    pytest.mark.skipif(not INSTANCES.is_dir(), reason="needs tracefs"),
]

#: XFS is not made smaller than this.
SIZES = {"ext4": 128 * MIB, "xfs": 320 * MIB}


class Server:
    """A disk with a mounted file system, and the job that keeps images of it."""

    def __init__(self, job: Job, device: Path, folder: Path, backing: Path) -> None:
        self.job, self.device, self.folder, self.backing = job, device, folder, backing

    def write(self, name: str, size: int) -> bytes:
        content = os.urandom(size)
        (self.folder / name).write_bytes(content)
        os.sync()
        return content

    @contextmanager
    def writing(self):
        """Write without end, and record how long each write took."""
        over, took = threading.Event(), []

        def work() -> None:
            number = 0
            while not over.is_set():
                began = time.monotonic()
                with (self.folder / f"live{number % 40}").open("wb") as file:
                    file.write(os.urandom(100_000))
                    if number % 8 == 0:
                        os.fsync(file.fileno())
                took.append((began, time.monotonic()))
                number += 1

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield took
        finally:
            over.set()
            thread.join()

    def files(self, image: str, into: Path) -> dict[str, bytes]:
        """Return the files of an image, its file system proven sound."""
        into = into.with_name(image)
        with self.job.store() as store:
            store.export(image, 0, into)
        return contents(into)

    def record(self) -> dict:
        return json.loads((self.job.home / "staging" / self.job.job / "record.json").read_bytes())

    def instances(self) -> list[Path]:
        return records(self.job.source)


def contents(file: Path) -> dict[str, bytes]:
    kind = call("blkid", "-o", "value", "-s", "TYPE", file)
    if kind == "ext4":
        call("e2fsck", "-fn", file)
    options = ["-o", "nouuid"] if kind == "xfs" else []  # its twin is mounted, too
    with loop(file) as device, mounted(device, file.with_suffix(".mnt"), *options) as folder:
        found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    file.with_suffix(".mnt").rmdir()
    if kind == "xfs":  # its log is replayed by the mount, as after a power cut
        call("xfs_repair", "-n", file)
    return found


@contextmanager
def a_server(tmp_path: Path, kind: str = "ext4", size: int = 0):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    file = tmp_path / "file"
    with file.open("wb") as made:
        made.truncate(size or SIZES[kind])
    call(f"mkfs.{kind}", "-q", file)
    with loop(file) as device, mounted(device, tmp_path / "mnt") as folder:
        yield Server(Job(home, [device]), device, folder, file)


@pytest.fixture(params=["ext4", "xfs"])
def either(tmp_path, request):
    with a_server(tmp_path, request.param) as server:
        yield server


@pytest.fixture
def server(tmp_path):
    with a_server(tmp_path) as server:
        yield server


def test_images_of_a_disk_in_use_show_one_instant(either, tmp_path):
    kept = either.write("kept", 3 * MIB)
    with either.writing():
        first = either.job.result()
        second = either.job.result()
    for result in (first, second):
        assert result["image"]["consistency"] == "frozen"
        assert 0 < result["instant"]["frozen_seconds"] < 1.0
        assert result["instant"]["events"] > 0
        assert either.files(result["image"]["id"], tmp_path / "out")["kept"] == kept
    assert first["change_detection"] == "full comparison"
    assert first["change_reason"] == "there is no image yet"
    assert (second["change_detection"], second["change_reason"]) == ("trace", "")
    assert second["instant"]["pages"] > 0


def test_a_quiet_file_system_is_what_its_last_image_is(either, tmp_path):
    kept = either.write("kept", 3 * MIB)
    either.job.result()
    more = either.write("more", MIB)
    (either.folder / "kept").unlink()
    os.sync()
    result = either.job.result(kind="Last")
    assert either.files(result["image"]["id"], tmp_path / "out") == {"more": more}
    assert kept != more


def test_free_space_is_not_read_the_first_time(tmp_path):
    with a_server(tmp_path, size=1024 * MIB) as server:
        server.write("some", MIB)
        assert server.job.result()["footprint"]["bytes_read"] < 256 * MIB
        # Nor is it taken for a miss of the record when the sample is compared.
        assert server.job.result()["change_detection"] == "trace"


def test_pages_written_into_what_was_free_are_in_the_image(server, tmp_path):
    server.job.result()
    kept = server.write("kept", 30 * MIB)
    result = server.job.result()
    assert result["change_detection"] == "trace"
    assert server.files("m-00000002", tmp_path / "out")["kept"] == kept


def test_the_record_stays_with_the_source_until_the_last_run(server):
    server.job.result()
    (instance,) = server.instances()
    assert instance.name == server.record()["name"]
    server.job.result(kind="Last")
    assert server.instances() == []
    assert server.record()["name"] == ""


def restarted(server: Server) -> None:
    edit(server, -2, "another start")


def replaced(server: Server) -> None:
    edit(server, -1, "another device")


def cut_short(server: Server) -> None:
    record = server.record()
    write_record(server, {**record, "whole": False})


def gone(server: Server) -> None:
    (instance,) = server.instances()
    instance.rmdir()


def overrun(server: Server) -> None:
    (instance,) = server.instances()
    (instance / "buffer_size_kb").write_text("4")
    for number in range(300):
        (server.folder / f"many{number}").write_bytes(os.urandom(5000))
        os.sync()


def damaged(server: Server) -> None:
    (server.job.home / "staging" / server.job.job / "record.json").write_bytes(b'{"version": 1')


def edit(server: Server, which: int, what: str) -> None:
    record = server.record()
    record["states"]["0"][which] = what
    write_record(server, record)


def write_record(server: Server, record: dict) -> None:
    path = server.job.home / "staging" / server.job.job / "record.json"
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("doubt", "reason"),
    [
        (restarted, "the source was restarted since the last image"),
        (replaced, "was replaced since the last image"),
        (cut_short, "an earlier run ended before its image was made"),
        (gone, "the record of writes is gone from the source"),
        (overrun, "the kernel"),
        (damaged, "there is no image yet"),
    ],
)
def test_any_doubt_has_everything_compared(server, tmp_path, doubt, reason):
    server.write("kept", MIB)
    server.job.result()
    kept = server.write("kept", MIB)
    doubt(server)
    result = server.job.result()
    assert result["change_detection"] == "full comparison"
    assert reason in result["change_reason"]
    assert result["image"]["consistency"] == "frozen"
    assert server.files("m-00000002", tmp_path / "out")["kept"] == kept
    # And from there on the record is believed again; the other one is no more.
    assert len(server.instances()) == 1
    assert server.job.result()["change_detection"] == "trace"


def test_a_single_block_that_the_record_missed_condemns_it(server, tmp_path):
    kept = server.write("kept", 40 * MIB)
    server.job.result(full_comparison=True)
    # Written past the kernel's events, as a second server on the same disk would.
    at = server.backing.read_bytes().index(kept[16 * MIB : 16 * MIB + 64])
    with server.backing.open("r+b") as backing:
        backing.seek(at)
        backing.write(b"changed")
    result = server.job.result()
    assert result["change_detection"] == "full comparison"
    assert result["change_reason"] == "the record of writes had missed 1 blocks"
    assert server.files("m-00000002", tmp_path / "out")["kept"] != kept


#: The request to freeze as ``/proc/PID/syscall`` shows it (linux/fs.h).
FIFREEZE = "0xc0045877"


def agents(run: Run) -> list[int]:
    """Return the reading programs of a run that works here, without ssh."""
    return processes("zlib.decompress", run.process.pid)


def at_the_freeze(server: Server, tmp_path: Path, later: float) -> tuple[Run, list[int], Path]:
    """Start a run; return it, and its agents, so many seconds after its freeze was due."""
    due, undone = tmp_path / "due", tmp_path / "undone"
    undone.unlink(missing_ok=True)
    hooks = {
        "before_freeze": ["touch", str(due)],
        "after_thaw": ["touch", str(undone)],
        "timeout": 5,
    }
    run = server.job.start(hooks=hooks)
    until(lambda: agents(run))
    found = agents(run)  # looked for betimes: the moment to come is a short one
    until(due.exists)
    due.unlink()
    time.sleep(later)
    return run, found, undone


def longest(took: list, since: float) -> float:
    return max((end - began for began, end in took if end > since), default=0.0)


def test_an_agent_killed_around_the_freeze_leaves_nothing_behind(server, tmp_path):
    """However it ends, the watchdog thaws, undoes the hook, and the record goes with it."""
    ends = []
    with server.writing() as took:
        until(lambda: took)
        for step in range(10):
            run, found, undone = at_the_freeze(server, tmp_path, step * 0.008)
            for agent in found:
                os.kill(agent, signal.SIGKILL)
            ends.append(run.last()["kind"])
            until(undone.exists)
            if ends[-1] == "error":  # else it had just come to its end
                until(lambda: server.instances() == [])
    assert ends.count("error") >= 3
    assert longest(took, 0.0) < 2.0
    assert server.job.result()["image"]["consistency"] == "frozen"


def in_its_freeze(agents: list[int]) -> int | None:
    """Wait until one of them has entered the kernel to freeze and return it, None if none does.

    What befalls a process in there befalls it as soon as it is out again: with everything
    frozen, before it can do anything about it.
    """
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        for agent in agents:
            with contextlib.suppress(OSError):
                if FIFREEZE in Path(f"/proc/{agent}/syscall").read_text("ascii"):
                    return agent
        if not any(Path(f"/proc/{agent}").exists() for agent in agents):
            return None
    return None


def test_a_stopped_agent_keeps_nothing_frozen_for_more_than_two_seconds(server, tmp_path):
    stood = 0.0
    with server.writing() as took:
        until(lambda: took)
        for _ in range(10):
            since = time.monotonic()
            run = server.job.start()
            until(lambda run=run: agents(run))
            found = agents(run)
            if (frozen := in_its_freeze(found)) is not None:
                os.kill(frozen, signal.SIGSTOP)
                time.sleep(2.2)  # what stands still for longer is what must not be
                for agent in found:
                    os.kill(agent, signal.SIGCONT)
            assert run.last()["kind"] == "result"
            stood = max(stood, longest(took, since))
            if stood > 1.5:
                break
    assert stood > 1.5, "it was never stopped within a freeze"
    assert stood < 2.2


def test_hooks_stand_around_the_freeze(server, tmp_path):
    seen = tmp_path / "seen"
    hooks = {
        "before_freeze": ["sh", "-c", f"echo before >> {seen}"],
        "after_thaw": ["sh", "-c", f"echo after >> {seen}"],
        "timeout": 5,
    }
    server.write("kept", MIB)
    assert server.job.result(hooks=hooks)["image"]["consistency"] == "frozen"
    assert seen.read_text().split() == ["before", "after"]


def test_a_hook_that_fails_is_undone_and_there_is_no_instant(server, tmp_path):
    seen = tmp_path / "seen"
    hooks = {
        "before_freeze": ["sh", "-c", "exit 3"],
        "after_thaw": ["sh", "-c", f"echo after >> {seen}"],
        "timeout": 5,
    }
    result = server.job.result(hooks=hooks)
    assert result["image"]["consistency"] == "fuzzy" or result["instant"]["method"] == "none"
    assert "sh ended with status 3" in result["instant"]["reason"]
    assert seen.read_text().split() == ["after"]
    assert server.instances() == []


def test_a_hook_that_hangs_is_ended(server, tmp_path):
    hooks = {"before_freeze": ["sleep", "60"], "after_thaw": None, "timeout": 1}
    began = time.monotonic()
    result = server.job.result(hooks=hooks)
    assert "sleep took longer than 1 s" in result["instant"]["reason"]
    assert time.monotonic() - began < 20


def test_two_disks_are_of_one_instant(server, tmp_path):
    """A write to the second disk that follows one to the first never comes without it."""
    other = tmp_path / "other"
    with other.open("wb") as made:
        made.truncate(SIZES["ext4"])
    call("mkfs.ext4", "-q", other)
    with loop(other) as device, mounted(device, tmp_path / "mnt2") as folder:
        over = threading.Event()

        def work() -> None:
            number = 0
            while not over.is_set():
                number += 1
                for place in (server.folder, folder):
                    with (place / "count").open("r+") as file:
                        file.write(f"{number:9}")
                        file.flush()
                        os.fsync(file.fileno())

        for place in (server.folder, folder):
            (place / "count").write_text(f"{0:9}")
        thread = threading.Thread(target=work)
        thread.start()
        job = Job(server.job.home, [server.device, device])
        try:
            for _ in range(4):
                result = job.result()
                assert result["image"]["consistency"] == "frozen"
                first, second = (
                    int(found(job, result["image"]["id"], index, tmp_path) or 0) for index in (0, 1)
                )
                assert second <= first <= second + 1
        finally:
            over.set()
            thread.join()
        job.result(kind="Last")


def found(job: Job, image: str, index: int, tmp_path: Path) -> bytes:
    out = tmp_path / f"{image}-{index}"
    with job.store() as store:
        store.export(image, index, out)
    return contents(out).get("count", b"")


def test_without_mounts_nothing_is_recorded(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    file = tmp_path / "file"
    file.write_bytes(os.urandom(20 * MIB))
    with loop(file) as device:
        job = Job(home, [device])
        assert job.result()["image"]["consistency"] == "stopped"
        second = job.result()
        assert second["change_detection"] == "nothing written"
        assert second["bytes_compared"] <= 20 * MIB
        assert image_equals(job, "m-00000002", 0, file)
        # Another way to the disk than the kernel's counts: the sample finds it.
        with file.open("r+b") as backing:
            backing.seek(5 * MIB)
            backing.write(b"changed")
        third = job.result()
        assert third["change_detection"] == "full comparison"
        assert "no write was counted" in third["change_reason"]
        assert image_equals(job, "m-00000003", 0, file)


def order(server: Server, do: str) -> dict:
    """Have a worker do something else than a run; return what it says."""
    return server.job.result(do=do)


def test_what_a_job_left_is_taken_away(server):
    server.job.result()
    assert server.instances()
    assert order(server, "tidy")["kind"] == "result"
    assert server.instances() == []


def test_what_is_discarded_stands_in_no_ones_way(either, tmp_path):
    """It is neither waited for at the freeze nor taken for a miss of the record later."""
    either.write("kept", 40 * MIB)
    either.job.result(full_comparison=True)
    (either.folder / "kept").unlink()
    os.sync()
    over = threading.Event()

    def trim() -> None:
        while not over.is_set():
            call("fstrim", either.folder)

    thread = threading.Thread(target=trim)
    thread.start()
    try:
        for _ in range(3):
            result = either.job.result()
            assert result["image"]["consistency"] == "frozen"
            assert result["change_detection"] == "trace"
    finally:
        over.set()
        thread.join()
    either.write("again", 5 * MIB)
    for _ in range(3):
        result = either.job.result()
        assert result["change_detection"] != "full comparison", result["change_reason"]
    assert list(either.files(result["image"]["id"], tmp_path / "out")) == ["again"]


def test_a_visit_brings_home_what_was_written_and_the_next_run_reads_it(server, tmp_path):
    server.job.result()
    first = server.write("first", 2 * MIB)
    told = order(server, "visit")
    assert told["kept"]
    assert told["pages"] >= 512
    assert 0 < told["fill"] < 0.5
    assert server.record()["whole"]
    (instance,) = server.instances()
    second = server.write("second", MIB)
    assert order(server, "visit")["pages"] >= 256
    third = server.write("third", MIB)
    result = server.job.result()
    assert result["change_detection"] == "trace"
    assert server.instances() == [instance]
    files = server.files(result["image"]["id"], tmp_path / "out")
    assert (files["first"], files["second"], files["third"]) == (first, second, third)
    assert server.record()["written"] == {}


def test_a_visit_in_time_saves_a_record_that_would_run_over(server):
    server.job.result()
    (instance,) = server.instances()
    (instance / "buffer_size_kb").write_text("8")
    for _ in range(6):
        server.write("some", 20_000)
        assert order(server, "visit")["kept"]
    assert server.job.result()["change_detection"] == "trace"


def test_a_visit_that_finds_the_record_run_over_says_so(server):
    server.job.result()
    overrun(server)
    told = order(server, "visit")
    assert not told["kept"]
    assert "the kernel" in told["reason"]
    assert not server.record()["whole"]
    assert order(server, "visit")["reason"] == "there is nothing to be visited"
    assert server.job.result()["change_detection"] == "full comparison"


def test_a_visit_that_is_killed_costs_a_full_comparison_and_no_more(server, tmp_path):
    server.job.result()
    kept = server.write("kept", MIB)
    record = server.record()
    assert order(server, "visit")["kept"]
    # As it would be had it been killed between taking the marks and writing them down.
    write_record(server, {**record, "whole": False})
    result = server.job.result()
    assert result["change_detection"] == "full comparison"
    assert server.files(result["image"]["id"], tmp_path / "out")["kept"] == kept
