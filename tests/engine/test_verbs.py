"""What each request does and what it is refused for."""

from __future__ import annotations

import asyncio

import pytest

from smc_tui.jobstore import Home, RequestState
from smc_tui.model.actions import BY_VERB
from smc_tui.model.history import LABELS
from smc_tui.model.instants import Wanted
from smc_tui.model.lifecycle import ImageState, SourceState
from smc_tui.model.units import DAY, HOUR
from tests.engine.inside import Inside


async def _verbs(inside):
    await inside.serve()
    return set(inside.engine._verbs)


def test_every_verb_has_a_label_in_the_history(tmp_path, monkeypatch):
    home = Home(tmp_path / "home")
    home.prepare()
    verbs = asyncio.run(_verbs(Inside(home, monkeypatch)))
    assert {verb for verb in verbs if verb not in BY_VERB} == set(LABELS)


SSH = {"target": "root@web01", "port": 2222, "config": None}


# Sources


def test_a_local_source(served):
    done = served.ask("source.import", "web01", ssh=None, paths=["/dev/vda", "/dev/vdb"])
    source = served.store.source("web01")
    assert done.result["source"] == source.id
    assert done.result["document"]["status"] == "Available"
    assert [disk.path for disk in source.disks] == ["/dev/vda", "/dev/vdb"]
    assert source.inventory["os"] == "Debian 12"
    assert source.link_bps == 1e8


def test_a_source_whose_key_must_first_be_accepted(served):
    answer = served.ask("source.import", "web01", ssh=SSH, ok=False)
    assert answer.state is RequestState.FAILED
    assert answer.code == "HostKey.NotAccepted"
    assert answer.facts["fingerprint"] == "SHA256:abc"
    assert served.store.sources() == []
    served.ask("source.import", "web01", ssh=SSH, accept_key="SHA256:abc")
    source = served.store.source("web01")
    assert source.host_key["fingerprint"] == "SHA256:abc"
    assert source.ssh.target == "root@web01"


def test_imports_that_come_to_nothing(served):
    for name, args, code in [
        ("web 01", {"paths": ["/dev/vda"]}, "InvalidParameter.Name"),
        ("web\n01", {"paths": ["/dev/vda"]}, "InvalidParameter.Name"),
        ("web;x", {"paths": ["/dev/vda"]}, "InvalidParameter.Name"),
        ("web01", {"ssh": {"target": "-oProxyCommand=x"}}, "Source.BadAddress"),
        ("web01", {"ssh": {"target": "h", "port": 0}}, "Source.BadAddress"),
        ("web01", {"ssh": {}}, "InvalidParameter.Missing"),
        ("web01", {"ssh": "h"}, "Source.BadAddress"),
        ("web01", {}, "InvalidParameter.Missing"),
        ("web01", {"paths": ["vda"]}, "InvalidParameter.Path"),
        ("web01", {"ssh": {**SSH, "config": "~/c"}}, "InvalidParameter.Path"),
        ("web01", {"paths": "/dev/vda"}, "InvalidParameter.Missing"),
        ("web01", {"paths": ["/dev/vda", "/dev/vda"]}, "DataDisk.DuplicateIndex"),
        ("web01", {"paths": ["/dev/vda"], "typo": 1}, "InvalidParameter.Unknown"),
        ("web01", {"paths": ["/x/bad-Disk.TooSmall"]}, "Disk.TooSmall"),
        ("web01", {"paths": ["/x/bad-Disk.NotFound"]}, "Disk.NotFound"),
    ]:
        assert served.refused("source.import", name, **args) == code, args
    assert served.store.sources() == []


def test_source_names_are_unique_even_while_importing(served):
    first = served.store.submit("source.import", "web01", {"paths": ["/dev/vda"]})
    second = served.store.submit("source.import", "web01", {"paths": ["/dev/vdb"]})
    assert served.store.wait(first, ended=True, timeout=20).state is RequestState.DONE
    answer = served.store.wait(second, ended=True, timeout=20)
    assert answer.code == "SourceServerName.Duplicate"
    assert len(served.store.sources()) == 1


def test_a_check_that_finds_the_source_gone_and_back(served):
    served.source("web01", ["/dev/vda"])
    with served.store.snapshot():
        source = served.store.source("web01")
    served.ask("source.check", "web01")
    served.stop()
    served.start()
    path = served.home.path / "fake" / "down"
    path.write_text("SourceServer.Offline")
    assert served.refused("source.check", "web01") == "SourceServer.Offline"
    gone = served.store.source("web01")
    assert gone.state is SourceState.UNAVAILABLE
    assert gone.fault.code == "SourceServer.Offline"
    assert gone.disks == source.disks
    assert served.refused("job.create", "web01") == "SourceServerState.Invalid"
    path.write_text("replaced")
    assert served.refused("source.check", "web01") == "Disk.Replaced"
    path.write_text("shrunk")
    assert served.refused("source.check", "web01") == "Disk.Shrank"
    path.unlink()
    served.ask("source.check", "web01")
    assert served.store.source("web01").state is SourceState.AVAILABLE
    assert served.store.source("web01").fault is None


def test_a_source_in_use_is_not_removed(served):
    served.script({"segments": 400, "pace": 0.02})
    served.job()
    assert served.refused("source.remove", "web01") == "ReplicationJob.Related"
    served.ask("job.start", "web01-1", wait=False)
    code = served.refused("source.remove", "web01")
    assert code == "SourceServer.WithRunningReplicationJob"
    served.ask("job.cancel", "web01-1")
    served.ask("source.remove", "web01")
    assert served.store.sources() == []
    assert served.refused("source.remove", "web01") == "SourceServer.NotFound"


# Jobs


def test_a_job_has_the_settings_asked_for(served):
    served.job(
        name="nightly",
        interval="12h",
        keep=5,
        limit_mbit=80,
        compression="9",
        instant="freeze",
        before_freeze="pg_backup 'of web01'",
        after_thaw="pg_backup --end",
        hook_timeout=60,
        valid="60d",
        image_name="gold",
        description="the shop",
    )
    job = served.store.job("nightly")
    settings = job.settings
    assert (settings.interval, settings.keep, settings.limit_mbit) == (12 * HOUR, 5, 80)
    assert (settings.compression, settings.image_name) == ("9", "gold")
    assert (settings.instant, settings.hook_timeout) == (Wanted.FREEZE, 60)
    assert settings.before_freeze == ("pg_backup", "of web01")
    assert settings.after_thaw == ("pg_backup", "--end")
    assert settings.valid_until == job.created + 60 * DAY
    assert job.description == "the shop"
    assert served.store.source_document("web01")["status"] == "InUse"


def test_a_job_needs_only_a_source(served):
    served.source()
    job_id = served.ask("job.create", "web01").result["job"]
    job = served.store.job(job_id)
    assert job.name == "web01-1"
    assert (job.settings.interval, job.settings.keep) == (DAY, 3)
    served.ask("job.cancel", job_id)


def test_jobs_that_are_not_made(served):
    served.source()
    for args, code in [
        ({"name": ""}, "InvalidParameter.Name"),
        ({"name": "a;b"}, "InvalidParameter.Name"),
        ({"image_name": "a b"}, "InvalidParameter.Name"),
        ({"interval": "59m"}, "InvalidParameter.Interval"),
        ({"interval": "8d"}, "InvalidParameter.Interval"),
        ({"interval": "6h", "once": True}, "InvalidParameter.Combination"),
        ({"once": "yes"}, "InvalidParameter.Unknown"),
        ({"keep": 0}, "InvalidParameter.Keep"),
        ({"keep": 11}, "InvalidParameter.Keep"),
        ({"limit_mbit": -1}, "InvalidParameter.Limit"),
        ({"compression": 11}, "InvalidParameter.Compression"),
        ({"instant": "snapshot"}, "InvalidParameter.Instant"),
        ({"before_freeze": "it's"}, "InvalidParameter.Hook"),
        ({"after_thaw": ["sync"]}, "InvalidParameter.Hook"),
        ({"hook_timeout": 61}, "InvalidParameter.HookTimeout"),
        ({"valid": "6d"}, "InvalidParameter.ValidTime"),
        ({"start": "2001-01-01T00:00:00Z"}, "InvalidParameter.StartTime"),
        ({"target": "moon"}, "InvalidParameter.Target"),
        ({"description": "a\nb"}, "InvalidParameter.Description"),
        ({"colour": "red"}, "InvalidParameter.Unknown"),
    ]:
        assert served.refused("job.create", "web01", **args) == code, args
    assert served.store.jobs() == []


def test_one_unfinished_job_a_source(served):
    served.job(start="now")
    answer = served.ask("job.create", "web01", name="second", ok=False)
    assert answer.code == "SourceServerState.Invalid"
    assert "web01-1" in answer.detail
    served.ask("job.complete", "web01-1")
    served.ask("job.create", "web01", name="second")


def test_job_names_are_unique(served):
    served.job(start="now", once=True)
    assert served.refused("job.create", "web01", name="web01-1") == "ReplicationJobName.Duplicate"
    default = served.ask("job.create", "web01").result["job"]
    assert served.store.job(default).name == "web01-2"


def test_a_job_that_is_not_there(served):
    for verb in ("start", "sync", "pause", "cancel", "retry", "complete", "release"):
        assert served.refused(f"job.{verb}", "nobody") == "ReplicationJob.NotFound"
    assert served.refused("job.create", "nobody") == "SourceServer.NotFound"
    assert served.refused("job.fly", "web01-1") == "InvalidParameter.Unknown"


def test_changing_settings(served):
    served.job(start="now")
    served.ask("job.modify", "web01-1", name="renamed", description="x", valid="90d", keep=7)
    job = served.store.job("renamed")
    assert job.settings.keep == 7
    assert job.settings.valid_until == job.created + 90 * DAY
    served.ask("job.interval", "renamed", interval="2h")
    assert served.store.job("renamed").settings.interval == 2 * HOUR
    assert served.store.job("renamed").next_run == job.next_run
    assert served.refused("job.modify", "renamed") == "InvalidParameter.Missing"
    assert served.refused("job.interval", "renamed") == "InvalidParameter.Missing"
    assert (
        served.refused("job.modify", "renamed", image_name="x1") == "ReplicationJob.InvalidStatus"
    )
    assert served.refused("job.modify", "renamed", once=True) == "InvalidParameter.Unknown"
    assert served.refused("job.modify", "renamed", keep=0) == "InvalidParameter.Keep"
    assert served.store.job("renamed").settings.keep == 7


def test_a_name_may_be_kept_but_not_taken(served):
    served.job()
    served.source("web02", ["/dev/vdb"])
    served.ask("job.create", "web02", name="other")
    served.ask("job.modify", "web01-1", name="web01-1")
    assert served.refused("job.modify", "web01-1", name="other") == "ReplicationJobName.Duplicate"


def test_a_refusal_is_history_too(served):
    served.job()
    served.refused("job.sync", "web01-1")
    event = served.store.events(served.store.job("web01-1").id)[-1]
    assert (event.actor, event.action, event.result) == (
        "tester",
        "job.sync",
        "ReplicationJob.InvalidStatus",
    )


# Images


@pytest.fixture
def imaged(served):
    """A job with two images, the second the newest."""
    served.job(start="now", keep=5)
    served.ask("job.sync", "web01-1")
    return served


def names(bench):
    return [image.name for image in bench.store.images()]


def test_deleting_images(imaged):
    first, second = names(imaged)
    imaged.ask("image.pin", first)
    assert imaged.refused("image.delete", first) == "Image.InUse"
    imaged.ask("image.unpin", first)
    imaged.ask("image.delete", first)
    assert names(imaged) == [second]
    assert len(imaged.on_shelf()) == 1
    assert imaged.refused("image.delete", second) == "Image.Newest"
    imaged.ask("job.complete", "web01-1")
    imaged.ask("image.delete", second)
    assert imaged.on_shelf() == []
    assert imaged.refused("image.delete", second) == "Image.NotFound"


def test_an_image_that_cannot_be_removed_is_tried_again(imaged):
    first = names(imaged)[0]
    stuck = imaged.home.path / "fake" / "images" / "stuck"
    stuck.write_text("")
    assert imaged.refused("image.delete", first) == "Destination.IoError"
    assert imaged.store.image(first).state is ImageState.DELETING
    assert imaged.refused("image.pin", first) == "Image.Unusable"
    stuck.unlink()
    imaged.stop()
    imaged.start()
    imaged.until(lambda: first not in names(imaged))


def test_verification(imaged):
    first = names(imaged)[0]
    done = imaged.ask("image.verify", first)
    assert done.result["image"] == imaged.store.image(first).id
    assert imaged.store.image(first).verified is not None
    imaged.script({"fail_at": 1, "code": "Image.BlockDamaged"})
    assert imaged.refused("image.verify", first) == "Image.BlockDamaged"
    damaged = imaged.store.image(first)
    assert damaged.state is ImageState.DAMAGED
    assert damaged.holds == ()
    imaged.ask("image.verify", first)
    assert imaged.store.image(first).state is ImageState.AVAILABLE


def test_a_verification_that_could_not_be_made_says_nothing_of_the_image(imaged):
    first = names(imaged)[0]
    imaged.script({"fail_at": 1, "code": "Store.Busy"}, {"die_at": 1})
    assert imaged.refused("image.verify", first) == "Store.Busy"
    assert imaged.refused("image.verify", first) == "Images.Died"
    assert imaged.store.image(first).state is ImageState.AVAILABLE


def test_an_image_is_held_while_it_is_read(imaged):
    first = names(imaged)[0]
    imaged.script({"segments": 100, "pace": 0.02, "hold_at": 99})
    request = imaged.ask("image.export", first, path="/tmp/x.img", wait=False)
    assert imaged.store.image(first).holds == (f"export:{request.id}",)
    assert imaged.refused("image.delete", first) == "Image.InUse"
    imaged.until(lambda: imaged.store.request(request.id).progress.get("done", 0) > 1)
    imaged.stop()
    imaged.start()
    assert imaged.store.request(request.id).code == "Engine.Stopped"
    assert imaged.store.image(first).holds == ()


def test_exports(imaged):
    first = names(imaged)[0]
    imaged.ask("image.export", first, path="/tmp/x.img", format="qcow2", disk=0)
    described = imaged.described()[-1]
    assert described["do"] == "export"
    assert (described["disk"], described["file"]) == (0, "/tmp/x.img")
    for args, code in [
        ({"path": "x.img"}, "InvalidParameter.Path"),
        ({}, "InvalidParameter.Missing"),
        ({"path": "/x", "format": "vhd"}, "InvalidParameter.Unknown"),
        ({"path": "/x", "disk": 3}, "Image.NotFound"),
    ]:
        assert imaged.refused("image.export", first, **args) == code


def test_one_of_several_disks_must_be_chosen(served):
    served.source("web01", ["/dev/vda", "/dev/vdb"])
    served.ask("job.create", "web01", name="web01-1", start="now")
    name = names(served)[0]
    assert served.refused("image.export", name, path="/x") == "InvalidParameter.Missing"
    served.ask("image.export", name, path="/x", disk=1)


def test_the_store(imaged):
    for verb in ("stats", "check", "collect"):
        assert imaged.ask(f"store.{verb}").result["do"] == verb
    assert all(image.verified for image in imaged.store.images())


# The engine


def test_stopping_the_engine(served):
    request_id = served.store.submit("engine.stop")
    assert served.store.wait(request_id, timeout=20).state is RequestState.DONE
    assert served.engine.wait(timeout=20) == 0
    assert not served.store.engine_alive()
    assert served.store.engine_document()["status"] == "stopped"


def test_a_run_that_succeeds_shows_that_its_source_is_there(served):
    served.job()
    down = served.home.path / "fake" / "down"
    down.write_text("SourceServer.Offline")
    served.refused("source.check", "web01")
    assert served.store.source("web01").state is SourceState.UNAVAILABLE
    served.ask("job.start", "web01-1")
    assert served.store.source("web01").state is SourceState.AVAILABLE
    assert served.store.source("web01").fault is None


def test_an_engine_says_what_it_is_able_to(served):
    assert served.store.engine_abilities() == frozenset()
    assert served.store.events()[0].facts["abilities"] == []
