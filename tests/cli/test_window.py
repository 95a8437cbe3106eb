"""The best window, as a page and as a command."""

from __future__ import annotations

import time
from pathlib import Path

from smc_tui.cli.windows import strip
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.units import MIB, parse_instant
from smc_tui.model.window import HOUR, Count
from tests.cli.conftest import Cli, end_engine


def test_nothing_is_proposed_where_nothing_is_known(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    said = smc("job", "window", "mig")
    assert said.code == ExitCode.FAILED
    assert "writes are known of 0 hours" in said.out


def test_the_quietest_hours_are_proposed_best_first(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    end_engine(smc.home)
    now = int(time.time() // HOUR)
    quiet = now - 20
    with JobWriter.open(smc.home) as store:
        source, written = store.job("mig").source_id, 0
        for number in range(now - 48, now):
            with store.transaction():
                store.put_count(source, "/dev/vda", Count(number * HOUR, written, "boot"))
            written += (1 if number % 24 == quiet % 24 else 100 + number % 24) * MIB * HOUR
    document = smc.json("job", "window", "mig")
    best = document["windows"][0]
    assert parse_instant(best["start"]) // HOUR % 24 == quiet % 24
    assert best["bytes_per_second"] == MIB
    assert len(document["windows"]) == 3
    assert len(document["hours"]) == 7 * 24
    said = smc("job", "window", "mig", "--for", "90m")
    assert "1.0 MiB/s" not in said.out, "two hours are as busy as both of them"
    assert "1h 30m for the downtime" in said.out
    assert len(said.out.split("24 hours")[1].split()[1]) == 24
    assert smc("job", "window", "mig", "--for", "2d").code == ExitCode.USAGE


def test_the_picture_is_as_high_as_the_busiest_hour() -> None:
    rates = [None, 0, 50, 100]
    assert strip([{"bytes_per_second": rate} for rate in rates]) == "·▁▅█"
    assert strip([{"bytes_per_second": rate} for rate in (None, 0)]) == "·▁"
