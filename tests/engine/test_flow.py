"""The ways of a job, with an engine process and scripted workers."""

from __future__ import annotations

from itertools import pairwise

from smc_tui.jobstore import RequestState
from smc_tui.model.lifecycle import Status
from smc_tui.model.units import DAY, HOUR
from tests.model.test_instants import SAID


def test_from_import_to_completion(served):
    served.job(start="now", interval="6h", keep=2)
    job = served.store.job("web01-1")
    assert str(job.state) == "Waiting"
    assert job.progress == 100.0
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
    assert document["next_run"] is None
    assert document["runs"][-1]["kind"] == "Last"
    served.until(lambda: len(served.on_shelf()) == 2)
    assert document["images"][-1]["id"] == document["runs"][-1]["image_id"]
    assert done.result["image"] == document["runs"][-1]["image_id"]
    assert not served.home.job_staging(job.id).exists()


def test_a_run_reports_what_it_did(served):
    served.job(start="now")
    run = served.store.job_document("web01-1")["runs"][0]
    assert run["bytes_total"] == run["bytes_compared"] == run["bytes_sent"] == 4 << 20
    assert run["bytes_wire"] == 2 << 20
    assert run["hash"] == "blake3"
    assert run["change_detection"] == "full comparison"
    assert run["attempts"] == 1
    assert run["error"] is None
    assert run["started"] <= run["ended"]
    described = served.described()[0]
    assert described["run"] == run["id"]
    assert described["kind"] == "Full"
    assert described["source"]["disks"][0]["identity"] == {"serial": "/dev/vda"}
    assert described["compression"] == "auto"


def test_a_worker_is_told_of_the_instant_that_is_wanted(served):
    served.job(start="now")
    told = ("instant", "hooks", "full_comparison", "continues")
    assert [served.described()[0][name] for name in told] == [
        "auto", {"before_freeze": None, "after_thaw": None, "timeout": 10}, False, True,
    ]  # fmt: skip
    hooks = {"before_freeze": "pg start", "after_thaw": "pg stop", "hook_timeout": "5"}
    served.ask("job.modify", "web01-1", instant="none", **hooks)
    served.ask("job.complete", "web01-1", last_sync=True)
    assert [served.described()[-1][name] for name in told] == [
        "none", {"before_freeze": ["pg", "start"], "after_thaw": ["pg", "stop"], "timeout": 5},
        True, False,
    ]  # fmt: skip
    served.ask("job.cancel", "web01-1")


def test_a_job_that_runs_once_leaves_no_record_for_the_next_run(served):
    served.job(start="now", once=True)
    assert served.described()[0]["continues"] is False


def test_what_happens_around_the_freeze_stays_while_a_run_is_under_way(served):
    served.script({"hold_at": 1})
    served.job()
    served.ask("job.start", "web01-1", wait=False)
    served.until_status("Running:Syncing")
    for name, value in (("instant", "none"), ("before_freeze", "x"), ("hook_timeout", 5)):
        refused = served.refused("job.modify", "web01-1", **{name: value})
        assert refused == "ReplicationJob.InvalidStatus", name


def test_one_of_so_many_runs_compares_everything(bench, monkeypatch):
    monkeypatch.setenv("SMC_TUI_SYNC_FULL_COMPARISON_EVERY", "3")
    bench.start()
    trace = {"said": {**SAID, "instant": None}}
    bench.script({}, trace, trace, {}, trace)
    bench.job(start="now")
    for _ in range(4):
        bench.ask("job.sync", "web01-1")
    wanted = [each["full_comparison"] for each in bench.described()]
    assert wanted == [False, False, False, True, False]


def test_a_run_tells_how_it_read_its_disks(served):
    served.script({"consistency": "frozen", "said": SAID})
    served.job(start="now")
    document = served.store.job_document("web01-1")
    assert {name: document["runs"][0][name] for name in SAID} == SAID
    assert document["images"][0]["consistency"] == "frozen"


def test_an_image_is_kept_whose_run_tells_strange_things(served):
    served.script({"said": {**SAID, "instant": {**SAID["instant"], "rounds": "many"}}})
    served.job(start="now")
    document = served.store.job_document("web01-1")
    assert document["runs"][0]["image_id"] == document["images"][0]["id"]
    assert document["runs"][0]["change_detection"] is None
    assert document["runs"][0]["instant"] is None


def test_a_once_only_job_finishes_by_itself(served):
    served.job(once=True, start="now")
    assert served.store.job("web01-1").status is Status.FINISHED
    document = served.store.job_document("web01-1")
    assert [image["name"] for image in document["images"]] == ["web01-1"]
    assert document["intermediate"] is None
    assert served.refused("job.sync", "web01-1") == "ReplicationJob.OnceOnly"


def test_a_job_made_for_later_waits_to_be_started(served):
    served.job()
    assert str(served.status()) == "Ready"
    assert served.store.job("web01-1").next_run is None
    assert served.store.job_document("web01-1")["intermediate"] is None
    served.ask("job.start", "web01-1")
    assert str(served.status()) == "Waiting"


def test_the_schedule_counts_from_the_end_and_takes_a_new_interval_later(bench):
    bench.start(time_lapse=7200)
    job_id = bench.job(start="now", interval="1h", keep=1)
    bench.until(lambda: len(bench.store.runs(job_id)) >= 3)
    # The job is Running half of this time, and then refuses.
    change = ("job.interval", "web01-1")
    bench.until(lambda: bench.ask(*change, interval="7d", ok=False).error is None)
    last_short = len(bench.store.runs(job_id))
    bench.until(lambda: len(bench.store.runs(job_id)) > last_short)
    bench.until_status("Waiting")
    runs = bench.store.runs(job_id)
    for before, after in pairwise(runs):
        assert before.ended + HOUR <= after.started < before.ended + DAY
    assert bench.store.job(job_id).next_run >= runs[-1].ended + 7 * DAY
    assert {str(run.kind) for run in runs[1:]} == {"Schedule"}
    actors = [e.actor for e in bench.store.events(job_id) if e.action == "run started"]
    assert actors == ["tester"] + ["scheduler"] * (len(runs) - 1)


def test_a_scheduled_start(bench):
    bench.start(time_lapse=3600)
    bench.source()
    soon = bench.store.engine().clock_now + HOUR
    bench.ask("job.create", "web01", name="web01-1", start=soon, interval="7d")
    job = bench.store.job("web01-1")
    assert job.settings.start_at == job.next_run == soon
    bench.until_status("Waiting")
    assert bench.store.runs(job.id)[0].started >= soon


def test_pause_and_go_on(served):
    served.script({"segments": 40, "pace": 0.02, "hold_at": 39})
    served.job()
    started = served.ask("job.start", "web01-1", wait=False)
    served.until(lambda: served.store.job("web01-1").live.get("compared", 0) > 3 << 20)
    served.ask("job.pause", "web01-1")
    assert str(served.status()) == "Stopped"
    assert served.store.request(started.id).code == "ReplicationJob.Paused"
    before = served.store.job("web01-1").progress
    assert 0 < before < 100
    run = served.store.runs(served.store.job("web01-1").id)[0]
    assert run.ended is None
    served.script({"segments": 40})
    done = served.ask("job.start", "web01-1")
    assert done.result["run"] == run.id
    after = served.store.run(run.id)
    assert after.attempts == 2
    assert after.counters.sent <= 41 << 20  # what was stored is not sent again
    assert served.published() == [run.id]


def test_a_second_pause_joins_the_first(served):
    served.script({"segments": 200, "pace": 0.02})
    served.job()
    served.ask("job.start", "web01-1", wait=False)
    served.until_status("Running:Syncing")
    first = served.store.submit("job.pause", "web01-1")
    second = served.store.submit("job.pause", "web01-1")
    assert served.store.wait(first, ended=True, timeout=20).state is RequestState.DONE
    answer = served.store.wait(second, ended=True, timeout=20)
    # It joined, or came when the job was already Stopped.
    assert answer.state is RequestState.DONE or answer.code == "ReplicationJob.InvalidStatus"
    assert served.actions().count("paused") == 1


def test_pause_between_runs(served):
    served.job(start="now")
    done = served.ask("job.pause", "web01-1")
    assert done.result["status"] == "Stopped"
    assert served.store.job("web01-1").next_run is None
    served.ask("job.start", "web01-1")
    kinds = [str(run.kind) for run in served.store.runs(served.store.job("web01-1").id)]
    assert kinds == ["Full", "Manual"]


def test_cancel_while_it_runs(served):
    job_id = served.job(start="now")
    served.script({"segments": 400, "pace": 0.02})
    sync = served.ask("job.sync", "web01-1", wait=False)
    served.until_status("Running:Syncing")
    served.ask("job.cancel", "web01-1")
    assert served.store.jobs() == []
    assert served.store.request(sync.id).code == "ReplicationJob.Cancelled"
    assert not served.home.job_staging(job_id).exists()
    assert len(served.store.images(job_id)) == 1
    assert [run.fault and run.fault.code for run in served.store.runs(job_id)] == [
        None,
        "ReplicationJob.Cancelled",
    ]
    assert [event.action for event in served.store.events(job_id)][-1] == "deleted"
    assert served.store.resource(job_id) is None
    served.ask("job.create", "web01", name="web01-1")  # the source and the name are free


def test_complete_without_a_last_sync(served):
    job_id = served.job(start="now")
    done = served.ask("job.complete", "web01-1")
    assert done.result["status"] == "Finished"
    assert len(served.store.runs(job_id)) == 1
    assert served.refused("job.sync", "web01-1") == "ReplicationJob.InvalidStatus"
    assert served.refused("job.start", "web01-1") == "ReplicationJob.InvalidStatus"
    assert not served.home.job_staging(job_id).exists()


def test_a_last_sync_that_fails_still_completes_when_retried(served):
    job_id = served.job(start="now")
    served.script({"fail_at": 2, "code": "Link.Lost"})
    assert served.refused("job.complete", "web01-1", last_sync=True) == "Link.Lost"
    job = served.store.job("web01-1")
    assert job.status is Status.IN_ERROR
    assert job.fault.code == "Link.Lost"
    assert served.store.resource(job_id) is not None
    done = served.ask("job.retry", "web01-1")
    assert done.result["status"] == "Finished"
    kinds = [str(run.kind) for run in served.store.runs(job_id)]
    assert kinds == ["Full", "Last", "Last"]


def test_limit_and_compression_reach_a_running_worker(served):
    served.script({"segments": 400, "pace": 0.02})
    served.job(limit_mbit=100)
    served.ask("job.start", "web01-1", wait=False)
    served.until_status("Running:Syncing")
    served.ask("job.modify", "web01-1", limit_mbit=80, compression=3)
    served.ask("job.modify", "web01-1", limit_mbit=80)
    served.until(lambda: len(served.heard()) >= 2)
    assert served.heard() == [{"do": "limit", "mbit": 80}, {"do": "compression", "level": 3}]
    served.ask("job.pause", "web01-1")
    served.script({"segments": 4})
    served.ask("job.start", "web01-1")
    described = served.described()[-1]
    assert (described["limit_mbit"], described["compression"]) == (80, 3)


def test_a_job_expires_and_is_deleted_a_week_later(bench):
    bench.start(time_lapse=500_000)
    job_id = bench.job(valid="7d")
    valid_until = bench.store.job(job_id).settings.valid_until
    bench.until(lambda: not bench.store.jobs() or str(bench.status()) == "Expired")
    bench.until(lambda: not bench.store.jobs())
    events = bench.store.events(job_id)
    assert [event.action for event in events] == ["job.create", "expired", "deleting", "deleted"]
    _, expired, deleting, _ = (event.at for event in events)
    assert expired >= valid_until
    assert deleting >= expired + 7 * DAY


def test_progress_goes_one_way_and_ends_with_the_image(served):
    served.script({"segments": 60, "pace": 0.02, "process": 0.2})
    served.job()
    sync = served.ask("job.start", "web01-1", wait=False)
    seen = []
    while not served.store.request(sync.id).state.ended:
        job = served.store.job("web01-1")
        seen.append((job.progress, str(job.state)))
    shown = [progress for progress, _ in seen]
    assert shown == sorted(shown)
    assert len(set(shown)) > 4
    assert all(progress < 100 for progress, state in seen if state.startswith("Running"))
    assert served.store.job("web01-1").progress == 100.0


def test_progress_says_what_a_person_wants_to_know(served):
    served.script({"segments": 400, "pace": 0.02})
    served.job()
    served.ask("job.start", "web01-1", wait=False)
    served.until(lambda: served.store.job("web01-1").live.get("bytes_per_second"))
    live = served.store.job_document("web01-1")["live"]
    assert live["total"] == 400 << 20
    assert live["held_by"] == "disk"
    assert live["bytes_per_second"] > 0
    assert "remaining_seconds" in live


def test_a_release_makes_the_next_run_start_anew(served):
    served.script({"segments": 8, "fail_at": 5, "code": "Link.Lost"}, {"segments": 8})
    job_id = served.job()
    assert served.refused("job.start", "web01-1") == "Link.Lost"
    held = served.store.resource(job_id)
    served.until(lambda: served.store.resource(job_id).size > 0)
    served.ask("job.release", "web01-1")
    assert served.store.resource(job_id) is None
    assert not served.home.job_staging(job_id).exists()
    served.ask("job.retry", "web01-1")
    assert served.store.runs(job_id)[-1].counters.sent == 8 << 20
    assert served.store.resource(job_id).id != held.id


def test_retention_spares_what_is_used(served):
    job_id = served.job(start="now", keep=1)
    first = served.store.images(job_id)[0]
    served.ask("image.pin", first.name)
    for _ in range(3):
        served.ask("job.sync", "web01-1")
    served.until(lambda: len(served.store.images(job_id)) == 2)
    assert first.id in served.on_shelf()
    served.ask("image.unpin", first.name)
    served.ask("job.sync", "web01-1")
    served.until(lambda: len(served.store.images(job_id)) == 1)
    assert len(served.on_shelf()) == 1


def test_a_fuzzy_image_pushes_no_good_one_out(served):
    served.script({}, {"consistency": "fuzzy"}, {"consistency": "fuzzy"})
    job_id = served.job(start="now", keep=1)
    good = served.store.images(job_id)[0].id
    served.ask("job.sync", "web01-1")
    served.ask("job.sync", "web01-1")
    served.until(lambda: len(served.store.images(job_id)) == 2)
    assert served.store.images(job_id)[0].id == good
    assert str(served.store.images(job_id)[1].consistency) == "fuzzy"


def test_image_names_are_unique(served):
    served.job(start="now", once=True, image_name="gold")
    served.source("web02", ["/dev/vdb"])
    job = served.ask(
        "job.create", "web02", name="web02-1", start="now", once=True, image_name="gold"
    ).result["job"]
    assert [image.name for image in served.store.images()] == ["gold", f"gold_{job}"]


def test_two_command_lines_at_once_make_one_run(served):
    job_id = served.job(start="now")
    served.script({"segments": 40, "hold_at": 20})
    asked = [served.store.submit("job.sync", "web01-1") for _ in range(4)]
    asked += [served.store.submit("job.complete", "web01-1", {"last_sync": True})]
    served.store.wait(asked[-1], ended=True, timeout=20)
    served.let_go()
    ends = [served.store.wait(request, ended=True, timeout=20) for request in asked]
    assert [end.state for end in ends] == [RequestState.DONE] + [RequestState.REFUSED] * 4
    assert {end.code for end in ends[1:]} == {"ReplicationJob.InvalidStatus"}
    assert len(served.store.runs(job_id)) == 2


def test_two_cancels_are_one(served):
    job_id = served.job(start="now")
    served.script({"segments": 400, "pace": 0.02})
    served.ask("job.sync", "web01-1", wait=False)
    served.until_status("Running:Syncing")
    asked = [served.store.submit("job.cancel", job_id) for _ in range(3)]
    ends = [served.store.wait(request, ended=True, timeout=20) for request in asked]
    # The last may come when the job is gone already.
    assert {end.code for end in ends} <= {"", "ReplicationJob.NotFound"}
    assert ends[0].state is RequestState.DONE
    actions = [event.action for event in served.store.events(job_id)]
    assert actions.count("deleting") == actions.count("deleted") == 1


def test_a_lost_link_is_seen_while_it_is_lost_and_stays_in_the_history(served):
    served.script({"lose_at": 2})
    served.job()
    served.ask("job.start", "web01-1", wait=False)
    served.until(lambda: served.store.job("web01-1").live.get("retry"))
    document = served.store.job_document("web01-1")
    assert document["delay"].startswith("no link (Link.Lost), trying again at ")
    assert document["status"] == "Running"
    assert document["live"]["remaining_seconds"] is None
    notes = [event.result for event in served.store.events() if event.action == "note"]
    assert len(notes) == 1
    assert notes[0].endswith("trying again in 4 s")
    assert notes[0].isprintable()
    served.let_go()
    served.until_status("Waiting")
    assert served.store.job_document("web01-1")["delay"] is None


def test_a_worker_is_told_how_to_retry(served):
    served.job(start="now")
    assert served.described()[0]["retry"] == {"attempts": 6, "first": 2, "longest": 60}
