"""Which pages a piece of the kernel's record marks, for devices with queues and without."""

from __future__ import annotations

import pytest

from smc_tui.source.live import trace as live
from smc_tui.source.live.marks import Doubt
from smc_tui.source.live.trace import Place, Trace, UnderWay


def recorder(tmp_path, events):
    """A trace of one disk, 253:1, of 1024 pages; nothing of the kernel's is touched."""
    place = Place.__new__(Place)
    place.disk = place.device = (253, 1)
    place.start, place.pages, place.events = 0, 1024, events
    return Trace(str(tmp_path), "smc-test", {0: place})


def told(trace, *lines):
    """Take in lines, and return the pages that are marked by then."""
    trace.take_in(b"".join(f"  a-1 [0] 1.5: block_{line}\n".encode() for line in lines))
    return pages(trace.marks[0].take())


def pages(pairs):
    return [page for first, end in pairs for page in range(first, end)]


def test_a_request_marks_the_pages_of_its_part_that_is_done(tmp_path):
    trace = recorder(tmp_path, "rq")
    assert told(trace, "rq_complete: 253,1 WS () 16 + 16 [0]") == [2, 3]
    assert told(trace, "rq_complete: 253,1 W () 20 + 1 be,0,4 [0]") == [2]
    assert told(trace, "rq_complete: 253,2 W () 16 + 16 [0]") == []
    assert told(trace, "rq_complete: 253,1 FF () 0 + 0 [0]") == []
    assert told(trace, "rq_complete: 253,1 DS () 80 + 8 [0]") == []
    assert pages(trace.loose[0].take()) == [10]
    assert trace.events == 5
    assert not trace.doubt


def test_what_is_queued_is_marked_when_it_is_done_however_little_is_left_of_it(tmp_path):
    trace = recorder(tmp_path, "bio")
    assert told(trace, "bio_queue: 253,1 W 0 + 64 [dd]") == []
    assert told(trace, "bio_complete: 253,1 W 48 + 16 [0]") == list(range(8))
    assert told(trace, "bio_queue: 253,1 W 0 + 64 [dd]", "bio_complete: 253,1 W 64 + 0 [0]") == [
        *range(8)
    ]
    assert told(trace, "bio_complete: 253,1 W 64 + 8 [0]") == [8]


def test_of_two_writes_with_one_end_both_are_marked_whichever_is_done_first(tmp_path):
    trace = recorder(tmp_path, "bio")
    queued = ("bio_queue: 253,1 W 56 + 8 [a]", "bio_queue: 253,1 W 40 + 24 [b]")
    assert told(trace, *queued) == []
    for _ in range(2):
        assert told(trace, "bio_complete: 253,1 W 64 + 0 [0]") == [5, 6, 7]
    assert told(trace, "bio_complete: 253,1 W 64 + 0 [0]") == []


def test_what_never_says_that_it_is_done_is_marked_while_nothing_can_be_written(tmp_path):
    trace = recorder(tmp_path, "bio")
    assert told(trace, "bio_queue: 253,1 W 8 + 8 [md]", "bio_queue: 253,1 D 80 + 8 [md]") == []
    trace.all_done()
    assert pages(trace.marks[0].take()) == [1, 10]
    trace.all_done()
    assert trace.marks[0].count() == 0


def test_a_device_that_never_says_when_writes_are_done_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "UNDER_WAY", 3)
    trace = recorder(tmp_path, "bio")
    told(trace, *(f"bio_queue: 253,1 W {8 * number} + 8 [md]" for number in range(4)))
    with pytest.raises(Doubt, match="does not say when"):
        trace.check()


def test_a_line_that_is_not_understood_counts_as_lost(tmp_path):
    trace = recorder(tmp_path, "rq")
    told(trace, "rq_complete: 253,1 WS () what [0]")
    with pytest.raises(Doubt, match="lost events"):
        trace.check()


def test_pages_past_the_end_of_the_disk_are_not_marked(tmp_path):
    trace = recorder(tmp_path, "rq")
    assert told(trace, "rq_complete: 253,1 W () 8184 + 64 [0]") == [1023]


def test_writes_under_way_are_known_by_their_end():
    under_way = UnderWay()
    under_way.queued(0, 8)
    assert under_way.done(6, 2) == (0, 8)
    assert under_way.done(6, 2) == (6, 2)
    assert under_way.take() == []


def test_a_partition_knows_its_sectors_by_the_disk_s():
    place = Place.__new__(Place)
    place.start, place.pages = 2048, 10
    assert place.pair(2048, 8) == (0, 1)
    assert place.pair(2047, 2) == (0, 1)
