"""Which pages are marked: merged, counted and taken in lots, against a plain set of numbers."""

from __future__ import annotations

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from smc_tui.source.live.marks import FRAME_PAGES, Runs, frames, without


def numbers(pairs):
    return [page for first, end in pairs for page in range(first, end)]


def some_runs(chance):
    pairs = [(at := chance.randrange(500), at + chance.randrange(1, 9)) for _ in range(60)]
    runs = Runs()
    runs.add(pairs)
    return runs, sorted(set(numbers(pairs)))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_taken_lot_by_lot_is_what_was_marked(seed):
    chance = random.Random(seed)
    runs, marked = some_runs(chance)
    assert runs.count() == len(marked)
    taken = []
    while runs.count():
        most = chance.randrange(1, 40)
        lot = numbers(runs.take(most))
        assert len(lot) == min(most, len(marked) - len(taken))
        taken += lot
    assert taken == marked
    assert runs.take(5) == runs.take() == []


def test_nothing_is_taken_where_there_is_no_room():
    runs, marked = some_runs(random.Random(1))
    assert runs.take(0) == []
    assert numbers(runs.take()) == marked


def test_many_runs_are_taken_in_lots_in_no_time():
    """A list that is taken apart from its front would be moved as often as it has runs."""
    runs = Runs()
    runs.add([(2 * number, 2 * number + 1) for number in range(400_000)])
    began, lots = time.process_time(), 0
    while runs.take(16 << 10):
        lots += 1
    assert lots == 25
    assert time.process_time() - began < 4.0


def test_frames_hold_every_page_once_and_no_more_than_fit():
    pairs = [(0, 3), (10, 10 + 3 * FRAME_PAGES), (9000, 9001)]
    made = list(frames(pairs))
    assert [page for frame in made for page in numbers(frame)] == numbers(pairs)
    assert all(len(numbers(frame)) <= FRAME_PAGES for frame in made)
    assert len(made) == 4


def test_what_lies_in_a_hole_is_left_out_and_what_only_touches_it_is_not():
    assert without([(2, 4), (5, 8), (9, 12)], [(1, 6), (9, 12)]) == [(5, 8)]


def test_marks_that_come_while_others_are_counted_and_taken_are_not_lost():
    """One thread takes in what the kernel records; another one counts and takes."""
    runs, taken, over = Runs(), set(), threading.Event()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(1) as pool:
            # So many stand there already that merging them takes a while.
            runs.add([(2 * number, 2 * number + 1) for number in range(200_000, 220_000)])
            adding = pool.submit(add_until, runs, over)
            limit = time.monotonic() + 3.0
            while time.monotonic() < limit:
                runs.count()
                taken.update(numbers(runs.take(50)))
            over.set()
            added = adding.result()
    finally:
        sys.setswitchinterval(interval)
    taken.update(numbers(runs.take()))
    assert set(range(added)) <= taken


def add_until(runs, over):
    """Mark one page after another; return how many."""
    page = 0
    while not over.is_set():
        runs.add([(page, page + 1)])
        page += 1
    return page
