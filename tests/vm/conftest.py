"""The disk of a Debian server, built once a session; guests that boot it; how long it took."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import end_engine
from tests.vm.guest import Guest
from tests.vm.rig import Laps, Rig, lacking
from tests.vm.smc import Smc

#: Names a folder that keeps the installed tree from one session to the next.
CACHE = "SMC_TUI_VM_CACHE"
LAPS = pytest.StashKey[Laps]()


@pytest.fixture(scope="session")
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Yield what makes guests; nothing but a cache that was asked for is left of it."""
    if (reason := lacking()) is not None:
        pytest.skip(reason)
    laps = request.config.stash.setdefault(LAPS, Laps())
    with tempfile.TemporaryDirectory(prefix="smc-tui-vm-") as name:
        folder = Path(name)
        cache = Path(os.environ.get(CACHE) or folder)
        cache.mkdir(parents=True, exist_ok=True)
        yield Rig(folder, cache, laps)


@pytest.fixture(scope="session")
def image(rig: Rig) -> Path:
    """Return the built disk of a server whose ``/`` is ext4; guests run on overlays of it."""
    return rig.disk()


@pytest.fixture(scope="session")
def guest(rig: Rig, image: Path) -> Iterator[Guest]:
    """Yield a server that runs and writes, for tests that leave it as they found it."""
    folder = rig.folder / "guest"
    folder.mkdir()
    with rig.booted(folder, image, "guest") as booted:
        yield booted


@pytest.fixture
def smc(tmp_path: Path) -> Iterator[Smc]:
    """Yield the command line; its engine is ended afterwards."""
    made = Smc(tmp_path / "home")
    yield made
    end_engine(made.home)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    laps = config.stash.get(LAPS, None)
    if laps is not None and laps.taken:
        terminalreporter.section("how long the parts took")
        for name, seconds in laps.taken:
            terminalreporter.line(f"{seconds:7.1f} s  {name}")
