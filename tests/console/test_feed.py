"""The feed reads what changed and nothing else, and sees what becomes of its home."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from smc_tui.jobstore import JobStore, rows
from smc_tui.jobstore.feed import EngineView, Feed
from smc_tui.model.errors import SmcError
from tests.console.fleet import SYNCING, many


@pytest.fixture
def store(fleet):
    with JobStore.open(fleet.home) as store:
        yield store


@pytest.fixture
def decoded(monkeypatch):
    """The ids of the jobs that were decoded."""
    found = []
    plain = rows.job_of

    def job_of(row):
        found.append(row["id"])
        return plain(row)

    monkeypatch.setattr(rows, "job_of", job_of)
    return found


def test_nothing_new_is_not_read(fleet, store, decoded):
    many(fleet, 30)
    feed = Feed(store)
    assert feed.look()
    assert len(decoded) == 30
    before = feed.snapshot
    assert not feed.look()
    assert feed.snapshot.jobs is before.jobs
    assert feed.snapshot.read >= before.read
    assert len(decoded) == 30


def test_only_changed_jobs_are_decoded_and_the_others_stay_the_same(fleet, store, decoded):
    jobs = many(fleet, 30)
    feed = Feed(store)
    feed.look()
    before = feed.snapshot
    decoded.clear()
    fleet.change(jobs[7], progress=50.0)
    assert feed.look()
    assert decoded == [jobs[7].id]
    assert feed.snapshot.jobs[jobs[7].id].progress == 50.0
    assert feed.snapshot.jobs[jobs[8].id] is before.jobs[jobs[8].id]
    assert list(feed.snapshot.jobs) == [job.id for job in jobs]
    assert feed.snapshot.sources is before.sources, "no event came, so nothing else did"


def test_an_event_brings_the_rest(fleet, store):
    feed = Feed(store)
    feed.look()
    job = fleet.add("web01", SYNCING)
    fleet.ran(job)
    fleet.holds(job)
    fleet.change(job, told=True)
    assert feed.look()
    snapshot = feed.snapshot
    assert [source.name for source in snapshot.sources.values()] == ["web01"]
    assert snapshot.kept == {job.id: 1}
    assert [image.job_id for image in snapshot.images_of(job.id)] == [job.id]
    assert job.id in snapshot.resources
    assert [event.action for event in snapshot.events][-1] == "job.modify"


def test_a_job_that_is_gone_is_gone(fleet, store):
    jobs = many(fleet, 3)
    feed = Feed(store)
    feed.look()
    with fleet.writer.transaction():
        fleet.writer.delete_job(jobs[1].id)
    assert feed.look()
    assert list(feed.snapshot.jobs) == [jobs[0].id, jobs[2].id]


def test_history_is_the_newest_of_it(fleet, store):
    job = fleet.add("web01")
    feed = Feed(store)
    feed.look()
    with fleet.writer.transaction():
        for number in range(300):
            fleet.event(job, "job.modify", str(number))
    feed.look()
    assert len(feed.snapshot.events) == 200
    assert [event.result for event in feed.snapshot.events][-1] == "299"
    ids = [event.id for event in feed.snapshot.events]
    assert ids == sorted(set(ids))


def test_an_engine_that_dies_is_seen_with_no_word_of_its_own(fleet, store):
    feed = Feed(store)
    feed.look()
    assert feed.snapshot.engine.alive
    assert feed.snapshot.engine.down is None
    fleet.engine_ends()
    assert feed.look()
    first = feed.snapshot.engine
    assert not first.alive
    assert first.down is not None
    assert not feed.look()
    fleet.add("web01")
    assert feed.look()
    assert feed.snapshot.engine.down == first.down, "since it was first seen"
    fleet.engine_starts(time_lapse=60)
    assert feed.look()
    assert feed.snapshot.engine.alive
    assert feed.snapshot.engine.down is None
    assert feed.snapshot.engine.time_lapse == 60


def test_a_home_that_is_gone_or_another(fleet, store):
    job = fleet.add("web01")
    feed = Feed(store)
    feed.look()
    away = fleet.home.path.with_name("away")
    fleet.home.path.rename(away)
    with pytest.raises(SmcError, match="No such file") as caught:
        feed.look()
    assert caught.value.code == "Home.Unusable"
    assert job.id in feed.snapshot.jobs, "what was known is still shown"
    shutil.copytree(away, fleet.home.path, ignore=shutil.ignore_patterns("*.sock"))
    with pytest.raises(SmcError, match="another one"):
        feed.look()
    shutil.rmtree(fleet.home.path)
    away.rename(fleet.home.path)
    feed.look()


def test_a_home_that_a_newer_program_took(fleet, store):
    feed = Feed(store)
    feed.look()
    other = sqlite3.connect(fleet.home.jobs_db)
    other.execute("PRAGMA user_version = 99")
    with pytest.raises(SmcError) as caught:
        feed.look()
    assert caught.value.code == "Home.Newer"
    other.close()


def test_a_writer_in_the_way_is_waited_for_no_longer_than_was_said(fleet, store):
    store.be_patient(0.01)
    with fleet.writer.transaction(), pytest.raises(SmcError) as caught:
        store.submit("job.sync", "j-1")
    assert caught.value.code == "JobStore.Busy"
    assert Feed(store).look(), "reading waits for nobody"


@pytest.mark.parametrize(("time_lapse", "shown"), [(1.0, 1000.0), (120.0, 4600.0)])
def test_an_instant_of_the_engine_on_this_machine(time_lapse, shown):
    assert EngineView(True, time_lapse=time_lapse, ahead=3600.0).here(4600.0) == shown
