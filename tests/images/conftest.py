from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.world import World


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder in memory where there is some: these tests sync thousands of times."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder) / "home"
        shutil.rmtree(Path(folder) / "home", ignore_errors=True)


@pytest.fixture
def world(home: Path) -> Iterator[World]:
    made = World(home)
    yield made
    made.close()
