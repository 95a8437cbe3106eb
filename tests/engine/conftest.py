from __future__ import annotations

import pytest

from tests.engine.fakes import bench as a_bench


@pytest.fixture
def bench(tmp_path):
    """A home with nothing in it; its engine is started by the test."""
    with a_bench(tmp_path / "home") as made:
        yield made


@pytest.fixture
def served(bench):
    """A home with an engine."""
    bench.start()
    return bench
