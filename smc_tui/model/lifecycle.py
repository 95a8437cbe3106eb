"""Statuses and phases, and every way from one to another, as data.

Two columns as in SMC's API: a status, and a phase while the status is Running.
``MOVES`` is the whole lifecycle; nothing else in the program decides where a
job goes. A move that is not in the table does not happen: ``after`` raises.

A worker's messages and a person's requests may cross. Because each is applied
as a move from the state found in the same transaction, the later of the two
finds a state it does not lead from, and is refused or dropped, never mixed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """What a job is doing, in the words of SMC's API."""

    READY = "Ready"
    RUNNING = "Running"
    WAITING = "Waiting"
    STOPPED = "Stopped"
    IN_ERROR = "InError"
    DRILL_EXCEPTION = "DrillException"
    FINISHED = "Finished"
    EXPIRED = "Expired"
    DELETING = "Deleting"


class Phase(StrEnum):
    """Where a Running job is."""

    DRILLING = "Drilling"
    PREPARING = "Preparing"
    SYNCING = "Syncing"
    PROCESSING = "Processing"
    CLEANING = "Cleaning"
    CUTOVER = "Cutover"


class SourceState(StrEnum):
    """What a migration source is to the migration."""

    AVAILABLE = "Available"
    UNAVAILABLE = "Unavailable"
    IN_USE = "InUse"
    DELETING = "Deleting"


class RunKind(StrEnum):
    """Why a run was started; the first run of a job is always Full."""

    FULL = "Full"
    SCHEDULE = "Schedule"
    MANUAL = "Manual"
    LAST = "Last"


class ImageState(StrEnum):
    """Whether an image can be relied on."""

    AVAILABLE = "Available"
    DAMAGED = "Damaged"
    DELETING = "Deleting"


class Consistency(StrEnum):
    """What instant an image shows."""

    STOPPED = "stopped"
    FROZEN = "frozen"
    SNAPSHOT = "snapshot"
    FUZZY = "fuzzy"

    @property
    def one_instant(self) -> bool:
        """Whether all its disks are as they were at one instant."""
        return self is not Consistency.FUZZY


#: What the words of a consistency mean.
CONSISTENCY_MEANS: Mapping[Consistency, str] = MappingProxyType(
    {
        Consistency.STOPPED: "nothing was written while it was read",
        Consistency.FROZEN: "all file systems frozen at one instant",
        Consistency.SNAPSHOT: "read from snapshots of one instant",
        Consistency.FUZZY: "no one instant: read while it was written",
    }
)


def consistency_text(consistency: Consistency, reason: str) -> str:
    """Return a consistency, what that means, and why an image has it."""
    told = f"{consistency} ({CONSISTENCY_MEANS[consistency]})"
    return f"{told}: {reason}" if reason else told


#: Statuses in which a job still has its source; one such job a source.
UNFINISHED = frozenset(Status) - {Status.FINISHED, Status.DELETING}

#: Statuses that the end of the valid time ends. A Running job is left alone.
EXPIRABLE = frozenset({Status.READY, Status.STOPPED, Status.IN_ERROR, Status.WAITING})

#: The words the console shows where they differ from the API's.
CONSOLE_WORDS: Mapping[Status, str] = MappingProxyType(
    {
        Status.READY: "Not Started",
        Status.STOPPED: "Paused",
        Status.DRILL_EXCEPTION: "Drill Exception",
        Status.FINISHED: "Completed",
    }
)


@dataclass(frozen=True, slots=True)
class State:
    """A status with its phase; the phase is None unless Running."""

    status: Status
    phase: Phase | None = None

    def __post_init__(self) -> None:
        if (self.status is Status.RUNNING) != (self.phase is not None):
            raise ValueError(f"{self.status} with phase {self.phase}: only Running has a phase")

    def __str__(self) -> str:
        return f"{self.status}:{self.phase}" if self.phase else str(self.status)


class Move(StrEnum):
    """Everything that can happen to a job's status."""

    START = "start"
    DRILL = "drill"
    DRILL_PASSED = "drill passed"
    DRILL_ENDED = "drill ended"
    DRILL_FAILED = "drill failed"
    SYNC = "sync"
    TRANSFER = "transfer"
    PROCESS = "process"
    IMAGE_MADE = "image made"
    LAST_IMAGE_MADE = "last image made"
    COMPLETE = "complete"
    COMPLETE_WITH_LAST_SYNC = "complete with a last sync"
    CUT_OVER = "cut over"
    CUTOVER_SYNC = "final sync of a cutover"
    CUTOVER_BACK = "cutover goes back"
    CUTOVER_RETURNED = "cutover gone back"
    CLEANED = "cleaned"
    PAUSE = "pause"
    FAIL = "fail"
    RESUME = "resume"
    EXPIRE = "expire"
    DELETE = "delete"


_READY = State(Status.READY)
_WAITING = State(Status.WAITING)
_STOPPED = State(Status.STOPPED)
_IN_ERROR = State(Status.IN_ERROR)
_DRILL_EXCEPTION = State(Status.DRILL_EXCEPTION)
_FINISHED = State(Status.FINISHED)
_EXPIRED = State(Status.EXPIRED)
_DELETING = State(Status.DELETING)
_DRILLING = State(Status.RUNNING, Phase.DRILLING)
_PREPARING = State(Status.RUNNING, Phase.PREPARING)
_SYNCING = State(Status.RUNNING, Phase.SYNCING)
_PROCESSING = State(Status.RUNNING, Phase.PROCESSING)
_CLEANING = State(Status.RUNNING, Phase.CLEANING)
_CUTOVER = State(Status.RUNNING, Phase.CUTOVER)

#: The phases in which a sync worker is at work.
WORKING = (_PREPARING, _SYNCING, _PROCESSING)

#: Services of the source are being stopped, or started again, outside of the final sync.
CUTTING_OVER = _CUTOVER

RUNNING = (_DRILLING, _CUTOVER, *WORKING, _CLEANING)

#: Every state there is.
STATES = (
    _READY,
    *RUNNING,
    _WAITING,
    _STOPPED,
    _IN_ERROR,
    _DRILL_EXCEPTION,
    _FINISHED,
    _EXPIRED,
    _DELETING,
)

#: move -> (from where, to where). DELETE leads from Running too, because a
#: cancelled run is deleted the moment its worker has stopped; who may ask for
#: it, and when, is the action table's business.
MOVES: Mapping[Move, tuple[tuple[State, ...], State]] = MappingProxyType(
    {
        # From DrillException too: with the drill turned off a start goes on in spite of it.
        Move.START: ((_READY, _STOPPED, _IN_ERROR, _DRILL_EXCEPTION), _PREPARING),
        Move.DRILL: ((_READY, _DRILL_EXCEPTION, _IN_ERROR), _DRILLING),
        Move.DRILL_PASSED: ((_DRILLING,), _PREPARING),
        Move.DRILL_ENDED: ((_DRILLING,), _READY),
        Move.DRILL_FAILED: ((_DRILLING,), _DRILL_EXCEPTION),
        Move.SYNC: ((_WAITING,), _PREPARING),
        Move.TRANSFER: ((_PREPARING,), _SYNCING),
        Move.PROCESS: ((_PREPARING, _SYNCING), _PROCESSING),
        Move.IMAGE_MADE: (WORKING, _WAITING),
        Move.LAST_IMAGE_MADE: (WORKING, _CLEANING),
        Move.COMPLETE: ((_WAITING,), _CLEANING),
        Move.COMPLETE_WITH_LAST_SYNC: ((_WAITING,), _PREPARING),
        Move.CUT_OVER: ((_WAITING,), _CUTOVER),
        Move.CUTOVER_SYNC: ((_CUTOVER,), _PREPARING),
        Move.CUTOVER_BACK: (WORKING, _CUTOVER),
        Move.CUTOVER_RETURNED: ((_CUTOVER,), _WAITING),
        Move.CLEANED: ((_CLEANING,), _FINISHED),
        Move.PAUSE: ((_WAITING, *WORKING), _STOPPED),
        # Not from a cutover: services that it stopped would stay stopped.
        Move.FAIL: ((_DRILLING, *WORKING, _CLEANING), _IN_ERROR),
        Move.RESUME: (WORKING, _PREPARING),
        Move.EXPIRE: ((_READY, _STOPPED, _IN_ERROR, _WAITING), _EXPIRED),
        Move.DELETE: (tuple(state for state in STATES if state != _DELETING), _DELETING),
    }
)


def can(move: Move, state: State) -> bool:
    """Tell whether this move leads from this state."""
    return state in MOVES[move][0]


def after(move: Move, state: State) -> State:
    """Return the state that a move leads to.

    Raises:
        ValueError: the move does not lead from this state.
    """
    origins, target = MOVES[move]
    if state not in origins:
        raise ValueError(f"{move} does not lead from {state}")
    return target
