"""The engine collects the image store by itself, and no more often than it must."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from smc_tui.engine.collecting import LOOK_EVERY
from smc_tui.engine.worker import Died, Failed, Result
from smc_tui.jobstore import Home, RequestState
from smc_tui.model.collection import PAUSE, RETRY, Reason
from smc_tui.model.errors import SmcError
from smc_tui.model.units import GIB, HOUR, MIB
from tests.engine.inside import Inside


class ImagesWorker:
    """A worker on the images that ends as the test says."""

    def __init__(self, ending):
        self.ending = ending

    async def listen(self, hear):
        return self.ending

    def leave(self):
        """Have nothing to leave."""


class Collected(Inside):
    """A home whose images' workers are puppets too; they end as ``outcome`` says."""

    def __init__(self, home, monkeypatch):
        super().__init__(home, monkeypatch)
        self.outcome = self.frees_all
        self.collections = []

        async def start(command, description, log, patience):
            self.collections.append(description["do"])
            return ImagesWorker(self.outcome())

        monkeypatch.setattr("smc_tui.engine.works.Worker", SimpleNamespace(start=start))
        self.shelf.bytes = 10 * GIB

    def frees_all(self, waiting=False):
        freed, self.shelf.bytes = self.shelf.bytes - 10 * GIB, 10 * GIB
        document = {"kind": "result", "bytes_freed": freed, "bytes_on_disk": 10 * GIB}
        return Result({**document, "swept": 7, "waiting": waiting, "held": ""})

    async def run_once(self, grows=0):
        """Let the job make another image, after which the oldest goes."""
        puppet = self.puppet
        self.shelf.kept[puppet.description["image"]] = puppet.manifest()
        self.shelf.bytes += grows
        puppet.end(Result(puppet.result()))
        await self.settle()

    async def hours(self, count):
        """Let time pass as the engine sees it: a round each quarter of an hour."""
        for _ in range(int(count * HOUR / LOOK_EVERY)):
            self.time += LOOK_EVERY
            await self.settle()

    def history(self):
        found = [event for event in self.store.events() if event.action == "store.collect"]
        return [(event.actor, event.result) for event in found]


@pytest.fixture
async def inside(tmp_path, monkeypatch):
    made = Collected(Home(tmp_path / "home"), monkeypatch)
    await made.serve()
    await made.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    await made.ask(
        "job.create", "web01", name="job-a", keep=1, interval="7d", start="now", drill="off"
    )
    yield made
    await made.crash()
    made.close()


async def test_what_retention_lets_go_is_collected_when_the_store_has_grown(inside):
    await inside.run_once()
    await inside.ask("store.collect", "")
    await inside.ask("job.sync", "job-a")
    await inside.run_once(grows=MIB)
    await inside.hours(24)
    assert inside.collections == ["collect"]
    await inside.ask("job.sync", "job-a")
    await inside.run_once(grows=11 * GIB)
    await inside.hours(1)
    assert inside.collections == ["collect"] * 2
    assert inside.history()[2:] == [("scheduler", "started"), ("scheduler", "done")]
    begun, done = [e for e in inside.store.events() if e.action == "store.collect"][2:]
    assert begun.facts == {"why": str(Reason.GROWN)}
    assert done.facts["bytes_freed"] == 11 * GIB + MIB
    await inside.hours(24)
    assert inside.collections == ["collect"] * 2


async def test_it_waits_for_the_end_of_a_run(inside):
    await inside.run_once()
    await inside.hours(1)
    await inside.ask("image.delete", inside.store.images()[0].id)
    await inside.ask("job.sync", "job-a")
    await inside.hours(12)
    assert inside.collections == []
    await inside.run_once(grows=5 * GIB)
    await inside.hours(0.5)
    assert inside.collections == ["collect"]


async def test_a_run_of_days_does_not_hold_it_up_for_ever(inside):
    await inside.run_once()
    await inside.ask("job.cancel", "job-a")
    await inside.ask(
        "job.create", "web01", name="job-b", keep=1, interval="7d", start="now", drill="off"
    )
    await inside.hours(23)
    assert inside.collections == []
    await inside.hours(2)
    assert inside.collections == ["collect"]


async def test_what_could_not_be_freed_yet_is_freed_the_next_time(inside):
    await inside.run_once()
    await inside.ask("job.cancel", "job-a")
    inside.outcome = lambda: inside.frees_all(waiting=True)
    await inside.hours(PAUSE / HOUR + 1)
    inside.outcome = inside.frees_all
    await inside.hours(PAUSE / HOUR + 1)
    assert inside.collections == ["collect"] * 2
    whys = [e.facts.get("why") for e in inside.store.events() if e.result == "started"]
    assert whys[-2:] == [str(Reason.GIVEN_UP), str(Reason.WAITING)]
    await inside.hours(30 * 24)
    assert inside.collections == ["collect"] * 2


@pytest.mark.parametrize(
    "ending", [Failed(SmcError("Store.Busy", "as scripted")), Died("as scripted")]
)
async def test_one_that_fails_is_tried_again_after_a_while(inside, ending):
    await inside.run_once()
    await inside.ask("job.cancel", "job-a")
    inside.outcome = lambda: ending
    await inside.hours(PAUSE / HOUR + 3)
    assert 2 <= len(inside.collections) <= 3 * HOUR / RETRY + 1
    tried = len(inside.collections)
    inside.outcome = inside.frees_all
    await inside.hours(2)
    assert len(inside.collections) == tried + 1
    assert inside.history()[-1] == ("scheduler", "done")


async def test_an_engine_that_is_killed_forgets_nothing_of_it(inside):
    await inside.run_once()
    await inside.ask("job.cancel", "job-a")
    await inside.hours(5)
    await inside.crash()
    await inside.serve()
    assert inside.collections == []
    await inside.hours(2)
    assert inside.collections == ["collect"]
    await inside.crash()
    await inside.serve()
    await inside.hours(48)
    assert inside.collections == ["collect"]


async def test_a_collection_by_hand_counts(inside):
    await inside.run_once()
    await inside.ask("job.cancel", "job-a")
    await inside.hours(5)
    assert (await inside.ask("store.collect", "")).state is RequestState.DONE
    await inside.hours(100)
    assert inside.collections == ["collect"]


async def test_the_statistics_tell_of_the_last_one(inside):
    inside.outcome = lambda: Result({"kind": "result", "images": 0})
    assert (await inside.ask("store.stats", "")).result == {"images": 0, "collected": None}
    inside.outcome = inside.frees_all
    await inside.ask("store.collect", "")
    told = (await inside.ask("store.stats", "")).result["collected"]
    assert told["by"] == "tester"
    assert (told["bytes_on_disk"], told["waiting"]) == (10 * GIB, False)
    assert told["at"].startswith("20")
    json.dumps(told)
