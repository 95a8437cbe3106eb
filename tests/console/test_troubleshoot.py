"""Troubleshoot Errors: what is told of an error, and that what helps is really done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.console.keymap import Keymap
from smc_tui.console.render import troubles as lines
from smc_tui.console.render.cells import width
from smc_tui.console.screens.troubleshoot import key_question
from smc_tui.model import troubles
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.consequences import Facts
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Phase, Status
from smc_tui.model.things import Fault
from smc_tui.model.troubles import Remedy
from tests.console.driver import opened
from tests.console.fleet import DRILL, IN_ERROR
from tests.console.test_detail import text
from tests.model.samples import NOW, RUN, SOURCE, job_in

KEYMAP = Keymap({})


def failed(code: str = "Link.Lost", **facts):
    return job_in(IN_ERROR, fault=Fault(code, "the detail", NOW, facts))


def test_every_remedy_has_a_key_and_every_code_a_remedy():
    assert {lines.key_of(remedy).id for remedy in Remedy} == set(lines.KEYS.values())
    assert troubles._BY_CODE.keys() <= CATALOGUE.keys()
    for code in CATALOGUE:
        assert Remedy.RETRY in troubles.remedies(code) or Remedy.DRILL in troubles.remedies(code)


def test_what_is_told_of_an_error():
    job = replace(failed("HostKey.Changed", fingerprint="SHA256:new"), drill_report=DRILL)
    now = replace(RUN, ended=NOW, fault=job.fault)
    before = replace(RUN, id="r-1", ended=NOW, fault=Fault("Sync.Died", "before", NOW - 9))
    source = replace(SOURCE, fault=Fault("SourceServer.Offline", "no answer", NOW))
    log = ["\x1b[2Jevil", "x" * 300]
    told = lines.lines(Facts(job, (), (before, now), None, NOW), source, "/h/log", log, 60)
    said = text(told)
    for part in ("HostKey.Changed", "the detail", "Safe", "find out why", "Resumes",
                 "Room: 120 GiB are free", "SourceServer.Offline", "Earlier errors", "Sync.Died",
                 "evil", "/h/log"):  # fmt: skip
        assert part in said, part
    assert "--accept-key" in said
    assert "SHA256:new" in said
    assert all(width(line) <= 60 for line in told[:8])
    well = Facts(job_in(IN_ERROR), (), (), None, NOW)
    assert "nothing stands in the way" in text(lines.lines(well, None, "", [], 60))


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("Link.Lost", "R"),
        ("Source.AuthRefused", "c"),
        ("HostKey.Changed", "K"),
        ("Destination.Full", "M"),
        ("ReplicationJob.DrillException", "d"),
        ("Store.Damaged", "H"),
        ("Engine.Internal", "R"),
    ],
)
def test_the_likeliest_fix_comes_first(code, first):
    job = replace(failed(code), drill_report=DRILL)
    assert lines.fixes(job, SOURCE, KEYMAP)[0].cells[1].text == first


def test_what_is_not_possible_says_why():
    def why(rows):
        return {row.key: row.cells[3].text for row in rows}

    job = failed("HostKey.Changed")
    assert set(why(lines.fixes(job, SOURCE, KEYMAP)).values()) == {""}
    assert why(lines.fixes(job, None, KEYMAP))[Remedy.ACCEPT_KEY] == "the source was removed"
    local = replace(SOURCE, ssh=None)
    assert "SSH" in why(lines.fixes(job, local, KEYMAP))[Remedy.ACCEPT_KEY]
    running = replace(job, status=Status.RUNNING, phase=Phase.SYNCING)
    assert why(lines.fixes(running, SOURCE, KEYMAP))[Remedy.RETRY] == "not while Running"
    assert "read only" in why(lines.fixes(job, SOURCE, KEYMAP, read_only=True))[Remedy.RETRY]
    assert lines.fixes(replace(job, fault=None), SOURCE, KEYMAP) == []


def test_a_host_key_is_compared_before_it_is_accepted():
    asked = key_question(failed("HostKey.Changed", fingerprint="SHA256:new"), SOURCE)
    assert (asked.name, asked.fields[0].value) == (SOURCE.name, "SHA256:new")
    assert any("SHA256:abc" in line for line in asked.lines)
    known = replace(SOURCE, fault=Fault("HostKey.Changed", "", NOW, {"fingerprint": "SHA256:x"}))
    assert key_question(failed(), known).fields[0].value == "SHA256:x"
    (field,) = key_question(failed(), SOURCE).fields
    assert field.value == ""
    problem = field.problem("abc")
    assert problem is not None
    assert problem.code == "InvalidParameter.Missing"


# The page


def broken(night, code: str = "Link.Lost", **facts):
    job = night.writer.job("build-04-1")
    return night.change(job, told=True, fault=Fault(code, "the detail", NOW, facts))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (160, 45)])
async def test_the_page_and_a_retry_from_it(night, size):
    job = broken(night)
    run, _ = night.ran(job)
    with night.writer.transaction():
        night.writer.put_run(replace(run, published=False, fault=job.fault))
    log = night.home.run_log(job.id, run.id)
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(50)))
    async with opened(night, size=size) as console:
        await console.press("4", "t").sees("Troubleshoot Errors", "Link.Lost", "Safe", "Retry")
        if size[1] > 40:
            await console.sees("line 49", "line 30").sees_not("line 29")
        await console.press("enter").looks()
        (request,) = night.asked()
        assert (request.verb, request.target) == ("job.retry", job.id)
        night.change(job, told=True, status=Status.RUNNING, phase=Phase.PREPARING, fault=None)
        await console.looks().sees("No error: nothing stands in the way")
        await console.press("escape").sees("engine up")


async def test_the_source_is_checked_and_its_key_accepted(night):
    broken(night, "HostKey.Changed", fingerprint="SHA256:new")
    async with opened(night) as console:
        await console.press("4", "t").sees("Accept the host key").press("c").looks()
        assert [each.verb for each in night.asked()] == ["source.check"]
        await console.press("K").sees("Accepted: SHA256:abc", "Shown: SHA256:new")
        await console.press("tab").types("build-04").press("enter")
        await console.sees_not("Accepted: SHA256:abc")
        asked = night.asked()[-1]
        assert (asked.verb, asked.target) == ("source.check", "s-00000005")
        assert asked.args == {"accept_key": "SHA256:new"}
        night.refuse(SmcError("HostKey.Changed", "it shows another one"))
        await console.looks().sees("it shows another one")


async def test_room_is_freed(night):
    broken(night, "Destination.Full")
    async with opened(night) as console:
        await console.press("4", "t").sees("Delete images", "Free what nothing needs").press("f")
        assert [each.verb for each in night.asked()] == ["store.collect"]
        night.accept()
        await console.looks().sees("what nothing needs is freed")
        await console.press("j", "j", "enter").sees("Engine and store")


async def test_a_lost_disk_is_imported_anew(night):
    broken(night, "Disk.Replaced")
    async with opened(night) as console:
        await console.press("4", "t").sees("Import it anew, with the disk it has now").press("I")
        await console.sees("Import source")


async def test_read_only_tells_and_asks_nothing(night):
    broken(night, "HostKey.Changed")
    async with opened(night, read_only=True) as console:
        await console.press("4", "t").sees("read only").press("K", "c", "f", "R", "enter")
        await console.sees("Console.ReadOnly")
        assert night.asked() == []


async def test_an_action_from_the_menu_opens_it_from_the_details_too(night):
    async with opened(night) as console:
        await console.press("4", "enter").sees("build-04-1", "Runs 0").press("t")
        await console.sees("Troubleshoot Errors").press("t", "escape").sees("Runs 0")
