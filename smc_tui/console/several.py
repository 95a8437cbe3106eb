"""The same action on several jobs: one question, an answer for each.

The question stands one level of friction higher than for one job: what asks nothing
asks whether, and whatever asks anything has the number of jobs typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from smc_tui.console import acts
from smc_tui.console.dialogs.fields import Field
from smc_tui.console.dialogs.question import Ask, Question
from smc_tui.console.leave import ALL, Leave
from smc_tui.model.actions import ACTIONS, Action, ActionId, Friction
from smc_tui.model.consequences import Facts
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job

#: Names told one by one; more are counted.
MOST = 6

#: What several jobs cannot have in common.
_OWN = frozenset({"name"})


@dataclass(frozen=True, slots=True)
class Group:
    """The jobs that an action is for, and those that it is not offered for, with the reason."""

    action: ActionId
    jobs: tuple[Job, ...]
    refused: tuple[tuple[Job, SmcError], ...] = ()

    @property
    def row(self) -> Action:
        """The action's row of the table."""
        return ACTIONS[self.action]


def group(action: ActionId, jobs: Sequence[Job], leave: Leave = ALL) -> Group:
    """Tell the jobs that an action is offered for now from those that it is not."""
    errors = [(job, leave.refusal(ACTIONS[action], job)) for job in jobs]
    return Group(
        action,
        tuple(job for job, error in errors if error is None),
        tuple((job, error) for job, error in errors if error is not None),
    )


def fields(chosen: Group) -> list[Field]:
    """Return what is chosen for all of them: what they have in common, else nothing.

    A field that is left empty leaves each job as it is.
    """
    own = [{each.key: each for each in acts.fields(chosen.action, job)} for job in chosen.jobs]
    found = []
    for key, first in own[0].items():
        # What some of them cannot have now is nothing to choose for all.
        if key in _OWN or not all(key in each for each in own):
            continue
        alike = [each[key] for each in own]
        if not isinstance(first.value, bool) and any(each.value != first.value for each in alike):
            choices = {"": "each as it is", **first.choices} if first.choices else {}
            first = replace(first, value="", optional=True, choices=choices,
                            limits=f"{first.limits}; empty: as is")  # fmt: skip
        found.append(first)
    return found


def question(
    chosen: Group, facts: Sequence[Facts], given: Mapping[str, Any] = acts.NOTHING_GIVEN
) -> Question:
    """Return what is asked before an action on several jobs.

    Args:
        chosen: the jobs.
        facts: what is known of each of them, in their order.
        given: what was chosen already.
    """
    row, count = chosen.row, len(chosen.jobs)
    asked = [acts.begun(field, given) for field in fields(chosen)]
    act, keep = acts.buttons(chosen.action)
    typed = row.friction is not Friction.NONE
    return Question(
        title=f"{acts.title(chosen.action)}: {count} jobs",
        lines=told(chosen, facts, {field.key: field.value for field in asked}),
        act=act,
        keep=keep,
        name=str(count) if typed else "",
        fields=asked,
        command=acts.command(row, chosen.jobs, {}),
    )


def told(chosen: Group, facts: Sequence[Facts], answers: Mapping[str, Any]) -> list[str]:
    """Return the list of the jobs and the consequences, each said once for all it is of."""
    lines = [names(chosen.jobs)]
    said: dict[str, list[Job]] = {}
    for each in facts:
        for line in acts.told(chosen.action, each, answers):
            said.setdefault(line, []).append(each.job)
    for line, jobs in said.items():
        alike = len(jobs) == len(chosen.jobs)
        lines.append(line if alike else f"  {names(jobs)}: {line.strip()}")
    reasons: dict[str, list[Job]] = {}
    for job, error in chosen.refused:
        reasons.setdefault(_reason(job, error), []).append(job)
    lines += [f"Left out: {names(jobs)}: {reason}" for reason, jobs in reasons.items()]
    return lines


def _reason(job: Job, error: SmcError) -> str:
    """Return why an action is not offered, without the job's name: alike for those alike."""
    return error.detail.replace(f"{job.name} ", "it ")


def names(jobs: Sequence[Job]) -> str:
    """Return the names of jobs; of many the first, and how many more there are."""
    more = f" and {len(jobs) - MOST} more" if len(jobs) > MOST else ""
    return ", ".join(job.name for job in jobs[:MOST]) + more


def steps(chosen: Group, answers: Mapping[str, Any]) -> list[acts.Step]:
    """Return the requests for the answers: none for a job that they leave as it is."""
    given = {key: value for key, value in answers.items() if value != ""}
    found = (acts.step(chosen.action, job, given) for job in chosen.jobs)
    return [step for step in found if step is not None]


class AskSeveral(Ask):
    """A question on several jobs whose consequences follow what is typed."""

    def __init__(self, chosen: Group, facts: Sequence[Facts], asked: Question) -> None:
        super().__init__(asked)
        self._chosen = chosen
        self._facts = facts

    def revised(self) -> None:
        """Tell the consequences and the command line of what the fields say now."""
        given = {key: value for key, value in self.answers.items() if value != ""}
        command = acts.command(self._chosen.row, self._chosen.jobs, given)
        self.tell(told(self._chosen, self._facts, self.answers), command)


@dataclass
class Batch:
    """The answers of several requests as they come.

    Attributes:
        title: what was asked.
        awaited: the names of the jobs whose answers have not come.
    """

    title: str
    awaited: list[str]

    def __post_init__(self) -> None:
        self._well: list[str] = []
        self._errors: dict[str, list[str]] = {}

    def take(self, name: str, error: SmcError | None) -> bool:
        """Take a job's answer; tell whether it was the last that was awaited.

        An error that comes after all have answered counts as a last one: it is news.
        """
        news = name in self.awaited or error is not None
        if name in self.awaited:
            self.awaited.remove(name)
        if error is not None:
            self._errors.setdefault(f"{error.code}: {error.detail}", []).append(name)
        elif news:
            self._well.append(name)
        return news and not self.awaited

    def summary(self) -> tuple[str, bool]:
        """Return what has come, a line each, what went wrong first; and whether all is well."""
        lines = [f"{', '.join(names)}: {what}" for what, names in self._errors.items()]
        if self._well:
            more = f" and {len(self._well) - MOST} more" if len(self._well) > MOST else ""
            lines.append(f"{', '.join(self._well[:MOST])}{more}: accepted")
        well = not self._errors
        self._well, self._errors = [], {}
        return "\n".join(lines), well
