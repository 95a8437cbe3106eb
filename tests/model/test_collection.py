"""When the image store is collected by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.model.collection import FLOOR, LATEST, PATIENCE, PAUSE, RETRY, Reason, Signs, worth
from smc_tui.model.units import DAY, GIB, HOUR, MIB
from tests.model.samples import NOW

#: Half a day after a collection, with nothing gone since.
QUIET = Signs(since=NOW, tried=None, bytes_then=100 * GIB, bytes_now=100 * GIB)
LATER = NOW + DAY / 2


@pytest.mark.parametrize("grown", [0, 50 * GIB])
@pytest.mark.parametrize("full", [False, True])
def test_nothing_was_removed(grown, full):
    signs = replace(QUIET, bytes_now=QUIET.bytes_now + grown, full=full)
    assert worth(signs, NOW + 100 * DAY) is None


def test_an_empty_store():
    assert worth(replace(QUIET, bytes_now=0, given_up=3, full=True), LATER) is None


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (100 * GIB, 109 * GIB, None),
        (100 * GIB, 110 * GIB, Reason.GROWN),
        (100 * MIB, 120 * MIB, None),
        (100 * MIB, 100 * MIB + FLOOR, Reason.GROWN),
        (0, FLOOR, Reason.GROWN),
        (100 * GIB, 50 * GIB, None),
    ],
)
def test_retention_is_followed_when_the_store_has_grown(then, now, expected):
    signs = replace(QUIET, retained=1, bytes_then=then, bytes_now=now)
    assert worth(signs, LATER) is expected
    assert worth(signs, NOW + LATEST) is (expected or Reason.OLD)
    assert worth(replace(signs, retained=0, given_up=1), LATER) is Reason.GIVEN_UP
    assert worth(replace(signs, waiting=True), LATER) is Reason.WAITING


DUE = {
    "given up": replace(QUIET, given_up=1),
    "waiting": replace(QUIET, waiting=True),
    "grown": replace(QUIET, retained=1, bytes_now=200 * GIB),
}


@pytest.mark.parametrize("signs", DUE.values(), ids=DUE.keys())
def test_collections_keep_their_distance(signs):
    assert worth(signs, NOW + PAUSE - 1) is None
    assert worth(signs, NOW + PAUSE)
    tried = replace(signs, tried=LATER)
    assert worth(tried, LATER + RETRY - 1) is None
    assert worth(tried, LATER + RETRY)


@pytest.mark.parametrize("signs", DUE.values(), ids=DUE.keys())
def test_they_wait_for_a_moment_without_a_run_but_not_for_ever(signs):
    busy = replace(signs, busy=True)
    assert worth(busy, NOW + PATIENCE - 1) is None
    assert worth(busy, NOW + PATIENCE)


def test_a_job_without_room_waits_for_neither():
    full = replace(QUIET, given_up=1, busy=True, full=True)
    assert worth(full, NOW + RETRY) is Reason.FULL
    assert worth(full, NOW + RETRY - 1) is None


def test_a_year_of_hourly_synchronisations_keeps_the_garbage_in_bounds():
    """Ten GiB are kept, each hour's image takes one per cent anew, three are kept."""
    kept, part = 10 * GIB, GIB // 10
    garbage = collections = 0
    signs = replace(QUIET, bytes_then=kept, bytes_now=kept)
    for hour in range(1, 365 * 24):
        now = NOW + hour * HOUR
        garbage += part
        signs = replace(signs, retained=signs.retained + 1, bytes_now=kept + garbage)
        if worth(signs, now):
            garbage, collections = 0, collections + 1
            signs = replace(QUIET, since=now, bytes_then=kept, bytes_now=kept)
        assert garbage <= 0.11 * kept
    assert 365 <= collections <= 4 * 365
