"""The details of a job: what they say, and how one gets about in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.console.render import detail, runpage, runs, timeline
from smc_tui.console.render.cells import Line, Tone, width
from smc_tui.console.render.glyphs import DRAWN, PLAIN
from smc_tui.console.render.jobs import Entry
from smc_tui.console.render.story import story
from smc_tui.model.instants import ChangeDetection, Instant, Method, Reading
from smc_tui.model.lifecycle import Consistency, ImageState, Phase, RunKind, State, Status
from smc_tui.model.stays import Stay
from smc_tui.model.things import Event, Fault
from smc_tui.model.units import GIB, MIB
from tests.console.driver import opened
from tests.console.fleet import COMPARING, IN_ERROR, SYNCING, TRANSFERRING, WAITING, detailed
from tests.model.samples import IMAGE, JOB, NOW, RUN, SOURCE, job_in, once


def text(lines: list[Line]) -> str:
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def tone_of(line: Line, words: str) -> Tone:
    return next(cell.tone for cell in line if words in cell.text)


# Lines


def test_phases_in_their_order_with_their_time():
    job = job_in(SYNCING)
    found = {
        Phase.DRILLING: Stay(Phase.DRILLING, 12.0),
        Phase.PREPARING: Stay(Phase.PREPARING, 4.0),
        Phase.SYNCING: Stay(Phase.SYNCING, 0.0, NOW),
    }
    line = detail.phases(job, RUN, found, DRAWN)
    assert text([line]) == (
        " Drilling 12s › Preparing 4s › [SYNCING since 01-15 08:00] › Processing"
    )
    assert tone_of(line, "SYNCING") is Tone.BUSY
    fast = text([detail.phases(job, RUN, found, PLAIN, lapse=4.0)])
    assert fast.startswith(" Drilling 3s > Preparing 1s")
    last = replace(job, completing=True)
    assert "Cleaning" in text([detail.phases(last, RUN, found, DRAWN)])
    assert "Cleaning" in text([detail.phases(once(job), RUN, {}, DRAWN)])


def test_the_phase_that_failed_is_named():
    found = {Phase.PREPARING: Stay(Phase.PREPARING, 2.0), Phase.SYNCING: Stay(Phase.SYNCING, 61.0)}
    failed = replace(RUN, fault=Fault("Link.Lost", "x", NOW))
    line = detail.phases(job_in(IN_ERROR), failed, found, DRAWN)
    assert "[SYNCING failed after 1m 1s]" in text([line])
    assert tone_of(line, "SYNCING") is Tone.BAD


def test_bars_name_what_holds_them_first():
    by_disk = detail.bars(job_in(SYNCING, live=COMPARING), None, 100, DRAWN, 4)
    assert "1.86 GiB/s, held by the disk, 72.0 GiB of 400 GiB" in text(by_disk[:1])
    assert "held" not in text(by_disk[1:])
    live = {**TRANSFERRING, "wire_bps": 182 * MIB, "sent": GIB // 2}
    by_link = detail.bars(job_in(SYNCING, live=live), None, 100, PLAIN, 4)
    assert " 18% ###" in text(by_link[:1])
    assert "182 MiB/s, held by the link, 512 MiB of 1.00 GiB" in text(by_link[1:])
    assert detail.bars(job_in(SYNCING), None, 100, DRAWN, 4) == []
    nothing = detail.bars(
        job_in(SYNCING, live={**live, "changed": 0, "needed": 0}), None, 100, DRAWN, 4
    )
    assert "nothing found changed so far" in text(nothing)
    twin = detail.bars(job_in(SYNCING, live={**live, "needed": 0}), None, 100, DRAWN, 4)
    assert "all of 1.00 GiB stored already" in text(twin)


def disk(index: int) -> dict[str, int]:
    return {"index": index, "total": GIB, "compared": GIB // 2, "needed": GIB, "sent": 0}


def test_disks_have_their_names_and_are_not_endless():
    live = {**COMPARING, "disks": [disk(index) for index in range(6)]}
    lines = detail.bars(job_in(SYNCING, live=live), SOURCE, 100, DRAWN, 3)[2:]
    assert ["vda" in text(lines), "vdb" in text(lines), "disk 2" in text(lines)] == [True] * 3
    assert "and 3 more disks" in text(lines)
    one = {**COMPARING, "disks": [disk(0)]}
    assert len(detail.bars(job_in(SYNCING, live=one), SOURCE, 100, DRAWN, 3)) == 2
    for strange in (None, "x", [1, "y"], [{}, {"index": "z", "total": None}]):
        told = {**COMPARING, "disks": strange}
        assert detail.bars(job_in(SYNCING, live=told), SOURCE, 100, DRAWN, 3)


def test_the_pace_is_explained():
    run = replace(RUN, seconds=10.0, counters=replace(RUN.counters, wire=20 * MIB))
    settings = replace(job_in(SYNCING).settings, limit_mbit=50)
    live = {**COMPARING, "wire": GIB // 4}
    said = text([detail.pace(job_in(SYNCING, live=live, settings=settings), run, 120, DRAWN, NOW)])
    for part in (
        "limit 50 Mbit/s",
        "on average 2.00 MiB/s",
        "not sent again 98 %",
        "compressed 4.0x",
    ):
        assert part in said
    assert "2m 40s left → " in said
    lapsed = text([detail.pace(job_in(SYNCING, live=live), run, 120, DRAWN, None)])
    assert lapsed.endswith("2m 40s left ")
    assert "left" not in text([detail.pace(job_in(SYNCING), None, 80, DRAWN, NOW)])


@pytest.mark.parametrize(
    ("live", "said"),
    [
        ({"waiting_for": "another run's end"}, "Queued: waits for another run's end"),
        (
            {"retry": {"attempt": 2, "of": 8, "at": "2027-01-15T08:00:05Z", "code": "Link.Lost"}},
            "Reconnecting: attempt 2 of 8 at 08:00:05, after Link.Lost",
        ),
        ({"retry": {"attempt": 1, "at": "when\x1b[2J"}}, "Reconnecting: attempt 1"),
        ({"waiting_for": "\x1b[2J"}, "waits for \N{REPLACEMENT CHARACTER}[2J"),
        ({}, ""),
    ],
)
def test_what_holds_a_run_up(live, said):
    assert said in text(detail.held_up(job_in(SYNCING, live=live)))


def test_the_graph_is_of_what_holds_the_run():
    samples = [detail.Sample(100.0 * MIB * step, MIB * step) for step in (1, 2, 4)]
    read = detail.pace_graph(samples, job_in(SYNCING, live=COMPARING), 60, DRAWN)
    assert "400 MiB/s" in text(read)
    wire = detail.pace_graph(samples, job_in(SYNCING, live=TRANSFERRING), 60, PLAIN)
    assert "4.00 MiB/s" in text(wire)
    assert "on the link" in text(wire)
    assert all(width(line) <= 60 for line in [*read, *wire])
    assert detail.pace_graph([], job_in(SYNCING), 60, DRAWN) == []
    assert detail.pace_graph(samples, job_in(SYNCING), 5, DRAWN) == []


# The timeline


def ended(number: int, **changes):
    identity = {"id": f"r-{number:08x}", "image_id": f"m-{number:08x}"}
    return replace(RUN, **{"ended": NOW, "published": True, **identity, **changes})


def test_what_became_of_each_image():
    kinds = [
        ({"consistency": Consistency.FROZEN}, {"kind": RunKind.FULL}),
        ({"holds": ("pin",)}, {}),
        ({"holds": ("export:x",)}, {}),
        ({"consistency": Consistency.FUZZY}, {}),
        ({"state": ImageState.DAMAGED}, {}),
        ({"state": ImageState.DELETING}, {}),
        (None, {}),
        (None, {}),
        (None, {"fault": Fault("Link.Lost", "x", NOW), "published": False}),
        (None, {"ended": None, "published": False}),
    ]
    made = [ended(at, **{"kind": RunKind.SCHEDULE, **run}) for at, (_, run) in enumerate(kinds)]
    images = {
        run.image_id: replace(IMAGE, id=run.image_id, **changes)
        for run, (changes, _) in zip(made, kinds, strict=True)
        if changes is not None
    }
    events = [
        Event(1, NOW, "engine", "image deleting", "retention: 3 are kept", image_id="m-00000006"),
        Event(2, NOW, "ops", "image deleting", "image.delete", image_id="m-00000007"),
    ]
    job = job_in(SYNCING, progress=63.9)
    marks = timeline.marks(job, made, images, events)
    assert [mark.word for mark in marks] == [
        "full", "pinned", "in use", "fuzzy", "damaged", "going", "pruned", "deleted", "failed",
        "63 %",
    ]  # fmt: skip
    lines = timeline.lines(marks, job, 100, PLAIN)
    assert text(lines).splitlines()[2].replace("-", "").strip() == "oPUox..." + "x?"
    narrow = timeline.lines(marks, job, 40, DRAWN)
    assert "#7 " in text(narrow)
    assert "#6 " not in text(narrow)
    assert all(width(line) <= 40 for line in narrow)
    paused = job_in(State(Status.STOPPED))
    assert timeline.marks(paused, made[-1:], {}, ())[0].word == "paused"
    assert len(timeline.lines([], job, 80, DRAWN)) == len(lines)


def test_rows_of_runs():
    failed = ended(2, published=False, fault=Fault("Link.Lost", "x", NOW))
    under_way = ended(3, published=False, ended=None)
    gone = ended(1)
    rows = runs.run_rows([gone, failed, under_way], {}, 2)
    assert [row.cells[0].text for row in rows] == ["#3", "#2"]
    assert [runs.result(each).text for each in (gone, failed, under_way)] == [
        "ok", "Link.Lost", "under way",
    ]  # fmt: skip
    assert runs.run_row(1, gone, None).cells[-2].text == "gone"
    broken = replace(IMAGE, fault=Fault("Image.BlockDamaged", "x", NOW))
    assert runs.run_row(1, gone, broken).cells[-1].text == "NO"


READ = Reading(
    ChangeDetection.FULL, "the source was restarted", Instant(Method.FREEZE, "", 0.0891, 3, 9, 40)
)


def test_a_run_says_how_it_read_its_disks():
    row = runs.run_row(1, ended(1, reading=READ), IMAGE)
    keys = [column.key for column in runs.RUNS]
    cells = dict(zip(keys, row.cells, strict=True))
    assert (cells["found"].text, cells["frozen"].text) == ("full comparison", "0.09 s")
    told = text(runpage.run_lines(ended(1, reading=READ), IMAGE, [], [], 100))
    assert "found by full comparison: the source was restarted" in told
    assert "frozen 0.09 s; 9 written pages in 3 rounds, 40 events recorded" in told
    entry = Entry(JOB.id, SOURCE, JOB)
    said = text(story(entry, ended(1, reading=READ), 160, PLAIN))
    assert "full comparison, frozen 0.09 s" in said
    unread = runs.run_row(1, ended(1), IMAGE)
    assert {unread.cells[keys.index(key)].text for key in ("found", "frozen")} == {"-"}
    assert "Instant" not in text(runpage.run_lines(ended(1), IMAGE, [], [], 100))


def test_the_report_of_a_run_that_failed_says_what_to_do():
    failed = ended(2, published=False, attempts=2, fault=Fault("Link.Lost", "it ended", NOW))
    lines = runpage.run_lines(failed, None, [], ["\x1b[2J" * 3], 60)
    said = text(lines)
    for part in ("Link.Lost", "it ended", "Safe", "the source, then", "2 workers", "Compared"):
        assert part in said
    assert all(width(line) <= 60 for line in lines)


# The page


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (160, 45)])
async def test_enter_opens_the_details(night, size):
    detailed(night, night.writer.job("web01-1"))
    async with opened(night, size=size) as console:
        await console.press("enter").sees("SYNCING since", "Comparing", "Transferring", "Runs 4")
        await console.sees("Manual" if size[0] > 60 else "#4", "Link.Lost")
        assert ("vdb" in console.text) is (size[1] >= 24)
        assert ("building" in console.text) is (size[0] >= 100)
        assert all(len(line) <= size[0] for line in console.text.splitlines())
        await console.press("escape").sees("engine up").stands_on("j-00000001")


async def test_tab_goes_through_the_panes_and_enter_opens_what_is_there(night):
    detailed(night, night.writer.job("web01-1"))
    async with opened(night, size=(80, 24)) as console:
        await console.press("enter").sees("›Runs 4").press("j", "enter")
        await console.sees("run #3", "Link.Lost", "Resumes")
        await console.press("escape", "tab").sees("›Events").press("enter")
        await console.sees("an event", "Modify").press("escape", "tab")
        await console.sees("›Log of run #4", "block 39 compared").press("enter")
        await console.sees("block 39", "block 20").press("escape", "tab").sees("›Runs 4")
        await console.press("shift+tab").sees("›Log").press("tab", "L").sees("›Log")


async def test_neighbours_and_the_way_back(night):
    async with opened(night) as console:
        await console.press("enter").sees("web01-1 (j-00000001)")
        await console.press("right_square_bracket").sees("db-primary-1 (j-00000002)")
        await console.press("left_square_bracket", "left_square_bracket").sees("ci-1-1")
        await console.press("escape").sees("0 All").stands_on("j-00000008")
        await console.press("g", "4", "enter").sees("build-04-1", "Link.Lost")
        await console.press("right_square_bracket").sees("build-04-1 (")


async def test_actions_work_on_the_job_on_show(night):
    async with opened(night) as console:
        await console.press("j", "j", "enter").sees("mail-gw-1").press("m")
        await console.sees("Synchronising now").press("tab", "enter")
        await console.holds("a request", lambda: bool(night.asked()))
        (request,) = night.asked()
        assert (request.verb, request.target) == ("job.sync", "j-00000003")
        await console.press("a").sees("Actions: mail-gw-1").press("escape").sees("Runs 1")
        await console.press("F").sees("FROZEN").press("F").sees_not("FROZEN")


async def test_what_comes_is_shown_and_a_job_that_goes_is_said_to_be_gone(night):
    job = night.writer.job("mail-gw-1")
    async with opened(night) as console:
        await console.press("j", "j", "enter").sees("Runs 1", "Waiting")
        night.ran(job, 2)
        await console.looks().sees("Runs 2", "#2")
        night.change(job, told=True, status=Status.RUNNING, phase=Phase.SYNCING, live=COMPARING)
        await console.looks().sees("held by the disk", "1.86 GiB/s")
        with night.writer.transaction():
            night.writer.delete_job(job.id)
            night.event(job, "deleted", job.name)
        await console.looks().sees("mail-gw-1", "deleted", "Runs 2").press("p")
        await console.press("escape").sees("0 All")
        assert night.asked() == []


async def test_enter_on_a_source_without_a_job_makes_one(night):
    async with opened(night) as console:
        await console.press("G", "enter").sees("New migration job")


async def test_a_waiting_job_says_what_was_last_and_comes_next(night):
    assert night.writer.job("mail-gw-1").state == WAITING
    async with opened(night) as console:
        await console.press("j", "j", "enter").sees("last run", "next synchronisation at")
        await console.press("Y").sees("as JSON").press("y").sees("the id of mail-gw-1")
