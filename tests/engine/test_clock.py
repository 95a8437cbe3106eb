"""The clock under everything that can happen to clocks, and a job's years by it."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.engine import engine
from smc_tui.engine.clock import SLOWED, Clock
from smc_tui.model import schedule
from smc_tui.model.lifecycle import State, Status
from smc_tui.model.units import DAY, HOUR, MINUTE
from tests.model.samples import NOW, job_in


class Machine:
    """A machine's clocks: the wall's and the one that counts since boot."""

    def __init__(self) -> None:
        self.wall_now = NOW
        self.boot_now = 100.0

    def pass_(self, seconds):
        self.wall_now += seconds
        self.boot_now += seconds

    def clock(self, factor=1.0, **kept):
        return Clock(factor, wall=lambda: self.wall_now, boot=lambda: self.boot_now, **kept)


@pytest.fixture
def machine():
    return Machine()


def test_it_is_the_wall_clock_when_nothing_happens(machine):
    clock = machine.clock()
    assert clock.now() == NOW
    machine.pass_(1000)
    assert clock.now() == NOW + 1000
    assert clock.offset() == 0
    assert clock.seconds_until(NOW + 1600) == 600
    assert clock.seconds_until(NOW) == 0


def test_it_follows_a_wall_clock_set_forward(machine):
    clock = machine.clock()
    machine.wall_now += HOUR
    assert clock.now() == NOW + HOUR


def test_it_never_follows_a_wall_clock_set_back_but_waits_for_it(machine):
    clock = machine.clock()
    machine.wall_now -= HOUR
    assert clock.now() == NOW
    machine.pass_(100)
    assert clock.now() == pytest.approx(NOW + 100 * SLOWED)
    for _ in range(1000):
        machine.pass_(MINUTE)
        clock.now()
    assert clock.now() == pytest.approx(machine.wall_now, abs=MINUTE)
    assert clock.offset() < MINUTE


def test_small_drift_is_left_alone(machine):
    clock = machine.clock()
    machine.boot_now += 0.5
    assert clock.now() == NOW + 0.5


def test_time_lapse(machine):
    clock = machine.clock(3600.0)
    machine.pass_(10)
    assert clock.now() == NOW + 36000
    assert clock.offset() == 36000 - 10
    assert clock.seconds_until(NOW + 36000 + 7200) == 2


def test_it_goes_on_where_the_last_one_was(machine):
    clock = machine.clock(3600.0)
    machine.pass_(10)
    last, offset = clock.now(), clock.offset()
    machine.pass_(60)
    assert machine.clock(offset=offset).now() == last + 60


def test_it_is_never_before_what_is_stored(machine):
    machine.wall_now -= 5 * DAY
    assert machine.clock(offset=0.0, not_before=NOW).now() == NOW
    assert machine.clock(offset=-9.0).now() == machine.wall_now


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_clock_that_stands_still_is_none(factor):
    with pytest.raises(ValueError, match="above 0"):
        Clock(factor)


JUMPS = st.lists(
    st.tuples(st.sampled_from(["pass", "wall", "restart"]), st.floats(-1e8, 1e8)), max_size=60
)


@given(JUMPS, st.sampled_from([1.0, 60.0, 0.5]))
def test_it_never_goes_back(jumps, factor):
    machine = Machine()
    clock = machine.clock(factor)
    last = clock.now()
    for what, amount in jumps:
        if what == "pass":
            machine.pass_(abs(amount))
        elif what == "wall":
            machine.wall_now += amount
        else:
            clock = machine.clock(factor, offset=clock.offset(), not_before=last)
        now = clock.now()
        assert now >= last
        last = now


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("interval", [HOUR, 6 * HOUR, 7 * DAY])
def test_ten_years_of_runs(seed, interval):
    """Suspends, paused machines, clocks set forward and back, engines restarted.

    No run twice, none lost: in the clock's time each run starts when it is due and
    not before; in real time never later than a ninth of an interval after.
    """
    chance = random.Random(seed * 1000 + interval)
    machine = Machine()
    clock = machine.clock()
    job = job_in(State(Status.WAITING), next_run=schedule.next_run(clock.now(), interval))
    real_end, runs, forward = machine.boot_now, 0, 0.0
    end = machine.boot_now + 10 * 365 * DAY
    while machine.boot_now < end:
        # The engine sleeps until the run is due, or something happens before.
        machine.pass_(min(clock.seconds_until(job.next_run), chance.expovariate(1 / DAY)) + 0.001)
        match chance.randrange(12):
            case 0:
                machine.pass_(chance.uniform(0, 3 * DAY))  # suspended: both clocks go on
            case 1:
                pause = chance.uniform(0, DAY)  # a paused virtual machine
                machine.wall_now += pause
                forward += pause
            case 2:
                machine.wall_now -= chance.uniform(0, 2 * HOUR)
            case 3:
                clock = machine.clock(offset=clock.offset(), not_before=clock.now())
        now = clock.now()
        if schedule.due(replace(job, settings=replace(job.settings, valid_until=1e12)), now):
            assert now >= job.next_run
            waited = machine.boot_now - real_end
            assert waited <= interval / SLOWED + 3 * DAY + 1
            assert waited + forward >= interval - 1
            machine.pass_(chance.uniform(1, 20 * MINUTE))
            runs += 1
            job = replace(job, next_run=schedule.next_run(clock.now(), interval))
            real_end, forward = machine.boot_now, 0.0
    assert runs > 10 * 365 * DAY / (interval / SLOWED + 3 * DAY + 20 * MINUTE)


@pytest.mark.parametrize(("time_lapse", "ahead"), [(1.0, 0.0), (60.0, 365 * DAY)])
def test_an_engine_lives_in_the_future_only_if_the_last_was_made_to(
    machine, monkeypatch, time_lapse, ahead
):
    """The wall clock was a year behind, and was put right while no engine ran."""
    clocks = {"wall": lambda: machine.wall_now, "boot": lambda: machine.boot_now}
    monkeypatch.setattr(engine, "Clock", partial(Clock, **clocks))
    last = SimpleNamespace(clock_offset=365 * DAY, time_lapse=time_lapse)
    store = SimpleNamespace(engine=lambda: last, newest_instant=lambda: NOW - DAY)
    assert engine.open_clock(store, 1.0).now() == NOW + ahead
