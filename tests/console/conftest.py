"""The same terminal for every test: no colours, theme or time zone of whoever runs them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.fleet import Fleet, sample


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("USER", "ops")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Yield an empty home that looks served."""
    made = Fleet(tmp_path / "home").engine_starts()
    yield made
    made.close()


@pytest.fixture
def night(fleet: Fleet) -> Fleet:
    """Return a home with a job in each state that a night has."""
    sample(fleet)
    return fleet
