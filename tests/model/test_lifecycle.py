"""The lifecycle against an independent transcription of its rules."""

from __future__ import annotations

import pytest

from smc_tui.model.lifecycle import (
    CONSISTENCY_MEANS,
    EXPIRABLE,
    MOVES,
    RUNNING,
    STATES,
    UNFINISHED,
    Consistency,
    Move,
    Phase,
    State,
    Status,
    after,
    can,
    consistency_text,
)

# from, move, to: written from the rules, not from the table under test.
RULES = """
Ready               start                    Running:Preparing
Stopped             start                    Running:Preparing
InError             start                    Running:Preparing
DrillException      start                    Running:Preparing
Ready               drill                    Running:Drilling
DrillException      drill                    Running:Drilling
InError             drill                    Running:Drilling
Running:Drilling    drill passed             Running:Preparing
Running:Drilling    drill ended              Ready
Running:Drilling    drill failed             DrillException
Waiting             sync                     Running:Preparing
Running:Preparing   transfer                 Running:Syncing
Running:Preparing   process                  Running:Processing
Running:Syncing     process                  Running:Processing
Running:Preparing   image made               Waiting
Running:Syncing     image made               Waiting
Running:Processing  image made               Waiting
Running:Preparing   last image made          Running:Cleaning
Running:Syncing     last image made          Running:Cleaning
Running:Processing  last image made          Running:Cleaning
Waiting             complete                 Running:Cleaning
Waiting             complete with a last sync  Running:Preparing
Running:Cleaning    cleaned                  Finished
Waiting             cut over                 Running:Cutover
Running:Cutover     final sync of a cutover  Running:Preparing
Running:Preparing   cutover goes back        Running:Cutover
Running:Syncing     cutover goes back        Running:Cutover
Running:Processing  cutover goes back        Running:Cutover
Running:Cutover     cutover gone back        Waiting
Waiting             pause                    Stopped
Running:Preparing   pause                    Stopped
Running:Syncing     pause                    Stopped
Running:Processing  pause                    Stopped
Running:Drilling    fail                     InError
Running:Preparing   fail                     InError
Running:Syncing     fail                     InError
Running:Processing  fail                     InError
Running:Cleaning    fail                     InError
Running:Preparing   resume                   Running:Preparing
Running:Syncing     resume                   Running:Preparing
Running:Processing  resume                   Running:Preparing
Ready               expire                   Expired
Stopped             expire                   Expired
InError             expire                   Expired
Waiting             expire                   Expired
"""


def _rules():
    rules = {}
    for line in RULES.strip().splitlines():
        origin, rest = line.split(None, 1)
        move, target = rest.rsplit(None, 1)
        rules[origin, move.strip()] = target
    for state in STATES:
        if state.status is not Status.DELETING:
            rules[str(state), "delete"] = "Deleting"
    return rules


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", STATES, ids=str)
def test_every_move_from_every_state(state, move):
    target = _rules().get((str(state), str(move)))
    assert can(move, state) == (target is not None)
    if target is None:
        with pytest.raises(ValueError, match="does not lead from"):
            after(move, state)
    else:
        assert str(after(move, state)) == target


def test_states_are_all_statuses_and_phases():
    assert {state.status for state in STATES} == set(Status)
    assert {state.phase for state in RUNNING} == set(Phase)
    assert len(STATES) == len(Status) - 1 + len(Phase)


def test_only_running_has_a_phase():
    with pytest.raises(ValueError, match="only Running has a phase"):
        State(Status.READY, Phase.SYNCING)
    with pytest.raises(ValueError, match="only Running has a phase"):
        State(Status.RUNNING)


def test_every_state_is_reached_and_every_job_can_end():
    reached, frontier = set(), {State(Status.READY)}
    while frontier:
        reached |= frontier
        frontier = {
            after(move, state) for state in frontier for move in Move if can(move, state)
        } - reached
    assert reached == set(STATES)
    ends = {State(Status.DELETING)}
    while (
        more := {
            state
            for state in STATES
            for move in Move
            if can(move, state) and after(move, state) in ends
        }
        - ends
    ):
        ends |= more
    assert ends == set(STATES)


def test_finished_and_expired_lead_nowhere_but_to_deletion():
    for state in (State(Status.FINISHED), State(Status.EXPIRED)):
        assert [move for move in Move if can(move, state)] == [Move.DELETE]


def test_expiry_spares_what_runs_and_what_has_ended():
    origins = {state.status for state in MOVES[Move.EXPIRE][0]}
    assert origins == EXPIRABLE
    assert Status.RUNNING not in EXPIRABLE


def test_an_unfinished_job_keeps_its_source():
    ended = {Status.FINISHED, Status.DELETING}
    assert set(Status) - ended == UNFINISHED


def test_only_what_was_written_to_meanwhile_shows_no_one_instant():
    assert [each for each in Consistency if not each.one_instant] == [Consistency.FUZZY]


def test_every_consistency_says_what_it_means():
    assert set(CONSISTENCY_MEANS) == set(Consistency)
    assert consistency_text(Consistency.FROZEN, "") == (
        "frozen (all file systems frozen at one instant)"
    )
    told = consistency_text(Consistency.FUZZY, "/dev/vda was written to")
    assert told == "fuzzy (no one instant: read while it was written): /dev/vda was written to"
