"""Every way out: one line, one document, a status; a traceback for nobody."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from smc_tui.cli import app, sources
from smc_tui.jobstore import JobStore, connection
from smc_tui.model.catalogue import ExitCode
from tests.cli.conftest import ROOT, Cli, Spawn


def test_a_surprise_is_one_line(smc: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("a\nsurprise")

    monkeypatch.setattr(sources.pages, "source_table", burst)
    monkeypatch.setattr(JobStore, "source_documents", burst)
    said = smc("source", "list", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Command.Internal")
    assert len(said.err.splitlines()) == 1


def test_a_surprise_shows_its_traceback_to_the_author(
    smc: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(JobStore, "source_documents", burst)
    monkeypatch.setenv(app.TRACEBACK, "1")
    assert app.run(["--home", str(smc.home), "source", "list"]) == ExitCode.FAILED
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_one_line_and_130(smc: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(JobStore, "source_documents", interrupted)
    said = smc("source", "list", "--json")
    assert (said.code, said.error["code"]) == (130, "Command.Interrupted")


def test_nobody_reading_is_no_error(spawn: Spawn) -> None:
    process = spawn("engine", "status", "--json")
    process.stdout.close()
    assert process.wait(30) == app.PIPE_CLOSED
    assert process.stderr.read() == ""
    process.stdout = None


@pytest.mark.parametrize("json_asked", [True, False])
def test_an_output_that_is_full_is_said_to_be(spawn: Spawn, json_asked: bool) -> None:
    with Path("/dev/full").open("w") as full:
        process = spawn("engine", "status", *(["--json"] if json_asked else []), stdout=full)
        assert process.wait(30) == ExitCode.FAILED
    assert process.stderr.read() == (
        "Command.OutputFailed: No space left on device. "
        "Next: see where standard output goes: the disk behind it may be full\n"
    )


def test_streams_that_are_closed_are_no_surprise(home: Path) -> None:
    line = f'"{sys.executable}" -m smc_tui --home "{home}" job list <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", line], cwd=ROOT, check=False).returncode == 0
    # Nothing of the job store's got the number of a stream.
    assert smc_lists_nothing(home)


def smc_lists_nothing(home: Path) -> bool:
    """Tell whether the job store can be read and is empty."""
    with JobStore.open(home) as store:
        return store.jobs() == []


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "Destination.Full"), (errno.EROFS, "Home.Unusable")]
)
def test_what_the_machine_refuses_is_said_with_the_file(
    smc: Cli, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/some/file")

    monkeypatch.setattr(JobStore, "source_documents", refused)
    said = smc("source", "list", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, code)
    assert said.error["detail"] == f"/some/file: {os.strerror(number)}"


def test_a_home_that_cannot_be(smc: Cli, tmp_path: Path) -> None:
    smc.home = tmp_path / "file"
    smc.home.write_text("")
    for typed in (
        ("job", "list"),
        ("engine", "start"),
        ("source", "import", "ab", "--local", "/x"),
    ):
        said = smc(*typed, "--json")
        assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Home.Unusable")


def test_a_home_of_a_newer_version_is_left_alone(smc: Cli) -> None:
    smc("job", "list")
    with sqlite3.connect(smc.home / "jobs.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    before = (smc.home / "jobs.db").read_bytes()
    for typed in (("job", "list"), ("engine", "start"), ("store", "check")):
        said = smc(*typed, "--json")
        assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Home.Newer")
    assert (smc.home / "jobs.db").read_bytes() == before


def test_a_damaged_job_store_is_said_to_be(smc: Cli) -> None:
    smc.home.mkdir()
    (smc.home / "jobs.db").write_bytes(b"no database at all " * 1000)
    said = smc("job", "list", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.STORE_DAMAGED, "JobStore.Damaged")


def test_a_locked_job_store_is_said_to_be(smc: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    smc("job", "list")
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.01)
    holder = sqlite3.connect(smc.home / "jobs.db", isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        said = smc("job", "list", "--json")
    finally:
        holder.close()
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "JobStore.Busy")


def test_an_ascii_terminal_gets_ascii(smc: Cli, disk: Path) -> None:
    said = smc("job", "show", "ünknown→", "--ascii")
    assert said.err.isascii()
    assert said.code == ExitCode.NO_SUCH_OBJECT


def test_a_stream_of_another_encoding_is_no_surprise(home: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "smc_tui", "--home", str(home), "job", "show", "ünknown"],
        capture_output=True,
        cwd=ROOT,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert said.returncode == ExitCode.NO_SUCH_OBJECT
    assert said.stderr.startswith(b"ReplicationJob.NotFound: there is no job ?nknown")


def test_start_up_takes_nothing_along_that_it_does_not_use(smc: Cli) -> None:
    smc("job", "list")
    code = (
        "import json, sys; from smc_tui.cli.app import run;"
        f" run(['--home', {str(smc.home)!r}, 'job', 'list']);"
        " print(json.dumps(sorted(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = set(json.loads(said.stdout))
    assert not loaded & {"rich", "textual", "sqlite_utils", "asyncio", "subprocess", "blake3"}
    assert not [name for name in loaded if name.startswith(("smc_tui.engine", "smc_tui.sync"))]


def test_terminate_ends_a_waiting_command_and_not_the_engine(
    smc: Cli, large_disk: Path, spawn: Spawn
) -> None:
    smc.slow_job(large_disk)
    engine = smc.engine()
    waiting = spawn("job", "wait", "mig", "--for", "Waiting")
    # Its first line is said once it watches.
    assert waiting.stderr.readline().startswith("mig: Syncing")
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(30) == -signal.SIGTERM
    assert smc.engine() == engine
