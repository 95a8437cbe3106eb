"""An action on the marked jobs: who it is for, what is asked, an answer each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.console import several
from smc_tui.console.dialogs.menu import reason, withheld
from smc_tui.console.leave import Leave
from smc_tui.console.widgets.choice import Choice
from smc_tui.model.actions import ACTIONS, Ability, ActionId
from smc_tui.model.consequences import Facts
from smc_tui.model.errors import SmcError
from smc_tui.model.instants import Wanted
from smc_tui.model.lifecycle import State, Status
from smc_tui.model.units import HOUR
from tests.console.driver import opened
from tests.model.samples import JOB, NOW, job_in

WAITING = State(Status.WAITING)


def waiting(number: int, **changes):
    return job_in(WAITING, id=f"j-{number:08x}", **{"name": f"job-{number}", **changes})


def asked(action: ActionId, jobs):
    chosen = several.group(action, jobs)
    return chosen, several.question(chosen, [Facts(job, now=NOW) for job in chosen.jobs])


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        (ActionId.PAUSE, "2"),  # one job: confirm
        (ActionId.CANCEL, "2"),  # one job: type the name
        (ActionId.SET_INTERVAL, ""),  # one job: nothing
    ],
)
def test_the_question_is_one_level_harder(action, typed):
    _, question = asked(action, [waiting(1), waiting(2)])
    assert question.name == typed
    assert question.title.endswith("2 jobs")
    assert "job-1, job-2" in question.lines[0]


def test_those_it_is_not_for_are_left_out_and_named_with_the_reason():
    ready = replace(JOB, name="fresh")
    chosen, question = asked(ActionId.PAUSE, [waiting(1), ready, waiting(2)])
    assert [job.name for job in chosen.jobs] == ["job-1", "job-2"]
    (left_out,) = [line for line in question.lines if line.startswith("Left out")]
    assert "fresh" in left_out
    assert "Not Started" in left_out


def test_consequences_alike_are_said_once():
    _, question = asked(ActionId.PAUSE, [waiting(number) for number in range(1, 10)])
    assert sum("Pausing" in line for line in question.lines) == 1
    assert "and 3 more" in question.lines[0]
    slow = waiting(2, settings=replace(JOB.settings, interval=12 * HOUR))
    _, question = asked(ActionId.SYNC, [waiting(1), slow])
    assert any("job-2: " in line and "12h" in line for line in question.lines)


def test_what_they_have_in_common_stands_in_the_fields():
    slow = waiting(2, settings=replace(JOB.settings, interval=12 * HOUR))
    chosen = several.group(ActionId.SET_INTERVAL, [waiting(1), slow])
    values = {field.key: (field.value, field.optional) for field in several.fields(chosen)}
    assert values == {"interval": ("", True), "keep": ("3", False)}
    steps = several.steps(chosen, {"interval": "", "keep": "5"})
    assert [(step.target, step.args) for step in steps] == [
        ("j-00000001", {"keep": "5"}),
        ("j-00000002", {"keep": "5"}),
    ]


def test_a_name_is_no_matter_of_several():
    chosen = several.group(ActionId.MODIFY, [waiting(1), waiting(2)])
    assert "name" not in [field.key for field in several.fields(chosen)]
    steps = several.steps(chosen, {"description": "", "limit_mbit": "100", "valid": ""})
    assert [step.args for step in steps] == [{"limit_mbit": "100"}] * 2


def test_a_choice_that_they_differ_in_leaves_each_as_it_is():
    other = waiting(2)
    other = replace(other, settings=replace(other.settings, instant=Wanted.NONE))
    chosen = several.group(ActionId.MODIFY, [waiting(1), other])
    (field,) = (each for each in several.fields(chosen) if each.key == "instant")
    assert (field.value, list(field.choices)) == ("", ["", "auto", "freeze", "none"])
    assert Choice(list(field.choices), "").render().plain == "[-] auto  freeze  none "


def test_a_batch_tells_when_all_have_answered_what_went_wrong_first():
    batch = several.Batch("Pause", ["a", "b", "c"])
    assert not batch.take("a", None)
    assert not batch.take("b", SmcError("ReplicationJob.NotFound", "gone"))
    assert batch.take("c", None)
    assert batch.summary() == ("b: ReplicationJob.NotFound: gone\na, c: accepted", False)
    # The end of what was accepted is no news; its failure is.
    assert not batch.take("a", None)
    assert batch.take("a", SmcError("Engine.Internal", "later"))
    assert batch.summary() == ("a: Engine.Internal: later", False)


def test_the_menu_tells_for_how_many():
    jobs = [waiting(1), replace(JOB, name="fresh"), waiting(2)]
    pause, start = ACTIONS[ActionId.PAUSE], ACTIONS[ActionId.START]
    assert reason(pause, jobs) == "for 2 of 3, type how many"
    assert reason(start, jobs) == "for 1 of 3"
    assert withheld(ACTIONS[ActionId.RETRY], jobs) is not None
    assert reason(ACTIONS[ActionId.RETRY], jobs).startswith("only ")
    assert reason(pause, jobs, Leave(read_only=True)) == "read only"
    assert withheld(ACTIONS[ActionId.VIEW_REPORT], jobs, Leave(read_only=True)) is None


async def test_marked_jobs_are_acted_on_together(night):
    async with opened(night) as console:
        # mail-gw-1 and erp-app-1 wait, ci-1-1 is ready.
        await console.press("j", "j", "space", "space").stands_on("j-00000005")
        await console.press("G", "k", "k").sees("2 marked")
        await console.press("p").sees("Pause Migration Job: 2 jobs", "mail-gw-1, erp-app-1")
        await console.press("enter").sees("Pause Migration Job: 2 jobs", "Type 2 to go on")
        assert night.asked() == []
        await console.press("escape").sees_not("2 jobs").press("p").sees("Type 2 to go on")
        await console.press("2", "enter").sees_not("Type 2")
        requests = night.asked()
        assert [(each.verb, each.target) for each in requests] == [
            ("job.pause", "j-00000003"),
            ("job.pause", "j-00000004"),
        ]
        await console.sees_not("2 marked")
        night.accept()
        await console.looks().sees("mail-gw-1, erp-app-1: accepted")


async def test_refusals_are_told_each(night):
    async with opened(night) as console:
        await console.press("j", "j", "space", "space", "p").sees("Type 2").press("2", "enter")
        first, second = night.asked()
        error = SmcError("ReplicationJob.InvalidStatus", "it moved on")
        with night.writer.transaction():
            night.writer.refuse(first, NOW, error)
            night.writer.accept(second, NOW, {}, "")
        await console.looks().sees("mail-gw-1: ReplicationJob.InvalidStatus", "erp-app-1: accepted")


async def test_what_is_possible_for_none_says_why(night):
    async with opened(night) as console:
        await console.press("j", "j", "space", "space", "R").sees("none of the 2 marked")
        assert night.asked() == []


async def test_a_range_is_marked(night):
    async with opened(night) as console:
        await console.press("space", "j", "j", "v").sees("4 marked")
        await console.press("a").sees("Actions: 4 marked jobs", "for 2 of 4").press("escape")
        await console.sees_not("Actions:").press("escape").sees_not("marked")


async def test_read_only_says_so_at_once(night):
    async with opened(night, read_only=True) as console:
        await console.press("X").sees("Console.ReadOnly").sees_not("Keep the job")
        await console.press("a").sees("read only")
        await console.press("p").sees("Actions: web01-1", "Console.ReadOnly")
        await console.press("escape").sees_not("Actions:").press("I").sees_not("Import source")
        await console.press("N").sees_not("New migration job")
        assert night.asked() == []


def test_what_the_engine_becomes_able_to_is_offered_by_itself():
    job = waiting(1)
    create = ACTIONS[ActionId.CREATE_INSTANCE]
    assert reason(create, [job]) == "needs a destination that can run instances"
    able = Leave(abilities=frozenset(Ability))
    assert withheld(create, [job], able) is None
    assert several.group(create.id, [job], able).jobs == (job,)
    assert several.group(create.id, [job]).jobs == ()
