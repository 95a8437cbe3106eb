"""The ``:`` line, the help and the palette: three more ways to what the keys do."""

from __future__ import annotations

import pytest

from smc_tui.console import command
from smc_tui.console.command import Act, Filter, Known, NewJob, OnSource, Page, Press, Sort, Theme
from smc_tui.model.actions import ActionId
from smc_tui.model.errors import SmcError
from tests.console.driver import opened

KNOWN = Known(
    ["web01-1", "web02-1", "ci-1"], ["web01", "ci"], ["job", "rate"], ["dark", "16-light"]
)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", None),
        ("sync", Act(ActionId.SYNC)),
        ("job sync web01-1 ci-1", Act(ActionId.SYNC, ("web01-1", "ci-1"))),
        ("smc-tui job sync 'web01-1'", Act(ActionId.SYNC, ("web01-1",))),
        ("complete x --last-sync", Act(ActionId.COMPLETE, ("x",), {"last_sync": True})),
        ("interval 6h", Act(ActionId.SET_INTERVAL, (), {"interval": "6h"})),
        ("interval x 6h --keep 5",
         Act(ActionId.SET_INTERVAL, ("x",), {"interval": "6h", "keep": "5"})),
        ("interval", Act(ActionId.SET_INTERVAL)),
        ("modify --keep=2 x", Act(ActionId.MODIFY, ("x",), {"keep": "2"})),
        ("job drill --last x", Act(ActionId.VIEW_DRILL, ("x",))),
        ("errors", Act(ActionId.TROUBLESHOOT)),
        ("source check web01", OnSource(ActionId.SOURCE_CHECK, "web01")),
        ("source import", Press("page.import")),
        ("create web01", NewJob("web01")),
        ("new", NewJob()),
        ("images", Page("images")),
        ("engine", Page("health")),
        ("filter state:InError  !x", Filter("state:InError  !x")),
        ("filter", Filter("")),
        ("sort rate desc", Sort("rate", True)),
        ("sort", Sort(None)),
        ("theme 16-light", Theme("16-light")),
        ("q", Press("app.leave")),
    ],
)  # fmt: skip
def test_what_a_line_wants(line, wanted):
    assert command.parse(line, KNOWN) == wanted


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("frobnicate", "InvalidParameter.Unknown", "no command frobnicate"),
        ("sync 'x", "InvalidParameter.Unknown", "No closing quotation"),
        ("interval 9d", "InvalidParameter.Interval", "1h to 7d"),
        ("interval 6h --keep 11", "InvalidParameter.Keep", "1 to 10"),
        ("interval --keep 3", "InvalidParameter.Missing", "the interval"),
        ("interval 6h --keep", "InvalidParameter.Missing", "--keep needs a value"),
        ("theme pink", "InvalidParameter.Unknown", "dark, 16-light"),
        ("sort height", "InvalidParameter.Unknown", "job, rate"),
        ("wide 3", "InvalidParameter.Unknown", "takes nothing"),
        ("image delete m-1", "Action.Unavailable", "in a shell: smc -x image delete m-1"),
        ("sync a --wait", "Action.Unavailable", "in a shell: smc -x job sync a --wait"),
        ("import web01 --ssh h", "Action.Unavailable", "smc -x source import web01 --ssh h"),
        ("create web01 --once", "Action.Unavailable", "smc -x job create --once"),
    ],
)
def test_what_a_line_cannot_have(line, code, said):
    if line.startswith("create"):
        line = "create --once"
    with pytest.raises(SmcError) as caught:
        command.parse(line, KNOWN, "smc -x")
    assert caught.value.code == code
    assert said in caught.value.detail


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sy", ["sync"]),
        ("job ret", ["retry"]),
        ("sync w", ["web01-1", "web02-1"]),
        ("smc-tui job sync c", ["ci-1"]),
        ("create ", ["web01", "ci"]),
        ("interval web01-1 6h --", ["--keep"]),
        ("sort rate ", ["desc"]),
        ("theme d", ["dark"]),
        ("filter st", ["state:"]),
        ("zzz", []),
    ],
)
def test_what_may_complete_a_line(line, found):
    assert command.completions(line, KNOWN) == found


async def test_a_command_is_typed_completed_and_carried_out(night):
    async with opened(night) as console:
        await console.press(":").sees("tab completes").types("job sy").press("tab")
        await console.sees(": job sync").types("ma").press("tab").sees("job sync mail-gw-1")
        await console.press("enter").sees("Manual Incremental Synchronization: mail-gw-1")
        await console.press("down", "enter").holds("a request", night.asked)
        (request,) = night.asked()
        assert (request.verb, request.target) == ("job.sync", "j-00000003")


async def test_what_was_typed_comes_back(night):
    async with opened(night) as console:
        await console.press(":").types("filter web").press("enter").sees("1 of 11")
        await console.press(":").types("filter").press("enter").sees("11 of 11")
        await console.press(":").types("so").press("up").sees(": filter").press("up")
        await console.sees(": filter web").press("down", "down").sees(": so")
        await console.press("escape").sees_not("tab completes").press("j").stands_on("j-00000002")


async def test_a_mistake_stays_to_be_mended(night):
    async with opened(night) as console:
        await console.press(":").types("interval 9d").press("enter").sees("1h to 7d are allowed")
        await console.press("backspace", "backspace").types("8h").press("enter")
        # Of the job under the cursor, which synchronises now.
        await console.sees("ReplicationJob.InvalidStatus")
        await console.press(":").types("sync nobody").press("enter").sees("there is no job nobody")
        await console.press("ctrl+u").types("store gc").press("enter").sees("in a shell: smc-tui")
        assert night.asked() == []


async def test_a_lower_maximum_asks_first_and_names_the_images(night):
    async with opened(night) as console:
        await console.press(":").types("interval erp-app-1 8h --keep 2").press("enter")
        await console.sees(
            "beyond 2: erp-app-1_1,", "erp-app-1_2", "interval erp-app-1 8h --keep 2"
        )
        assert night.asked() == []
        await console.press("escape").press(":").types("interval erp-app-1 8h").press("enter")
        await console.holds("a request", night.asked)
        assert night.asked()[0].args == {"interval": "8h"}


async def test_modify_names_the_images_that_a_lower_maximum_takes(night):
    async with opened(night) as console:
        await console.press("j", "j", "j", "e").sees("Modify: erp-app-1").sees_not("Goes:")
        await console.press(*("down",) * 5, "backspace").types("1")
        await console.sees("Goes:", "erp-app-1_2, erp-app-1_3", "--keep 1")
        await console.press("enter").holds("a request", night.asked)
        assert (night.asked()[0].verb, night.asked()[0].args) == ("job.modify", {"keep": "1"})


async def test_what_happens_around_the_freeze_is_modified(night):
    async with opened(night) as console:
        await console.press("j", "j", "j", "e").sees("Modify: erp-app-1", "[auto] freeze  none")
        await console.press(*("down",) * 6, "right").sees("by a short freeze", "--instant freeze")
        await console.press("tab", "tab", "enter").holds("a request", night.asked)
        assert night.asked()[0].args == {"instant": "freeze"}


@pytest.mark.parametrize("jobs", ["erp-app-1", "erp-app-1 db-primary-1"])
async def test_commands_around_the_freeze_are_typed(night, jobs):
    async with opened(night) as console:
        line = f"modify {jobs} --before-freeze 'pg start' --instant none"
        await console.press(":").types(line).press("enter")
        if " " in jobs:
            await console.sees("Modify").press("enter")
        await console.holds("the requests", lambda: len(night.asked()) == len(jobs.split()))
        wanted = {"before_freeze": "pg start", "instant": "none"}
        assert [each.args for each in night.asked()] == [wanted] * len(jobs.split())


async def test_modify_offers_what_can_be_changed_now(night):
    async with opened(night) as console:
        await console.press("e").sees("Modify: web01-1", "Speed limit").sees_not("Maximum")
        await console.press("escape", "j", "j", "j", "j", "j", "e").sees("Modify: files-nas-1")
        await console.sees("Description").sees_not("Speed limit", "Valid time")


async def test_sort_theme_pages_and_leaving(night):
    async with opened(night) as console:
        await console.press(":").types("sort job desc").press("enter").stands_on("j-00000001")
        assert console.table.keys[0] != "j-00000001"
        await console.press(":").types("theme contrast").press("enter")
        await console.holds("the theme", lambda: console.app.theme == "smc-contrast")
        await console.press(":").types("resources").press("enter").sees("Intermediate resources")
        await console.press(":").types("new ldap-1").press("enter").sees("New migration job")


async def test_read_only_commands_submit_nothing(night):
    async with opened(night, read_only=True) as console:
        await console.press(":").types("sync mail-gw-1").press("enter").sees("Console.ReadOnly")
        await console.press(":").types("filter mail").press("enter").sees("1 of 11")
        assert night.asked() == []


# Help


async def test_help_lists_filters_says_why_not_and_runs(night):
    async with opened(night) as console:
        await console.press("?").sees("Jobs: the marked ones", "Pause Migration Job", "job.pause")
        assert "only InError" in console.line("Troubleshoot Errors")
        await console.types("cancel mig").sees_not("Pause Migration Job").press("enter")
        await console.sees("Cancel Migration Job: web01-1").press("escape")
        await console.press("?").types("job.sync").sees("only Waiting").press("escape")
        await console.sees_not("job.sync").press("?").types("zzzz").press("enter")
        await console.press("escape").sees_not("zzzz")
        assert night.asked() == []


async def test_help_of_another_page_has_its_keys(night):
    async with opened(night) as console:
        await console.press("H").press("?").sees("start the engine").sees_not("Pause Migration")


# Palette


async def test_the_palette_says_why_not_and_does_it(night):
    async with opened(night) as console:
        await console.press("ctrl+p").types("troubleshoot").sees("not now: only InError")
        await console.press("escape").press("ctrl+p").types("go to proxy").sees("go to proxy-b-1")
        await console.press("down", "enter").stands_on("j-00000007")


async def test_the_palette_is_ascii_where_all_is(night):
    async with opened(night, ascii=True) as console:
        await console.press("ctrl+p").sees("Search for commands")
        assert console.text.isascii(), console.text
