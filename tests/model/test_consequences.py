"""What a person is told before an action, from the job at hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.model.actions import ACTIONS, Ability, ActionId, Subject
from smc_tui.model.consequences import (
    Choice,
    Consequences,
    Facts,
    consequences,
    of_image,
    of_source,
)
from smc_tui.model.costs import MONTH, amount, money_text
from smc_tui.model.lifecycle import Consistency, Phase, RunKind, State, Status
from smc_tui.model.options import Config
from smc_tui.model.things import DrillMode, Fault, ResourceState
from smc_tui.model.units import DAY, GIB, HOUR
from tests.model.samples import IMAGE, JOB, NOW, RESOURCE, RUN, SOURCE, job_in, once

SYNCING = State(Status.RUNNING, Phase.SYNCING)
WAITING, STOPPED, IN_ERROR = State(Status.WAITING), State(Status.STOPPED), State(Status.IN_ERROR)
HELD = replace(RESOURCE, size=4 * GIB)
IMAGES = [replace(IMAGE, id=f"m-{n}", name=f"img-{n}", created=NOW - (5 - n) * DAY) for n in (1, 2)]
RATE = Config(cost_per_gib_month=0.5, cost_currency="EUR")


def told(action: ActionId, job, choice=None, **known) -> Consequences:
    known = {"images": IMAGES, "runs": [RUN], "resource": HELD, "now": NOW + 15 * DAY, **known}
    found = consequences(action, Facts(job, **known), choice or Choice())
    assert found is not None
    return found


def test_every_action_that_does_something_says_what():
    for action in ACTIONS.values():
        found = consequences(action.id, Facts(JOB))
        does = (
            action.subject is Subject.JOB and action.verb and action.needs is not Ability.INSTANCES
        )
        assert (found is not None) == bool(does), action.id


def test_a_start_says_where_it_begins():
    ready = told(ActionId.START, JOB, runs=[], resource=None, images=[])
    assert ready.does == "Starting: a migration drill, then a full migration."
    assert ready.resumes == "starts at the beginning: nothing was transferred yet"
    off = replace(JOB, settings=replace(JOB.settings, drill=DrillMode.OFF))
    assert told(ActionId.START, off, runs=[]).does == "Starting: a full migration."
    only = replace(JOB, settings=replace(JOB.settings, drill=DrillMode.ONLY))
    assert "a migration drill alone" in told(ActionId.START, only, runs=[]).does


def test_a_retry_resumes_or_starts_again():
    failed = job_in(IN_ERROR, fault=Fault("Link.Lost", "gone", NOW))
    going_on = told(ActionId.RETRY, failed)
    assert going_on.does == "Retrying after Link.Lost."
    assert "the staging area is kept (4.00 GiB)" in going_on.resumes
    assert "not sent again" in going_on.resumes
    for resource in (None, replace(HELD, state=ResourceState.RELEASING)):
        again = told(ActionId.RETRY, failed, resource=resource).resumes
        assert again.startswith("starts again: the intermediate resource was released")
    paused = told(ActionId.START, job_in(STOPPED, run_id=RUN.id)).resumes
    assert paused.startswith("where it stopped")
    between = told(ActionId.START, job_in(STOPPED)).resumes
    assert between.startswith("with the next synchronisation")


def test_a_pause_keeps_everything_and_its_cost():
    running = told(ActionId.PAUSE, job_in(SYNCING))
    assert "safe point" in running.does
    assert running.goes == ()
    assert running.stays[0] == "everything transferred so far"
    assert "4.00 GiB stay in use" in running.cost
    assert "no further run" in told(ActionId.PAUSE, job_in(WAITING)).does


def test_a_cancel_names_what_goes_and_what_stays():
    running = told(ActionId.CANCEL, job_in(SYNCING))
    assert running.does == "Cancelling: the run stops safely, then the job is deleted."
    assert "the run under way" in running.goes
    assert "No_Delete_SMC_Transition_Instance (staging area, 4.00 GiB)" in running.goes
    assert running.stays == ("2 images: img-1, img-2", "history and report")
    assert running.cost == "frees 4.00 GiB"
    idle = told(ActionId.CANCEL, JOB, resource=None, images=[])
    assert idle.goes == ("the job and its schedule",)
    assert idle.stays[0] == "no image was made yet"
    assert idle.cost == ""
    assert "the paused run" in told(ActionId.CANCEL, job_in(STOPPED, run_id=RUN.id)).goes


def test_completing_without_a_last_sync_says_what_is_lost():
    job = job_in(WAITING)
    without = told(ActionId.COMPLETE, job)
    assert without.does == "Completing: the job never runs again."
    assert "since the last good image 18d ago" in without.goes[0]
    fuzzy = [replace(image, consistency=Consistency.FUZZY) for image in IMAGES]
    assert "no image shows one instant" in told(ActionId.COMPLETE, job, images=fuzzy).goes[0]
    last = told(ActionId.COMPLETE, job, Choice(last_sync=True))
    assert last.does.startswith("Completing: one last synchronisation")
    assert "and the one being made" in last.stays[0]
    assert not any("written on the source" in each for each in last.goes)


def test_a_release_ends_the_paused_run():
    assert "the paused run" in told(ActionId.RELEASE, job_in(STOPPED, run_id=RUN.id)).goes
    failed = told(ActionId.RELEASE, job_in(IN_ERROR))
    assert "the paused run" not in failed.goes
    assert failed.resumes == "starts again: the next run compares everything anew"


@pytest.mark.parametrize(
    ("keep", "gone"), [(None, ()), (3, ()), (2, ("img-1",)), (1, ("img-1", "img-2"))]
)
def test_a_lower_maximum_names_the_images_that_go(keep, gone):
    found = told(ActionId.SET_INTERVAL, job_in(WAITING), Choice(interval=6 * HOUR, keep=keep))
    assert found.does.startswith("Setting: 6h from the end of a run")
    assert bool(found.goes) == bool(gone)
    assert all(name in found.goes[0] for name in gone)
    assert not any(name in "".join(found.goes) for name in {"img-1", "img-2"} - set(gone))


def test_an_image_that_is_used_does_not_go():
    pinned = [replace(IMAGES[0], holds=("pin",)), IMAGES[1]]
    found = told(ActionId.SET_INTERVAL, job_in(WAITING), Choice(keep=1), images=pinned)
    assert found.goes == ("after the next image, the oldest unused beyond 1: img-2",)


def test_many_images_are_counted():
    many = [replace(IMAGE, id=f"m-{n}", name=f"img-{n:02}") for n in range(9)]
    found = told(ActionId.CANCEL, job_in(WAITING), images=many)
    assert found.stays[0] == "9 images: img-00, img-01, img-02, img-03, img-04 and 4 more"


def test_money_only_where_there_is_a_rate():
    job = job_in(STOPPED)
    cost = told(ActionId.PAUSE, job_in(SYNCING), config=RATE).cost
    assert cost == (
        "about EUR 2.00 in 30 days go on; EUR 1.00 so far (estimates, at the present size)"
    )
    assert "are no longer spent" in told(ActionId.CANCEL, job, config=RATE).cost
    assert "EUR" not in told(ActionId.CANCEL, job).cost
    assert amount(GIB, MONTH, Config()) is None
    assert amount(2 * GIB, MONTH / 2, RATE) == pytest.approx(0.5)
    assert amount(GIB, -5, RATE) == 0
    assert money_text(0.0004, RATE) == "EUR 0.0004"
    assert money_text(1.234, Config(cost_per_gib_month=1)) == "1.23"


def test_lines_and_the_document_say_the_same():
    found = told(ActionId.CANCEL, job_in(SYNCING), config=RATE)
    first, *rows = found.lines
    assert first == found.does
    assert [row.split(":")[0].strip() for row in rows] == ["Goes", "Stays", "Costs", "Resumes"]
    document = found.document()
    assert list(found.goes) == document["goes"]
    assert document["cost"] == found.cost
    assert consequences(ActionId.MODIFY, Facts(JOB)).document()["cost"] is None


def test_a_deleted_image_and_a_removed_source():
    found = of_image(IMAGES[0], IMAGES)
    assert "img-1 (40.0 GiB) is gone for good" in found.does
    assert found.stays == ("1 other image of its job, 1 of them good",)
    gone = of_source(SOURCE, IMAGES)
    assert "2 images: img-1, img-2" in gone.stays
    assert gone.resumes == "import it again"


def test_a_sync_of_a_job_that_is_full_takes_the_oldest():
    job = job_in(WAITING, settings=replace(JOB.settings, keep=2))
    found = told(ActionId.SYNC, job)
    assert found.goes == ("after the next image, the oldest unused beyond 2: img-1",)
    assert "6h after its end" in found.does
    assert once(JOB).settings.once
    assert RUN.kind is RunKind.FULL
