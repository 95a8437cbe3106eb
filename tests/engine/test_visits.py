"""Words with sources between runs and after them: visits, and tidying."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def waiting(bench, monkeypatch):
    """A job that waits, with a record on its source that is visited every second."""
    monkeypatch.setenv("SMC_TUI_SYNC_VISIT_EVERY", "1")
    bench.start()
    bench.job(start="now")
    remember(bench, "smc-s-1-abcd")
    return bench


def remember(bench, name):
    job = bench.store.job("web01-1")
    record = {"version": 1, "image": "m-1", "consistency": "frozen", "states": {}}
    record |= {"name": name, "whole": True, "written": {}, "loose": {}}
    (bench.home.job_staging(job.id) / "record.json").write_text(json.dumps(record))


def asked(bench, do):
    return [told for told in bench.described() if told.get("do") == do]


def answer(bench, do, **line):
    (bench.home.path / "fake" / f"{do}.json").write_text(json.dumps(line))


def test_a_waiting_jobs_source_is_visited_again_and_again(waiting):
    waiting.until(lambda: len(asked(waiting, "visit")) >= 3)
    (told, *_) = asked(waiting, "visit")
    source = waiting.store.source("web01")
    assert told["source"]["id"] == source.id
    assert told["job"] == waiting.store.job("web01-1").id


def test_who_does_not_wait_is_not_visited(waiting):
    waiting.until(lambda: asked(waiting, "visit"))
    waiting.ask("job.pause", "web01-1")
    count = len(asked(waiting, "visit"))
    # Another job's visits tell that time has passed.
    waiting.job("db01-1", "db01", start="now")
    record = waiting.home.job_staging(waiting.store.job("web01-1").id) / "record.json"
    other = waiting.home.job_staging(waiting.store.job("db01-1").id) / "record.json"
    other.write_bytes(record.read_bytes())
    waiting.until(lambda: len(asked(waiting, "visit")) >= count + 2)
    assert {told["source"]["name"] for told in asked(waiting, "visit")[count + 1 :]} == {"db01"}


def test_a_source_that_records_nothing_is_left_alone(bench, monkeypatch):
    monkeypatch.setenv("SMC_TUI_SYNC_VISIT_EVERY", "1")
    bench.start()
    bench.job("db01-1", "db01", start="now")
    bench.job(start="now")
    remember(bench, "smc-s-1-abcd")
    bench.until(lambda: len(asked(bench, "visit")) >= 2)
    assert {told["source"]["name"] for told in asked(bench, "visit")} == {"web01"}


def test_a_record_that_is_lost_is_told_with_the_reason(waiting):
    answer(waiting, "visit", kind="result", kept=False, lost=True, reason="no\x1b[2J room")
    waiting.until(lambda: "writes not recorded" in waiting.actions())
    (event, *_) = [e for e in waiting.store.events() if e.action == "writes not recorded"]
    assert "room: the next synchronisation compares everything" in event.result
    assert "\x1b" not in event.result


def test_what_visits_count_becomes_hours(waiting):
    source = waiting.store.source("web01")
    state = [1 << 30, ["1000"], ["0"], ["0"], "boot", "1"]
    answer(waiting, "visit", kind="result", kept=True, states={source.disks[0].path: state})
    count = len(asked(waiting, "visit"))
    waiting.until(lambda: len(asked(waiting, "visit")) >= count + 2)
    state[1] = ["3048"]
    states = {source.disks[0].path: state, "/dev/nobodys": state, "/dev/odd": "\x1b[2J"}
    answer(waiting, "visit", kind="result", kept=True, states=states)
    waiting.until(lambda: sum(h.written for h in waiting.store.hours(source.id)) > 0)
    hours = waiting.store.hours(source.id)
    assert sum(hour.written for hour in hours) == pytest.approx(2048 * 512)


def test_a_job_that_is_cancelled_leaves_nothing_on_its_source(waiting):
    waiting.ask("job.cancel", "web01-1")
    waiting.until(lambda: asked(waiting, "tidy"))
    assert asked(waiting, "tidy")[0]["source"]["id"] == waiting.store.source("web01").id


def test_a_job_that_is_completed_without_a_last_run_leaves_nothing(waiting):
    waiting.ask("job.complete", "web01-1", last_sync=False)
    waiting.until(lambda: asked(waiting, "tidy"))


def test_a_source_that_does_not_answer_keeps_no_job_from_its_end(waiting):
    answer(waiting, "tidy", kind="error", code="SourceServer.Offline", detail="gone", facts={})
    waiting.ask("job.complete", "web01-1", last_sync=False)
    assert str(waiting.status()) == "Finished"
    waiting.until(lambda: "source not tidied" in waiting.actions())
