"""Runs over a local link: what an image is, whatever happened on the way to it."""

from __future__ import annotations

import os

import pytest

from tests.support.disks import BLOCK, MIB, change_disk, make_disk
from tests.support.runs import Job, image_equals

SIZE = 50 * MIB + 12345


@pytest.fixture
def job(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Job(home, [make_disk(tmp_path / "disk", SIZE)])


def test_a_full_run_makes_an_equal_image(job):
    result = job.result()
    assert image_equals(job, "m-00000001", 0, job.paths[0])
    assert result["bytes_total"] == result["bytes_compared"] == SIZE
    assert result["image"]["consistency"] == "stopped"
    assert 0 < result["bytes_sent"] <= result["bytes_changed"] < SIZE


def test_an_incremental_run_sends_what_changed(job):
    job.result()
    change_disk(job.paths[0], 12, seed=5)
    result = job.result(kind="Manual")
    assert image_equals(job, "m-00000002", 0, job.paths[0])
    assert result["bytes_sent"] <= 12 * BLOCK
    assert 10 * BLOCK <= result["bytes_changed"] <= 12 * BLOCK


def test_an_unchanged_disk_costs_next_to_nothing(job):
    first = job.result()
    again = job.result()
    assert again["bytes_changed"] == again["bytes_sent"] == again["bytes_stored"] == 0
    assert again["image"]["root"] == first["image"]["root"]
    assert again["bytes_wire"] < 20_000
    assert image_equals(job, "m-00000002", 0, job.paths[0])


def test_several_disks_are_one_image(job, tmp_path):
    job.paths.append(make_disk(tmp_path / "data", 33 * MIB, seed=9))
    result = job.result()
    assert [disk["role"] for disk in result["image"]["disks"]] == ["system", "data"]
    for index, path in enumerate(job.paths):
        assert image_equals(job, "m-00000001", index, path)


@pytest.mark.parametrize("level", [1, 9])
def test_compressed_blocks_are_the_same_blocks(job, level):
    plain = job.result()["bytes_stored"]
    other = Job(job.home, job.paths, job="j-00000002", count=10)
    assert other.result()["bytes_stored"] == 0, "an identical server adds nothing"
    packed = Job(job.home.parent / "home2", job.paths)
    packed.home.mkdir()
    assert packed.result(compression=level)["bytes_stored"] < plain * 0.7
    assert image_equals(packed, "m-00000001", 0, job.paths[0])


def test_a_paused_run_is_taken_up_where_it_was(job):
    total = job.result(limit_mbit=0)["bytes_sent"]
    other = Job(job.home.parent / "home2", job.paths)
    other.home.mkdir()
    run = other.start(limit_mbit=80)
    while (line := run.line())["sent"] < 4 * MIB:
        pass
    assert line["held_by"] == "speed limit"
    run.tell({"do": "pause"})
    paused = run.last()
    assert paused["kind"] == "paused"
    assert paused["bytes_sent"] >= 4 * MIB
    resumed = other.result()
    assert paused["bytes_sent"] + resumed["bytes_sent"] <= total + 2 * MIB
    assert image_equals(other, "m-00000002", 0, job.paths[0])


def test_a_limit_holds_and_can_be_lifted_on_the_way(job):
    run = job.start(limit_mbit=8)
    while run.line().get("sent", 0) < MIB:
        pass
    started, wire = run.lines[-1]["sent"], run.lines[-1]["wire_bps"]
    assert wire < 2 * 8 * 125_000
    run.tell({"do": "limit", "mbit": 0})
    assert run.last()["kind"] == "result"
    assert started < 3 * MIB


def test_a_cancelled_run_leaves_no_image(job):
    run = job.start(limit_mbit=8)
    run.until("Syncing")
    run.tell({"do": "cancel"})
    assert run.last()["kind"] == "cancelled"
    with job.store() as store:
        assert store.images() == []


def test_a_run_whose_engine_is_gone_stops_and_keeps_what_it_has(job):
    run = job.start(limit_mbit=80)
    while run.line().get("sent", 0) < 2 * MIB:
        pass
    run.process.stdin.close()
    assert run.process.wait(20) == 0
    run.process.stdout.close()
    assert job.result()["bytes_sent"] < SIZE


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda path: path.unlink(), "Disk.NotFound"),
        (lambda path: os.truncate(path, SIZE - 1), "Disk.Shrank"),
        (lambda path: path.rename(path.with_name("x")) and make_disk(path, SIZE), "Disk.Replaced"),
    ],
)
def test_another_disk_is_never_read(job, spoil, code):
    job.result()
    spoil(job.paths[0])
    last = job.run()
    assert (last["kind"], last["code"]) == ("error", code)
    with job.store() as store:
        assert store.images() == ["m-00000001"]


def test_a_disk_that_is_written_to_meanwhile_gives_a_fuzzy_image(job):
    run = job.start(limit_mbit=80)
    while run.line().get("sent", 0) < MIB:
        pass
    change_disk(job.paths[0], 40, seed=3)
    run.tell({"do": "limit", "mbit": 0})
    assert run.last()["image"]["consistency"] == "fuzzy"
    assert job.result()["image"]["consistency"] == "stopped"
    assert image_equals(job, "m-00000002", 0, job.paths[0])


def test_a_grown_disk_is_read_to_its_new_end(job):
    job.result()
    with job.paths[0].open("r+b") as file:
        file.seek(SIZE + 17 * MIB)
        file.write(b"the new end")
    job.result()
    assert image_equals(job, "m-00000002", 0, job.paths[0])


def test_without_its_change_map_a_job_sends_no_block_again(job):
    job.result()
    (job.home / "staging" / job.job / "disk0.map").unlink()
    result = job.result()
    assert result["bytes_sent"] == 0
    assert image_equals(job, "m-00000002", 0, job.paths[0])
