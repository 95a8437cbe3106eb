"""The main flow, from import to completion, with an engine process and scripted workers."""

from __future__ import annotations


def test_from_import_to_completion(served):
    served.job(start="now", interval="6h", keep=2)
    job = served.store.job("web01-1")
    assert str(job.state) == "Waiting"
    served.ask("job.sync", "web01-1")
    served.ask("job.sync", "web01-1")
    document = served.store.job_document("web01-1")
    assert [run["kind"] for run in document["runs"]] == ["Full", "Manual", "Manual"]
    served.until(lambda: len(served.store.images(job.id)) == 2)
    done = served.ask("job.complete", "web01-1", last_sync=True)
    assert done.result["status"] == "Finished"
    document = served.store.job_document("web01-1")
    assert document["status"] == "Finished"
    assert document["phase"] is None
    assert document["progress"] == 100.0
    assert document["intermediate"] is None
    assert document["runs"][-1]["kind"] == "Last"
    served.until(lambda: len(served.on_shelf()) == 2)
    assert document["images"][-1]["id"] == document["runs"][-1]["image_id"]
    assert not served.home.job_staging(job.id).exists()
