"""A job's history in words, and its report as a document."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from smc_tui.model.history import action_words, fact_words, result_words
from smc_tui.model.instants import Reading
from smc_tui.model.lifecycle import State, Status
from smc_tui.model.report import DELETED, Known, last_facts, report
from smc_tui.model.reportpage import report_sections
from smc_tui.model.things import Counters, Event, Fault
from smc_tui.model.units import MIB
from tests.model.samples import IMAGE, JOB, NOW, RUN, SOURCE, job_in
from tests.model.test_instants import SAID

DONE = replace(
    RUN, ended=NOW + 60, seconds=50.0, published=True,
    counters=Counters(100 * MIB, 100 * MIB, 20 * MIB, 20 * MIB, 9 * MIB, 8 * MIB),
)  # fmt: skip
FAILED = replace(RUN, id="r-2", ended=NOW + 5, seconds=5.0, fault=Fault("Link.Lost", "x", NOW + 5))


def event(action: str, result: str, **facts) -> Event:
    return Event(1, NOW, "ops", action, result, job_id=JOB.id, facts=facts)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (event("job.sync", "Running:Preparing"),
         ("Manual Incremental Synchronization", "Preparing", "")),
        (event("job.create", "Ready", name="mig"), ("Create Migration Job", "Not Started", "mig")),
        (event("run ended", "Waiting", bytes_sent=5 * MIB),
         ("run ended", "Waiting", "sent 5.00 MiB")),
        (event("job.modify", "changed", changes={"interval": "6h", "limit_mbit": 5}),
         ("Modify", "changed", "changes interval 6h, limit mbit 5")),
        (event("job.tag", "changed", tags=["a", "b"]), ("Set Job Tags", "changed", "tags a, b")),
        (event("store.collect", "done"), ("Collect Image Store", "done", "")),
        (event("run resumed", "why", attempt=2), ("run resumed", "why", "attempt 2")),
        (event("x", "y", flag=True, rate=0.5, odd=None), ("x", "y", "flag yes, rate 0.5")),
        (event("deleted", "mig", last={"id": "j"}), ("deleted", "mig", "")),
        (event("note", "a\x1b[2J"), ("note", "a\ufffd[2J", "")),
        (event("run failed", "Link.Lost", detail="a\nb"), ("run failed", "Link.Lost", "a\ufffdb")),
    ],
)  # fmt: skip
def test_events_are_said_in_words(made, words):
    assert (action_words(made), result_words(made), fact_words(made)) == words


def test_the_report_adds_up_what_the_runs_did():
    known = Known(JOB.id, JOB.name, JOB, events=[event("job.create", "Ready")])
    made = report(known, SOURCE, [DONE, FAILED], [IMAGE], NOW + 100)
    assert made["totals"] == {
        "runs": 2, "published": 1, "failed": 1, "seconds": 55.0,
        "first_started": "2027-01-15T08:00:00.000Z", "last_ended": "2027-01-15T08:01:00.000Z",
        "bytes_compared": 100 * MIB, "bytes_changed": 20 * MIB, "bytes_sent": 20 * MIB,
        "bytes_wire": 9 * MIB, "bytes_stored": 8 * MIB,
    }  # fmt: skip
    assert made["settings"]["keep"] == 3
    assert made["job"]["deleted"] is False
    assert made["source"]["address"] == "root@web01"
    assert made["drill"] == {"result": "Passed", "items": []}
    assert [run["id"] for run in made["runs"]] == [DONE.id, "r-2"]
    json.dumps(made)


def test_the_report_says_how_the_runs_read_their_disks():
    read = replace(DONE, reading=Reading.of(SAID))
    made = report(Known(JOB.id, JOB.name, JOB), SOURCE, [read, FAILED], [IMAGE], NOW)
    (runs,) = (part for part in report_sections(made, []) if part.title == "Runs")
    rows = [dict(zip(runs.columns, row, strict=True)) for row in runs.rows]
    assert [row["Changes found by"] for row in rows] == ["trace", "-"]
    assert rows[0]["Instant"].startswith("frozen 0.09 s")
    assert rows[1]["Instant"] == "-"


def test_the_report_of_a_job_that_is_gone_has_what_it_was():
    job = job_in(State(Status.DELETING))
    kept = json.loads(json.dumps(last_facts(job)))
    known = Known(job.id, job.name, None, kept["last"], [event(DELETED, job.name, **kept)])
    made = report(known, None, [], [], NOW)
    assert (made["job"]["name"], made["job"]["deleted"]) == (JOB.name, True)
    assert made["settings"]["interval"] == JOB.settings.interval
    assert made["drill"]["result"] == "Passed"
    assert made["source"] is None
    bare = report(Known("j-1", "old", None), None, [], [], NOW)
    assert set(bare["settings"].values()) == {None}
    assert bare["drill"] is None


def test_verifications_and_removals_come_from_the_history():
    events = [
        replace(event("image.verify", "started"), image_id=RUN.image_id),
        replace(event("image.verify", "done"), image_id=RUN.image_id),
        replace(event("image.verify", "Image.BlockDamaged"), image_id=IMAGE.id),
        replace(event("image deleting", "retention: 3 are kept", name="old"), image_id="m-9"),
    ]
    made = report(Known(JOB.id, JOB.name, JOB, events=events), SOURCE, [DONE], [IMAGE], NOW)
    assert [each["result"] for each in made["verifications"]] == ["passed", "Image.BlockDamaged"]
    assert made["verifications"][0]["image_name"] == IMAGE.name
    (removed,) = made["images_removed"]
    assert (removed["name"], removed["why"]) == ("old", "retention: 3 are kept")
