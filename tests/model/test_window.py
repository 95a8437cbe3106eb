"""The best window: counts become hours, hours a week, a week the quietest times ahead."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model.window import (
    AHEAD,
    APART,
    HOUR,
    SECTOR,
    Count,
    Hour,
    between,
    by_hour,
    count_of,
    expected,
    quietest,
)

#: A Monday, 00:00 UTC, as hours since 1970.
MONDAY = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp()) // HOUR


def utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def test_a_devices_state_has_a_count_and_a_files_has_none():
    state = [4096, ["80"], ["0"], ["3"], "boot", "7"]
    assert count_of(5.0, state) == Count(5.0, 80 * SECTOR, "boot 7")
    assert count_of(5.0, [4096, 1, 2, "boot"]) is None
    assert count_of(5.0, [4096, [], ["0"], ["3"], "boot", "7"]) is None
    assert count_of(5.0, [4096, ["many"], ["0"], ["3"], "boot", "7"]) is None


@given(
    start=st.floats(0, 1e9),
    span=st.floats(1.0, APART),
    written=st.integers(0, 1 << 50),
)
def test_nothing_is_lost_between_two_counts(start, span, written):
    hours = list(between(Count(start, 7, "a"), Count(start + span, 7 + written, "a")))
    assert sum(hour.written for hour in hours) == pytest.approx(written)
    assert sum(hour.seconds for hour in hours) == pytest.approx(span, abs=1e-5)
    assert [hour.number for hour in hours] == sorted({hour.number for hour in hours})
    assert all(0 < hour.seconds <= HOUR for hour in hours)


@pytest.mark.parametrize(
    "now",
    [
        Count(10.0, 60, "another"),
        Count(10.0, 40, "a"),  # less than before: it began anew
        Count(0.0, 60, "a"),
        Count(APART + 1.0, 60, "a"),
    ],
)
def test_counts_that_do_not_belong_together_say_nothing(now):
    assert list(between(Count(0.0, 50, "a"), now)) == []


def test_an_hour_of_two_disks_is_known_as_well_as_the_less_known():
    together = by_hour([Hour(5, 3600.0, 3600.0), Hour(5, 1800.0, 900.0), Hour(4, 8.0, 2.0)])
    assert together == [Hour(4, 8.0, 2.0), Hour(5, 2700.0, 900.0)]


def test_working_days_tell_of_working_days_and_weekends_of_weekends():
    busy = [Hour(MONDAY + 3, 3600.0 * 100, 3600.0), Hour(MONDAY + 24 + 3, 3600.0 * 300, 3600.0)]
    calm = [Hour(MONDAY + 5 * 24 + 3, 3600.0 * 10, 3600.0)]
    barely = [Hour(MONDAY + 4, 1e12, 600.0)]
    ahead = expected([*busy, *calm, *barely], MONDAY + 7 * 24, utc)
    assert len(ahead) == AHEAD // HOUR
    assert ahead[3] == ahead[4 * 24 + 3] == 200.0
    assert ahead[5 * 24 + 3] == ahead[6 * 24 + 3] == 10.0
    assert ahead[4] is None


def test_one_kind_of_day_alone_tells_of_all():
    ahead = expected([Hour(MONDAY + 3, 3600.0, 3600.0)], MONDAY + 7 * 24, utc)
    assert ahead[5 * 24 + 3] == 1.0


def test_the_quietest_come_first_and_are_different_times_of_day():
    day = [50.0] * 24
    day[3], day[4], day[14] = 1.0, 2.0, 9.0
    ahead = day * 7
    found = quietest(ahead, 1000, 1800)
    assert [window.start / HOUR - 1000 for window in found] == [3, 4, 14]
    assert [window.rate for window in found] == [1.0, 2.0, 9.0]
    longer = quietest(ahead, 1000, 2 * HOUR)
    assert longer[0].start / HOUR - 1000 == 3
    assert (longer[0].rate, longer[0].seconds) == (1.5, 2 * HOUR)
    assert longer[1].start / HOUR - 1000 in (13, 14)


def test_what_is_not_known_is_not_proposed():
    assert quietest([None] * 24, 0, 60) == []
    assert quietest([None, 5.0, None], 0, 60)[0].start == HOUR
    assert quietest([None, 5.0, None], 0, 2 * HOUR) == []
