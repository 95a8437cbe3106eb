"""From an action on a job to a question, and from its answers to a request.

Nothing here decides what may be done: the action table does, and the engine again.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from smc_tui.console.dialogs.fields import Field
from smc_tui.console.dialogs.question import Ask, Question
from smc_tui.model import changes, settings
from smc_tui.model.actions import ACTIONS, Action, ActionId, Friction
from smc_tui.model.consequences import Choice, Facts, consequences, of_source
from smc_tui.model.errors import SmcError
from smc_tui.model.instants import WANTED_MEANS
from smc_tui.model.things import Image, Job, Source
from smc_tui.model.units import duration_text

#: (the button that does it, the button that does not), named after the act.
_BUTTONS = {
    ActionId.CANCEL: ("Cancel the job", "Keep the job"),
    ActionId.COMPLETE: ("Complete the job", "Keep it running"),
    ActionId.RELEASE: ("Release it", "Keep it"),
    ActionId.PAUSE: ("Pause", "Let it go on"),
    ActionId.SYNC: ("Synchronise now", "Wait for the interval"),
    ActionId.SET_INTERVAL: ("Set", "Leave as it is"),
    ActionId.MODIFY: ("Modify", "Leave as it is"),
}


#: No answers in advance.
NOTHING_GIVEN: Mapping[str, Any] = MappingProxyType({})


def fields(action: ActionId, job: Job) -> Sequence[Field]:
    """Return what is chosen with an action."""
    chosen = job.settings
    keep = Field("keep", "Maximum reserved images", str(chosen.keep), settings.keep, "1 to 10")
    match action:
        case ActionId.SET_INTERVAL:
            every = duration_text(chosen.interval)
            return (Field("interval", "Interval", every, settings.interval, "1h to 7d"), keep)
        case ActionId.COMPLETE:
            return (Field("last_sync", "Perform One Last Synchronization", True),)
        case ActionId.MODIFY:
            settable = (
                Field("name", "Name", job.name, settings.name, "2 to 128 characters"),
                Field("description", "Description", job.description, settings.description),
                Field("limit_mbit", "Speed limit, Mbit/s", str(chosen.limit_mbit), settings.limit,
                      "0: none; acts at once"),
                Field("compression", "Compression", chosen.compression, settings.compression,
                      "auto, or 0 to 10"),
                Field("valid", "Valid time", "", settings.valid, "7d to 90d from its creation",
                      optional=True),
                keep,
                Field("instant", "One instant", chosen.instant, choices=WANTED_MEANS),
            )  # fmt: skip
            return [field for field in settable if changes.refusal(field.key, job) is None]
    return ()


def question(
    action: ActionId, facts: Facts, given: Mapping[str, Any] = NOTHING_GIVEN
) -> Question | None:
    """Return what is asked before an action, None where nothing stands before it.

    Args:
        action: which one.
        facts: the job, and what is known of it.
        given: what was chosen already: fields begin with it, and where nothing but
            fields would be asked, nothing is, unless something goes with it.
    """
    row, job = ACTIONS[action], facts.job
    chosen = [begun(field, given) for field in fields(action, job)]
    found = consequences(action, facts, _choice(given, job))
    asks = (found is not None and found.goes) if given else chosen
    if row.friction is Friction.NONE and not asks:
        return None
    act, keep = buttons(action)
    return Question(
        title=f"{title(action)}: {job.name}",
        lines=told(action, facts, {field.key: field.value for field in chosen}),
        act=act,
        keep=keep,
        name=job.name if row.friction is Friction.TYPE_NAME else "",
        fields=chosen,
        command=command(
            row, [job], arguments(action, job, {field.key: field.value for field in chosen})
        ),
    )


#: Where SMC's dialog has another title than the action that opens it.
_TITLES = {ActionId.COMPLETE: "Complete Incremental Job"}


def title(action: ActionId) -> str:
    """Return the title of an action's dialog, in SMC's words."""
    return _TITLES.get(action, ACTIONS[action].label)


def begun(field: Field, given: Mapping[str, Any]) -> Field:
    """Return a field that begins with what was chosen already."""
    return replace(field, value=given[field.key]) if field.key in given else field


def buttons(action: ActionId) -> tuple[str, str]:
    """Return the words of the button that does it, and of the one that does not."""
    return _BUTTONS.get(action, (ACTIONS[action].label, "Leave it"))


def told(action: ActionId, facts: Facts, answers: Mapping[str, Any]) -> list[str]:
    """Return the consequences of an action as the fields stand."""
    found = consequences(action, facts, _choice(answers, facts.job))
    return found.lines if found else []


def _choice(answers: Mapping[str, Any], job: Job) -> Choice:
    def number(key: str, check: Any) -> int | None:
        try:
            return int(check(answers[key])) if key in answers else None
        except SmcError:
            return None

    keep = number("keep", settings.keep)
    return Choice(
        last_sync=answers.get("last_sync") is True,
        interval=number("interval", settings.interval),
        # A field that was left as it is takes no image that would not go anyway.
        keep=None if keep == job.settings.keep else keep,
    )


def arguments(action: ActionId, job: Job, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request's arguments: of a form, only what was changed."""
    before = {field.key: field.value for field in fields(action, job)}
    if action is ActionId.COMPLETE:
        return {"last_sync": bool(answers.get("last_sync"))}
    if action is ActionId.SET_INTERVAL:
        return dict(answers)
    return {key: value for key, value in answers.items() if value != before.get(key)}


def command(action: Action, jobs: Sequence[Job], args: Mapping[str, Any]) -> str:
    """Return the command line that does the same."""
    names = [job.name for job in jobs]
    if action.id is ActionId.MODIFY and len(jobs) > 1:
        names = ["EACH"]  # one job a command
    words = ["smc-tui", "job", action.verb.partition(".")[2], *names]
    if action.id is ActionId.SET_INTERVAL and "interval" in args:
        words.append(str(args["interval"]))
    for key, value in args.items():
        if key == "interval":
            continue
        if value is True:
            words.append(f"--{key.replace('_', '-')}")
        elif value is not False:
            words += [f"--{key.removesuffix('_mbit').replace('_', '-')}", str(value)]
    return shlex.join(words)


#: What shows something -> the command line's words for it, round the job's name.
_VIEWS = {
    ActionId.VIEW_REPORT: ("report", ""),
    ActionId.TROUBLESHOOT: ("errors", ""),
    ActionId.VIEW_DRILL: ("drill", " --last"),
}


def viewing(action: ActionId, job: Job, program: str) -> str:
    """Return the command line that shows what an action shows."""
    verb, more = _VIEWS.get(action, ("show", ""))
    return f"{program} job {verb} {job.name}{more}"


def source_question(action: Action, source: Source, made: Sequence[Image]) -> Question:
    """Return what is asked before an action on a source.

    Args:
        action: its row of the table.
        source: the source.
        made: the images that were made of it.
    """
    return Question(
        title=f"{action.label}: {source.name}",
        lines=of_source(source, made).lines,
        act=action.label,
        keep="Keep it",
        command=source_command(action, source),
    )


def source_command(action: Action, source: Source) -> str:
    """Return the command line that does the same to a source."""
    return f"smc-tui source {action.verb.partition('.')[2]} {source.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """What to submit."""

    verb: str
    target: str
    args: dict[str, Any]
    command: str


def step(action: ActionId, job: Job, answers: Mapping[str, Any]) -> Step | None:
    """Return the request for an action and its answers; None when nothing was changed."""
    row = ACTIONS[action]
    args = arguments(action, job, answers)
    if action is ActionId.MODIFY and not args:
        return None
    return Step(row.verb, job.id, args, command(row, [job], args))


class AskAction(Ask):
    """A question on a job whose consequences follow what is typed."""

    def __init__(self, action: ActionId, facts: Facts, asked: Question) -> None:
        super().__init__(asked)
        self._action = action
        self._facts = facts

    def revised(self) -> None:
        """Tell the consequences and the command line of what the fields say now."""
        job, answers = self._facts.job, self.answers
        lines = told(self._action, self._facts, answers)
        args = arguments(self._action, job, answers)
        self.tell(lines, command(ACTIONS[self._action], [job], args))
