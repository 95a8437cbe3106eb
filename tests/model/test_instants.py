"""What a worker says of how a run read its disks: taken where it can be, and put into words."""

from __future__ import annotations

import pytest

from smc_tui.model.instants import LONGEST_REASON, ChangeDetection, Instant, Method, Reading

INSTANT = {
    "method": "freeze",
    "reason": "ext4 on / was written to",
    "frozen_seconds": 0.0891,
    "rounds": 3,
    "pages": 1234,
    "events": 5444,
}
SAID = {"change_detection": "trace", "change_reason": "", "instant": INSTANT}


def test_what_a_worker_says_comes_back_as_it_was():
    reading = Reading.of({"kind": "result", **SAID, "links": 1})
    assert reading.detection is ChangeDetection.TRACE
    assert reading.instant == Instant(
        Method.FREEZE, "ext4 on / was written to", 0.0891, 3, 1234, 5444
    )
    assert reading.document() == SAID
    assert Reading.of(reading.document()) == reading


def test_a_worker_that_says_nothing_of_it_is_taken_as_it_is():
    assert Reading.of({}) == Reading()
    assert Reading().document() == {"change_detection": None, "change_reason": "", "instant": None}
    assert (Reading().found, Reading().frozen) == ("", "")


def test_it_is_said_in_words():
    reading = Reading.of(SAID)
    assert (reading.found, reading.frozen) == ("trace", "0.09 s")
    assert reading.instant.text == (
        "frozen 0.09 s: ext4 on / was written to;"
        " 1,234 written pages in 3 rounds, 5,444 events recorded"
    )
    why = {"change_detection": "full comparison", "change_reason": "the source was restarted"}
    assert Reading.of(why).found == "full comparison: the source was restarted"
    none = Instant.of({"method": "none", "reason": "no root"})
    assert (none.text, none.frozen) == ("none: no root", "")
    assert (reading.brief, Reading(None, "", none).brief) == ("frozen 0.09 s", "not frozen")
    assert (Reading().brief, Reading.of(why).brief) == ("", "")


def test_texts_are_bounded_and_move_no_cursor():
    reading = Reading.of({"change_detection": "trace", "change_reason": "\x1b[2J" + "x" * 10_000})
    assert len(reading.reason) == LONGEST_REASON
    assert reading.reason.isprintable()


@pytest.mark.parametrize(
    "strange",
    [
        {"change_detection": "guessed"},
        {"change_detection": ["trace"]},
        {"change_detection": 5},
        {"change_reason": {"a": 1}},
        {"instant": "freeze"},
        {"instant": []},
        *(
            {"instant": {**INSTANT, **wrong}}
            for wrong in (
                {"method": None},
                {"method": "by magic"},
                {"method": {}},
                {"reason": 5},
                {"frozen_seconds": -0.1},
                {"frozen_seconds": 1e9},
                {"frozen_seconds": float("nan")},
                {"frozen_seconds": "0.1"},
                {"frozen_seconds": True},
                {"rounds": -1},
                {"rounds": None},
                {"pages": 1.5},
                {"pages": True},
                {"events": 1 << 80},
            )
        ),
    ],
    ids=str,
)
def test_what_is_strange_is_refused(strange):
    with pytest.raises(ValueError, match=r"."):
        Reading.of({**SAID, **strange})
