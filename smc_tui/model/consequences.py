"""What an action will have done, told before it is done, from the job at hand.

One table: an action's row computes what it does, what goes, what stays, what it costs
and where the job can be resumed. Every question of the command line and of a console,
and ``job actions``, have their words from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from smc_tui.model.actions import ActionId
from smc_tui.model.costs import MONTH, amount, money_text
from smc_tui.model.drill import owed
from smc_tui.model.lifecycle import ImageState, Status
from smc_tui.model.options import Config
from smc_tui.model.retention import outgoing
from smc_tui.model.things import DrillMode, Image, Job, Resource, ResourceState, Run, Source
from smc_tui.model.units import bytes_text, duration_text

#: Names told one by one; more are counted.
_MOST = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a job when an action is asked for.

    ``now`` is the engine's clock, POSIX seconds; ``images`` and ``runs`` are the job's,
    oldest first; ``resource`` is what it holds, None where it holds nothing.
    """

    job: Job
    images: Sequence[Image] = ()
    runs: Sequence[Run] = ()
    resource: Resource | None = None
    now: float = 0.0
    config: Config = field(default_factory=Config)

    @property
    def held(self) -> Resource | None:
        """What the job holds and is not releasing."""
        found = self.resource
        return found if found is not None and found.state is ResourceState.HELD else None


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen with an action; None: what the job has now.

    ``interval`` is seconds, ``keep`` the maximum of reserved images; ``services`` are
    those that a cutover stops on the source, ``rehearse`` that they are started again.
    """

    last_sync: bool = False
    interval: int | None = None
    keep: int | None = None
    services: tuple[str, ...] = ()
    rehearse: bool = False


@dataclass(frozen=True, slots=True)
class Consequences:
    """What an action does, in sentences and phrases for people."""

    does: str
    goes: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    cost: str = ""
    resumes: str = ""

    @property
    def lines(self) -> list[str]:
        """The same as lines; what there is nothing to say of is left out."""
        rows = (
            ("Goes", "; ".join(self.goes)),
            ("Stays", "; ".join(self.stays)),
            ("Costs", self.cost),
            ("Resumes", self.resumes),
        )
        return [self.does, *(f"  {label + ':':<9}{text}" for label, text in rows if text)]

    def document(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "does": self.does,
            "goes": list(self.goes),
            "stays": list(self.stays),
            "cost": self.cost or None,
            "resumes": self.resumes or None,
        }


NO_CHOICE = Choice()


def consequences(action: ActionId, facts: Facts, choice: Choice = NO_CHOICE) -> Consequences | None:
    """Return what an action on a job will have done; None for one that only shows."""
    row = _TABLE.get(action)
    return None if row is None else row(facts, choice)


def of_image(image: Image, images: Sequence[Image]) -> Consequences:
    """Return what deleting an image will have done.

    Args:
        image: the one to be deleted.
        images: all of its job's images.
    """
    others = [each for each in images if each.id != image.id]
    good = sum(each.good for each in others)
    return Consequences(
        f"Deleting: the image {image.name} ({bytes_text(image.size)}) is gone for good.",
        goes=("the image, and the blocks that no other image has (`store collect` frees them)",),
        stays=(f"{_count(len(others), 'other image')} of its job, {good} of them good",),
        resumes="nowhere: it cannot be brought back",
    )


def of_source(source: Source, images: Sequence[Image]) -> Consequences:
    """Return what removing a source will have done; ``images`` are all made of it."""
    return Consequences(
        f"Deleting: the source {source.name} is forgotten.",
        goes=("its address, the accepted host key, its inventory and tags",),
        stays=(_images(images), "the server itself: nothing was installed there"),
        resumes="import it again",
    )


# Parts of sentences


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _images(images: Sequence[Image]) -> str:
    kept_ones = [image for image in images if image.state is not ImageState.DELETING]
    if not kept_ones:
        return "no image was made yet"
    return f"{_count(len(kept_ones), 'image')}: {_names([image.name for image in kept_ones])}"


def _resource(facts: Facts) -> tuple[str, ...]:
    held = facts.held
    return (f"{held.name} (staging area, {bytes_text(held.size)})",) if held else ()


def _running_cost(facts: Facts, *, ends: bool) -> str:
    """Return what the intermediate resource costs, and whether it goes on."""
    held = facts.held
    if held is None:
        return ""
    month = amount(held.size, MONTH, facts.config)
    if month is None:
        room = bytes_text(held.size)
        return f"frees {room}" if ends else f"{room} stay in use at the destination"
    so_far = amount(held.size, facts.now - held.created, facts.config) or 0.0
    monthly = f"about {money_text(month, facts.config)} in 30 days"
    spent = f"{money_text(so_far, facts.config)} so far (estimates, at the present size)"
    return f"{monthly} {'are no longer spent' if ends else 'go on'}; {spent}"


def _resumption(facts: Facts) -> str:
    """Return where a start or a retry begins."""
    held, job = facts.held, facts.job
    if held is not None and facts.runs:
        size = bytes_text(held.size)
        between = job.status is Status.STOPPED and job.run_id is None
        where = "with the next synchronisation" if between else "where it stopped"
        return f"{where}: the staging area is kept ({size}), stored blocks are not sent again"
    if facts.runs:
        return "starts again: the intermediate resource was released, all is compared anew"
    return "starts at the beginning: nothing was transferred yet"


def _outgoing(facts: Facts, keep: int | None) -> tuple[str, ...]:
    """Return the images that retention will take after the next good image."""
    most = facts.job.settings.keep if keep is None else keep
    names = [image.name for image in outgoing(facts.images, most)]
    if not names:
        return ()
    return (f"after the next image, the oldest unused beyond {most}: {_names(names)}",)


# The rows


def _start(facts: Facts, choice: Choice) -> Consequences:
    job = facts.job
    drill = owed(job, bool(facts.runs), facts.now)
    if drill and job.settings.drill is DrillMode.ONLY:
        does = "Starting: a migration drill alone; nothing is transferred."
    elif facts.runs:
        does = "Starting: the job goes on."
    else:
        does = f"Starting: {'a migration drill, then ' if drill else ''}a full migration."
    return Consequences(does, stays=(_images(facts.images),), resumes=_resumption(facts))


def _retry(facts: Facts, choice: Choice) -> Consequences:
    fault = facts.job.fault
    after = f" after {fault.code}" if fault else ""
    return Consequences(
        f"Retrying{after}.", stays=(_images(facts.images),), resumes=_resumption(facts)
    )


def _pause(facts: Facts, choice: Choice) -> Consequences:
    running = facts.job.status is Status.RUNNING
    does = "the transfer stops at a safe point" if running else "no further run starts by itself"
    stored = ("everything transferred so far",) if running else ()
    return Consequences(
        f"Pausing: {does}.",
        stays=(*stored, *_resource(facts), _images(facts.images)),
        cost=_running_cost(facts, ends=False),
        resumes="at that point: Start Migration Job; stored blocks are not sent again",
    )


def _cancel(facts: Facts, choice: Choice) -> Consequences:
    job = facts.job
    if job.status is Status.RUNNING:
        does = "Cancelling: the run stops safely, then the job is deleted."
        run: tuple[str, ...] = ("the run under way",)
    else:
        does = "Cancelling: the job is deleted."
        run = ("the paused run",) if job.status is Status.STOPPED and job.run_id else ()
    return Consequences(
        does,
        goes=("the job and its schedule", *run, *_resource(facts)),
        stays=(_images(facts.images), "history and report"),
        cost=_running_cost(facts, ends=True),
        resumes="nowhere: a new job begins with a full comparison",
    )


def _rehearse(facts: Facts, choice: Choice) -> Consequences:
    return Consequences(
        f"Rehearsing: {', '.join(choice.services)} on {facts.job.source_name} stop, a final"
        " synchronisation follows, then they are started again.",
        goes=("what these services serve, for the time of it", *_outgoing(facts, None)),
        stays=(f"{_images(facts.images)}, and the one being made", "the job and its schedule"),
        cost=_running_cost(facts, ends=False),
        resumes="the job waits as before",
    )


def _complete(facts: Facts, choice: Choice) -> Consequences:
    if choice.rehearse:
        return _rehearse(facts, choice)
    good = [image for image in facts.images if image.good]
    if choice.last_sync:
        stopped = ", ".join(choice.services)
        first = f"{stopped} on {facts.job.source_name} stop, then " if stopped else ""
        does = f"Completing: {first}one last synchronisation, then the job never runs again."
        images = (f"{_images(facts.images)}, and the one being made",)
        lost: tuple[str, ...] = _outgoing(facts, None)
    else:
        does = "Completing: the job never runs again."
        images = (_images(facts.images),)
        since = f" {duration_text(facts.now - good[-1].created)} ago" if good else ""
        what = f"since the last good image{since}" if good else "at all: no image shows one instant"
        lost = (f"what was written on the source {what}, unless --last-sync fetches it",)
    return Consequences(
        does,
        goes=(*lost, *_resource(facts)),
        stays=(*images, "history and report"),
        cost=_running_cost(facts, ends=True),
        resumes="nowhere: more data needs a new job",
    )


def _release(facts: Facts, choice: Choice) -> Consequences:
    job = facts.job
    paused = job.status is Status.STOPPED and bool(job.run_id)
    return Consequences(
        "Releasing: the staging area is removed.",
        goes=(*_resource(facts), *(("the paused run",) if paused else ())),
        stays=(_images(facts.images), "the job, its settings and history"),
        cost=_running_cost(facts, ends=True),
        resumes="starts again: the next run compares everything anew",
    )


def _interval(facts: Facts, choice: Choice) -> Consequences:
    chosen = facts.job.settings.interval if choice.interval is None else choice.interval
    every = duration_text(chosen)
    return Consequences(
        f"Setting: {every} from the end of a run to the next, after the next synchronisation.",
        goes=() if choice.keep is None else _outgoing(facts, choice.keep),
        stays=("the next synchronisation is when it was",),
    )


def _sync(facts: Facts, choice: Choice) -> Consequences:
    every = duration_text(facts.job.settings.interval)
    return Consequences(
        f"Synchronising now; the next one follows {every} after its end.",
        goes=_outgoing(facts, None),
        stays=(_images(facts.images),),
        cost=_running_cost(facts, ends=False),
    )


def _modify(facts: Facts, choice: Choice) -> Consequences:
    return Consequences(
        "Modifying: speed limit and compression act at once, the rest from the next run on.",
        goes=() if choice.keep is None else _outgoing(facts, choice.keep),
    )


def _drill(facts: Facts, choice: Choice) -> Consequences:
    return Consequences(
        "Drilling: source, link and destination are examined; nothing is changed.",
        stays=(_images(facts.images),),
    )


_TABLE: Mapping[ActionId, Callable[[Facts, Choice], Consequences]] = MappingProxyType(
    {
        ActionId.START: _start,
        ActionId.RETRY: _retry,
        ActionId.PAUSE: _pause,
        ActionId.CANCEL: _cancel,
        ActionId.COMPLETE: _complete,
        ActionId.RELEASE: _release,
        ActionId.SET_INTERVAL: _interval,
        ActionId.SYNC: _sync,
        ActionId.MODIFY: _modify,
        ActionId.RETRY_DRILL: _drill,
    }
)
