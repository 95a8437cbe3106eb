"""Tags of jobs and sources: set, taken, checked, and kept through everything else."""

from __future__ import annotations

import asyncio
import threading

from smc_tui.jobstore import Home, RequestState
from smc_tui.model.errors import SmcError
from tests.engine.fakes import fake_inventory
from tests.engine.inside import Inside


def test_tags_of_a_job_and_its_source(served):
    served.ask("source.import", "web01", ssh=None, paths=["/dev/vda"], tags=["wave-1"])
    served.ask("job.create", "web01", name="mig", tags=["b", "a", "b"])
    assert served.store.source("web01").tags == ("wave-1",)
    assert served.store.job("mig").tags == ("a", "b")
    done = served.ask("job.tag", "mig", add=["env=prod"], remove=["a", "unknown"])
    assert done.result["tags"] == ["b", "env=prod"]
    assert served.store.job("mig").tags == ("b", "env=prod")
    served.ask("source.tag", "web01", remove=["wave-1"])
    assert served.store.source("web01").tags == ()
    event = served.store.events(served.store.job("mig").id)[-1]
    assert (event.actor, event.action, event.result) == ("tester", "job.tag", "changed")
    assert event.facts["tags"] == ["b", "env=prod"]


def test_tags_that_are_refused_change_nothing(served):
    served.job(name="mig", tags=["a"])
    many = [f"t{n}" for n in range(20)]
    for verb, target, args, code in [
        ("job.tag", "mig", {"add": ["-x"]}, "InvalidParameter.Tag"),
        ("job.tag", "mig", {"add": ["a\x1b[2J"]}, "InvalidParameter.Tag"),
        ("job.tag", "mig", {"add": many}, "InvalidParameter.Tag"),  # 21 with the one it has
        ("job.tag", "mig", {"add": "abc"}, "InvalidParameter.Tag"),
        ("job.tag", "mig", {}, "InvalidParameter.Missing"),
        ("job.tag", "mig", {"set": ["a"]}, "InvalidParameter.Unknown"),
        ("job.tag", "nobody", {"add": ["a"]}, "ReplicationJob.NotFound"),
        ("source.tag", "nobody", {"add": ["a"]}, "SourceServer.NotFound"),
        ("source.tag", "web01", {"remove": [7]}, "InvalidParameter.Tag"),
    ]:
        assert served.refused(verb, target, **args) == code, args
    assert served.store.job("mig").tags == ("a",)
    code = served.refused("source.import", "web02", paths=["/dev/vda"], tags=["é"])
    assert code == "InvalidParameter.Tag"


async def _looking(inside, fault, meanwhile):
    """Check a source; while it is being looked at, do something else."""
    seen, go_on = threading.Event(), threading.Event()

    def slow(target):
        seen.set()
        assert go_on.wait(10)
        if fault:
            raise SmcError(fault, "as scripted")
        return fake_inventory(target)

    object.__setattr__(inside.context.seams, "inventory", slow)
    checked = inside.store.submit("source.check", "web01")
    inside.engine._round()
    await asyncio.get_running_loop().run_in_executor(None, seen.wait, 10)
    asked = inside.store.submit(*meanwhile)
    inside.engine._round()
    assert inside.store.request(asked).state is RequestState.DONE
    go_on.set()
    await inside.settle()
    return inside.store.request(checked)


async def test_tags_set_while_the_source_is_looked_at_stay(tmp_path, monkeypatch):
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    for fault, tag in (("", "good"), ("SourceServer.Offline", "bad")):
        meanwhile = ("source.tag", "web01", {"add": [tag]})
        request = await _looking(inside, fault, meanwhile)
        assert request.code == fault
        assert tag in inside.store.source("web01").tags
    inside.close()


async def test_a_source_removed_while_it_is_looked_at_stays_removed(tmp_path, monkeypatch):
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    request = await _looking(inside, "", ("source.remove", "web01"))
    assert request.code == "SourceServer.NotFound"
    assert inside.store.sources() == []
    inside.close()
