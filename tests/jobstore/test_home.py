"""The home folder: its version, its permissions, its faults."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from smc_tui.jobstore import Home, JobStore, connection, schema
from smc_tui.jobstore.rows import job_row, run_row, source_row
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from smc_tui.model.instants import ChangeDetection, Reading, Wanted
from smc_tui.model.things import DrillMode
from tests.model.samples import JOB, RUN, SOURCE


def code_of(call, *args):
    with pytest.raises(SmcError) as caught:
        call(*args)
    return caught.value.code


def test_where_the_home_is(monkeypatch, tmp_path):
    monkeypatch.delenv("SMC_TUI_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert Home.find().path == tmp_path / "state" / "smc-tui"
    monkeypatch.setenv("SMC_TUI_HOME", str(tmp_path / "env"))
    assert Home.find().path == tmp_path / "env"
    assert Home.find(tmp_path / "given").path == tmp_path / "given"
    monkeypatch.chdir(tmp_path)
    assert Home.find("here").path == tmp_path / "here"


def test_paths(home):
    assert home.run_log("j-1", "r-1") == home.path / "logs" / "j-1" / "r-1.log"
    assert home.job_staging("j-1") == home.path / "staging" / "j-1"
    assert {home.images.name, home.known_hosts.name} == {"images", "known_hosts"}


def test_others_are_kept_out(home):
    home.path.mkdir(mode=0o755)
    JobStore.open(home).close()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_a_home_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    assert code_of(JobStore.open, tmp_path / "file") == "Home.Unusable"
    assert code_of(JobStore.open, tmp_path / "file" / "below") == "Home.Unusable"


def test_a_home_of_a_newer_version_is_left_alone(home):
    JobStore.open(home).close()
    with sqlite3.connect(home.jobs_db) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()
    before = home.jobs_db.read_bytes()
    assert code_of(JobStore.open, home) == "Home.Newer"
    assert code_of(JobWriter.open, home) == "Home.Newer"
    assert home.jobs_db.read_bytes() == before


def test_a_home_of_an_older_version_is_brought_up_by_the_engine_alone(home, monkeypatch):
    JobStore.open(home).close()

    def second(db):
        db.execute("ALTER TABLE sources ADD COLUMN colour TEXT")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
    newer = schema.VERSION + 1
    for module in (schema, connection):
        monkeypatch.setattr(module, "VERSION", newer)
    assert code_of(JobStore.open, home) == "Home.Older"
    with JobWriter.open(home) as writer:
        assert "n" in dict(writer._one("SELECT count(colour) AS n FROM sources"))
    with JobStore.open(home) as store:
        assert store.sources() == []


def old_home(home, monkeypatch, version, *rows):
    """Make a home of an earlier version that has these rows of tables."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        for module in (schema, connection):
            patch.setattr(module, "VERSION", version)
        JobStore.open(home).close()
    with sqlite3.connect(home.jobs_db) as db:
        for table, row in rows:
            known = {name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")}
            old = {name: value for name, value in row.items() if name in known}
            marks = ", ".join(f":{name}" for name in old)
            db.execute(f"INSERT INTO {table} ({', '.join(old)}) VALUES ({marks})", old)
    db.close()


def test_a_home_of_the_first_version_keeps_its_jobs_as_they_were(home, monkeypatch):
    old_home(home, monkeypatch, 1, ("sources", source_row(SOURCE)), ("jobs", job_row(JOB)))
    with JobWriter.open(home) as writer:
        assert writer.source(SOURCE.id) == replace(SOURCE, tags=())
        # It was made to migrate without a drill, and does.
        undrilled = replace(JOB.settings, drill=DrillMode.OFF)
        assert writer.job(JOB.id) == replace(JOB, settings=undrilled, tags=(), drill_report={})
        assert undrilled.instant is Wanted.AUTO


def test_runs_of_an_older_version_keep_what_they_said_of_their_reading(home, monkeypatch):
    said = run_row(replace(RUN, report={"change_detection": "full comparison", "hash": "blake3"}))
    silent = {**said, "id": "r-00000002", "report": "{}"}
    odd = {**said, "id": "r-00000003", "report": '{"change_detection":"by magic"}'}
    old_home(home, monkeypatch, 3, ("runs", said), ("runs", silent), ("runs", odd))
    with JobWriter.open(home) as writer:
        runs = writer.runs(JOB.id)
    assert [run.reading for run in runs] == [Reading(ChangeDetection.FULL), Reading(), Reading()]
    assert runs[0].report == {"hash": "blake3"}


def test_a_migration_that_fails_leaves_the_home_as_it_was(home, monkeypatch):
    with JobWriter.open(home) as writer, writer.transaction():
        writer.put_source(SOURCE)

    def broken(db):
        db.execute("DROP TABLE sources")
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        newer = schema.VERSION + 1
        for module in (schema, connection):
            patch.setattr(module, "VERSION", newer)
        with pytest.raises(RuntimeError, match="power cut"):
            JobWriter.open(home)
    with JobStore.open(home) as store:
        assert store.sources() == [SOURCE]


def test_many_meet_on_an_empty_home(home):
    def visit(_):
        with JobStore.open(home) as store:
            return store.jobs()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(visit, range(16))) == [[]] * 16


def test_a_damaged_job_store_is_told_as_such(home):
    JobStore.open(home).close()
    for path in home.path.glob("jobs.db-*"):
        path.unlink()
    size = home.jobs_db.stat().st_size
    home.jobs_db.write_bytes(os.urandom(size))
    with pytest.raises(SmcError) as caught:
        JobStore.open(home)
    assert caught.value.code == "JobStore.Damaged"
    assert caught.value.exit_code is ExitCode.STORE_DAMAGED


def test_a_full_disk_is_told_as_such_and_loses_nothing(home):
    with JobWriter.open(home) as writer:
        (pages,) = writer._one("PRAGMA page_count")
        writer._connection.execute(f"PRAGMA max_page_count = {pages}")

        def fill():
            for number in range(500):
                with writer.transaction():
                    writer.write_event(1.0, "a" * 1000, "b", str(number))

        assert code_of(fill) == "JobStore.Full"
        kept = [event.result for event in writer.events()]
        assert kept == [str(number) for number in range(len(kept))]
        writer._connection.execute("PRAGMA max_page_count = 100000")
        with writer.transaction():
            writer.put_source(SOURCE)
        assert writer.sources() == [SOURCE]


def test_a_locked_job_store_is_told_as_such(home, monkeypatch):
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    with JobWriter.open(home) as writer, JobStore.open(home) as store, writer.transaction():
        assert code_of(store.submit, "job.sync", "x") == "JobStore.Busy"
        assert store.jobs() == []  # reading goes on


def test_a_mistake_in_the_program_is_not_blamed_on_the_machine(home):
    with JobStore.open(home) as store, pytest.raises(sqlite3.OperationalError, match="no such"):
        store._one("SELECT * FROM moon")


def test_reading_pays_for_no_library_that_it_does_not_use(home):
    JobStore.open(home).close()
    program = (
        "import sys; from smc_tui.jobstore import JobStore; s = JobStore.open(sys.argv[1]);"
        "s.job_documents(); s.submit('x'); s.close();"
        "print(*[m for m in ('sqlite_utils', 'textual', 'asyncio', 'blake3') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_log_that_cannot_be_opened(home):
    JobStore.open(home).close()
    wal = home.path / "jobs.db-wal"
    wal.unlink(missing_ok=True)
    wal.mkdir()
    assert code_of(JobStore.open, home) == "JobStore.IoError"
    wal.rmdir()
    JobStore.open(home).close()
