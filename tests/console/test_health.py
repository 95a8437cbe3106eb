"""Engine and store health, what jobs hold, and a terminal with no room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.console.render import health
from smc_tui.console.render.cells import Line, Tone
from smc_tui.jobstore.feed import EngineView, Snapshot
from smc_tui.model.errors import SmcError
from smc_tui.model.options import Config
from smc_tui.model.units import DAY, GIB, HOUR
from tests.console.driver import opened
from tests.console.fleet import SYNCING
from tests.model.samples import JOB, NOW, RESOURCE, job_in

STATS = {
    "images": 3,
    "bytes_on_disk": 5 * GIB,
    "blocks": 70000,
    "bytes_plain": 9 * GIB,
    "packs": 12,
    "bytes_dead": GIB,
    "damaged": 0,
}
RATE = Config(cost_per_gib_month=0.05, cost_currency="EUR")


def text(lines: list[Line]) -> str:
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def test_the_engine_in_lines():
    queued = replace(job_in(SYNCING), live={"waiting_for": "another run's end"})
    next_one = replace(JOB, id="j-2", name="mail-1", next_run=NOW)
    jobs = {queued.id: queued, next_one.id: next_one}
    up = EngineView(True, 42, "0.1.0", NOW, 60.0)
    said = text(health.engine_lines(Snapshot(jobs=jobs, engine=up), "/home/ops/x"))
    for part in ("running", "42, version 0.1.0", "60 times as fast", "1 running, 0 waiting"):
        assert part in said
    assert "web01-1 (another run's end)" in said
    assert "mail-1 at" in said
    assert "/home/ops/x" in said
    down = EngineView(False, 42, "0.1.0", NOW, down=NOW)
    said = text(health.engine_lines(Snapshot(engine=down), "/x"))
    assert "down since" in said
    assert "s starts it" in said
    assert "never" not in text(health.engine_lines(Snapshot(), "/x"))


@pytest.mark.parametrize(("free", "tone"), [(50, Tone.PLAIN), (9, Tone.BAD)])
def test_room_that_gets_little_is_said(free, tone):
    lines = health.home_lines(health.Room(100 * GIB, free * GIB, 1 << 20), {"j": RESOURCE})
    assert lines[1][1].tone is tone
    assert ("little" in text(lines)) is (tone is Tone.BAD)
    assert "1 staging area;" in text(lines)


def test_the_store_in_lines():
    assert "none known" in text(health.store_lines(STATS, ()))
    damaged = health.store_lines({**STATS, "damaged": 2}, ())
    assert "2 records" in text(damaged)
    assert text(health.store_lines(None, ())) == " Image store"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "new"), (59, "new"), (60, "1m"), (3599, "59m"), (HOUR, "1h"), (25 * HOUR, "1d")],
)
def test_an_age_changes_seldom(seconds, said):
    assert health.age_text(seconds) == said


def test_a_resource_in_cells():
    held = replace(RESOURCE, size=100 * GIB)
    row = health.resource_row(held, JOB, NOW + 15 * DAY, RATE)
    assert [cell.text for cell in row.cells] == [
        "web01-1", "100 GiB", "15d", "EUR 2.50", "EUR 5.00", "Held", RESOURCE.name,
    ]  # fmt: skip
    free = health.resource_row(held, None, NOW, Config(cost_per_gib_month=0.0))
    assert [cell.text for cell in free.cells][3:5] == ["-", "-"]
    assert "gone" in free.cells[0].text
    assert "EUR 10.00" in text([health.resource_total([held, held], NOW, RATE)])
    assert "Nothing is held" in text([health.resource_total([], NOW, RATE)])


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 45)])
async def test_health_counts_the_store(night, size):
    async with opened(night, size=size) as console:
        await console.press("H").sees("Engine and store", "Counting", "2 running", "Free")
        (request,) = night.asked()
        assert request.verb == "store.stats"
        with night.writer.transaction():
            night.writer.accept(request, NOW, {}, "")
        (accepted,) = night.writer.accepted_requests()
        with night.writer.transaction():
            night.writer.finish(accepted, NOW, STATS)
        await console.looks().sees("3 in 5.00 GiB")
        await console.press("escape").sees("Server Migration")


async def test_health_asks_for_a_check_and_says_why_not(night):
    async with opened(night) as console:
        await console.press("H").sees("Counting").press("v").sees("Reading every record")
        assert [request.verb for request in night.asked()] == ["store.stats", "store.check"]
        night.refuse(SmcError("Store.Damaged", "2 records are damaged"))
        await console.looks().sees("2 records are damaged")


async def test_health_without_an_engine(night):
    night.engine_ends()
    async with opened(night) as console:
        await console.press("H").sees("down since", "s starts it", "c counts it")
        await console.press("c").sees("Engine.NotReachable")
        assert night.asked() == []


async def test_the_answer_after_the_page_was_left(night):
    async with opened(night) as console:
        await console.press("H").sees("Counting").press("escape").sees("Server Migration")
        night.accept()
        await console.looks().sees("Server Migration")


async def test_what_jobs_hold(night):
    async with opened(night, size=(120, 30), config=RATE) as console:
        await console.press("dollar_sign").sees("Intermediate resources", "web01-1", "3.00 GiB")
        await console.sees("12.0 GiB held: about EUR 0.60 in 30 days")
        await console.press("j", "enter").sees("Server Migration")
        assert console.table.cursor in {job.id for job in night.writer.jobs()[:4]}


async def test_pages_are_not_piled_up(night):
    async with opened(night) as console:
        await console.press("H", "dollar_sign", "H", "dollar_sign", "dollar_sign")
        await console.sees("Intermediate resources")
        await console.press("escape").sees("Server Migration")


@pytest.mark.parametrize("size", [(39, 24), (80, 9), (12, 3), (1, 1)])
async def test_too_small_asks_for_room_and_goes_by_itself(night, size):
    async with opened(night) as console:
        await console.sees("Server Migration").resizes(*size)
        if size[0] >= 11:
            await console.sees("needs 40x10", f"has {size[0]}x{size[1]}")
        night.change(night.writer.job("web01-1"), progress=77.0)
        await console.looks().resizes(100, 30).sees("Server Migration", "77%")
        await console.press("j").stands_on("j-00000002")


async def test_the_least_room_is_enough(night):
    async with opened(night, size=(40, 10)) as console:
        await console.sees("Server", "web01-1").sees_not("needs 40x10")
