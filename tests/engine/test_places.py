"""The queue of synchronisations: so many at once, in turn, a last one first."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.engine.places import Places
from smc_tui.model.lifecycle import Status
from tests.engine.fakes import Bench


class Queue:
    """Places, with what became of everybody who asked."""

    def __init__(self, most):
        self.moves = 0
        self.places = Places(most, self._moved)
        self.turns = {}

    def _moved(self):
        self.moves += 1

    def ask(self, key, first=False):
        self.turns[key] = self.places.ask(key, first=first)

    def at_work(self):
        return {key for key, turn in self.turns.items() if turn.done() and turn.result()}

    def leave(self, key):
        self.places.leave(key)
        del self.turns[key]


async def test_first_come_first_served():
    queue = Queue(2)
    for key in "abcd":
        queue.ask(key)
    assert queue.at_work() == {"a", "b"}
    assert queue.places.queue() == ["c", "d"]
    queue.leave("b")
    assert queue.at_work() == {"a", "c"}
    assert queue.places.queue() == ["d"]


async def test_a_last_synchronisation_goes_before_the_others():
    queue = Queue(1)
    queue.ask("a")
    queue.ask("b")
    queue.ask("last", first=True)
    assert queue.places.queue() == ["last", "b"]
    queue.leave("a")
    assert queue.at_work() == {"last"}


async def test_who_gives_up_is_told_and_holds_nobody_up():
    queue = Queue(1)
    for key in "abc":
        queue.ask(key)
    queue.places.give_up("b")
    assert queue.turns["b"].result() is False
    queue.leave("a")
    assert queue.at_work() == {"c"}
    queue.places.give_up("c")  # is at work: nothing to give up
    assert queue.at_work() == {"c"}


async def test_one_that_is_waited_for_no_more_takes_no_place():
    queue = Queue(1)
    for key in "abc":
        queue.ask(key)
    queue.turns.pop("b").cancel()
    queue.leave("a")
    assert queue.at_work() == {"c"}


async def test_each_move_of_the_queue_is_told():
    queue = Queue(1)
    queue.ask("a")
    assert queue.moves == 0
    queue.ask("b")
    queue.ask("c")
    queue.leave("a")
    queue.places.give_up("c")
    assert queue.moves == 4
    queue.leave("b")
    assert queue.moves == 4


@given(
    most=st.integers(1, 4),
    steps=st.lists(st.tuples(st.sampled_from(["ask", "last", "leave", "give up"]), st.integers(0))),
)
def test_never_more_than_allowed_none_forgotten(most, steps):
    async def walk():
        queue, asked, order = Queue(most), 0, []
        for step, which in steps:
            waiting, working = queue.places.queue(), sorted(queue.at_work())
            if step in ("ask", "last"):
                asked += 1
                queue.ask(f"{asked}", first=step == "last")
            elif step == "leave" and working:
                queue.leave(working[which % len(working)])
            elif step == "give up" and waiting:
                key = waiting[which % len(waiting)]
                queue.places.give_up(key)
                del queue.turns[key]
            assert len(queue.at_work()) == min(most, len(queue.turns))
            assert set(queue.places.queue()) == set(queue.turns) - queue.at_work()
        while working := sorted(queue.at_work()):
            order += working
            for key in working:
                queue.leave(key)
        assert not queue.turns

    asyncio.run(walk())


@pytest.fixture
def narrow(tmp_path, monkeypatch):
    """A home whose engine lets one synchronisation work at a time."""
    monkeypatch.setenv("SMC_TUI_ENGINE_SYNCS_AT_ONCE", "1")
    bench = Bench(tmp_path / "home")
    bench.start()
    yield bench
    bench.close()


def waits_for(bench, job):
    return bench.store.job(job).live.get("waiting_for")


def full(bench, names="abc"):
    """Make jobs of which the first works and the others wait."""
    bench.script(*[{"hold_at": 1}] * len(names))
    for name in names:
        bench.job(f"{name}-1", f"source-{name}")
        bench.ask("job.start", f"{name}-1", wait=False)
        if name == names[0]:
            bench.until_status("Running:Syncing", job="a-1")
    for name in names[1:]:
        bench.until(lambda job=f"{name}-1": waits_for(bench, job))


def described(bench):
    path = bench.home.path / "fake" / "described.jsonl"
    return [json.loads(line)["job"] for line in path.read_text().splitlines()]


def test_a_job_says_why_it_waits_and_runs_when_there_is_a_place(narrow):
    full(narrow)
    assert waits_for(narrow, "b-1") == "a free place: 1 of 1 synchronisations run"
    assert waits_for(narrow, "c-1").endswith("run, 1 wait before it")
    assert str(narrow.status("b-1")) == "Running:Preparing"
    notes = [event for event in narrow.store.events() if event.result.startswith("waits for")]
    assert len(notes) == 2
    assert len(described(narrow)) == 1
    narrow.let_go()
    for job in ("a-1", "b-1", "c-1"):
        narrow.until_status("Waiting", job=job)
        assert waits_for(narrow, job) is None
    order = [narrow.store.job(f"{name}-1").id for name in "abc"]
    assert described(narrow) == order


@pytest.mark.parametrize(("verb", "left"), [("job.pause", "Stopped"), ("job.cancel", None)])
def test_a_job_that_waits_stops_at_once(narrow, verb, left):
    full(narrow, "abc")
    narrow.ask(verb, "b-1")
    jobs = {job.name: str(job.state) for job in narrow.store.jobs()}
    assert jobs.get("b-1") == left
    assert waits_for(narrow, "c-1") == "a free place: 1 of 1 synchronisations run"
    assert jobs["a-1"] == "Running:Syncing"
    assert len(described(narrow)) == 1


def test_a_paused_job_goes_on_in_its_turn(narrow):
    full(narrow, "ab")
    narrow.ask("job.pause", "b-1")
    narrow.ask("job.start", "b-1", wait=False)
    narrow.until(lambda: waits_for(narrow, "b-1"))
    narrow.let_go()
    narrow.until_status("Waiting", job="b-1")


def test_the_queue_survives_an_engine(narrow):
    full(narrow, "ab")
    narrow.kill()
    narrow.let_go()
    narrow.start()
    for job in ("a-1", "b-1"):
        narrow.until_status("Waiting", job=job)
    assert (
        len({run.image_id for job in narrow.store.jobs() for run in narrow.store.runs(job.id)}) == 2
    )


def test_an_engine_that_ends_in_good_order_leaves_the_queue_to_the_next(narrow):
    full(narrow, "ab")
    assert narrow.stop() == 0
    assert narrow.store.job("b-1").status is Status.RUNNING
    narrow.let_go()
    narrow.start()
    for job in ("a-1", "b-1"):
        narrow.until_status("Waiting", job=job)


def test_many_jobs_at_once_all_come_to_their_end(narrow):
    names = [f"n{number}" for number in range(12)]
    narrow.script(*[{"segments": 2}] * 40)
    for name in names:
        narrow.job(f"{name}-1", f"source-{name}")
    ids = [narrow.store.submit("job.start", f"{name}-1", {}, actor="tester") for name in names]
    for request in ids:
        narrow.store.wait(request, ended=True, timeout=60).checked()
    ran = [run for job in narrow.store.jobs() for run in narrow.store.runs(job.id)]
    assert len(ran) == len(names)
    assert all(run.published for run in ran)
