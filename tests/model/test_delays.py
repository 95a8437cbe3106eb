"""What holds a running job up, in words."""

from __future__ import annotations

import time

import pytest

from smc_tui.model.delays import delay

RETRY = {"attempt": 2, "of": 6, "at": "2026-01-02T03:04:05.000Z", "code": "Link.Lost"}


@pytest.fixture(autouse=True)
def zone():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Etc/GMT-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (None, ""),
        ({}, ""),
        ({"held_by": "disk"}, ""),
        ({"retry": None}, ""),
        ({"waiting_for": "a free place"}, "waits for a free place"),
        ({"retry": RETRY}, "no link (Link.Lost), trying again at 05:04:05, attempt 2 of 6"),
        (
            {"retry": {**RETRY, "at": "soon"}},
            "no link (Link.Lost), trying again at soon, attempt 2 of 6",
        ),
    ],
)
def test_what_holds_a_job_up(live, words):
    assert delay(live) == words
