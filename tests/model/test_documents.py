"""The documents that scripts rely on."""

from __future__ import annotations

import json
from dataclasses import replace

from smc_tui.model import documents
from smc_tui.model.lifecycle import Consistency, ImageState, Phase, SourceState, State, Status
from smc_tui.model.things import PIN, Counters, Event, Fault, ResourceState
from tests.model.samples import IMAGE, JOB, NOW, RESOURCE, RUN, SOURCE, job_in, once

INSTANT = "2027-01-15T08:00:00.000Z"


def test_a_source():
    document = documents.source_document(SOURCE)
    assert document["id"] == "s-0000000a"
    assert document["name"] == "web01"
    assert document["status"] == "Available"
    assert document["ssh"] == {"target": "root@web01", "port": 2222, "config": None}
    assert document["bytes_total"] == 50 << 30
    assert document["bytes_used"] == 7 << 30
    assert document["created"] == INSTANT
    assert [disk["path"] for disk in document["disks"]] == ["/dev/vda", "/dev/vdb"]
    assert document["estimate"]["transfer_seconds"] == round((7 << 30) / 1e8, 1)
    json.dumps(document)


def test_a_source_in_use():
    document = documents.source_document(SOURCE, JOB)
    assert document["status"] == "InUse"
    assert document["job"] == {"id": JOB.id, "name": JOB.name, "status": "Ready"}
    gone = replace(SOURCE, state=SourceState.UNAVAILABLE)
    assert documents.source_document(gone, JOB)["status"] == "Unavailable"


def test_a_local_source_that_was_not_measured():
    document = documents.source_document(replace(SOURCE, ssh=None, link_bps=None))
    assert document["kind"] == "local"
    assert document["ssh"] is None
    assert document["estimate"] is None


def test_a_job():
    job = replace(
        job_in(State(Status.RUNNING, Phase.SYNCING)), progress=41.5, run_id=RUN.id, live={"a": 1}
    )
    document = documents.job_document(job, [RUN], [IMAGE], RESOURCE)
    assert (document["status"], document["phase"]) == ("Running", "Syncing")
    assert document["progress"] == 41.5
    assert document["next_run"] is None
    assert document["interval"] == 6 * 3600
    assert document["once"] is False
    assert [image["id"] for image in document["images"]] == [IMAGE.id]
    assert document["intermediate"]["name"] == "No_Delete_SMC_Transition_Instance"
    assert document["intermediate"]["held"] is True
    assert document["error"] is None
    json.dumps(document)


def test_a_job_at_rest():
    job = replace(once(JOB), next_run=NOW)
    document = documents.job_document(job, [], [], None)
    assert document["phase"] is None
    assert document["next_run"] == INSTANT
    assert document["interval"] is None
    assert document["intermediate"] is None
    assert document["live"] is None


def test_a_run():
    run = replace(RUN, counters=Counters(10, 9, 8, 7, 6, 5), report={"hash": "blake3"})
    document = documents.run_document(run)
    assert document["kind"] == "Full"
    assert document["started"] == INSTANT
    assert document["ended"] is None
    assert document["image_id"] is None
    names = ("total", "compared", "changed", "sent", "wire", "stored")
    assert [document[f"bytes_{name}"] for name in names] == [10, 9, 8, 7, 6, 5]
    assert document["hash"] == "blake3"
    assert (document["change_detection"], document["instant"]) == (None, None)
    published = documents.run_document(replace(run, published=True, ended=NOW))
    assert published["image_id"] == RUN.image_id


def test_a_failure_says_what_to_do():
    fault = Fault("Link.Lost", "after 3 segments", NOW, {"segment": 3})
    document = documents.run_document(replace(RUN, fault=fault))["error"]
    assert document["code"] == "Link.Lost"
    assert document["detail"] == "after 3 segments"
    assert document["segment"] == 3
    assert document["at"] == INSTANT
    assert document["next_step"]
    assert document["safe"]


def test_a_code_of_a_newer_version_is_shown_as_it_is():
    assert documents.fault_document(Fault("Not.Known", "x", NOW))["code"] == "Not.Known"


def test_an_image():
    image = replace(
        IMAGE,
        holds=(PIN, "verify:q-1"),
        consistency=Consistency.FUZZY,
        state=ImageState.DAMAGED,
        reason="written to",
    )
    document = documents.image_document(image)
    assert document["status"] == "Damaged"
    assert document["consistency"] == "fuzzy"
    assert document["bytes"] == 40 << 30
    assert document["pinned"] is True
    assert document["used_by"] == [PIN, "verify:q-1"]
    assert document["root"] == "ab" * 32


def test_a_released_resource():
    gone = replace(RESOURCE, state=ResourceState.RELEASED, released=NOW)
    document = documents.resource_document(gone)
    assert document["held"] is False
    assert document["released"] == INSTANT


def test_an_event():
    event = Event(7, NOW, "tester", "job.sync", "ok", job_id=JOB.id, facts={"kind": "Manual"})
    document = documents.event_document(event)
    assert document["at"] == INSTANT
    assert document["image_id"] is None
    assert document["kind"] == "Manual"
