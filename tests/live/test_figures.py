"""What the rig computes, without any disk."""

from __future__ import annotations

import pytest

from tests.live.checks import Base, Verdict
from tests.live.freezing import FIFREEZE, FITHAW, Call, Window, calls, windows
from tests.live.patterns import CHUNK, PAGE, check_files, check_pages, chunk, order, page
from tests.live.rounds import Taken, claims, percentile, spread


def frz(begin):
    return Call(FIFREEZE, begin, begin + 0.01)


def thw(begin):
    return Call(FITHAW, begin, begin + 0.01)


def test_a_thaw_too_many_makes_no_window_longer():
    made = [frz(1.0), thw(1.5), thw(3.5), frz(4.0), thw(4.25)]
    assert windows(made) == [Window(1.0, 1.5, 1.51), Window(4.0, 4.25, 4.26)]


def test_several_file_systems_are_one_window_up_to_the_last_thaw():
    (window,) = windows([frz(1.0), frz(1.1), thw(2.0), thw(2.49)])
    assert window == Window(1.0, 2.0, 2.5)
    assert window.seconds == 1.5


def test_what_is_still_frozen_is_no_window():
    assert windows([frz(1.0)]) == []


def test_a_call_that_was_refused_is_none():
    trace = """# tracer: nop
          python-40 [000] ..... 10.1: sys_ioctl(fd: 3, cmd: 0xc0045877, arg: 0)
    a b [x]-c-41    [001] ..... 10.2: sys_ioctl(fd: 4, cmd: 0xc0045878, arg: 0)
          python-40 [000] ..... 10.3: sys_ioctl -> 0x0
    a b [x]-c-41    [001] ..... 10.4: sys_ioctl -> 0xffffffffffffffea
          python-42 [000] ..... 10.5: sys_ioctl -> 0x0
"""
    assert calls(trace) == [Call(FIFREEZE, 10.1, 10.3)]


def test_percentiles_are_values_that_were_seen():
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 95), percentile(values, 100)) == (
        50,
        95,
        100,
    )
    assert percentile([7.0], 50) == percentile([7.0], 95) == 7.0
    assert spread([3.0, 1.0, 2.0]) == "p50 2.00 p95 3.00 max 3.00"
    assert spread([]) == "none"


def test_a_half_written_note_is_none(tmp_path):
    log = tmp_path / "log"
    log.write_text("1 10.0 10.5\n2 10.6 11.0\n3 11.9 12.5\n4 1")
    assert Base(log, Window(11.5, 11.6, 11.6)).bounds() == (2, 3)
    assert Base(log, before=10.7).bounds() == (1, 0)


def test_a_verdict_says_which_check_found_what():
    verdict = Verdict()
    verdict.find("mount")
    assert verdict.findings == []
    verdict.find("mount", "a", "b")
    assert verdict.findings == ["mount: a", "mount: b"]


PLACES = 30


def written(path, turns):
    """Write a big file as so many turns do."""
    with path.open("wb") as file:
        file.truncate(PLACES * PAGE)
        for turn, place in zip(range(1, turns + 1), order(PLACES), strict=False):
            file.seek(place * PAGE)
            file.write(page(turn))
    return path


@pytest.mark.parametrize("turns", [0, 1, 29, 30, 31, 100])
def test_a_big_file_is_what_its_turns_make_of_it(tmp_path, turns):
    assert check_pages(written(tmp_path / "file", turns), torn_allowed=False) == (turns, [])


@pytest.mark.parametrize("turns", [2, 29, 31, 100])
def test_a_page_of_another_instant_is_seen(tmp_path, turns):
    path = written(tmp_path / "file", turns)
    older = written(tmp_path / "older", turns - 2).read_bytes()
    place = [place for _, place in zip(range(turns - 1), order(PLACES), strict=False)][-1]
    with path.open("r+b") as file:
        file.seek(place * PAGE)
        file.write(older[place * PAGE : (place + 1) * PAGE])
    (finding,) = check_pages(path, torn_allowed=False)[1]
    assert f"page {place} is of turn {max(0, turns - 1 - PLACES)}, not {turns - 1}" in finding


def test_only_the_write_at_work_through_a_mapping_can_be_torn(tmp_path):
    path = written(tmp_path / "file", 100)
    places = [place for _, place in zip(range(101), order(PLACES), strict=False)]

    def begin(turn):
        with path.open("r+b") as file:
            file.seek(places[turn - 1] * PAGE)
            file.write(page(turn)[: PAGE // 2])

    begin(101)
    assert check_pages(path, torn_allowed=True) == (100, [])
    assert check_pages(path, torn_allowed=False)[1] == [f"page {places[100]} of turn 101 is torn"]
    begin(50)
    assert f"page {places[49]} of turn 50 is torn" in check_pages(path, torn_allowed=True)[1]


def test_a_chunk_that_is_not_of_its_file_is_seen(tmp_path):
    (tmp_path / "dir1").mkdir()
    path = tmp_path / "dir1" / "file9"
    path.write_bytes(chunk(5, 0) + chunk(5, 1))
    (tmp_path / "dir1" / "file10").touch()
    assert check_files(tmp_path) == []
    for harmed in (chunk(5, 0) + bytes(CHUNK), chunk(5, 1), chunk(5, 0)[:-1]):
        path.write_bytes(harmed)
        assert len(check_files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("said", "window", "found"),
    [
        (0.1, Window(1.0, 1.1, 1.11), ""),
        (0.1, Window(1.0, 1.1, 1.4), "the kernel saw 0.400 s"),
        (0.1, None, "the kernel saw None"),
        (None, Window(1.0, 1.1, 1.4), "for None s"),
    ],
)
def test_what_a_run_says_of_its_freeze_is_held_to_what_the_kernel_saw(said, window, found):
    result = {"image": {"consistency": "frozen"}, "instant": {"frozen_seconds": said}}
    findings = claims(Taken([], result, window, 0.0, 1.0))
    assert findings == [] if not found else found in findings[0]
