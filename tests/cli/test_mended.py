"""A migration of a block device over sshd, broken in five ways, mended, brought to its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_migration import equal
from tests.support.disks import MIB, change_disk, make_disk
from tests.support.processes import processes
from tests.support.sshd import SSHD, Sshd
from tests.sync.test_devices import call, loop, mounted
from tests.sync.test_kills import AGENT

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.root,
    pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: install openssh-server"),
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
]

SIZE = 96 * MIB


@dataclass
class Migration:
    """A job, and everything that can be broken under it."""

    smc: Cli
    server: Sshd
    file: Path
    device: Path
    store: Path

    def broken(self, code: str, verb: str = "retry") -> dict[str, Any]:
        """Run until it fails for this reason, and return what ``job errors`` says of it."""
        said = self.smc("job", verb, "mig", "--wait", "--json")
        assert said.error["code"] == code, said
        return self.told(code)

    def told(self, code: str) -> dict[str, Any]:
        assert self.smc.json("job", "show", "mig")["status"] == "InError"
        (held,) = self.smc.json("resource", "list")
        assert held["name"] == "No_Delete_SMC_Transition_Instance"
        assert held["held"]
        told = self.smc.json("job", "errors", "mig")
        assert told["error"]["code"] == code
        assert all(told["error"][key] for key in ("cause", "safe", "next_step", "resumes"))
        retry = next(
            row for row in self.smc.json("job", "actions", "mig")["actions"] if row["id"] == "retry"
        )
        assert retry["offered"]
        return told


@pytest.fixture
def migration(smc: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Migration]:
    monkeypatch.setenv("SMC_TUI_RETRY_ATTEMPTS", "0")
    server = Sshd.prepare(tmp_path / "sshd")
    file = make_disk(tmp_path / "file", SIZE)
    smc.home.mkdir(mode=0o700)
    options = ("-t", "tmpfs", "-o", "size=400m,mode=700")
    with loop(file) as device, mounted(Path("tmpfs"), smc.home / "images", *options) as store:
        yield Migration(smc, server, file, device, store)
        smc("engine", "stop")
    server.stop()


def imported(migration: Migration) -> None:
    server, smc = migration.server, migration.smc
    way = ("--ssh", "source", "--ssh-config", str(server.config), "--disk", str(migration.device))
    smc.json("source", "import", "web01", *way, "--accept-key", server.fingerprint)
    smc.json("job", "create", "web01", "--name", "mig", "--interval", "7d", "--keep", "3")
    report = smc.json("job", "drill", "mig")
    assert report["result"] in ("Passed", "Warning")
    assert smc.json("job", "show", "mig")["status"] == "Ready"


def host_gone(migration: Migration) -> None:
    migration.server.stop()
    migration.broken("SourceServer.Offline", "start")
    migration.server.start()


def key_refused(migration: Migration) -> None:
    keys = migration.server.folder / "authorized_keys"
    good = keys.read_bytes()
    keys.write_bytes(b"")
    migration.broken("Source.AuthRefused")
    keys.write_bytes(good)


def disk_full(migration: Migration) -> None:
    call("mount", "-o", "remount,size=24m", migration.store)
    migration.broken("Destination.Full")
    assert migration.smc.json("image", "list") == []
    call("mount", "-o", "remount,size=400m", migration.store)


def agent_killed(migration: Migration) -> None:
    smc = migration.smc
    smc.json("job", "modify", "mig", "--limit", "40", "--compression", "0")
    smc.json("job", "retry", "mig")
    smc.json("job", "wait", "mig", "--for", "Syncing", "--timeout", "60")
    assert migration.server.process is not None
    agents = processes(AGENT, migration.server.process.pid)
    assert agents
    for pid in agents:
        os.kill(pid, signal.SIGKILL)
    smc("job", "wait", "mig", "--for", "InError", "--timeout", "60")
    code = smc.json("job", "show", "mig")["error"]["code"]
    assert code in ("Agent.Died", "Link.Lost")
    migration.told(code)
    smc.json("job", "modify", "mig", "--limit", "0")


def disk_replaced(migration: Migration, tmp_path: Path) -> None:
    other = make_disk(tmp_path / "other", SIZE, seed=2)
    call("losetup", "-d", migration.device)
    call("losetup", migration.device, other)
    migration.broken("Disk.Replaced")
    call("losetup", "-d", migration.device)
    call("losetup", migration.device, migration.file)


def test_broken_in_five_ways_and_mended(migration: Migration, tmp_path: Path) -> None:
    smc = migration.smc
    imported(migration)
    host_gone(migration)
    key_refused(migration)
    disk_full(migration)
    agent_killed(migration)
    disk_replaced(migration, tmp_path)

    job = smc.json("job", "retry", "mig", "--wait")
    assert job["status"] == "Waiting"
    assert [run["error"]["code"] for run in job["runs"][:-1]][:3] == [
        "SourceServer.Offline", "Source.AuthRefused", "Destination.Full",
    ]  # fmt: skip
    change_disk(migration.file, 30, seed=5)
    done = smc.json("job", "complete", "mig", "--last-sync", "--yes", "mig", "--wait")
    assert done["status"] == "Finished"
    assert equal(smc, done["images"][-1]["id"], migration.file, tmp_path)
    assert not smc.json("resource", "list")

    history = smc.json("job", "history", "mig")["events"]
    failed = [event["result"] for event in history if event["action"] == "run failed"]
    assert len(failed) == 5
    report = smc.json("job", "report", "mig")
    assert len(report["runs"]) == 7
    assert report["drill"]["result"] in ("Passed", "Warning")
    assert smc("doctor", "--json").document["checks"]
    shown = {row["key"]: row for row in smc.json("config", "show")["options"]}
    assert shown["retry.attempts"]["value"] == 0
    assert "SMC_TUI_RETRY_ATTEMPTS" in shown["retry.attempts"]["from"]
