"""A glance makes nothing, waits for nobody, and shrugs at whatever is not there."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from smc_tui.jobstore import Home, JobStore
from smc_tui.jobstore.glance import THINGS, glance, names, tags
from smc_tui.jobstore.schema import VERSION
from smc_tui.model.errors import SmcError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    JobStore.open(found).close()
    return found


def filled(home: Home) -> sqlite3.Connection:
    connection = sqlite3.connect(home.jobs_db)
    connection.execute(
        "INSERT INTO sources (id, name, state, disks, created, checked, inventory, description,"
        " tags) VALUES ('s-1', 'web01', 'Available', '[]', 1, 1, '{}', '', '[\"b\", \"a\"]')"
    )
    connection.commit()
    return connection


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert (glance(home), tags(home), [names(home, each) for each in THINGS]) == (
        None,
        [],
        [[]] * 4,
    )
    assert not home.path.exists()


def test_what_is_no_database_is_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.jobs_db.write_bytes(b"no database" * 1000)
    assert (glance(home), names(home, "jobs"), tags(home)) == (None, [], [])
    home.jobs_db.write_bytes(b"")
    assert (glance(home), names(home, "jobs")) == (None, [])


def test_names_and_tags_are_seen_and_nothing_is_left(home: Home) -> None:
    filled(home).close()
    before = sorted(home.path.iterdir())
    assert names(home, "sources") == [("s-1", "web01")]
    assert tags(home) == ["a", "b"]
    found = glance(home)
    assert found is not None
    assert (found.version, found.engine) == (VERSION, None)
    assert sorted(home.path.iterdir()) == before


def test_what_another_process_has_in_its_log_is_seen(home: Home) -> None:
    connection = filled(home)
    try:
        assert home.jobs_db.with_name("jobs.db-wal").stat().st_size > 0
        assert names(home, "sources") == [("s-1", "web01")]
    finally:
        connection.close()


def test_a_store_that_is_locked_is_not_waited_for(home: Home) -> None:
    connection = sqlite3.connect(home.jobs_db, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    assert isinstance(names(home, "jobs"), list)
    assert time.monotonic() - begun < 5
    connection.close()


def test_a_home_of_nobody_is_refused() -> None:
    with pytest.raises(SmcError) as caught:
        Home.find("~nobody-of-this-name/home")
    assert caught.value.code == "Home.Unusable"
