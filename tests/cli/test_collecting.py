"""The room of what nobody needs any more comes back without being asked for."""

from __future__ import annotations

import time
from pathlib import Path

from smc_tui.jobstore import Home, JobStore
from smc_tui.jobstore.presence import wake
from smc_tui.model.units import MIB
from tests.cli.conftest import Cli

#: Six hours, after which the engine first collects, are three seconds.
TIME_LAPSE = "7200"


def test_a_deleted_image_gives_its_room_back_by_itself(smc: Cli, disk: Path) -> None:
    assert smc("engine", "start", "--time-lapse", TIME_LAPSE).code == 0
    job = smc.migrated(disk, "--once")
    image = job["images"][-1]["name"]
    before = smc.json("store", "stats")
    assert before["bytes_on_disk"] > 4 * MIB
    smc.json("image", "delete", image, "--yes", image)
    with JobStore.open(Home(smc.home)) as store:

        def collected() -> bool:
            wake(store.home)
            events = store.events()
            return any(e.action == "store.collect" and e.result == "done" for e in events)

        end = time.monotonic() + 30
        while not collected():
            assert time.monotonic() < end, store.event_documents()[-10:]
            time.sleep(0.05)
    after = smc.json("store", "stats")
    assert (after["images"], after["blocks"], after["bytes_on_disk"]) == (0, 0, 0)
    assert after["collected"]["by"] == "scheduler"
    assert after["collected"]["bytes_freed"] == before["bytes_on_disk"]
    assert "by scheduler, freed 4" in smc("store", "stats").out
    assert smc.json("store", "check")["images"] == 0
