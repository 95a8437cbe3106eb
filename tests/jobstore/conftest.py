from __future__ import annotations

import pytest

from smc_tui.jobstore import Home, JobStore
from smc_tui.jobstore.writer import JobWriter


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def writer(home):
    with JobWriter.open(home) as writer:
        yield writer


@pytest.fixture
def store(home, writer):
    """A reader beside the writer, as the command line is."""
    with JobStore.open(home) as store:
        yield store
