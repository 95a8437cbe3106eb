"""Migration drills from the command line: of local disks, and over a real sshd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from smc_tui.cli.drills import page
from smc_tui.cli.tables import Table
from smc_tui.drill.judge import RULES
from smc_tui.model.catalogue import ExitCode
from tests.cli.conftest import Cli
from tests.cli.test_migration import equal
from tests.cli.test_progress import terminal
from tests.support.disks import MIB, make_disk
from tests.support.sshd import SSHD, Sshd
from tests.sync.test_devices import call, loop, mounted


def test_a_drill_is_made_printed_and_kept(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    smc.json("job", "create", "web01", "--name", "mig")
    assert smc.json("job", "show", "mig")["drill_report"] is None
    said = smc("job", "drill", "mig", "--last", "--json")
    assert (said.code, said.error["code"]) == (5, "ReplicationJob.NotDrilled")
    assert said.error["next_step"].endswith("smc-tui job drill mig")
    report = smc.json("job", "drill", "mig")
    assert report["result"] == "Passed"
    keys = {"area", "name", "level", "finding", "threshold", "advice"}
    assert all(set(item) == keys for item in report["items"])
    assert report["estimate"]["bytes_used"] > 4 * MIB - 1
    assert smc.json("job", "drill", "mig", "--last") == report
    assert smc.json("job", "show", "mig")["status"] == "Ready"
    assert smc.json("job", "list")[0]["drill"] == "before"
    shown = smc("job", "show", "mig").out
    assert "Passed: 8 passed" in shown
    page = smc("job", "drill", "mig").out
    assert "LEVEL" in page
    assert "Room for images" in page
    text = smc("job", "drill", "mig", "--last", "--markdown").out
    assert text.startswith("# Migration drill of mig: Passed")
    assert text.count("\n| Passed |") == len(report["items"])
    said = smc("job", "drill", "mig", "--markdown", "--json")
    assert said.code == ExitCode.USAGE


def test_a_job_that_is_nothing_but_a_drill_says_what_that_has_found(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    said = smc("job", "create", "web01", "--name", "mig", "--drill", "only", "--wait")
    assert said.code == ExitCode.OK
    assert "The drill: Passed: 8 passed. Read it: smc-tui job drill mig --last\n" in said.err
    assert "smc-tui job start mig\n" in said.err
    assert smc("job", "modify", "mig", "--drill", "before").code == ExitCode.OK
    assert smc.json("job", "start", "mig", "--wait")["status"] == "Waiting", "as it has said"


def test_what_says_the_same_is_said_once_and_the_worst_first() -> None:
    def item(name: str, level: str, finding: str) -> dict[str, str]:
        told = {"name": name, "level": level, "finding": finding, "area": "source"}
        return {**told, "threshold": "", "advice": ""}

    report = {
        "result": "Warning", "at": "2026-11-22T22:49:19Z", "seconds": 1.0, "estimate": {},
        "items": [
            item("Swap", "Passed", "none"), item("Kernel", "Not checked", "not copied"),
            item("Clock", "Warning", "it is late"), item("fstab", "Not checked", "not copied"),
        ],
    }  # fmt: skip
    table = next(part for part in page(report, "mig") if isinstance(part, Table))
    assert [row[2:] for row in table.rows] == [
        ("Clock", "it is late"), ("2 items", "Kernel, fstab: not copied"), ("Swap", "none"),
    ]  # fmt: skip


def test_the_levels_have_colours_on_a_terminal(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    smc.json("job", "create", "web01", "--name", "mig")
    disk.rename(disk.with_name("elsewhere"))
    with terminal(smc.home, "job", "drill", "mig") as screen:
        assert screen.end() == ExitCode.FAILED
        assert "\x1b[31mCritical" in screen.seen


def test_what_is_critical_holds_a_migration_up_until_it_is_mended(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    away = disk.with_name("elsewhere")
    disk.rename(away)
    said = smc("job", "create", "web01", "--name", "mig", "--wait", "--json")
    assert (said.code, said.error["code"]) == (1, "ReplicationJob.DrillException")
    assert "Disks: " in said.error["detail"]
    assert said.error["job"]["status"] == "DrillException"
    said = smc("job", "wait", "mig", "--for", "Waiting", "--json")
    assert (said.code, said.error["code"]) == (1, "ReplicationJob.NotReached")
    assert "Drill Exception" in smc("job", "show", "mig").out
    said = smc("job", "drill", "mig")
    assert said.code == ExitCode.FAILED
    assert "Critical" in said.out
    assert "--drill off" in said.err
    assert smc("job", "drill", "mig", "--json").document["result"] == "Critical"
    assert smc("job", "drill", "mig", "--last", "--json").code == ExitCode.FAILED
    away.rename(disk)
    assert smc.json("job", "drill", "mig")["result"] == "Passed"
    assert smc.json("job", "wait", "mig", "--timeout", "30")["status"] == "Waiting"


def test_a_person_goes_on_in_spite_of_it(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    away = disk.with_name("elsewhere")
    disk.rename(away)
    smc("job", "create", "web01", "--name", "mig", "--wait")
    away.rename(disk)
    smc.json("job", "modify", "mig", "--drill", "off")
    job = smc.json("job", "start", "mig", "--wait")
    assert job["status"] == "Waiting"
    assert job["drill_report"]["result"] == "Critical"


def test_drill_only_and_off(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    said = smc("job", "create", "web01", "--name", "mig", "--drill", "maybe", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "InvalidParameter.Drill")
    job = smc.json("job", "create", "web01", "--name", "mig", "--drill", "only", "--wait")
    assert (job["status"], job["drill_report"]["result"]) == ("Ready", "Passed")
    assert job["runs"] == []
    smc.json("job", "modify", "mig", "--drill", "off")
    job = smc.json("job", "start", "mig", "--wait")
    assert job["status"] == "Waiting"
    history = smc.json("job", "history", "mig")["events"]
    assert [event["action"] for event in history].count("drill started") == 1


def test_several_are_drilled_a_line_each(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    gone = disk.with_name("gone.img")
    gone.write_bytes(disk.read_bytes())
    smc.json("source", "import", "db01", "--local", gone, "--tag", "wave-1")
    smc.json("job", "create", "web01", "--name", "mig-web", "--tag", "wave-1")
    smc.json("job", "create", "db01", "--name", "mig-db")
    said = smc("job", "drill", "--all", "--last", "--json")
    assert said.code == ExitCode.NOT_ALLOWED
    assert [each["error"]["code"] for each in said.document] == ["ReplicationJob.NotDrilled"] * 2
    said = smc("job", "drill", "--tag", "wave-1")
    assert said.code == 0, said
    assert sorted(said.out.splitlines()) == [
        "mig-db: Passed: 8 passed", "mig-web: Passed: 8 passed",
    ]  # fmt: skip
    gone.rename(disk.with_name("elsewhere"))
    said = smc("job", "drill", "mig-web", "mig-db")
    assert said.code == ExitCode.FAILED
    lines = dict(line.split(": ", 1) for line in said.out.splitlines())
    assert lines["mig-web"] == "Passed: 8 passed"
    assert lines["mig-db"].startswith("Critical: 1 critical")
    assert lines["mig-db"].endswith("(Disks)")
    assert "job drill J --last" in said.err
    assert smc("job", "drill", "--all", "--last").out.splitlines() == [
        f"{name}: {lines[name]}" for name in ("mig-web", "mig-db")
    ]
    again = smc("job", "drill", "--all", "--last", "--json")
    assert again.code == ExitCode.FAILED
    assert [each["ok"] for each in again.document] == [True, True]
    results = {each["job"]: each["result"]["result"] for each in again.document}
    assert results == {"mig-web": "Passed", "mig-db": "Critical"}
    said = smc("job", "drill", "mig-web", "nobody", "--last")
    assert said.code == ExitCode.NO_SUCH_OBJECT
    assert smc("job", "drill", "--all", "--markdown").code == ExitCode.USAGE


def test_waiting_shows_the_drill(smc: Cli, disk: Path) -> None:
    smc.imported(disk)
    said = smc("job", "create", "web01", "--name", "mig", "--wait")
    assert said.code == 0
    assert "mig: Drilling" in said.err
    assert "Full run in" in said.err


# Over a real sshd


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """Yield a running sshd."""
    made = Sshd.prepare(tmp_path / "sshd")
    yield made
    made.stop()


with_sshd = pytest.mark.skipif(SSHD is None, reason="no sshd on this machine")
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts")


def imported(smc: Cli, server: Sshd, disk: Path, *options: str) -> None:
    way = ("--ssh", "source", "--ssh-config", server.config, "--disk", disk)
    smc.json("source", "import", "web01", *way, "--accept-key", server.fingerprint)
    smc.json("job", "create", "web01", "--name", "mig", *options)


@pytest.mark.sshd
@with_sshd
def test_a_drill_over_ssh_looks_at_everything(smc: Cli, server: Sshd, disk: Path) -> None:
    imported(smc, server, disk)
    report = smc.json("job", "drill", "mig")
    assert report["result"] in ("Passed", "Warning")
    items = {item["name"]: item for item in report["items"]}
    assert set(items) == {rule.name for rule in RULES}
    assert report["estimate"]["link_bytes_per_second"] > 0
    assert 0 < report["estimate"]["round_trip_seconds"] < 5
    for name in ("CPU utilisation", "Memory utilisation", "Clock", "Throughput", "Disks"):
        assert items[name]["level"] != "Not checked", items[name]
    folder = smc.home / "logs" / report["job"]
    (log,) = folder.glob("drill-*.log")
    assert "Throughput" in log.read_text()


@pytest.mark.sshd
@with_sshd
def test_a_source_that_is_gone_is_an_error_and_no_item(
    smc: Cli, server: Sshd, disk: Path, tmp_path: Path
) -> None:
    imported(smc, server, disk)
    server.stop()
    said = smc("job", "start", "mig", "--wait", "--json")
    assert (said.code, said.error["code"]) == (1, "SourceServer.Offline")
    assert smc.json("job", "show", "mig")["status"] == "InError"
    server.start()
    job = smc.json("job", "retry", "mig", "--wait")
    assert job["status"] == "Waiting"
    assert equal(smc, job["images"][-1]["id"], disk, tmp_path)


@pytest.mark.sshd
@pytest.mark.root
@with_sshd
@as_root
def test_no_room_and_another_disk_are_found_before_and_mended(
    smc: Cli, server: Sshd, tmp_path: Path
) -> None:
    file = make_disk(tmp_path / "file", 64 * MIB)
    other = make_disk(tmp_path / "other", 64 * MIB, seed=2)
    smc.home.mkdir(mode=0o700)
    options = ("-t", "tmpfs", "-o", "size=8m,mode=700")
    with loop(file) as device, mounted(Path("tmpfs"), smc.home / "images", *options) as store:
        imported(smc, server, file)
        critical = held_up(smc)
        assert list(critical) == ["Room for images"]
        assert not list(store.glob("packs/*"))
        call("mount", "-o", "remount,size=400m", store)
        assert smc.json("job", "drill", "mig")["result"] in ("Passed", "Warning")
        job = smc.json("job", "wait", "mig", "--timeout", "60")
        assert job["status"] == "Waiting"
        assert equal(smc, job["images"][-1]["id"], file, tmp_path)
        smc.json("job", "complete", "mig", "--yes", "mig", "--wait")
        way = ("--ssh", "source", "--ssh-config", server.config, "--disk", device)
        key = ("--accept-key", server.fingerprint)
        smc.json("source", "import", "web02", *way, *key)
        smc.json("job", "create", "web02", "--name", "mig2")
        call("losetup", "-d", device)
        call("losetup", device, other)
        critical = held_up(smc, "mig2")
        assert list(critical) == ["Disks"]
        call("losetup", "-d", device)
        call("losetup", device, file)
        job = smc.json("job", "start", "mig2", "--wait")
        assert equal(smc, job["images"][-1]["id"], file, tmp_path)
        smc("engine", "stop")


def held_up(smc: Cli, name: str = "mig") -> dict[str, str]:
    """Start a job that its drill holds up; return what was critical."""
    said = smc("job", "start", name, "--wait", "--json")
    assert (said.code, said.error["code"]) == (1, "ReplicationJob.DrillException"), said
    job = smc.json("job", "show", name)
    assert job["status"] == "DrillException"
    items = job["drill_report"]["items"]
    return {item["name"]: item["finding"] for item in items if item["level"] == "Critical"}
