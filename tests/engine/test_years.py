"""Ten years of an engine's own loop, under everything that happens to clocks and machines.

The engine is the real one, ``run`` and all, and so are the job store and the clock; what
is put in its place is what it sleeps by: instead of waiting, it lets this world's time
pass, in which machines are suspended, clocks are stepped both ways, engines are stopped
and killed, runs take hours, fail and are retried, and people change intervals.

What must hold is said in true time, which nothing here can step. The engine may be
deceived by a clock that is set forward, since then nobody can tell; ``Mark`` bounds by how
much. Apart from that no run comes before its interval has passed since the end of the
last, none later than the interval lasts at the pace of a clock that waits for the wall's,
counted while an engine was up; likewise expiry and deletion.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from smc_tui.engine import engine as engine_module
from smc_tui.engine.clock import SLOWED, Clock
from smc_tui.engine.engine import LONGEST_WAIT, Engine, open_clock
from smc_tui.engine.worker import Died, Failed, Paused, Result
from smc_tui.jobstore import Home
from smc_tui.model.errors import SmcError
from smc_tui.model.units import DAY, HOUR, MINUTE
from tests.engine.fakes import fake_seams
from tests.engine.inside import Inside
from tests.model.samples import NOW

YEAR = 365 * DAY
SHM = Path("/dev/shm")
INTERVALS = [HOUR, DAY, *[3 * DAY] * 2, *[7 * DAY] * 8]
#: What an engine that starts may have forgotten of the time before, at most.
FORGOTTEN = 16 * MINUTE


class Killed(Exception):
    """The machine lost its power."""


@dataclass
class Mark:
    """An instant in all the times there are, and what has happened to the clocks since.

    ``lead`` is how far the engine's clock was ahead of the truth, ``error`` the furthest
    that the wall clock has been since: the engine's clock cannot have gained more.
    """

    truth: float
    up: float
    lead: float
    error: float
    starts: int

    def earliest(self, seconds):
        return self.truth + seconds - max(0.0, self.error - self.lead) - 2


class Years(Inside):
    """A home, its engines, its people, and the time that passes for them."""

    def __init__(self, home, monkeypatch, seed):
        super().__init__(home, monkeypatch)
        self.chance = random.Random(seed)
        self.truth = self.up = self.error = 0.0
        self.starts = 0
        self.stopping = self.dying = False
        self.marks = []
        self.ended = self.created = self.expired = None
        self.interval = self.valid = 0
        self.at_work, self.asked, self.job_id = None, False, None
        self.work_ends = self.person_acts = self.next_blow = self.wall_mends = float("inf")
        self.runs = self.expiries = self.deletions = self.blows = 0
        clock = functools.partial(Clock, wall=lambda: NOW + self.truth + self.error, boot=self.boot)
        monkeypatch.setattr(engine_module, "Clock", clock)
        # What it sleeps through here are its idle looks; those that could see
        # something, half a minute after a clock was stepped, are made.
        monkeypatch.setattr(engine_module, "LONGEST_WAIT", float("inf"))
        self.socket, self._other = os.pipe()

    def boot(self):
        return self.truth

    def close(self):
        super().close()
        os.close(self.socket)
        os.close(self._other)

    # The life of engines

    async def live(self, years):
        self.end = years * YEAR
        self.submit("source.import", "web01", ssh=None, paths=["/dev/vda"])
        self.next_blow = self.rare(5 * DAY)
        self.person_acts = self.rare(HOUR)
        while self.truth < self.end:
            engine = self.make_engine()
            self.starts += 1
            try:
                await engine.run()
            except Killed:
                await self.crash()
            self.stopping, self.at_work, self.work_ends = False, None, float("inf")
            self.puppets.clear()
            self.truth += self.chance.choice([1, MINUTE, HOUR, self.chance.uniform(0, 5 * DAY)])
            if self.wall_mends < float("inf") and self.chance.random() < 0.5:
                self.mend()  # a machine whose battery is empty hears the time when it boots
            elif self.chance.random() < 0.3:
                self.chance.choice([self.step_clock, self.step_clock, self.lose_a_year])()

    def make_engine(self):
        claim = SimpleNamespace(serve=lambda: self.socket, drain=lambda: None)
        seams = fake_seams(self.home)
        seams = type(seams)(seams.inventory, self.shelf, seams.commands, seams.patience)
        world = self

        class Asleep(Engine):
            async def _wait(self, seconds):
                await world.sleep(seconds)

            async def _leave(self):
                if world.stopping:
                    for puppet in world.puppets:
                        if not puppet.ending.done():
                            puppet.end(Paused({"kind": "paused"}))
                    await super()._leave()

        self.engine = Asleep(claim, self.writer, open_clock(self.writer, 1.0), seams, self.log)
        self.context = self.engine._context
        return self.engine

    async def sleep(self, seconds):
        """Be what the engine waits by."""
        while busy := self._busy():
            await asyncio.wait(busy, timeout=0.001)
        if self.context.wakeup.is_set() or self.writer.new_requests():
            return
        self.look()
        if self.dying:
            self.dying = False
            self.pass_(self.chance.uniform(0, LONGEST_WAIT))
            raise Killed
        nearest = min(self.work_ends, self.person_acts, self.next_blow, self.wall_mends)
        assert seconds >= 0
        self.pass_(min(seconds, max(0.0, nearest - self.truth)))
        now = self.truth
        if now >= self.end:
            raise Killed
        if now >= self.work_ends:
            self.end_work()
        elif now >= self.wall_mends:
            self.mend()
            self.pass_(self.chance.uniform(0, LONGEST_WAIT))
        elif now >= self.person_acts:
            self.act()
        elif now >= self.next_blow:
            self.blow()

    def pass_(self, seconds, *, up=True):
        self.truth += seconds
        self.up += seconds if up else 0.0

    def rare(self, mean):
        return self.truth + self.chance.expovariate(1 / mean)

    # What happens to machines

    def blow(self):
        self.blows += 1
        self.next_blow = self.rare(5 * DAY)
        blow = self.chance.choice(["suspend", "step", "step", "dst", "year", "stop", "kill"])
        if blow == "suspend":
            self.pass_(self.chance.uniform(0, 3 * DAY), up=False)
            self.pass_(self.chance.uniform(0, LONGEST_WAIT))
        elif blow == "step":
            self.step_clock()
            self.pass_(self.chance.uniform(0, LONGEST_WAIT))
        elif blow == "dst":  # of a hardware clock that is kept in local time
            self.set_error(self.error + self.chance.choice([-HOUR, HOUR]))
            self.pass_(self.chance.uniform(0, LONGEST_WAIT))
        elif blow == "year":
            self.lose_a_year()
            self.pass_(self.chance.uniform(0, LONGEST_WAIT))
        elif blow == "stop":
            self.stopping = True
            self.engine.stop()
        elif blow == "kill":
            self.dying = True  # within half a minute of an idle look, like all there are

    def step_clock(self):
        """NTP, a paused virtual machine, a person; errors never add up to much."""
        self.set_error(self.chance.choice([0, 0, -1, 1]) * self.chance.uniform(0, 2 * HOUR))

    def lose_a_year(self):
        self.set_error(-YEAR)
        self.wall_mends = min(self.wall_mends, self.rare(10 * DAY))

    def set_error(self, error):
        if self.wall_mends < float("inf"):
            return  # a year back is where it stays until it is mended
        self.error = error
        for mark in (self.ended, self.created, self.expired):
            if mark is not None:
                mark.error = max(mark.error, error)

    def mend(self):
        self.wall_mends = float("inf")
        self.set_error(0.0)

    # What people do

    def submit(self, verb, target, **args):
        return self.store.submit(verb, target, args, actor="tester")

    def act(self):
        self.person_acts = self.rare(4 * DAY)
        job = self.job()
        if job is None:
            self.interval = self.chance.choice(INTERVALS)
            self.valid = self.chance.choice([7, 30, 60, 90]) * DAY
            args = {"name": "job-a", "interval": self.interval, "valid": self.valid}
            args |= {"keep": 1, "drill": "off"}
            self.submit("job.create", "web01", start="now", **args)
            self.created, self.ended, self.expired = self.mark(), None, None
            self.asked, self.job_id = True, "coming"
        elif str(job.status) in ("InError", "Stopped"):
            self.submit("job.start", "job-a")
            self.asked = True
        elif str(job.status) == "Waiting":
            act = self.chance.choice(["interval", "interval", "sync", "pause"])
            if act == "interval":
                self.interval = self.chance.choice(INTERVALS)
                self.submit("job.interval", "job-a", interval=self.interval)
            elif act == "sync":
                self.submit("job.sync", "job-a")
                self.asked = True
            else:
                self.submit("job.pause", "job-a")

    def job(self):
        return next(iter(self.store.jobs()), None)

    # What workers do

    def begin_work(self, puppet):
        """Called when a worker is started: here a run begins, or goes on."""
        self.at_work = puppet
        self.work_ends = self.truth + self.chance.choice(
            [MINUTE, 20 * MINUTE, 5 * HOUR, self.chance.uniform(0, 4 * DAY)]
        )
        run = puppet.description["run"]
        if run in self.marks:
            return  # the engine was restarted, or a pause is over: the same run goes on
        self.marks.append(run)
        self.runs += 1
        if self.asked or self.ended is None:
            self.asked = False
            return
        self.not_too_early(self.ended, self.due)
        self.not_too_late(self.ended, self.due)
        self.ended = None

    def end_work(self):
        puppet, self.at_work, self.work_ends = self.at_work, None, float("inf")
        how = self.chance.choice(["made"] * 6 + ["failed", "died"])
        if how == "made":
            self.shelf.kept[puppet.description["image"]] = puppet.manifest()
            puppet.end(Result(puppet.result()))
            # The interval that was set last counts from here; a later one does not.
            self.ended, self.due = self.mark(), self.interval
        else:
            error = SmcError("Link.Lost", "as scripted")
            puppet.end(Failed(error) if how == "failed" else Died("as scripted"))
            self.ended = None
            self.person_acts = min(self.person_acts, self.rare(DAY))

    # What must hold

    def mark(self):
        lead = self.context.clock.now() - NOW - self.truth
        return Mark(self.truth, self.up, lead, self.error, self.starts)

    def not_too_early(self, mark, seconds):
        assert self.truth >= mark.earliest(seconds)

    def not_too_late(self, mark, seconds):
        waited = self.up - mark.up
        forgiven = (self.starts - mark.starts) * FORGOTTEN + LONGEST_WAIT
        assert waited <= seconds / SLOWED + forgiven

    def look(self):
        """See what an engine at rest has left undone."""
        job = self.job()
        if self.puppet is not None and self.puppet is not self.at_work:
            self.begin_work(self.puppet)
        status = str(job.status) if job else ""
        if status == "Waiting":
            assert self.ended is not None
            self.not_too_late(self.ended, self.due)
        if status in ("Ready", "Waiting", "Stopped", "InError"):
            self.not_too_late(self.created, self.valid)
        if status == "Expired":
            if self.expired is None:
                self.not_too_early(self.created, self.valid)
                self.expired = self.mark()
                self.ended = None
                self.expiries += 1
            self.not_too_late(self.expired, 7 * DAY)
        if job is None and self.job_id and self.expired is not None:
            self.not_too_early(self.expired, 7 * DAY)
            self.deletions += 1
            self.expired = self.job_id = None
            self.person_acts = self.rare(HOUR)


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    yield made
    shutil.rmtree(made)


def test_ten_years(folder, monkeypatch):
    world = Years(Home(folder / "home"), monkeypatch, seed=0)
    try:
        with asyncio.Runner() as runner:
            runner.run(world.live(10))
        made = [event for event in world.store.events() if event.action == "run started"]
        assert len(made) == world.runs == len(set(world.marks))
        assert world.runs > 300
        assert world.blows > 500
        assert min(world.expiries, world.deletions) > 20
    finally:
        world.close()


async def test_an_idle_engine_writes_down_what_time_it_is(tmp_path, monkeypatch):
    """So that a wall clock set back while none runs takes back next to nothing."""
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    clock = inside.context.clock
    inside.writer.engine_started("1", clock.now(), clock.offset(), clock.factor)
    for _ in range(500):
        inside.time += LONGEST_WAIT
        inside.engine._round()
    assert inside.writer.newest_instant() >= inside.time - engine_module.SAVE_EVERY - LONGEST_WAIT
    inside.close()
