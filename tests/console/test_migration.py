"""The Server Migration page by its keys."""

from __future__ import annotations

import pytest

from smc_tui.console.dialogs.question import hanging
from smc_tui.model.errors import SmcError
from tests.console.driver import Driver, opened
from tests.console.fleet import IN_ERROR, SYNCING

WEB, DB, MAIL, ERP, BUILD = (f"j-{number:08x}" for number in range(1, 6))


def jobs(console: Driver) -> list[str]:
    """The names in the first column."""
    return [row.cells[0].text for row in console.table._rows]


# What is shown


async def test_jobs_in_their_order_then_idle_sources(night):
    async with opened(night) as console:
        await console.sees("Server Migration", "engine up", "2 running")
        assert jobs(console)[:2] == ["web01-1", "db-primary-1"]
        assert jobs(console)[-2:] == ["no job", "no job"]
        assert "Transferring" in console.line("web01-1 ")
        assert "182 MiB/s" in console.line("web01-1 ")
        assert "Comparing" in console.line("db-primary-1")
        assert "InError" in console.line("build-04-1")
        assert "Offline" in console.line("ldap-2")
        await console.sees("2/3", "yes", "11 of 11")


async def test_the_story_follows_the_cursor(night):
    async with opened(night) as console:
        await console.sees("root@web01", "held by the link")
        await console.press("j", "j", "j", "j").stands_on(BUILD)
        await console.sees("the connection ended after 8.4 GiB", "check the network")
        await console.press("G").sees("N makes a migration job of it")


async def test_nothing_yet(fleet):
    async with opened(fleet) as console:
        await console.sees("Nothing here", "I imports a source")
        await console.press("a", "m", "X", "enter", "space", "S", "w", "j", "G")
        await console.sees("Nothing here")


async def test_a_filter_that_nothing_passes_says_so(night):
    async with opened(night) as console:
        await console.press("slash").types("nobody").press("enter")
        await console.sees("Nothing matches; esc clears the filter").sees_not("Nothing here")


async def test_no_colour_is_no_black_on_black(night, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(night) as console:
        await console.sees("web01-1")
        styles = {segment.style for strip in console.strips for segment in strip if segment.style}
        assert {str(style.color) for style in styles} <= {
            "None",
            "Color('default', ColorType.DEFAULT)",
        }


async def test_what_the_engine_writes_appears(night):
    async with opened(night) as console:
        await console.sees("63%")
        job = night.writer.job("web01-1")
        night.change(job, progress=71.0)
        await console.looks().sees("71%").sees_not("63%")
        night.add("new-one", SYNCING)
        await console.looks().sees("new-one-1", "12 of 12")
        night.engine_ends()
        await console.looks().sees("engine down since")


async def test_the_log_says_who_did_what(night):
    async with opened(night) as console:
        night.change(night.writer.job("mail-gw-1"), told=True)
        await console.looks().sees("mail-gw-1 job.modify: done  console (ops)")


# Filters, order, columns


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("1", ["web01-1", "db-primary-1"]),
        ("2", ["mail-gw-1", "erp-app-1"]),
        ("3", ["proxy-b-1"]),
        ("4", ["build-04-1"]),
        ("exclamation_mark", ["build-04-1"]),
        ("5", ["files-nas-1"]),
    ],
)
async def test_chips(night, key, shown):
    async with opened(night) as console:
        await console.press(key)
        assert jobs(console) == shown
        await console.sees(f"{len(shown)} of 11")
        await console.press(key)
        assert len(jobs(console)) == 11, "the same again shows all"
        await console.press(key, "0")
        assert len(jobs(console)) == 11
        await console.press(key, "escape")
        assert len(jobs(console)) == 11


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("web", ["web01-1"]),
        ("state:InError", ["build-04-1"]),
        ("state:wait !mail", ["erp-app-1"]),
        ("root@db", ["db-primary-1"]),
        ("nobody", []),
        ("ldap", ["no job", "no job"]),
    ],
)
async def test_filter_by_words(night, words, shown):
    async with opened(night) as console:
        await console.press("slash").types(words).press("enter")
        assert jobs(console) == shown
        await console.sees(f"filter: {words}")
        assert console.app.focused is console.table
        await console.press("escape")
        assert len(jobs(console)) == 11
        await console.sees_not("filter: ")


async def test_letters_in_the_filter_do_nothing_else(night):
    async with opened(night) as console:
        await console.press("slash").types("qXmw")
        await console.sees("0 of 11")
        assert len(console.app.screen_stack) == 2
        assert night.asked() == []


async def test_a_filter_and_the_engine(night):
    async with opened(night) as console:
        await console.press("4")
        job = night.writer.job("web01-1")
        night.change(job, status=IN_ERROR.status, phase=None, live={})
        await console.looks().sees("2 of 11")
        assert jobs(console) == ["web01-1", "build-04-1"]


async def test_order(night):
    async with opened(night) as console:
        made = jobs(console)
        await console.press("greater_than_sign").sees("Job ▲")
        named = jobs(console)
        assert named[:8] == sorted(each for each in made if each != "no job")
        await console.press("S").sees("Job ▼")
        assert jobs(console)[-8:] == sorted(named[:8], reverse=True)
        await console.press("less_than_sign").sees_not("Job ▲", "Job ▼")
        assert jobs(console) == made


async def test_the_cursor_stays_with_its_job_in_another_order(night):
    async with opened(night) as console:
        await console.press("j", "j").stands_on(MAIL)
        await console.press("greater_than_sign", "S").stands_on(MAIL)
        await console.press("2").stands_on(MAIL)
        await console.press("4").stands_on(BUILD)


async def test_wide_and_narrow(night):
    async with opened(night, size=(160, 45)) as console:
        await console.sees_not("Reached")
        await console.press("w").sees("Reached", "Size", "50.0 GiB")
        await console.resizes(100, 30).sees("Job", "Status", "Progress")
        await console.resizes(60, 20).sees("Job", "Status", "Progress").sees_not("Speed")
        assert all(len(line) <= 60 for line in console.text.splitlines())
        await console.press("w").sees("web01-1", "63%")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (160, 45)])
async def test_the_page_fills_its_terminal(night, size):
    async with opened(night, size=size) as console:
        await console.sees("Server Migration", "engine", "web01-1", "11 of 11", "root@web01")
        assert len(console.text.splitlines()) == size[1]
        assert all(len(line) <= size[0] for line in console.text.splitlines())


async def test_frozen_it_does_not_look(night):
    async with opened(night) as console:
        await console.press("F").sees("FROZEN")
        night.change(night.writer.job("web01-1"), progress=99.0)
        await console.looks().looks().sees("63%", "FROZEN")
        await console.press("F").looks().sees("99%").sees_not("FROZEN")


async def test_the_answer_to_what_was_asked_comes_though_frozen(night):
    async with opened(night) as console:
        await console.press("j", "j", "m").sees("Synchronise now").press("right", "enter")
        await console.press("F")
        night.accept()
        await console.looks().sees("accepted")


async def test_marks(night):
    async with opened(night) as console:
        await console.press("space", "space").sees("2 marked · 11 of 11")
        assert console.line("web01-1 ")[0] == "*"
        await console.press("escape").sees_not("marked")


# Actions


async def test_the_menu_tells_every_action_and_why_not(night):
    async with opened(night, size=(100, 45)) as console:
        await console.press("a").sees("Actions: web01-1", "Pause Migration Job")
        assert "only InError" in console.line("Troubleshoot Errors")
        assert "type the name" in console.line("Cancel Migration Job")
        assert "needs a destination" in console.line("Create Instance")
        await console.press("escape").sees_not("Actions: ")
        assert night.asked() == []


async def test_a_letter_in_the_menu_and_one_that_is_not_possible(night):
    async with opened(night, size=(100, 45)) as console:
        await console.press("a").sees("Actions: web01-1")
        await console.press("R").sees("ReplicationJob.InvalidStatus", "Actions: web01-1")
        await console.sees("allowed: InError, Paused")
        await console.press("p").sees("Pause Migration Job: web01-1").sees_not("Actions: ")


async def test_a_key_that_is_not_possible_says_why(night):
    async with opened(night) as console:
        await console.press("m").sees("ReplicationJob.InvalidStatus")
        assert night.asked() == []


async def test_a_synchronisation_is_asked_for_and_answered(night):
    async with opened(night) as console:
        await console.press("j", "j", "m").sees("Synchronise now", "smc-tui job sync mail-gw-1")
        await console.press("right", "enter")
        (request,) = night.asked()
        assert (request.verb, request.target, request.args) == ("job.sync", MAIL, {})
        assert request.actor == "console (ops)"
        night.accept()
        await console.looks().sees("accepted")


async def test_a_refusal_is_shown(night):
    async with opened(night) as console:
        await console.press("j", "j", "m").sees("Synchronise now").press("right", "enter")
        night.refuse(SmcError("ReplicationJob.InvalidStatus", "it is being completed"))
        await console.looks().sees("ReplicationJob.InvalidStatus", "completed")


@pytest.mark.parametrize("keys", [["enter"], ["escape"], ["right", "escape"]])
async def test_a_question_left_asks_for_nothing(night, keys):
    async with opened(night) as console:
        await console.press("j", "j", "m").sees("Synchronise now").press(*keys)
        await console.sees_not("Synchronise now")
        assert night.asked() == []


async def test_cancelling_takes_the_name_and_nothing_else(night):
    async with opened(night) as console:
        await console.press("X").sees("Cancel Migration Job: web01-1", "Type web01-1 to go on")
        await console.sees("Goes:", "Stays:", "Keep the job")
        await console.types("web01").press("enter").sees("Type web01-1")
        assert night.asked() == []
        await console.types("-1").press("enter").sees_not("Type web01-1")
        (request,) = night.asked()
        assert (request.verb, request.target) == ("job.cancel", WEB)


async def test_completing_with_a_last_synchronisation_or_without(night):
    async with opened(night, size=(100, 40)) as console:
        await console.press("j", "j", "j", "C").sees("Perform One Last Synchronization")
        await console.sees("one last synchronisation", "smc-tui job complete erp-app-1")
        await console.press("space").sees("Completing: the job never runs again")
        await console.press("down").types("erp-app-1").press("enter")
        await console.sees_not("Perform One Last")
        (request,) = night.asked()
        assert (request.verb, request.target) == ("job.complete", ERP)
        assert request.args == {"last_sync": False}


async def test_the_interval_is_checked_as_it_is_typed(night):
    async with opened(night, size=(100, 40)) as console:
        await console.press("j", "j", "s").sees("Set Automatic Incremental", "1h to 7d", "6h")
        await console.press("ctrl+u").types("9d").sees("the interval is 9d")
        await console.press("enter").sees("Set Automatic Incremental")
        assert night.asked() == []
        await console.press("ctrl+u").types("12h").sees_not("the interval is")
        await console.press("down", "ctrl+u").types("1").sees("Goes:").press("enter")
        await console.sees_not("Set Automatic Incremental")
        (request,) = night.asked()
        assert (request.verb, request.args) == ("job.interval", {"interval": "12h", "keep": "1"})


async def test_modify_sends_only_what_was_changed(night):
    async with opened(night, size=(100, 40)) as console:
        await console.press("e").sees("Speed limit, Mbit/s", "Description")
        await console.press("enter").sees_not("Speed limit")
        assert night.asked() == []
        await console.press("e").sees("Speed limit").press("down").types("the front door")
        await console.sees("--description 'the front door'").press("enter")
        (request,) = night.asked()
        assert (request.verb, request.args) == ("job.modify", {"description": "the front door"})


@pytest.mark.parametrize(
    ("job", "key", "text", "verb"),
    [
        ("proxy-b", "o", "", "job.start"),
        ("build-04", "R", "", "job.retry"),
        ("web01", "p", "Pausing", "job.pause"),
    ],
)
async def test_other_actions(night, job, key, text, verb):
    async with opened(night) as console:
        console.table.move_to(night.writer.job(f"{job}-1").id)
        await console.press(key)
        if text:
            await console.sees(text).press("right", "enter").sees_not(text)
        await console.holds("a request", lambda: bool(night.asked()))
        assert [request.verb for request in night.asked()] == [verb]


# No engine, no permission, no store


async def test_read_only_says_so_and_asks_nothing(night):
    async with opened(night, read_only=True) as console:
        await console.sees("read only").press("j", "j", "m")
        await console.sees("read-only")
        assert night.asked() == []


async def test_without_an_engine_nothing_is_left_for_another_day(night):
    async with opened(night) as console:
        night.engine_ends()
        await console.looks().sees("engine down since")
        await console.press("j", "j", "m").sees("Synchronise now").press("right", "enter")
        await console.sees("Engine.NotReachable")
        assert night.asked() == []


async def test_an_engine_that_dies_before_it_saw_the_request(night):
    async with opened(night) as console:
        await console.press("j", "j", "m").sees("Synchronise now").press("right", "enter")
        await console.holds("a request", lambda: bool(night.asked()))
        night.engine_ends()
        for _ in range(30):
            await console.looks()
        await console.sees("Engine.NotReachable", "withdrawn")
        assert night.asked() == []


async def test_a_store_that_another_holds(night):
    async with opened(night) as console:
        console.app.store.be_patient(0.01)
        await console.press("j", "j", "m").sees("Synchronise now")
        with night.writer.transaction():
            await console.press("right", "enter").sees("JobStore.Busy")
        assert night.asked() == []


async def test_a_name_with_teeth_moves_no_cursor(fleet):
    fleet.add("web01", SYNCING, description="\x1b[2Jgone", progress=1.0)
    fleet.source("evil\x1b[31m\u202e日本語")
    async with opened(fleet) as console:
        await console.press("G").sees("日本語")
        assert "\x1b" not in console.text
        assert "\u202e" not in console.text


def test_what_belongs_to_a_label_stands_below_its_beginning():
    lines = ["Pausing: it stops.", "  Stays:   one two three four five six", ""]
    assert hanging(lines, 24).splitlines() == [
        "Pausing: it stops.",
        "  Stays:   one two three",
        "           four five six",
    ]
    assert hanging(lines, 1).splitlines()[0] == "Pausing:"
