"""Quantities in words and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model import ids, units


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (3_355_443, "3.20 MiB"),
        (12 << 20, "12.0 MiB"),
        (999 << 30, "999 GiB"),
        (1000 << 30, "0.98 TiB"),
        (1 << 70, "1024 EiB"),
    ],
)
def test_sizes(count, text):
    assert units.bytes_text(count) == text


def test_rates():
    assert units.rate_text(182 << 20) == "182 MiB/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (60, "1m"), (171, "2m 51s"), (3600, "1h"), (273_600, "3d 4h")],
)
def test_durations(seconds, text):
    assert units.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("6h", 21600), ("1d 12h", 129_600), (" 7D ", 604_800)]
)
def test_durations_read(text, seconds):
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "6", "6x", "6h,", "-6h", "1.5h"])
def test_no_durations(text):
    with pytest.raises(ValueError, match="no duration"):
        units.parse_duration(text)


@given(st.integers(0, 10_000_000))
def test_whole_durations_come_back(seconds):
    parts = [f"{seconds // 86400}d", f"{seconds % 86400 // 60}m", f"{seconds % 60}s"]
    assert units.parse_duration(" ".join(parts)) == seconds


@given(st.floats(0, 4e9))
def test_instants_come_back(at):
    assert units.parse_instant(units.rfc3339(at)) == pytest.approx(at, abs=0.001)
    assert units.rfc3339(at).endswith("Z")
    assert len(units.stamp(at)) == 16


@given(st.text())
def test_what_is_printable(text):
    assert units.printable(text).isprintable()
    assert len(units.printable(text)) == len(text)


def test_ids():
    made = {ids.new_id(ids.Kind.JOB) for _ in range(100)}
    assert len(made) == 100
    assert all(ids.is_id(each, ids.Kind.JOB) for each in made)
    assert not any(ids.is_id(each, ids.Kind.RUN) for each in made)
    assert not ids.is_id("j-0123abcd\n", ids.Kind.JOB)
    assert not ids.is_id("j-0123ABCD", ids.Kind.JOB)
