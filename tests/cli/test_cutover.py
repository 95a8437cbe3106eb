"""A cutover from the command line: over a real sshd, systemctl alone being a stand-in."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, change
from tests.cli.test_migration import equal
from tests.support.sshd import SSHD, Sshd, free_port
from tests.support.systemctl import Units

CUT = ("job", "complete", "mig", "--last-sync", "--stop-services", "shop-*,db.service")


@pytest.fixture
def units(tmp_path: Path) -> Iterator[Units]:
    made = Units.install(tmp_path / "systemd")
    made.add("shop-web.service", free_port())
    made.add("db.service")
    made.calls()
    yield made
    made.end()


def port_of(units: Units, smc: Cli) -> int:
    (port,) = smc.json(*CUT, "--dry-run")["ports"]
    assert port["protocol"] == "tcp"
    return int(port["port"])


@pytest.fixture
def migrated(smc: Cli, units: Units, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A waiting job of this host, whose systemctl is the stand-in."""
    monkeypatch.setenv("PATH", units.path + ":" + os.environ["PATH"])
    smc.migrated(disk, "--drill", "off")
    return smc


def test_a_dry_run_shows_what_would_stop_and_changes_nothing(migrated: Cli, units: Units) -> None:
    before = migrated.json("job", "show", "mig")
    with socket.create_connection(("127.0.0.1", port_of(units, migrated))):
        told = migrated.json(*CUT, "--budget", "10m", "--dry-run")
        said = migrated(*CUT, "--budget", "10m", "--dry-run")
    assert told["stopping"] == ["shop-web.service", "db.service"]
    assert told["connections"] == 1
    assert told["inside_budget"] == "yes"
    assert set(told["forecast"]["parts"]) == {"stop", "sync", "publish"}
    assert said.code == 0
    for word in ("shop-web.service", "tcp/", "1 connections", "Downtime", "inside the budget",
                 "Way back"):  # fmt: skip
        assert word in said.out
    assert migrated.json("job", "show", "mig") == before
    assert units.calls() == []


def test_a_dry_run_with_a_problem_is_exit_status_1(migrated: Cli) -> None:
    said = migrated(*CUT[:-1], "nowhere.service", "--dry-run")
    assert said.code == 1
    assert "nothing matches nowhere.service" in said.out


def test_a_cutover_and_what_is_told_of_it(migrated: Cli, units: Units, disk: Path) -> None:
    rehearsed = migrated.json(*CUT, "--rehearse", "--yes", "mig", "--wait")
    assert rehearsed["status"] == "Waiting"
    assert units.active() == ["db.service", "shop-web.service"]
    change(disk)
    done = migrated.json(*CUT, "--budget", "10m", "--yes", "mig", "--wait")
    assert done["status"] == "Finished"
    assert units.active() == []
    told = migrated.json("job", "show", "mig")["cutover"]
    assert told["stage"] == "completed"
    assert [step["step"] for step in told["steps"]] == [
        "checklist", "stop services", "quiet check", "final sync", "complete",
    ]  # fmt: skip
    assert 0 < told["record"][-1]["actual_seconds"] <= told["downtime_seconds"]
    assert [each["kind"] for each in told["record"]] == ["rehearsal", "cutover"]
    assert migrated.json("job", "report", "mig")["cutover"]["stage"] == "completed"
    history = migrated("job", "history", "mig").out
    assert "service stopped" in history
    page = migrated("job", "show", "mig").out
    assert "Cutover" in page


def test_abort_without_a_cutover_says_so(migrated: Cli) -> None:
    assert migrated("job", "cutover-abort", "mig", "--json").error["code"] == "Cutover.NotUnderWay"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--stop-services", "a"), "InvalidParameter.Combination"),
        (("--last-sync", "--dry-run"), "InvalidParameter.Combination"),
        (("--last-sync", "--stop-services", "a", "--hold"), "InvalidParameter.Combination"),
        (("--last-sync", "--stop-services", "a;b"), "InvalidParameter.Units"),
        (("--last-sync", "--stop-services", "a", "--budget", "1s"), "InvalidParameter.Budget"),
    ],
)
def test_a_slip_of_the_pen_is_told_before_an_engine_starts(smc: Cli, options, code) -> None:
    assert smc("job", "complete", "mig", *options, "--json").error["code"] == code
    assert smc.engine() is None


@pytest.mark.sshd
@pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: install openssh-server")
def test_over_ssh(smc: Cli, units: Units, disk: Path, tmp_path: Path) -> None:
    server = Sshd.prepare(tmp_path / "sshd", path=units.path)
    try:
        way = ("--ssh", "source", "--ssh-config", str(server.config), "--disk", str(disk))
        smc.json("source", "import", "web01", *way, "--accept-key", server.fingerprint)
        smc.json("job", "create", "web01", "--name", "mig", "--drill", "off", "--wait")
        told = smc.json(*CUT, "--dry-run")
        assert told["stopping"] == ["shop-web.service", "db.service"]
        assert units.calls() == []

        units.change("db.service", stuck=["stop"])
        failed = smc(*CUT, "--yes", "mig", "--wait", "--json")
        assert failed.error["code"] == "Cutover.StopFailed"
        assert smc.json("job", "show", "mig")["status"] == "Waiting"
        assert units.active() == ["db.service", "shop-web.service"]

        units.change("db.service", stuck=[])
        change(disk)
        done = smc.json(*CUT, "--yes", "mig", "--wait")
        assert done["status"] == "Finished"
        assert units.active() == []
        assert equal(smc, done["images"][-1]["id"], disk, tmp_path)
        assert done["cutover"]["downtime_seconds"] > 0
    finally:
        smc("engine", "stop")
        server.stop()
