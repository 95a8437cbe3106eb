"""The action table against an independent list of what each state offers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.model import changes
from smc_tui.model.actions import (
    ACTIONS,
    BY_VERB,
    Ability,
    ActionId,
    Friction,
    Subject,
    abilities_of,
    offered,
    refusal,
    status_word,
)
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.lifecycle import STATES, Phase, State, Status
from tests.model.samples import JOB, job_in, once

OFFERED = {
    "Ready": {"start", "retry-drill", "modify", "interval", "cancel", "report"},
    "Running:Drilling": {"modify", "cancel", "report"},
    "Running:Preparing": {"pause", "modify", "cancel", "report"},
    "Running:Syncing": {"pause", "modify", "cancel", "report"},
    "Running:Processing": {"modify", "cancel", "report"},
    "Running:Cutover": {"modify", "cancel", "report"},
    "Running:Cleaning": {"modify", "cancel", "report"},
    "Waiting": {"pause", "sync", "interval", "complete", "modify", "cancel", "report"},
    "Stopped": {"start", "retry", "modify", "cancel", "release", "report"},
    "InError": {"start", "retry", "troubleshoot", "modify", "cancel", "release", "report"},
    "DrillException": {"start", "retry-drill", "modify", "cancel", "report"},
    "Finished": {"modify", "cancel", "report"},
    "Expired": {"modify", "cancel", "report"},
    "Deleting": {"report"},
}
NEED_INSTANCES = {"create-instance", "verify-result", "verify-cause", "verifications", "instance"}


@pytest.mark.parametrize("state", STATES, ids=str)
def test_what_each_state_offers(state):
    job = job_in(state)
    assert {str(action.id) for action in offered(job)} == OFFERED[str(state)] | {"drill-report"}
    undrilled = {str(action.id) for action in offered(replace(job, drill_report={}))}
    assert undrilled == OFFERED[str(state)]
    error = refusal(ACTIONS[ActionId.VIEW_DRILL], replace(job, drill_report={}))
    assert error.code == "ReplicationJob.NotDrilled"


def test_a_once_only_job_has_no_incremental_actions():
    waiting = {str(action.id) for action in offered(once(job_in(State(Status.WAITING))))}
    assert waiting == {"pause", "modify", "cancel", "report", "drill-report"}
    error = refusal(BY_VERB["job.sync"], once(JOB))
    assert error.code == "ReplicationJob.OnceOnly"


def test_what_an_installation_lacks_is_not_offered_and_says_so():
    job = job_in(State(Status.FINISHED))
    action = ACTIONS[ActionId.CREATE_INSTANCE]
    error = refusal(action, job)
    assert error.code == "Action.Unavailable"
    assert "a destination that can run instances" in error.detail
    assert refusal(action, job, frozenset({Ability.INSTANCES})) is None
    with_instances = {str(a.id) for a in offered(job, frozenset({Ability.INSTANCES}))}
    assert with_instances >= NEED_INSTANCES


def test_a_refusal_names_the_present_state_and_the_allowed_ones():
    error = refusal(BY_VERB["job.pause"], job_in(State(Status.RUNNING, Phase.PROCESSING)))
    assert error.code == "ReplicationJob.InvalidBusinessStatus"
    assert error.exit_code is ExitCode.NOT_ALLOWED
    assert "is Processing; allowed: Waiting, Preparing, Syncing" in error.detail
    assert "Running:" not in error.detail, "the API's words are for programs"
    assert error.facts["status"] == "Running"
    assert error.facts["allowed"] == ["Running:Preparing", "Running:Syncing", "Waiting"]
    error = refusal(BY_VERB["job.complete"], job_in(State(Status.READY)))
    assert error.code == "ReplicationJob.InvalidStatus"
    assert "is Not Started; allowed: Waiting" in error.detail


def test_what_cannot_be_undone_asks_for_the_name():
    final = {action.id for action in ACTIONS.values() if action.final}
    assert final == {
        ActionId.COMPLETE,
        ActionId.CANCEL,
        ActionId.RELEASE,
        ActionId.IMAGE_DELETE,
    }
    assert all(ACTIONS[action].friction is Friction.TYPE_NAME for action in final)


def test_every_action_is_in_the_table_once():
    assert set(ACTIONS) == set(ActionId)
    assert len({action.label for action in ACTIONS.values()}) == len(ACTIONS)
    assert all(
        (action.subject is Subject.JOB) == bool(action.states) for action in ACTIONS.values()
    )


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("Ready", "Not Started"),
        ("Stopped", "Paused"),
        ("InError", "InError"),
        ("Finished", "Completed"),
        ("DrillException", "Drill Exception"),
        ("Running:Syncing", "Syncing"),
    ],
)
def test_the_console_words(state, word):
    assert status_word(next(each for each in STATES if str(each) == state)) == word


CHANGEABLE = {
    "name": set(Status) - {Status.DELETING},
    "description": set(Status) - {Status.DELETING},
    "interval": {Status.READY, Status.WAITING},
    "keep": {Status.READY, Status.WAITING},
    "limit_mbit": set(Status) - {Status.FINISHED, Status.EXPIRED, Status.DELETING},
    "compression": set(Status) - {Status.FINISHED, Status.EXPIRED, Status.DELETING},
    "valid": set(Status) - {Status.FINISHED, Status.EXPIRED, Status.DELETING},
    "image_name": {Status.READY},
    "drill": {Status.READY, Status.DRILL_EXCEPTION, Status.IN_ERROR},
    **dict.fromkeys(
        ("instant", "before_freeze", "after_thaw", "hook_timeout"),
        set(Status) - {Status.RUNNING, Status.FINISHED, Status.EXPIRED, Status.DELETING},
    ),
}


@pytest.mark.parametrize("setting", CHANGEABLE)
@pytest.mark.parametrize("state", STATES, ids=str)
def test_what_may_be_changed_when(setting, state):
    error = changes.refusal(setting, job_in(state))
    assert (error is None) == (state.status in CHANGEABLE[setting])
    if error is not None:
        assert error.code == "ReplicationJob.InvalidStatus"
        assert error.detail.endswith(f" is {status_word(state)}")


def test_what_cannot_be_changed_at_all():
    assert set(CHANGEABLE) == set(changes.CHANGEABLE)
    assert changes.refusal("target", JOB).code == "InvalidParameter.Unknown"
    assert changes.refusal("interval", once(JOB)).code == "ReplicationJob.OnceOnly"


def test_what_an_engine_is_able_to_is_told_by_its_verbs():
    needing = {action.verb for action in ACTIONS.values() if action.needs} - {""}
    assert needing
    assert abilities_of(BY_VERB) == frozenset(Ability)
    assert abilities_of(set(BY_VERB) - {min(needing)}) == frozenset()
    assert abilities_of(()) == frozenset()
