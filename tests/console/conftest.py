"""The same terminal for every test: no colours, theme or time zone of whoever runs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smc_tui.console.app import ConsoleApp
from smc_tui.console.options import Options
from smc_tui.jobstore import JobStore
from tests.console.fleet import Fleet, sample
from tests.console.still import hold_still

Picture = Callable[..., bool]


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


@pytest.fixture
def picture(night: Fleet, snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Picture]:
    """Return what compares a console with its picture, after keys were pressed."""
    hold_still(monkeypatch.setattr)
    stores = []

    def compare(*keys: str, size: tuple[int, int] = (100, 30), **options: Any) -> bool:
        store = JobStore.open(night.home)
        stores.append(store)
        app = ConsoleApp(store, Options(**options))
        shown: bool = snap_compare(app, press=keys, terminal_size=size)
        # A picture of a console that has failed is a picture, too.
        assert app.mistake is None, app.mistake
        return shown

    yield compare
    for store in stores:
        store.close()


#: Seconds of ``work`` on the machine that the strict times were measured on.
MEASURED = 0.021
#: What a machine that runs other things beside may take longer still.
MARGIN = 2.0


def work() -> float:
    """Return the seconds that a piece of Python takes now."""
    began = time.perf_counter()
    sum(len(str(number)) for number in range(200_000))
    return time.perf_counter() - began


@pytest.fixture(scope="session")
def stretch() -> float:
    """Return by what times of the strict limits are multiplied here."""
    return MARGIN * max(1.0, min(work() for _ in range(5)) / MEASURED)
