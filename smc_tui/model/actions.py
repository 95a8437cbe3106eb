"""The action table: what may be done with a job, a source or an image, and when.

One row an action: SMC's label, the request that carries it out, the states that
offer it, how much stands between a key press and its effect, and for which jobs it
makes sense. The engine refuses by it, the command line's verbs and prompts come
from it, a console builds its menus from it: none of them has a rule of its own.

An action whose request needs more than this installation has (a place for
instances, say) names it in ``needs``; it is then not offered, with that reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import CONSOLE_WORDS, RUNNING, STATES, ImageState, Phase, State, Status
from smc_tui.model.things import Image, Job


class Subject(StrEnum):
    """What an action is done to."""

    SOURCE = "source"
    JOB = "job"
    IMAGE = "image"


class Friction(StrEnum):
    """What a person must do before the action is carried out."""

    NONE = "none"
    CONFIRM = "confirm"
    TYPE_NAME = "type the name"


class Ability(StrEnum):
    """What an installation may lack."""

    INSTANCES = "a destination that can run instances"


class ActionId(StrEnum):
    """Every action, by the word a program uses."""

    START = "start"
    PAUSE = "pause"
    RETRY = "retry"
    CANCEL = "cancel"
    MODIFY = "modify"
    SET_INTERVAL = "interval"
    SYNC = "sync"
    COMPLETE = "complete"
    TROUBLESHOOT = "troubleshoot"
    VIEW_REPORT = "report"
    RELEASE = "release"
    RETRY_DRILL = "retry-drill"
    VIEW_DRILL = "drill-report"
    CREATE_INSTANCE = "create-instance"
    VERIFY_RESULT = "verify-result"
    VIEW_CAUSE = "verify-cause"
    VIEW_VERIFICATIONS = "verifications"
    VIEW_INSTANCE = "instance"
    SOURCE_CHECK = "source-check"
    SOURCE_REMOVE = "source-remove"
    IMAGE_EXPORT = "image-export"
    IMAGE_VERIFY = "image-verify"
    IMAGE_PIN = "image-pin"
    IMAGE_UNPIN = "image-unpin"
    IMAGE_DELETE = "image-delete"


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the table.

    Attributes:
        label: SMC's words where SMC has some.
        verb: the request that carries it out; empty: it only shows something.
        states: the job's states that offer it; empty for sources and images.
        friction: what stands before it.
        incremental_only: makes no sense for a once-only job.
        final: cannot be undone.
        drilled_only: needs a migration drill's report.
    """

    id: ActionId
    label: str
    verb: str = ""
    states: tuple[State, ...] = ()
    friction: Friction = Friction.NONE
    subject: Subject = Subject.JOB
    incremental_only: bool = False
    final: bool = False
    drilled_only: bool = False
    needs: Ability | None = None


_READY = State(Status.READY)
_WAITING = State(Status.WAITING)
_STOPPED = State(Status.STOPPED)
_IN_ERROR = State(Status.IN_ERROR)
_DRILL_EXCEPTION = State(Status.DRILL_EXCEPTION)
_FINISHED = State(Status.FINISHED)
_PREPARING = State(Status.RUNNING, Phase.PREPARING)
_SYNCING = State(Status.RUNNING, Phase.SYNCING)
_HAS_IMAGES = (_WAITING, _STOPPED, _IN_ERROR, _FINISHED)
_ANY_BUT_DELETING = tuple(state for state in STATES if state.status is not Status.DELETING)
_A = ActionId
_TABLE = (
    Action(
        _A.START,
        "Start Migration Job",
        "job.start",
        (_READY, _STOPPED, _IN_ERROR, _DRILL_EXCEPTION),
    ),
    Action(
        _A.PAUSE,
        "Pause Migration Job",
        "job.pause",
        # Preparing too, unlike SMC: there it may wait for a free place, or for its link.
        (_PREPARING, _SYNCING, _WAITING),
        Friction.CONFIRM,
    ),
    Action(
        _A.SYNC,
        "Manual Incremental Synchronization",
        "job.sync",
        (_WAITING,),
        Friction.CONFIRM,
        incremental_only=True,
    ),
    Action(
        _A.SET_INTERVAL,
        "Set Automatic Incremental Synchronization",
        "job.interval",
        (_READY, _WAITING),
        incremental_only=True,
    ),
    Action(
        _A.COMPLETE,
        "Complete Incremental Synchronization",
        "job.complete",
        (_WAITING,),
        Friction.TYPE_NAME,
        incremental_only=True,
        final=True,
    ),
    Action(_A.TROUBLESHOOT, "Troubleshoot Errors", "", (_IN_ERROR,)),
    Action(_A.RETRY, "Retry Migration Job", "job.retry", (_IN_ERROR, _STOPPED)),
    Action(_A.MODIFY, "Modify", "job.modify", _ANY_BUT_DELETING),
    Action(
        _A.CANCEL,
        "Cancel Migration Job",
        "job.cancel",
        _ANY_BUT_DELETING,
        Friction.TYPE_NAME,
        final=True,
    ),
    Action(
        _A.RELEASE,
        "Release Intermediate Resource",
        "job.release",
        (_STOPPED, _IN_ERROR),
        Friction.TYPE_NAME,
        final=True,
    ),
    Action(_A.VIEW_REPORT, "View Report", "", tuple(STATES)),
    Action(_A.RETRY_DRILL, "Retry Drill", "job.drill", (_READY, _DRILL_EXCEPTION)),
    Action(_A.VIEW_DRILL, "View Drill Report", "", tuple(STATES), drilled_only=True),
    Action(
        _A.CREATE_INSTANCE,
        "Create Instance",
        "instance.create",
        _HAS_IMAGES,
        Friction.CONFIRM,
        needs=Ability.INSTANCES,
    ),
    Action(
        _A.VERIFY_RESULT,
        "Verify Migration Result",
        "instance.verify",
        _HAS_IMAGES,
        Friction.CONFIRM,
        needs=Ability.INSTANCES,
    ),
    Action(_A.VIEW_CAUSE, "View Cause", "", _HAS_IMAGES, needs=Ability.INSTANCES),
    Action(
        _A.VIEW_VERIFICATIONS,
        "View Verification Records",
        "",
        _HAS_IMAGES,
        needs=Ability.INSTANCES,
    ),
    Action(
        _A.VIEW_INSTANCE, "View Destination Instance", "", (_FINISHED,), needs=Ability.INSTANCES
    ),
    Action(_A.SOURCE_CHECK, "Check Source", "source.check", subject=Subject.SOURCE),
    Action(
        _A.SOURCE_REMOVE,
        "Delete Source",
        "source.remove",
        friction=Friction.CONFIRM,
        subject=Subject.SOURCE,
    ),
    Action(_A.IMAGE_EXPORT, "Export Image", "image.export", subject=Subject.IMAGE),
    Action(_A.IMAGE_VERIFY, "Verify Image", "image.verify", subject=Subject.IMAGE),
    Action(_A.IMAGE_PIN, "Pin Image", "image.pin", subject=Subject.IMAGE),
    Action(_A.IMAGE_UNPIN, "Unpin Image", "image.unpin", subject=Subject.IMAGE),
    Action(
        _A.IMAGE_DELETE,
        "Delete Image",
        "image.delete",
        friction=Friction.TYPE_NAME,
        subject=Subject.IMAGE,
        final=True,
    ),
)

ACTIONS: Mapping[ActionId, Action] = MappingProxyType({action.id: action for action in _TABLE})

BY_VERB: Mapping[str, Action] = MappingProxyType(
    {action.verb: action for action in _TABLE if action.verb}
)

NO_ABILITIES: frozenset[Ability] = frozenset()


def abilities_of(verbs: Iterable[str]) -> frozenset[Ability]:
    """Return what an engine that knows these verbs is able to.

    It is able to something when it knows every verb of the actions that need it: what
    is not there yet is offered by itself, everywhere, from the day on that it is.
    """
    known = frozenset(verbs)
    needed = {ability: {each.verb for each in _TABLE if each.needs is ability} - {""}
              for ability in Ability}  # fmt: skip
    return frozenset(ability for ability, all_of in needed.items() if all_of and all_of <= known)


def refusal(
    action: Action, job: Job, abilities: frozenset[Ability] = NO_ABILITIES
) -> SmcError | None:
    """Return why an action is not offered for a job now, or None where it is.

    The error names the present state and those that would allow it: in the words that
    every list shows for people, and in ``facts`` in those of the API for programs.
    """
    if action.needs is not None and action.needs not in abilities:
        return SmcError("Action.Unavailable", f"{action.label} needs {action.needs}")
    if action.incremental_only and job.settings.once:
        return SmcError(
            "ReplicationJob.OnceOnly",
            f"{action.label} is for incremental jobs; {job.name} runs once",
        )
    if action.drilled_only and not job.drill_report:
        return SmcError("ReplicationJob.NotDrilled", f"{job.name} has no migration drill's report")
    if job.state in action.states:
        return None
    allowed = _words(action.states)
    by_phase = job.status is Status.RUNNING and any(state.phase for state in action.states)
    return SmcError(
        "ReplicationJob.InvalidBusinessStatus" if by_phase else "ReplicationJob.InvalidStatus",
        f"{action.label} is not possible while {job.name} is {status_word(job.state)};"
        f" allowed: {allowed}",
        status=str(job.status),
        phase=str(job.phase or ""),
        allowed=[str(state) for state in action.states],
    )


def image_refusal(
    action: Action, image: Image, siblings: Sequence[Image], unfinished: bool
) -> SmcError | None:
    """Return why an action is not offered for an image now, or None where it is.

    Args:
        action: its row.
        image: the image.
        siblings: all images of its job, oldest first.
        unfinished: whether that job is there and not Finished.
    """
    if image.state is ImageState.DELETING:
        return SmcError("Image.Unusable", f"image {image.name} is being deleted")
    if action.id is not ActionId.IMAGE_DELETE:
        return None
    if image.holds:
        return SmcError("Image.InUse", f"{image.name} is used by {', '.join(image.holds)}")
    good = [each.id for each in siblings if each.good]
    if unfinished and good and good[-1] == image.id:
        return SmcError("Image.Newest", f"{image.name} is the newest good image of its job")
    return None


def brief(action: Action, job: Job, error: SmcError) -> str:
    """Return in a few words why an action is not offered, for a row of a list.

    Args:
        action: the action.
        job: the job that it is not offered for.
        error: what ``refusal`` has said of it.
    """
    if error.code == "Action.Unavailable":
        return f"needs {action.needs}"
    if error.code == "ReplicationJob.OnceOnly":
        return "incremental jobs only"
    if action.states and job.state not in action.states:
        return f"only {_words(action.states)}"
    return error.entry.cause


def offered(job: Job, abilities: frozenset[Ability] = NO_ABILITIES) -> list[Action]:
    """Return the job actions offered now, in the table's order."""
    return [
        action
        for action in _TABLE
        if action.subject is Subject.JOB and refusal(action, job, abilities) is None
    ]


def status_word(state: State) -> str:
    """Return the console's word for a state: the phase while Running."""
    return str(state.phase) if state.phase else CONSOLE_WORDS.get(state.status, str(state.status))


def _words(states: tuple[State, ...]) -> str:
    if all(state in states for state in RUNNING):
        running = [Status.RUNNING.value]
    else:
        running = [status_word(state) for state in states if state.phase]
    return ", ".join([*(status_word(state) for state in states if not state.phase), *running])
