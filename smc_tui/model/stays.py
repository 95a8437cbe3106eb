"""How long a job was in each phase of its newest run, from its history alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from smc_tui.model.lifecycle import STATES, Phase
from smc_tui.model.things import Event

#: Results of events that say where a job went.
_PHASES: Mapping[str, Phase | None] = MappingProxyType(
    {str(state): state.phase for state in STATES}
)
#: Events that say it by what they are; None: to no phase.
_MOVES: Mapping[str, Phase | None] = MappingProxyType(
    {
        "run resumed": Phase.PREPARING,
        "run failed": None,
        "drill ended": None,
        "drill passed": None,
        "drill failed": None,
        "drill not made": None,
    }
)
#: Events that begin what has phases, a drill and the run after it being one thing.
_DRILL, _RUN = "drill started", "run started"
#: The name of an image may read like a state.
_NAMES = frozenset({"image published", "note"})


@dataclass(frozen=True, slots=True)
class Stay:
    """A phase of a run.

    Attributes:
        phase: which one.
        seconds: how long the stays in it lasted that are over, by the engine's clock.
        since: when the one under way began, POSIX seconds; None: none is.
    """

    phase: Phase
    seconds: float = 0.0
    since: float | None = None


def stays(events: Iterable[Event]) -> dict[Phase, Stay]:
    """Return the phases of a job's newest run in the order in which it came to them.

    Args:
        events: the job's history, oldest first.
    """
    found: dict[Phase, Stay] = {}
    present: Phase | None = None
    for event in events:
        known, phase = _told(event)
        if not known:
            continue
        if present is not None:
            begun = found[present]
            took = event.at - (begun.since if begun.since is not None else event.at)
            found[present] = replace(begun, seconds=begun.seconds + max(0.0, took), since=None)
        if event.action == _DRILL or (event.action == _RUN and set(found) != {Phase.DRILLING}):
            found = {}
        present = phase
        if phase is not None:
            found[phase] = replace(found.get(phase, Stay(phase)), since=event.at)
    return found


def _told(event: Event) -> tuple[bool, Phase | None]:
    """Tell whether an event says where the job went, and to which phase."""
    if event.action in _MOVES:
        return True, _MOVES[event.action]
    if event.action in _NAMES:
        return False, None
    return event.result in _PHASES, _PHASES.get(event.result)
