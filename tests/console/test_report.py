"""View Report and View Drill Report: nothing is cut, and what is written can be found."""

from __future__ import annotations

import stat

import pytest

from smc_tui.console.render import drill, report
from smc_tui.console.render.cells import Tone, width
from smc_tui.model.drill import Level, Report
from smc_tui.model.reportpage import Section
from tests.console.driver import opened
from tests.console.fleet import DRILL, detailed
from tests.console.test_detail import text

WIDE = Section(
    ("Run", "Kind", "Result"),
    [("r-1", "Full", "ok"), ("r-2", "Schedule", "Link.Lost: " + "x" * 40), ("r-3", "", "-")],
    title="Runs",
)


def test_a_table_that_fits_is_one_and_one_that_does_not_is_told_row_by_row():
    fits = text(report.lines([WIDE], 120))
    assert "   Run  Kind      Result" in fits
    narrow = report.lines([WIDE], 50)
    said = text(narrow)
    assert "   r-2" in said
    assert "Kind         Schedule" in said
    assert said.replace(" ", "").replace("\n", "").count("x" * 40) == 1
    assert all(width(line) <= 50 for line in narrow)


def test_notes_and_what_is_not_there():
    pairs = Section(("Job", "Value"), [("Id", "j-1"), ("Description", "a " * 60)])
    sections = [pairs, Section(note="None was kept.", title="Drill"), Section(("A", "B", "C"))]
    made = report.lines(sections, 40)
    said = text(made)
    assert "None was kept." in said
    assert "   none" in said
    assert said.count("a a a") >= 2
    assert all(width(line) <= 40 for line in made)


def test_a_hostile_name_moves_no_cursor():
    evil = Section(("Source", "Value"), [("Host", "\x1b[2J\u202eevil")])
    assert "\x1b" not in text(report.lines([evil], 80))


def test_what_is_bad_comes_first():
    items = drill.ordered(Report.of(DRILL))
    assert [item.level for item in items] == [
        Level.CRITICAL, Level.WARNING, Level.NOT_CHECKED, Level.PASSED,
    ]  # fmt: skip
    assert drill.row(0, items[0]).cells[0].tone is Tone.BAD
    assert "What to do" in text(drill.item_lines(items[0], 60))
    assert "What to do" not in text(drill.item_lines(items[2], 60))
    assert drill.item_lines(None, 60) == []


def test_when_a_drill_was_made_that_says_no_instant():
    made = Report.of({**DRILL, "at": "yesterday"})
    assert drill.made_at(made, str) == "yesterday"
    assert drill.made_at(Report.of(DRILL), lambda at: f"{at:.0f}") == "1799996400"


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 45)])
async def test_the_report_is_read_and_written(night, size):
    async with opened(night, size=size) as console:
        await console.press("r").sees("Report: web01-1", "j-00000001").press("G")
        await console.sees("Events", "Create Migration Job")
        await console.press("g").sees("j-00000001").press("j", "k", "pagedown", "pageup")
        await console.sees("j-00000001").press("o").sees("written to")
        (path,) = (night.home.path / "reports").iterdir()
        assert path.name.startswith("report_web01-1_")
        assert path.read_text().startswith("# Migration report: web01-1\n")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await console.press("escape").sees("engine up").sees_not("Report:")


async def test_a_report_that_cannot_be_written_says_why(night):
    (night.home.path / "reports").write_text("in the way")
    async with opened(night) as console:
        await console.press("r").sees("Report: web01-1").press("o").sees("Home.Unusable")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 45)])
async def test_the_drill_is_read_and_written(night, size):
    detailed(night, night.writer.job("web01-1"))
    async with opened(night, size=size) as console:
        await console.press("d").sees("Migration drill: web01-1", "1 critical", "free room where")
        assert ("Reading and hashing" in console.text) is (size[1] >= 36)
        await console.press("j").sees("more than 100 ms").press("enter")
        await console.sees("Round trip", "expect the first run").press("escape", "o")
        await console.sees("written to")
        (path,) = (night.home.path / "reports").iterdir()
        assert "Critical" in path.read_text()
        await console.press("escape").sees_not("Migration drill:")


async def test_a_drill_that_was_not_made_says_so(night):
    async with opened(night) as console:
        night.change(night.writer.job("web01-1"), told=True, drill_report={})
        await console.looks().press("d").sees("ReplicationJob.NotDrilled")
        night.change(night.writer.job("web01-1"), told=True, drill_report={"items": "strange"})
        await console.looks().press("d").sees("no report of a drill").press("o", "escape")
        assert not (night.home.path / "reports").exists()


async def test_a_new_drill_takes_the_place_of_the_one_on_show(night):
    job = detailed(night, night.writer.job("web01-1"))
    async with opened(night) as console:
        await console.press("d").sees("1 critical")
        better = {**DRILL, "result": "Warning", "items": DRILL["items"][2:]}
        night.change(job, told=True, drill_report=better)
        await console.looks().sees("Warning: 1 warning").sees_not("critical")
