"""Importing a source and making a job: fields checked, keys accepted, answers as they come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.console import plans
from smc_tui.jobstore.requests import Request
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Phase, State, Status
from smc_tui.model.options import Config
from smc_tui.model.units import HOUR
from tests.console.driver import Driver, opened
from tests.console.fleet import Fleet
from tests.model.samples import JOB, NOW

KEY = "SHA256:YtSigj6N9t3AvRSNqdp1zsbS94iVlmozEyIDIW0Mp1A"


def not_accepted() -> SmcError:
    """Return what an engine says of a host key that nobody has accepted."""
    return SmcError("HostKey.NotAccepted", "of web01", fingerprint=KEY, type="ssh-ed25519")


def the_request(fleet: Fleet) -> Request:
    (request,) = fleet.asked()
    return request


def looks_around(fleet: Fleet) -> None:
    """Accept a request and have the engine at work on it."""
    with fleet.writer.transaction():
        assert fleet.writer.accept(the_request(fleet), NOW, {}, "import")


def ends(fleet: Fleet, **result: str) -> None:
    """End what was accepted."""
    (accepted,) = fleet.writer.accepted_requests()
    with fleet.writer.transaction():
        assert fleet.writer.finish(accepted, NOW, result)


async def filled(console: Driver, *, name: str = "web99", address: str = "root@web99") -> None:
    await console.press("I").sees("Import source").types(name).press("down").types(address)


# Import source


async def test_fields_are_checked_as_they_are_typed_and_nothing_wrong_is_asked(fleet):
    async with opened(fleet) as console:
        await console.press("I").sees("NAME --ssh HOST").press("enter")
        await console.sees("InvalidParameter.Name: the name is empty", "Next: use 2 to 128")
        await console.types("w").sees("'w' has 1 characters").types("eb99")
        await console.sees_not("characters; 2").press("down").types("-oProxy").press("enter")
        await console.sees("Source.BadAddress")
        assert fleet.asked() == []


async def test_a_host_key_is_shown_and_accepted_by_a_key_of_its_own(fleet):
    async with opened(fleet) as console:
        await filled(console)
        await console.press("enter").sees("Looking at web99: asked")
        request = the_request(fleet)
        assert (request.verb, request.target) == ("source.import", "web99")
        ssh = {"target": "root@web99", "port": None, "config": None}
        assert request.args == {"ssh": ssh, "paths": []}
        looks_around(fleet)
        await console.looks().sees("Looking at web99: the engine is at it")
        (accepted,) = fleet.writer.accepted_requests()
        with fleet.writer.transaction():
            fleet.writer.fail(accepted, NOW, not_accepted())
        await console.looks().sees("[3 HOST KEY]", KEY, "ssh_host_ed25519_key.pub")
        await console.press("enter").sees("[3 HOST KEY]")
        assert fleet.asked() == []
        await console.press("A").sees("[2 LOOK]")
        assert the_request(fleet).args["accept_key"] == KEY


async def test_another_user_of_the_same_host_is_not_asked_about_its_key_again(fleet):
    async with opened(fleet) as console:
        await filled(console, address="nobody@web99")
        await console.press("enter")
        fleet.refuse(not_accepted())
        await console.looks().press("A").sees("[2 LOOK]")
        fleet.refuse(SmcError("Source.AuthRefused", "Permission denied (publickey)"))
        await console.looks().sees("[1 SERVER]", "Source.AuthRefused", "Next: ")
        # The cursor stands where it is mended.
        await console.press("ctrl+u").types("root@web99").press("enter").sees("[2 LOOK]")
        assert the_request(fleet).args["accept_key"] == KEY
        fleet.refuse(SmcError("Source.AuthRefused", "Permission denied (publickey)"))
        await console.looks().press("ctrl+u").types("root@web98").press("enter").sees("[2 LOOK]")
        assert "accept_key" not in the_request(fleet).args


async def test_a_key_is_left_alone_by_going_back(fleet):
    async with opened(fleet) as console:
        await filled(console)
        await console.press("enter")
        fleet.refuse(not_accepted())
        await console.looks().press("escape").sees("[1 SERVER]", "root@web99")
        assert fleet.asked() == []


async def test_a_changed_key_is_no_question(fleet):
    async with opened(fleet) as console:
        await filled(console)
        await console.press("enter")
        fleet.refuse(SmcError("HostKey.Changed", f"web99 shows {KEY}", fingerprint=KEY))
        await console.looks().sees("[1 SERVER]", "HostKey.Changed", "Next: ")
        await console.sees_not("accept this key")


async def test_disks_found_are_chosen_and_other_ones_are_imported_anew(fleet):
    async with opened(fleet) as console:
        await filled(console)
        await console.press("enter")
        looks_around(fleet)
        source = fleet.source("web99", host_key={"fingerprint": KEY, "type": "ssh-ed25519"})
        ends(fleet, source=source.id)
        system, data = (disk.path for disk in source.disks)
        await console.looks().sees("[4 DISKS]", system, data, "First migration:", KEY)
        await console.press("space").sees("does not boot", "import these disks anew")
        await console.press("space").sees("No disk is chosen").press("enter").sees("[4 DISKS]")
        assert fleet.asked() == []
        await console.press("k", "space", "enter").holds("a request", fleet.asked)
        request = the_request(fleet)
        assert (request.verb, request.target) == ("source.remove", source.id)
        fleet.accept()
        await console.looks().sees("[2 LOOK]")
        args = the_request(fleet).args
        assert (args["paths"], args["accept_key"]) == ([system], KEY)


async def test_disks_kept_lead_to_the_new_row(night):
    async with opened(night) as console:
        await filled(console)
        await console.press("enter")
        looks_around(night)
        source = night.source("web99")
        with night.writer.transaction():
            night.writer.write_event(NOW, "ops", "source.import", "imported", source_id=source.id)
        ends(night, source=source.id)
        await console.looks().sees("[4 DISKS]").press("enter").stands_on(source.id)
        assert night.asked() == []


async def test_disks_of_this_host(fleet, tmp_path):
    disk = tmp_path / "a disk"
    async with opened(fleet) as console:
        await console.press("I", "up", "right").sees("[this host]").sees_not("SSH address")
        await console.press("down").types("web99").press("down").types(f"'{disk}'")
        await console.sees("--local").press("enter").holds("a request", fleet.asked)
        assert the_request(fleet).args == {"ssh": None, "paths": [str(disk)]}
        fleet.refuse(SmcError("Disk.NotFound", str(disk)))
        await console.looks().sees("Disk.NotFound").press("end").types("x").sees("x'")


async def test_disks_of_a_server_are_named_where_not_all_can_be_read(fleet):
    async with opened(fleet) as console:
        await filled(console)
        await console.press("enter")
        fleet.refuse(SmcError("Disk.ReadFailed", "/dev/vdc: Input/output error"))
        await console.looks().sees("Disk.ReadFailed").types("vda").sees("no absolute path")
        await console.press("ctrl+u").types("/dev/vda /dev/vdb")
        await console.sees("--disk /dev/vda --disk /dev/vdb").press("enter").sees("[2 LOOK]")
        assert the_request(fleet).args["paths"] == ["/dev/vda", "/dev/vdb"]


async def test_a_look_that_nobody_waits_for_is_told(fleet):
    async with opened(fleet) as console:
        await filled(console)
        await console.press("enter").sees("[2 LOOK]").press("escape").sees("Server Migration")
        fleet.refuse(SmcError("Source.UnknownHost", "web99"))
        await console.looks().sees("Source.UnknownHost")


# New job


async def new_job(console: Driver, source: str) -> None:
    await console.holds(f"a row of {source}", lambda: source in console.text)
    console.app.go_to(next(s.id for s in console.app.snapshot.sources.values() if s.name == source))
    await console.press("N").sees("[2 SETTINGS]", f"{source}-1")


async def test_limits_are_told_as_they_are_typed_and_the_estimate_follows(night):
    async with opened(night) as console:
        await new_job(console, "ldap-1")
        await console.sees("First migration:", "job create ldap-1 --name ldap-1-1 --start later")
        await console.press("down", "down", "ctrl+u").types("30m")
        await console.sees("the interval is 30m; 1h to 7d are allowed").press("enter")
        await console.sees("InvalidParameter.Interval")
        assert night.asked() == []
        await console.press("ctrl+u").types("6h").press("enter").holds("a request", night.asked)
        request = the_request(night)
        assert (request.verb, request.args) == (
            "job.create",
            {"name": "ldap-1-1", "interval": "6h", "start": "later"},
        )
        assert request.target == console.app.snapshot.sources[request.target].id
        night.refuse(SmcError("ReplicationJobName.Duplicate", "job j-1 is named ldap-1-1"))
        await console.looks().sees("ReplicationJobName.Duplicate", "[2 SETTINGS]")


async def test_a_slow_link_makes_a_longer_estimate(night):
    async with opened(night) as console:
        await new_job(console, "ldap-1")
        await console.press(*("down",) * 6, "ctrl+u", "8").sees("(the limit)")


async def test_what_a_once_only_job_has_not_is_not_asked(night):
    async with opened(night) as console:
        await new_job(console, "ldap-1")
        await console.sees("Interval").press("down", "right").sees("ends with its first image")
        await console.sees_not("Interval").press("enter").holds("a request", night.asked)
        args = the_request(night).args
        assert args == {"name": "ldap-1-1", "once": True, "start": "later"}


async def test_how_images_come_to_be_of_one_instant_is_chosen(night):
    async with opened(night) as console:
        await new_job(console, "ldap-1")
        await console.sees("[auto] freeze  none", "the best that the source allows")
        await console.press(*("down",) * 8, "right", "right").sees("never freezes: fuzzy")
        await console.sees("--instant none").press("enter").holds("a request", night.asked)
        assert the_request(night).args["instant"] == "none"


async def test_defaults_are_the_configured_ones(night):
    config = Config(interval=6 * HOUR, keep=7, limit_mbit=100, drill="off")
    async with opened(night, config=config) as console:
        await new_job(console, "ldap-1")
        assert "6h" in console.line("Interval")
        assert " 7 " in console.line("Maximum reserved images")
        assert "[off]" in console.line("Migration drill")
        await console.press("enter").holds("a request", night.asked)
        args = the_request(night).args
        assert (args["interval"], args["keep"], args["limit_mbit"]) == ("6h", "7", "100")


async def test_a_source_in_use_or_offline_can_have_no_job(night):
    async with opened(night) as console:
        await console.press("N").sees("[1 SOURCE]", "in use by web01-1", "offline: check it first")
        await console.press("enter").sees("SourceServerState.Invalid", "[1 SOURCE]")
        await console.press("escape").sees("Server Migration")


async def test_a_drill_is_followed_to_its_report(night):
    async with opened(night) as console:
        await new_job(console, "ldap-1")
        await console.press(*("down",) * 5, "right").sees("[now]").press("enter")
        request = the_request(night)
        assert request.args["start"] == "now"
        drilling = State(Status.RUNNING, Phase.DRILLING)
        job = replace(
            JOB, id="j-000000aa", name="ldap-1-1", source_id=request.target, source_name="ldap-1",
            status=drilling.status, phase=drilling.phase, live={"step": "Measuring the link"},
            next_run=None,
        )  # fmt: skip
        with night.writer.transaction():
            night.writer.put_job(job)
            night.writer.accept(request, NOW, {"job": job.id}, "drill")
        await console.looks().sees("[3 JOB]", "Drilling", "Measuring the link")
        report = {
            "result": "Critical",
            "items": [
                {"level": "Passed", "area": "link", "name": "Speed", "finding": "fast"},
                {"level": "Not checked", "area": "source", "name": "fstab", "finding":
                    "not checked: no root"},
                {"level": "Not checked", "area": "source", "name": "Kernel", "finding":
                    "not checked: no root"},
                {"level": "Critical", "area": "destination", "name": "Room", "finding":
                    "too small", "advice": "free 3 GiB"},
            ],
        }  # fmt: skip
        excepted = State(Status.DRILL_EXCEPTION)
        night.change(job, status=excepted.status, phase=None, live={}, drill_report=report)
        await console.looks().sees("Drill: Critical  1 critical, 2 not checked, 1 passed")
        await console.sees("destination Room: too small", "do: free 3 GiB")
        await console.sees("source fstab, Kernel: no root").sees_not("link Speed")
        await console.press("enter").stands_on(job.id)


async def test_nothing_is_imported_while_there_is_none(fleet):
    async with opened(fleet) as console:
        await console.press("N").sees("There is no source yet", "I imports one")


# What is pure


def test_the_command_of_an_import_says_what_the_request_does():
    answers = {
        "kind": plans.OVER_SSH, "name": "web01", "address": "me@h:22", "config": "",
        "disks": "/dev/sda", "paths": "", "description": "a b", "tags": "x y=z",
    }  # fmt: skip
    assert plans.import_command("smc-tui", answers, accept_key=KEY) == (
        f"smc-tui source import web01 --ssh me@h:22 --disk /dev/sda --accept-key {KEY} "
        "--description 'a b' --tag x --tag y=z"
    )
    args = plans.import_args(answers)
    assert args["ssh"] == {"target": "me@h", "port": 22, "config": None}
    assert (args["paths"], args["tags"]) == (["/dev/sda"], ["x", "y=z"])
    assert plans.import_args(answers, ["/dev/sdb"])["paths"] == ["/dev/sdb"]


@pytest.mark.parametrize(
    ("code", "kind", "field"),
    [
        ("Source.AuthRefused", plans.OVER_SSH, "address"),
        ("SourceServerName.Duplicate", plans.OVER_SSH, "name"),
        ("Disk.ReadFailed", plans.OVER_SSH, "disks"),
        ("Disk.NotFound", plans.LOCAL, "paths"),
    ],
)
def test_the_field_that_a_refusal_is_mended_in(code, kind, field):
    assert plans.at_fault(SmcError(code, "x"), {"kind": kind}) == field
