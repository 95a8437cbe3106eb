"""How long a job was in which phase."""

from __future__ import annotations

from smc_tui.model.lifecycle import Phase
from smc_tui.model.stays import Stay, stays
from smc_tui.model.things import Event


def history(*told: tuple[float, str, str]) -> list[Event]:
    return [
        Event(number, at, "engine", action, result)
        for number, (at, action, result) in enumerate(told, start=1)
    ]


def test_a_run_with_its_drill():
    found = stays(
        history(
            (0, "job.create", "Ready"),
            (1, "drill started", "Running:Drilling"),
            (13, "drill ended", "Passed"),
            (13, "run started", "Running:Preparing"),
            (17, "phase", "Running:Syncing"),
            (20, "note", "Running:Cleaning"),
            (77, "phase", "Running:Processing"),
        )
    )
    assert list(found) == [Phase.DRILLING, Phase.PREPARING, Phase.SYNCING, Phase.PROCESSING]
    assert found[Phase.DRILLING] == Stay(Phase.DRILLING, 12.0)
    assert found[Phase.SYNCING].seconds == 60
    assert found[Phase.PROCESSING] == Stay(Phase.PROCESSING, 0.0, 77)


def test_a_pause_is_no_phase_and_a_run_that_goes_on_adds_up():
    found = stays(
        history(
            (0, "run started", "Running:Preparing"),
            (1, "phase", "Running:Syncing"),
            (11, "paused", "Stopped"),
            (100, "run continued", "Running:Preparing"),
            (102, "phase", "Running:Syncing"),
            (105, "run resumed", "its worker is gone"),
            (106, "phase", "Running:Syncing"),
            (110, "image published", "Running:Cleaning"),
            (112, "run ended", "Waiting"),
        )
    )
    assert {phase: stay.seconds for phase, stay in found.items()} == {
        Phase.PREPARING: 1 + 2 + 1,
        Phase.SYNCING: 10 + 3 + 6,
    }
    assert all(stay.since is None for stay in found.values())


def test_only_the_newest_run_counts_and_a_failure_ends_it():
    found = stays(
        history(
            (0, "run started", "Running:Preparing"),
            (9, "run ended", "Waiting"),
            (20, "run started", "Running:Preparing"),
            (22, "phase", "Running:Syncing"),
            (25, "job.modify", "ReplicationJob.InvalidStatus"),
            (30, "run failed", "Link.Lost"),
            (90, "job.modify", "InError"),
        )
    )
    assert found == {
        Phase.PREPARING: Stay(Phase.PREPARING, 2.0),
        Phase.SYNCING: Stay(Phase.SYNCING, 8.0),
    }
    assert stays([]) == {}
