"""The forecast of a cutover: from a job's own runs, with a band that holds."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model.forecast import QUIET, STOP_EACH, Forecast, forecast, since
from smc_tui.model.lifecycle import RunKind
from smc_tui.model.things import Counters, Event
from smc_tui.model.units import GIB, HOUR, MIB
from tests.model.samples import JOB, NOW, RUN


def run(number: int, seconds: float, sent: int, *, total: int = 10 * GIB, **other):
    """Return the run of an hour."""
    return replace(
        RUN,
        id=f"r-{number:08x}",
        kind=RunKind.SCHEDULE if number else RunKind.FULL,
        started=NOW + number * HOUR,
        ended=NOW + number * HOUR + seconds,
        seconds=seconds,
        counters=Counters(total=total, compared=total, sent=sent),
        published=True,
        **other,
    )


FULL = run(0, 400, 5 * GIB)
STEADY = [FULL, *(run(n, 60 + n % 3, 100 * MIB) for n in range(1, 6))]
NEXT = NOW + 6 * HOUR


def test_without_a_run_nothing_is_promised():
    assert forecast(JOB, [], [], 3, NOW) is None
    assert forecast(JOB, [replace(FULL, published=False)], [], 3, NOW) is None


def test_the_comparison_counts_where_little_is_sent():
    found = forecast(JOB, STEADY, [], 2, NEXT)
    assert found.sync == pytest.approx(61, abs=1)
    assert found.stop == 2 * STOP_EACH + QUIET
    assert found.bytes == pytest.approx(100 * MIB, rel=0.02)
    assert found.runs == 6
    assert found.low < found.seconds < found.high


def test_sending_counts_where_much_has_changed_since():
    later = forecast(JOB, STEADY, [], 0, NOW + 5 * HOUR + 40 * HOUR)
    assert later.bytes == pytest.approx(4000 * MIB, rel=0.02)
    assert later.sync > forecast(JOB, STEADY, [], 0, NEXT).sync


def test_never_more_is_expected_than_there_is():
    assert forecast(JOB, STEADY, [], 0, NOW + 1e9).bytes == 10 * GIB


def test_a_speed_limit_counts():
    limited = replace(JOB, settings=replace(JOB.settings, limit_mbit=1))
    assert forecast(limited, STEADY, [], 0, NEXT).sync > 300


def test_one_run_gives_a_wider_band_than_five():
    def width(found: Forecast) -> float:
        return (found.high - found.low) / found.seconds

    one, many = forecast(JOB, [FULL], [], 0, NEXT), forecast(JOB, STEADY, [], 0, NEXT)
    assert width(one) > width(many)


def test_publishing_is_a_part_of_its_own():
    events = [
        Event(1, NOW, "engine", "phase", "Running:Processing"),
        Event(2, NOW + 7, "engine", "image published", "m"),
    ]
    found = forecast(JOB, STEADY, events, 0, NEXT)
    assert found.publish == 7
    assert found.sync + found.publish == pytest.approx(61, abs=1)


def entry(forecast_seconds: float, actual: float, stop: float = 3.0) -> dict[str, float]:
    return {"forecast_seconds": forecast_seconds, "actual_seconds": actual, "stop_seconds": stop}


def test_it_learns_from_where_it_was_wrong():
    plain = forecast(JOB, STEADY, [], 1, NEXT)
    taught = forecast(JOB, STEADY, [], 1, NEXT, [entry(60, 90), entry(60, 90), entry(60, 90)])
    assert taught.sync == pytest.approx(1.5 * plain.sync)
    assert taught.stop == 3 + QUIET
    once = forecast(JOB, STEADY, [], 1, NEXT, [entry(60, 600)])
    assert once.sync == plain.sync


def test_steady_runs_are_inside_their_own_band():
    for number in range(2, 6):
        known = STEADY[:number]
        found = forecast(JOB, known, [], 0, STEADY[number].started)
        assert found.low <= STEADY[number].seconds <= found.high


_runs = st.lists(st.tuples(st.floats(0.1, 1e5), st.integers(0, 10 * GIB)), min_size=1, max_size=15)


@given(_runs, st.integers(0, 64), st.floats(0, 1e9), st.lists(
    st.tuples(st.floats(0.1, 1e5), st.floats(0.1, 1e5)), max_size=5))  # fmt: skip
def test_a_band_holds_its_forecast(made, units, later, taught):
    runs = [run(number, *each) for number, each in enumerate(made)]
    record = [entry(*each) for each in taught]
    found = forecast(JOB, runs, [], units, runs[-1].started + later, record)
    assert 0 <= found.low <= found.seconds <= found.high
    assert min(found.stop, found.sync, found.publish) >= 0


THOUGHT = Forecast(stop=10, sync=100, publish=5, low=80, high=200)


def test_what_is_done_counts_as_it_was():
    begun = since(THOUGHT, {}, 0, {})
    assert (begun.seconds, begun.low, begun.high) == (115, pytest.approx(80), pytest.approx(200))
    stopped = since(THOUGHT, {"stop": 30}, 0, {})
    assert stopped.seconds == 135
    known = since(THOUGHT, {"stop": 30}, 40, {"remaining_seconds": 10})
    assert (known.sync, known.seconds) == (50, 85)
    over = since(THOUGHT, {"stop": 30, "sync": 60}, 0, {})
    assert over.seconds == over.low == over.high == 90
    assert since(None, {}, 0, {}) is None


@given(
    st.dictionaries(st.sampled_from(["stop", "sync"]), st.floats(0, 1e5)),
    st.floats(0, 1e5),
    st.none() | st.floats(0, 1e5),
)
def test_a_forecast_under_way_is_never_less_than_what_has_passed(done, elapsed, remaining):
    if "sync" in done and "stop" not in done:
        done["stop"] = 1.0
    found = since(THOUGHT, done, elapsed, {"remaining_seconds": remaining})
    spent = sum(done.values()) + (0 if "sync" in done else elapsed)
    assert found.seconds >= spent - 0.01
    assert found.low - 0.01 <= found.seconds <= found.high + 0.01


@pytest.mark.parametrize("seed", range(5))
def test_thirty_rehearsals_end_inside_their_bands(seed):
    """A server whose disk and writers vary by a seventh, and its record that grows."""
    random = Random(seed)

    def took(gib: float) -> float:
        return 60 * random.gauss(1, 0.07) + 40 * gib * random.gauss(1, 0.07)

    runs = [run(0, 400, 5 * GIB)]
    runs += [run(n, took(0.1), int(100 * MIB * random.gauss(1, 0.1))) for n in range(1, 6)]
    record, errors, inside = [], [], 0
    for number in range(6, 36):
        found = forecast(JOB, runs, [], 3, NOW + number * HOUR, record)
        stop, sync = 9 * random.gauss(1, 0.1), took(0.1)
        actual = stop + sync
        inside += found.low <= actual <= found.high
        errors.append(abs(found.seconds - actual) / actual)
        record.append(entry(found.seconds, actual, stop))
        runs.append(run(number, sync, int(100 * MIB * random.gauss(1, 0.1))))
    assert inside >= 27
    assert sorted(errors)[15] <= 0.2
