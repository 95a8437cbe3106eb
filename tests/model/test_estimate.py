"""Speed, progress and time remaining."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model import estimate
from smc_tui.model.things import Counters


def test_a_steady_counter_has_its_speed():
    rate = estimate.SmoothedRate()
    speeds = [rate.sample(100.0 * at, at) for at in range(10)]
    assert speeds[0] == 0.0
    assert speeds[1:] == pytest.approx([100.0] * 9)


def test_a_speed_follows_a_change_within_a_few_half_lives():
    rate = estimate.SmoothedRate(half_life=5)
    count = 0.0
    for at in range(20):
        count += 100
        rate.sample(count, at)
    for at in range(20, 40):
        count += 10
        speed = rate.sample(count, at)
    assert 10 < speed < 20


def test_a_counter_that_starts_anew_is_no_negative_speed():
    rate = estimate.SmoothedRate()
    rate.sample(0, 0)
    rate.sample(100, 1)
    assert rate.sample(5, 2) == pytest.approx(100)
    assert rate.sample(5, 2) == pytest.approx(100)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=60))
def test_progress_never_goes_back_and_never_promises_the_image(steps):
    total, compared, changed, sent, shown = 400, 0, 0, 0, 0.0
    for more, lag in steps:
        compared = min(total, compared + more)
        changed = min(compared, changed + more)
        sent = max(sent, changed - lag)
        counters = Counters(total, compared, changed, sent)
        progress = estimate.progress(counters, changed, shown)
        assert shown <= progress <= 99.0
        shown = progress


def test_progress_says_where_the_work_is():
    def of(**counts):
        return estimate.progress(Counters(total=1000, **counts), counts.get("changed", 0))

    assert of() == 0.0
    assert of(compared=500) == 49.5  # nothing changed: comparing is all there is
    assert of(compared=500, changed=500, sent=500) == 49.5
    assert of(compared=500, changed=500, sent=0) < 25
    assert of(compared=1000, changed=1000, sent=1000) == 99.0
    assert estimate.progress(Counters(), 0, before=12.0) == 12.0


def test_a_resumed_attempt_does_not_take_progress_back():
    assert estimate.progress(Counters(total=1000, compared=10), 0, before=60.0) == 60.0


def test_time_remaining_is_shown_when_it_is_worth_something():
    done = Counters(total=1000, compared=100)
    assert estimate.remaining(done, 50.0, seconds=1.0) is None
    assert estimate.remaining(done, 0.0, seconds=9.0) is None
    assert estimate.remaining(Counters(total=1000, compared=5), 50.0, seconds=9.0) is None
    assert estimate.remaining(done, 50.0, seconds=9.0) == 18.0
    assert estimate.remaining(Counters(total=10, compared=20), 1.0, seconds=9.0) == 0.0


def test_what_is_stored_already_is_no_work():
    twin = Counters(total=1000, compared=500, changed=500)
    assert estimate.progress(twin, 0) == 49.5


@pytest.mark.parametrize(
    ("counts", "needed", "comparing", "sending", "seconds"),
    [
        ({"compared": 500, "sent": 100}, 500, 100.0, 10.0, 90.0),  # the link holds it
        ({"compared": 500, "sent": 250}, 250, 10.0, 250.0, 50.0),  # the disk does
        ({"compared": 500}, 0, 10.0, 0.0, 50.0),  # nothing to send
        ({"compared": 500}, 5, 10.0, 0.0, None),  # who knows when it will be sent
        ({"compared": 1000, "sent": 900}, 1000, 0.0, 10.0, 10.0),  # all compared long ago
        ({"compared": 1000, "sent": 1000}, 1000, 0.0, 0.0, 0.0),
        ({"compared": 500, "sent": 100}, 500, 0.0, 10.0, None),
    ],
)
def test_what_takes_longer_is_what_remains(counts, needed, comparing, sending, seconds):
    done = Counters(total=1000, **counts)
    assert estimate.run_remaining(done, needed, comparing, sending, 9.0) == seconds
    assert estimate.run_remaining(done, needed, comparing, sending, 1.0) is None


def test_time_to_migrate():
    time = estimate.time_to_migrate(total=300, used=100, link_bps=10, read_bps=10)
    assert (time.transfer, time.compare, time.total) == (10, 30, 30)
    assert estimate.time_to_migrate(300, 100, None) is None
    assert estimate.time_to_migrate(300, 100, 0) is None
