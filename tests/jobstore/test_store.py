"""What is put in comes out, whole, and only together."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from smc_tui.model.instants import Reading, Wanted
from smc_tui.model.lifecycle import Phase, SourceState, State, Status
from smc_tui.model.things import PIN, Counters, Fault, ResourceState, Wish
from tests.model.samples import IMAGE, JOB, NOW, RESOURCE, RUN, SOURCE, job_in
from tests.model.test_instants import SAID


def test_everything_comes_back_as_it_was(store, writer):
    fault = Fault("Link.Lost", "x", NOW, {"a": [1, None]})
    source = replace(SOURCE, fault=fault, state=SourceState.UNAVAILABLE, link_bps=None)
    job = replace(
        job_in(State(Status.RUNNING, Phase.SYNCING)),
        progress=12.5,
        run_id=RUN.id,
        wish=Wish.CANCEL,
        completing=True,
        fault=fault,
        live={"disks": [{"index": 0}]},
        expired=NOW,
        next_run=NOW + 1,
        description="naïve",
        settings=replace(
            JOB.settings, instant=Wanted.NONE, before_freeze=("a", "b c"), after_thaw=("d",)
        ),
    )
    run = replace(
        RUN,
        ended=NOW,
        counters=Counters(1, 2, 3, 4, 5, 6),
        published=True,
        reading=Reading.of(SAID),
        fault=fault,
        seconds=1.5,
    )
    image = replace(IMAGE, fault=fault, verified=NOW)
    resource = replace(RESOURCE, state=ResourceState.RELEASING, size=7)
    with writer.transaction():
        writer.put_source(source)
        writer.put_job(job)
        writer.put_run(run)
        writer.put_image(image)
        writer.put_resource(resource)
    assert store.sources() == [source]
    assert store.jobs() == [job]
    assert store.runs(JOB.id) == [run]
    assert store.run(RUN.id) == run
    assert store.images() == [image]
    assert store.resource(JOB.id) == resource
    local = replace(source, ssh=None, host_key=None)
    with writer.transaction():
        writer.put_source(local)
    assert store.sources() == [local]


def test_things_are_found_by_id_and_by_name(store, writer):
    with writer.transaction():
        writer.put_source(SOURCE)
        writer.put_job(JOB)
        writer.put_image(IMAGE)
    assert store.source("web01") == store.source(SOURCE.id) == SOURCE
    assert store.job("web01-1") == store.job(JOB.id) == JOB
    assert store.image(IMAGE.name) == store.image(IMAGE.id) == IMAGE


@pytest.mark.parametrize(
    ("find", "code"),
    [
        ("source", "SourceServer.NotFound"),
        ("job", "ReplicationJob.NotFound"),
        ("image", "Image.NotFound"),
        ("request", "Request.NotFound"),
    ],
)
@pytest.mark.parametrize("ref", ["nobody", "", "' OR 1=1 --", "x\ny"])
def test_what_is_not_there(store, find, code, ref):
    with pytest.raises(SmcError) as caught:
        getattr(store, find)(ref)
    assert caught.value.code == code
    assert caught.value.exit_code is ExitCode.NO_SUCH_OBJECT


def test_a_transaction_is_all_or_nothing(store, writer):
    def half():
        with writer.transaction():
            writer.put_source(SOURCE)
            writer.write_event(NOW, "a", "b", "c")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert store.sources() == []
    assert store.events() == []
    with writer.transaction():
        writer.put_source(SOURCE)
    assert store.sources() == [SOURCE]


def test_the_store_itself_allows_one_unfinished_job_a_source(writer):
    second = replace(JOB, id="j-0000000b", name="web01-2")
    with writer.transaction():
        writer.put_job(JOB)
    with pytest.raises(sqlite3.IntegrityError), writer.transaction():
        writer.put_job(second)
    with writer.transaction():
        writer.put_job(replace(JOB, status=Status.FINISHED))
        writer.put_job(second)
    assert writer.unfinished_job(SOURCE.id) == second


def test_names_are_unique(writer):
    with writer.transaction():
        writer.put_image(IMAGE)
    with pytest.raises(sqlite3.IntegrityError), writer.transaction():
        writer.put_image(replace(IMAGE, id="m-0000000b"))


def test_a_name_is_taken_from_its_promise_on(writer):
    with writer.transaction():
        writer.put_run(RUN)
    assert writer.name_taken(RUN.image_name)
    assert not writer.name_taken("another")
    with writer.transaction():
        writer.put_run(replace(RUN, ended=NOW))
    assert not writer.name_taken(RUN.image_name)
    with writer.transaction():
        writer.put_image(IMAGE)
    assert writer.name_taken(IMAGE.name)


def test_holds(store, writer):
    with writer.transaction():
        writer.put_image(IMAGE)
        writer.hold(IMAGE.id, PIN)
        writer.hold(IMAGE.id, PIN)
        writer.hold(IMAGE.id, "verify:q-1")
    assert store.image(IMAGE.id).holds == (PIN, "verify:q-1")
    assert store.image(IMAGE.id).pinned
    with writer.transaction():
        writer.release_all_but(PIN)
    assert store.image(IMAGE.id).holds == (PIN,)
    with writer.transaction():
        writer.release(IMAGE.id, PIN)
    assert not store.image(IMAGE.id).pinned
    with writer.transaction():
        writer.hold(IMAGE.id, PIN)
        writer.delete_image(IMAGE.id)
        writer.put_image(IMAGE)
    assert store.image(IMAGE.id).holds == ()


def test_images_come_oldest_first(store, writer):
    with writer.transaction():
        for number, created in enumerate((NOW + 2, NOW, NOW + 1)):
            writer.put_image(
                replace(IMAGE, id=f"m-0000000{number}", name=f"i{number}", created=created)
            )
    assert [image.name for image in store.images(JOB.id)] == ["i1", "i2", "i0"]
    assert store.images("j-ffffffff") == []


def test_a_held_resource_is_shown_before_one_being_released(store, writer):
    old = replace(RESOURCE, state=ResourceState.RELEASING)
    new = replace(RESOURCE, id="t-0000000b", created=NOW - 5)
    with writer.transaction():
        writer.put_resource(old)
        writer.put_resource(new)
    assert store.resource(JOB.id) == new
    with writer.transaction():
        writer.put_resource(replace(new, state=ResourceState.RELEASED))
    assert store.resource(JOB.id) == old
    assert writer.resources_held() == [old]


def test_history_outlives_its_job(store, writer):
    with writer.transaction():
        writer.put_job(JOB)
        writer.put_run(RUN)
        writer.write_event(NOW, "tester", "job.create", "Ready", job_id=JOB.id, name="web01-1")
        writer.write_event(NOW, "engine", "other", "x")
    with writer.transaction():
        writer.delete_job(JOB.id)
    assert [event.action for event in store.events(JOB.id)] == ["job.create"]
    assert store.events(JOB.id)[0].facts == {"name": "web01-1"}
    first = store.events()[0]
    assert [event.action for event in store.events(after=first.id)] == ["other"]
    assert store.runs(JOB.id) == [RUN]


def test_progress_touches_nothing_but_progress(store, writer):
    with writer.transaction():
        writer.put_job(JOB)
        writer.put_run(RUN)
    stale = replace(JOB, status=Status.FINISHED, progress=50.0, live={"x": 1})
    with writer.transaction(durable=False):
        writer.write_progress(stale, replace(RUN, counters=Counters(total=9), attempts=5))
    assert store.job(JOB.id) == replace(JOB, progress=50.0, live={"x": 1})
    assert store.run(RUN.id) == replace(RUN, counters=Counters(total=9))


def test_a_reader_learns_of_changes_by_a_number(store, writer):
    before = store.data_version()
    assert store.data_version() == before
    with writer.transaction():
        writer.put_source(SOURCE)
    assert store.data_version() != before


def test_a_snapshot_is_one_moment(store, writer):
    with writer.transaction():
        writer.put_source(SOURCE)
    with store.snapshot():
        assert len(store.sources()) == 1
        with writer.transaction():
            writer.delete_source(SOURCE.id)
        assert len(store.sources()) == 1
    assert store.sources() == []


def test_documents(store, writer):
    with writer.transaction():
        writer.put_source(SOURCE)
        writer.put_job(JOB)
        writer.put_run(RUN)
        writer.put_image(IMAGE)
        writer.put_resource(RESOURCE)
        writer.write_event(NOW, "tester", "x", "y", job_id=JOB.id)
    assert store.source_document("web01")["status"] == "InUse"
    assert store.source_documents()[0]["job"]["id"] == JOB.id
    job = store.job_document("web01-1")
    assert [run["id"] for run in job["runs"]] == [RUN.id]
    assert job["intermediate"]["id"] == RESOURCE.id
    assert [row["id"] for row in store.job_documents()] == [JOB.id]
    assert store.image_document(IMAGE.name)["id"] == IMAGE.id
    assert store.image_documents()[0]["bytes"] == 40 << 30
    assert store.event_documents(JOB.id)[0]["actor"] == "tester"


def test_the_engine_tells_of_itself(store, writer):
    assert store.engine_document()["status"] == "stopped"
    with writer.transaction():
        writer.engine_started("1.2", NOW, 5.0, 3600.0)
        writer.write_event(NOW + 7, "engine", "x", "y")
    assert store.engine().clock_offset == 5.0
    assert writer.newest_instant() == NOW + 7
    assert store.engine_document()["status"] == "died"
    with writer.transaction():
        writer.save_clock(NOW + 9, 6.0)
        writer.engine_stopped(NOW + 9)
    assert writer.newest_instant() == NOW + 9
    assert store.engine_document()["status"] == "stopped"
    with writer.transaction():
        writer.engine_started("1.3", NOW, 0.0, 1.0)
    assert store.engine().stopped is None
    assert store.engine().version == "1.3"
