"""What doctor finds, what it makes of it, and that it changes nothing."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smc_tui import __version__
from smc_tui.cli import doctor, health, machine
from smc_tui.cli.health import Finding, Level, Probe
from smc_tui.config import Fault
from smc_tui.jobstore import Home
from smc_tui.jobstore.schema import VERSION
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.geometry import STORE_NAME, STORE_VERSION
from smc_tui.model.units import DAY, GIB, MIB
from tests.cli.conftest import Cli, end_engine

OK, NOTE, PROBLEM = Level.OK, Level.NOTE, Level.PROBLEM
QEMU: dict[str, str | None] = {"qemu-img": "qemu-img 9", "qemu-system": "QEMU 9"}
SCREEN = {
    "tty": True, "encoding": "utf-8", "term": "xterm", "columns": 80, "lines": 24,
    "colour": "256 colours",
}  # fmt: skip

#: how it is judged -> the level that must come out
JUDGED: list[tuple[Callable[[], Finding], Level]] = [
    (lambda: health.python((3, 11, 0), "3.37.0"), OK),
    (lambda: health.python((3, 10, 9), "3.40.1"), PROBLEM),
    (lambda: health.python((3, 12, 1), "3.36.9"), PROBLEM),
    (lambda: health.packages({"blake3": "1.0"}), OK),
    (lambda: health.packages({"blake3": None, "rich": "15"}), PROBLEM),
    (lambda: health.ssh("OpenSSH_9.2p1 Debian-2, OpenSSL 3.0"), OK),
    (lambda: health.ssh("OpenSSH_8.1p1, OpenSSL 1.1"), OK),
    (lambda: health.ssh("OpenSSH_8.0p1, OpenSSL 1.1"), PROBLEM),
    (lambda: health.ssh("OpenSSH_10.0p2"), OK),
    (lambda: health.ssh("Sun_SSH_2.4"), NOTE),
    (lambda: health.ssh(""), NOTE),
    (lambda: health.ssh(None), PROBLEM),
    (lambda: health.agent("", False), OK),
    (lambda: health.agent("/a", True), OK),
    (lambda: health.agent("/a", False), NOTE),
    (lambda: health.machine_programs(QEMU, True), OK),
    (lambda: health.machine_programs(QEMU, None), NOTE),
    (lambda: health.machine_programs(QEMU, False), NOTE),
    (lambda: health.machine_programs({**QEMU, "qemu-img": None}, True), NOTE),
    (lambda: health.folder("/h", 0o40700, 1, 1, True), OK),
    (lambda: health.folder("/h", None, 0, 1, True), OK),
    (lambda: health.folder("/h", 0o40750, 1, 1, True), NOTE),
    (lambda: health.folder("/h", 0o40700, 2, 1, True), PROBLEM),
    (lambda: health.folder("/h", 0o40500, 1, 1, False), PROBLEM),
    (lambda: health.room(100 * GIB, 200 * GIB, None), OK),
    (lambda: health.room(10 * GIB - 1, 200 * GIB, 10_000), NOTE),
    (lambda: health.room(GIB - 1, 200 * GIB, 10_000), PROBLEM),
    (lambda: health.room(100 * GIB, 200 * GIB, 999), PROBLEM),
    (lambda: health.file_system("ext4", "/"), OK),
    (lambda: health.file_system("tmpfs", "/tmp"), NOTE),
    (lambda: health.file_system("nfs4", "/srv"), NOTE),
    (lambda: health.file_system("fuse.sshfs", "/srv"), NOTE),
    (lambda: health.file_system("overlay", "/"), NOTE),
    (lambda: health.features(Probe(fsync=0.01)), OK),
    (lambda: health.features(Probe(fsync=0.3)), NOTE),
    (lambda: health.features(Probe(sparse=False)), NOTE),
    (lambda: health.features(Probe(locked=False)), PROBLEM),
    (lambda: health.features(Probe(replaced=False, fsync=1)), PROBLEM),
    (lambda: health.features(Probe(error="no room")), PROBLEM),
    (lambda: health.configuration("/c", True, [], []), OK),
    (lambda: health.configuration("/c", False, [], [Fault("a", "A", "b")]), NOTE),
    (lambda: health.configuration("/c", True, [Fault("a", "A", "b")] * 3, []), PROBLEM),
    (lambda: health.file_rights("/c", 0o100644, 1, 1), OK),
    (lambda: health.file_rights("/c", 0o100600, 0, 1), OK),
    (lambda: health.file_rights("/c", 0o100664, 1, 1), NOTE),
    (lambda: health.file_rights("/c", 0o100602, 1, 1), NOTE),
    (lambda: health.file_rights("/c", 0o100600, 2, 1), NOTE),
    (lambda: health.job_store(None, 3), OK),
    (lambda: health.job_store(3, 3), OK),
    (lambda: health.job_store(2, 3), NOTE),
    (lambda: health.job_store(4, 3), PROBLEM),
    (lambda: health.image_store(None), OK),
    (lambda: health.image_store(f"{STORE_NAME} {STORE_VERSION}\n"), OK),
    (lambda: health.image_store(f"{STORE_NAME} {STORE_VERSION + 1}\n"), PROBLEM),
    (lambda: health.image_store("something else"), PROBLEM),
    (lambda: health.image_store(""), PROBLEM),
    (lambda: health.engine("stopped", None, "1", None), OK),
    (lambda: health.engine("running", "1", "1", 1.0), OK),
    (lambda: health.engine("running", "0", "1", 1.0), NOTE),
    (lambda: health.engine("running", "1", "1", 60.0), NOTE),
    (lambda: health.engine("died", "1", "1", 1.0), NOTE),
    (lambda: health.clock(2000.0, 1000.0, None, True), OK),
    (lambda: health.clock(2000.0, 1000.0, 2200.0, None), OK),
    (lambda: health.clock(2000.0, 1000.0, None, False), NOTE),
    (lambda: health.clock(2000.0, 1000.0, 2000.0 + 3600, True), NOTE),
    (lambda: health.clock(2000.0, 1000.0, 2000.0 + 2 * DAY, True), PROBLEM),
    (lambda: health.clock(999.0, 1000.0, None, True), PROBLEM),
    (lambda: health.session_end(False, False), OK),
    (lambda: health.session_end(True, True), OK),
    (lambda: health.session_end(True, False), NOTE),
    (lambda: health.open_files(1024, 4096), OK),
    (lambda: health.open_files(-1, -1), OK),
    (lambda: health.open_files(1023, 4096), NOTE),
    (lambda: health.open_files(255, 255), PROBLEM),
    (lambda: health.memory(512 * MIB, 1), OK),
    (lambda: health.memory(511 * MIB, 2), NOTE),
    (lambda: health.memory(None, 2), OK),
    (lambda: health.terminal(SCREEN), OK),
    (lambda: health.terminal({**SCREEN, "encoding": "UTF8"}), OK),
    (lambda: health.terminal({**SCREEN, "encoding": "latin-1"}), NOTE),
    (lambda: health.terminal({**SCREEN, "term": "dumb", "colour": ""}), NOTE),
    (lambda: health.terminal({**SCREEN, "colour": ""}), NOTE),
    (lambda: health.terminal({**SCREEN, "columns": 79}), NOTE),
    (lambda: health.terminal({**SCREEN, "tty": False, "columns": 10}), OK),
]


@pytest.mark.parametrize("at", range(len(JUDGED)))
def test_judgement(at: int) -> None:
    judge, level = JUDGED[at]
    finding = judge()
    assert finding.level is level, finding
    assert finding.found
    # What is not as it should be says what to do; what is has nothing to say.
    assert bool(finding.advice) == (level is not OK)


def test_findings_are_joined_the_worst_first() -> None:
    found = health.joined([health.ok("a"), health.problem("b", "x"), health.note("c", "y")])
    assert found == Finding(PROBLEM, "b; c; a", "x; y")
    assert health.worst([]) is OK


MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:20 / /srv rw - xfs /dev/sdb rw
24 23 0:21 / /srv/a\\040b\\134c rw shared:1 - nfs4 host:/x rw
25 22 0:22 / /srv/é rw - btrfs /dev/sdc rw
26 22 0:23 / /srvother rw - tmpfs none rw
27 23 0:24 / /srv rw - overlay overlay rw
a line of nothing
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "ext4"), ("/srv/a b\\c/d", "nfs4"), ("/srv/é/x", "btrfs"), ("/srvother", "tmpfs"),
     ("/srvoth", "ext4"), ("/srv/x", "overlay")],
)  # fmt: skip
def test_the_nearest_and_topmost_mount_counts(path: str, kind: str) -> None:
    assert machine.mount_of(Path(path), MOUNTS)[0] == kind


def test_a_probe_of_a_good_file_system_leaves_nothing(tmp_path: Path) -> None:
    found = machine.probe(tmp_path)
    assert (found.error, found.replaced, found.locked, found.sparse) == ("", True, True, True)
    assert 0 < found.fsync < 60
    assert list(tmp_path.iterdir()) == []


def test_a_probe_where_nothing_can_be_written() -> None:
    assert "No such file" in machine.probe(Path("/no/such/folder")).error


def test_a_program_that_is_not_there_or_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.said(["no-such-program-anywhere"]) is None
    monkeypatch.setattr(machine, "PATIENCE", 0.05)
    assert machine.said(["sleep", "5"]) is None
    assert machine.said(["true"]) == ""


def checks(document: Any) -> dict[str, dict[str, str]]:
    return {each["id"]: each for each in document["checks"]}


def test_doctor_of_a_machine_without_a_home_makes_none(smc: Cli) -> None:
    said = smc("doctor", "--json")
    found = checks(said.document)
    assert list(found) == [check.id for check in doctor.CHECKS]
    assert not smc.home.exists()
    assert list(smc.home.parent.iterdir()) == []
    assert all("could not be looked at" not in each["found"] for each in found.values())
    bad = [each for each in found.values() if each["level"] == PROBLEM]
    assert said.code == (ExitCode.FAILED if bad else ExitCode.OK)
    assert found["home"]["level"] == OK
    page = smc("doctor").out
    assert all(check.title in page for check in doctor.CHECKS)


def test_one_file_system_under_home_and_images_is_said_once(smc: Cli) -> None:
    Home(smc.home).images.mkdir(mode=0o700, parents=True, exist_ok=True)
    (found,) = [each for each in smc.json("doctor")["checks"] if each["title"] == "File system"]
    assert found["found"].count(" at /") == 1, "two folders, one mount"


def test_doctor_of_a_home_changes_nothing_and_starts_nothing(smc: Cli) -> None:
    smc.json("engine", "start")
    assert f"version {__version__}" in checks(smc("doctor", "--json").document)["engine"]["found"]
    smc.json("engine", "stop")

    def state() -> dict[str, tuple[int, int]]:
        return {
            path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in smc.home.iterdir()
        }

    before = state()
    found = checks(smc("doctor", "--json").document)
    assert state() == before
    assert smc.engine() is None
    assert found["engine"]["found"].startswith("none runs")
    assert found["job_store"]["found"] == f"version {VERSION}"


def test_doctor_finds_what_is_wrong_with_a_home(smc: Cli, tmp_path: Path) -> None:
    smc.json("engine", "start")
    end_engine(smc.home, signal.SIGKILL)
    smc.home.chmod(0o755)
    (smc.home / "images").mkdir(exist_ok=True)
    (smc.home / "images/FORMAT").write_text(f"{STORE_NAME} 99\n")
    with sqlite3.connect(Home(smc.home).jobs_db) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    file = tmp_path / "c.toml"
    file.write_text("retry.atempts = 1")
    file.chmod(0o666)
    said = smc("doctor", "--json", "--config", file)
    assert (said.code, said.document["result"]) == (ExitCode.FAILED, PROBLEM)
    found = checks(said.document)
    assert found["home"]["level"] == NOTE
    assert "without a word" in found["engine"]["found"]
    assert "version 99" in found["job_store"]["found"]
    assert "version 99" in found["image_store"]["found"]
    assert "did you mean retry.attempts?" in found["config"]["found"]
    assert "chmod go-w" in found["config"]["advice"]
    assert "There is a problem" in smc("doctor", "--config", file).out


def test_doctor_of_a_job_store_that_is_none(smc: Cli) -> None:
    smc.home.mkdir(mode=0o700)
    (smc.home / "jobs.db").write_bytes(b"this is no database, and longer than its header" * 40)
    found = checks(smc("doctor", "--json").document)
    assert found["job_store"]["level"] == PROBLEM


def test_doctor_where_the_home_is_a_file_or_the_configuration_is_gone(
    smc: Cli, tmp_path: Path
) -> None:
    smc.home.write_text("")
    found = checks(smc("doctor", "--json", "--config", tmp_path / "none").document)
    assert found["home"]["found"].endswith("is no folder")
    assert found["config"]["level"] == PROBLEM


def test_doctor_asks_the_agent_and_the_limits(
    smc: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    assert checks(smc("doctor", "--json").document)["agent"]["level"] == NOTE
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        assert checks(smc("doctor", "--json").document)["agent"]["level"] == OK
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        assert checks(smc("doctor", "--json").document)["open_files"]["level"] == PROBLEM
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_doctor_without_any_program(
    smc: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = checks(smc("doctor", "--json").document)
    assert (found["ssh"]["level"], found["qemu"]["level"]) == (PROBLEM, NOTE)


def test_a_check_that_breaks_keeps_no_other_from_looking(
    smc: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Finding:
        raise ZeroDivisionError("of course")

    monkeypatch.setattr(health, "memory", broken)
    found = checks(smc("doctor", "--json").document)
    assert found["memory"]["level"] == NOTE
    assert "ZeroDivisionError" in found["memory"]["found"]
    assert "could not" not in found["terminal"]["found"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may look everywhere")
def test_a_home_in_a_folder_that_is_closed(smc: Cli) -> None:
    smc.home.mkdir()
    inner = smc.home / "inner"
    smc.home.chmod(0)
    try:
        said = smc("doctor", "--json", "--home", inner)
        assert checks(said.document)["home"]["level"] == PROBLEM
    finally:
        smc.home.chmod(0o700)
