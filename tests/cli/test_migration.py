"""A migration from import to completion, by the command line alone."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from smc_tui.model.catalogue import ExitCode
from smc_tui.model.units import KIB, MIB
from tests.cli.conftest import Cli, change

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def equal(smc: Cli, image: str, disk: Path, tmp_path: Path) -> bool:
    """Export an image and compare it with the disk."""
    file = tmp_path / f"{image}.raw"
    result = smc.json("image", "export", image, file)
    assert (result["image"], result["path"]) == (image, str(file))
    return file.read_bytes() == disk.read_bytes()


def test_the_whole_way(smc: Cli, disk: Path, tmp_path: Path) -> None:
    source = smc.imported(disk)
    assert (source["name"], source["status"], source["kind"]) == ("web01", "Available", "local")
    assert source["disks"][0]["path"] == str(disk)
    assert source["bytes_total"] == disk.stat().st_size

    job = smc.json("job", "create", "web01", "--interval", "6h", "--keep", "2", "--wait")
    assert (job["name"], job["status"], job["phase"], job["progress"]) == (
        "web01-1", "Waiting", None, 100,
    )  # fmt: skip
    assert (job["interval"], job["keep"]) == (6 * 3600, 2)
    (full,) = job["runs"]
    assert (full["kind"], full["error"], full["bytes_total"]) == ("Full", None, 12 * MIB + 4 * KIB)
    assert full["bytes_sent"] == full["bytes_changed"] == 4 * MIB
    assert full["image_id"] == job["images"][-1]["id"]
    for instant in (job["created"], job["next_run"], full["started"], full["ended"]):
        assert RFC3339.fullmatch(instant)
    assert equal(smc, full["image_id"], disk, tmp_path)

    change(disk)
    job = smc.json("job", "sync", "web01-1", "--wait")
    manual = job["runs"][-1]
    assert (manual["kind"], manual["bytes_changed"]) == ("Manual", 64 * KIB)
    assert equal(smc, manual["image_id"], disk, tmp_path)
    assert smc.json("source", "show", "web01")["status"] == "InUse"

    change(disk, 8 * MIB)
    job = smc.json("job", "complete", job["id"], "--last-sync", "--yes", "web01-1", "--wait")
    assert (job["status"], job["next_run"], job["intermediate"]) == ("Finished", None, None)
    assert job["runs"][-1]["kind"] == "Last"
    # Two are kept: the first has gone.
    assert [each["run_id"] for each in job["images"]] == [run["id"] for run in job["runs"][1:]]
    assert equal(smc, job["images"][-1]["id"], disk, tmp_path)

    said = smc("job", "sync", "web01-1", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NOT_ALLOWED, "ReplicationJob.InvalidStatus")
    assert said.error["status"] == "Finished"
    assert smc.json("job", "list")[0]["status"] == "Finished"
    assert smc.json("source", "show", "web01")["status"] == "Available"
    assert smc.json("store", "check")["images"] == 2


def test_once_only(smc: Cli, disk: Path) -> None:
    job = smc.migrated(disk, "--once")
    assert (job["status"], job["interval"], job["once"]) == ("Finished", None, True)
    assert len(job["images"]) == 1


def test_a_job_waits_to_be_started(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    said = smc("job", "create", "web01", "--name", "mig")
    assert said.out.startswith("mig (j-")
    assert "Not Started" in said.out
    assert "smc-tui job start mig" in said.err
    assert smc.json("job", "show", "mig")["runs"] == []
    assert smc.json("job", "start", "mig", "--wait")["status"] == "Waiting"


def test_a_job_starts_at_a_time(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    at = "2100-01-31T02:00+02:00"
    said = smc("job", "create", "web01", "--start", at, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "InvalidParameter.StartTime")
    soon = datetime.fromtimestamp(datetime.now().timestamp() + 3600).isoformat(timespec="minutes")
    job = smc.json("job", "create", "web01", "--start", soon)
    assert job["status"] == "Ready"
    local = datetime.fromisoformat(job["next_run"]).astimezone().replace(tzinfo=None)
    assert local.isoformat(timespec="minutes") == soon


def test_several_disks_are_one_image(smc: Cli, disk: Path, tmp_path: Path) -> None:
    second = tmp_path / "data.img"
    second.write_bytes(b"data" * MIB)
    smc.json("source", "import", "web01", "--local", disk, second)
    job = smc.json("job", "create", "web01", "--wait")
    image = job["images"][-1]
    assert [each["size"] for each in image["disks"]] == [disk.stat().st_size, 4 * MIB]
    file = tmp_path / "one.raw"
    smc.json("image", "export", image["id"], file, "--disk", "1")
    assert file.read_bytes() == second.read_bytes()
    said = smc("image", "export", image["id"], tmp_path / "two.raw", "--json")
    assert said.code in (ExitCode.USAGE, ExitCode.OK)


def test_one_unfinished_job_a_source_and_no_name_twice(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    smc.json("job", "create", "web01", "--name", "mig")
    said = smc("job", "create", "web01", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NOT_ALLOWED, "SourceServerState.Invalid")
    assert "mig" in said.error["detail"]
    said = smc("source", "import", "web01", "--local", disk, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "SourceServerName.Duplicate")
    smc.imported(disk, "web02")
    said = smc("job", "create", "web02", "--name", "mig", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "ReplicationJobName.Duplicate")
    said = smc("source", "remove", "web01", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NOT_ALLOWED, "ReplicationJob.Related")


def test_sources_are_checked_and_removed(smc: Cli, disk: Path) -> None:
    source = smc.imported(disk)
    checked = smc.json("source", "check", "web01")
    assert checked["checked"] > source["checked"]
    disk.rename(disk.with_suffix(".gone"))
    said = smc("source", "check", "web01", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Disk.NotFound")
    assert smc.json("source", "list")[0]["error"]["code"] == "Disk.NotFound"
    said = smc("source", "remove", source["id"], "--yes", "web02", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "InvalidParameter.Confirmation")
    gone = smc.json("source", "remove", source["id"], "--wait")
    assert (gone["id"], gone["deleted"]) == (source["id"], True)
    assert smc.json("source", "list") == []


def test_a_disk_that_is_none_is_no_source(smc: Cli, tmp_path: Path) -> None:
    said = smc("source", "import", "web01", "--local", tmp_path / "nothing", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Disk.NotFound")
    small = tmp_path / "small"
    small.write_bytes(bytes(1000))
    said = smc("source", "import", "web01", "--local", small, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Disk.TooSmall")
    assert smc.json("source", "list") == []


def test_interval_and_modify(smc: Cli, disk: Path) -> None:
    job = smc.migrated(disk)
    changed = smc.json("job", "interval", "mig", "2h", "--keep", "5")
    assert (changed["interval"], changed["keep"]) == (7200, 5)
    # It counts from the next run's end.
    assert changed["next_run"] == job["next_run"]
    changed = smc.json("job", "modify", "mig", "--limit", "100", "--description", "the shop")
    assert (changed["limit_mbit"], changed["description"]) == (100, "the shop")
    assert smc.json("job", "modify", "mig", "--name", "shop")["name"] == "shop"


def test_images_are_pinned_verified_deleted(smc: Cli, disk: Path, tmp_path: Path) -> None:
    job = smc.migrated(disk, "--keep", "1")
    first = job["images"][0]["id"]
    assert smc.json("image", "pin", first)["pinned"] is True
    change(disk)
    job = smc.json("job", "sync", "mig", "--wait")
    assert job["images"][0]["id"] == first
    newest = job["images"][-1]
    assert smc.json("image", "verify", newest["name"])["damaged"] == 0
    assert smc.json("image", "show", newest["id"])["verified"]
    said = smc("image", "delete", newest["id"], "--yes", newest["name"], "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NOT_ALLOWED, "Image.Newest")
    said = smc("image", "delete", first, "--yes", first, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NOT_ALLOWED, "Image.InUse")
    assert smc.json("image", "unpin", first)["pinned"] is False
    assert smc.json("image", "delete", first, "--yes", first)["deleted"] is True
    assert [image["id"] for image in smc.json("image", "list")] == [newest["id"]]
    file = tmp_path / "taken"
    file.write_text("mine")
    said = smc("image", "export", newest["id"], file, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Export.TargetExists")
    assert file.read_text() == "mine"
    qcow2 = tmp_path / "disk.qcow2"
    smc.json("image", "export", newest["id"], qcow2, "--format", "qcow2")
    assert qcow2.read_bytes()[:4] == b"QFI\xfb"


def test_the_store_is_checked_collected_and_counted(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    assert smc.json("store", "check")["found"] == 0
    assert smc.json("store", "collect")["swept"] == 0
    stats = smc.json("store", "stats")
    assert (stats["images"], stats["damaged"]) == (1, 0)
    assert stats["bytes_plain"] == 4 * MIB
    for verb, words in (("check", "is whole"), ("collect", "Freed"), ("stats", "1 images")):
        assert words in smc("store", verb).out


def test_damage_is_named_and_has_a_status_of_its_own(smc: Cli, disk: Path) -> None:
    job = smc.migrated(disk)
    image = job["images"][0]
    (pack,) = (smc.home / "images" / "packs").iterdir()
    rotten = bytearray(pack.read_bytes())
    rotten[len(rotten) // 2] ^= 1
    pack.write_bytes(rotten)
    said = smc("store", "check", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.STORE_DAMAGED, "Store.Damaged")
    assert said.error["problems"][0]["image"] == image["id"]
    assert f"needed by image {image['id']}" in said.err
    said = smc("image", "verify", image["id"], "--json")
    assert (said.code, said.error["code"]) == (ExitCode.STORE_DAMAGED, "Image.BlockDamaged")
    # The source still has it.
    smc.json("job", "sync", "mig", "--wait")
    assert smc.json("image", "verify", image["id"])["damaged"] == 0


def test_the_scheduler_runs_by_itself_under_a_time_lapse_clock(smc: Cli, disk: Path) -> None:
    smc.json("engine", "start", "--time-lapse", "3600")
    job = smc.migrated(disk, "--interval", "1h", "--keep", "2")
    change(disk)
    smc.json("job", "wait", "mig", "--for", "Running", "--timeout", "30")
    job = smc.json("job", "wait", "mig", "--for", "Waiting", "--timeout", "30")
    assert [run["kind"] for run in job["runs"]][:2] == ["Full", "Schedule"]


@pytest.mark.parametrize(("word", "code"), [("waiting", 0), ("WAITING", 0), ("Completed", 1)])
def test_waiting_for_a_status(smc: Cli, disk: Path, word: str, code: int) -> None:
    smc.migrated(disk, "--once") if word == "Completed" else smc.migrated(disk)
    if word == "Completed":
        assert smc.json("job", "wait", "mig", "--for", word)["status"] == "Finished"
        said = smc("job", "wait", "mig", "--for", "Waiting", "--json")
        assert (said.code, said.error["code"]) == (code, "ReplicationJob.NotReached")
    else:
        assert smc.json("job", "wait", "mig", "--for", word)["status"] == "Waiting"
