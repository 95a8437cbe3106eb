"""The same verb on several jobs: chosen, confirmed once, one result line each.

    job VERB J            one job, exactly as if there were no groups
    job VERB J J…         those jobs
    job VERB --tag T …    the jobs that have all these tags, their own or their source's
    job VERB --all        every job on the table

The requests are written one after the other and carried out by the engine as it sees
fit; a job that refuses keeps no other from going on.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from smc_tui.cli.chosen import Chosen, tagged
from smc_tui.cli.frames import Bar, Follower, Frame
from smc_tui.cli.jobwait import ENGINE_LOOK, LOOK, brief
from smc_tui.cli.onejob import carry_out, document, images_going, loss, refuse_early, run_line
from smc_tui.cli.progress import following
from smc_tui.cli.session import Deadline, Detached, Session
from smc_tui.cli.words import job_status, job_word, percent
from smc_tui.jobstore import JobStore, Request
from smc_tui.jobstore.presence import wake
from smc_tui.model.actions import ACTIONS, ActionId, Friction
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.consequences import NO_CHOICE, Choice
from smc_tui.model.documents import Document, job_summary
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Status
from smc_tui.model.things import Job

#: What is typed to confirm ``--all``.
ALL = "all"
#: Bars drawn at once; more are counted.
BARS = 8

#: action -> the word while the engine is at it, the word when it has ended; an empty
#: one is the job's status.
_WORDS = {
    ActionId.START: ("started", ""),
    ActionId.SYNC: ("started", ""),
    ActionId.RETRY: ("started", ""),
    ActionId.PAUSE: ("pausing", "paused"),
    ActionId.COMPLETE: ("completing", "completed"),
    ActionId.CANCEL: ("cancelling", "deleted; its images stay"),
    ActionId.RELEASE: ("releasing", "released"),
    ActionId.SET_INTERVAL: ("changing", "changed"),
    ActionId.RETRY_DRILL: ("drilling", ""),
}


@dataclass
class Outcome:
    """What became of one job."""

    ref: str
    job: Job | None
    by_name: bool = True
    request: Request | None = None
    error: SmcError | None = None
    ended: bool = False

    @property
    def name(self) -> str:
        """What people call the job."""
        return self.job.name if self.job else self.ref

    @property
    def waited_for(self) -> bool:
        """Whether there is something to wait for yet."""
        return self.request is not None and not self.ended

    def fail(self, error: SmcError) -> None:
        """Take what went wrong as the end."""
        if self.job is not None:
            error.about(job=self.job.name, source=self.job.source_name)
        self.error, self.ended = error, True


def act(
    session: Session,
    action_id: ActionId,
    chosen: Chosen,
    args: dict[str, Any] | None = None,
    *,
    wait: bool,
    timeout: float | None,
    yes: tuple[str, ...] = (),
    choice: Choice = NO_CHOICE,
) -> int:
    """Do what a row of the action table says to one job or to several.

    Returns:
        The exit status: 0, the code that all failures have, else 1.

    Raises:
        SmcError: with one job what ``carry_out`` raises; with several what concerns
            them all: InvalidParameter.*, ReplicationJob.NotFound, Engine.*.
    """
    ref = chosen.single
    if ref is not None:
        said = yes[-1] if yes else None
        carry_out(
            session, action_id, ref, args or {},
            wait=wait, timeout=timeout, yes=said, choice=choice,
        )  # fmt: skip
        return ExitCode.OK
    outcomes = chosen_jobs(session, chosen)
    if ACTIONS[action_id].friction is Friction.TYPE_NAME:
        _confirm(session, action_id, outcomes, chosen, yes, choice)
    Group(session, action_id, outcomes).run(args or {}, wait, Deadline(timeout), choice)
    if session.out.json:
        shown = functools.partial(_as_it_is, session)
        session.out.document([result(session, each, shown) for each in outcomes])
    return exit_status(each.error.exit_code for each in outcomes if each.error is not None)


def exit_status(codes: Iterable[int]) -> int:
    """Return the exit status of several: 0, the code that all failures have, else 1."""
    found = set(codes)
    return ExitCode.OK if not found else found.pop() if len(found) == 1 else ExitCode.FAILED


def chosen_jobs(session: Session, chosen: Chosen) -> list[Outcome]:
    """Return the jobs that were chosen, each once, in the order given.

    Raises:
        SmcError: ReplicationJob.NotFound: none has the tags.
    """
    found: dict[str, Outcome] = {}
    for ref in chosen.refs:
        try:
            job = session.store.job(ref)
            found.setdefault(job.id, Outcome(ref, job))
        except SmcError as error:
            found.setdefault(ref, Outcome(ref, None, error=error, ended=True))
    if chosen.tags or chosen.everything:
        matching = tagged(session.store.jobs(), session.store.sources(), chosen.tags)
        if not matching and chosen.tags:
            raise SmcError("ReplicationJob.NotFound", f"no job has {' and '.join(chosen.tags)}")
        for job in matching:
            found.setdefault(job.id, Outcome(job.name, job, by_name=False))
    if not found:
        session.out.talk("No jobs yet: smc-tui job create SOURCE")
    return list(found.values())


def _confirm(
    session: Session,
    action_id: ActionId,
    outcomes: Sequence[Outcome],
    chosen: Chosen,
    yes: tuple[str, ...],
    choice: Choice,
) -> None:
    """Have the names or the tags typed, after all consequences were told.

    What would be refused anyway is not asked about.
    """
    wanted: list[tuple[str, ...]] = []
    group = [(ALL,)] if chosen.everything else [(tag,) for tag in chosen.tags]
    told: list[str] = []
    for each in outcomes:
        if each.job is None:
            continue
        try:
            refuse_early(session, each.job, action_id)
        except SmcError as error:
            each.fail(error)
        told += _told(session, each, action_id, choice)
        if each.by_name:
            wanted.append((each.job.name, each.job.id, each.ref))
    asked = any(not each.ended for each in outcomes)
    if asked:
        session.confirm_words(ACTIONS[action_id], [*wanted, *group], yes, told)


def _told(session: Session, each: Outcome, action_id: ActionId, choice: Choice) -> Iterator[str]:
    assert each.job is not None
    if each.error is not None:
        yield f"{each.name}: will be refused: {each.error.detail}"
        return
    first, *more = loss(session, each.job, action_id, choice)
    yield f"{each.name}: {first}"
    yield from more


class Group:
    """Several jobs on their way."""

    def __init__(
        self,
        session: Session,
        action_id: ActionId,
        outcomes: Sequence[Outcome],
        ended: Callable[[Job], str] | None = None,
    ) -> None:
        """Take the jobs.

        Args:
            session: the command's.
            action_id: what is done to them.
            outcomes: the jobs.
            ended: what is said of one that is through, instead of the action's word.
        """
        self._session = session
        self._ended = ended
        self._row = ACTIONS[action_id]
        self._words = _WORDS[action_id]
        self._outcomes = outcomes

    def run(self, args: dict[str, Any], wait: bool, deadline: Deadline, choice: Choice) -> None:
        """Ask for everything, and stay to the end if that is wanted.

        Raises:
            SmcError: Engine.*: there is nobody to ask.
            Detached: a person pressed ^C.
        """
        if any(not each.ended for each in self._outcomes):
            self._session.ready()
        for each in self._outcomes:
            if each.job is not None and not each.ended:
                try:
                    self._ask(each, each.job, args, deadline, choice)
                except SmcError as error:
                    each.fail(error)
            if each.ended or not wait:
                self._say(each, self._session.out.line)
        if not any(each.waited_for for each in self._outcomes) or not wait:
            return
        try:
            with following(self._session.out, GroupWatch(self._session.store, self)) as follower:
                self._stay(deadline, follower)
        except KeyboardInterrupt:
            raise Detached("what was accepted") from None

    def _ask(
        self, each: Outcome, job: Job, args: dict[str, Any], deadline: Deadline, choice: Choice
    ) -> None:
        going = images_going(self._session, job, self._row.id, choice)
        each.request = self._session.ask(self._row.verb, job.id, args, deadline)
        each.ended = each.request.state.ended
        for text in going:
            self._session.out.talk(f"{each.name}: images go {text}")

    @property
    def title(self) -> str:
        """What is done, and to how many it was done."""
        ended = sum(each.ended for each in self._outcomes)
        return f"{self._row.label}: {ended} of {len(self._outcomes)} jobs ended"

    @property
    def under_way(self) -> list[str]:
        """The ids of the jobs that are waited for."""
        return [each.job.id for each in self._outcomes if each.waited_for and each.job is not None]

    def _stay(self, deadline: Deadline, follower: Follower) -> None:
        asked = time.monotonic()
        while True:
            for each in self._outcomes:
                if each.waited_for and self._has_ended(each):
                    self._say(each, follower.say)
            if not self.under_way:
                return
            follower()
            left = deadline.left(LOOK)
            if not left:
                self._give_up(follower, "Request.TimedOut", "it goes on")
                return
            if time.monotonic() - asked >= ENGINE_LOOK:
                asked = time.monotonic()
                if not wake(self._session.home):
                    self._give_up(follower, "Engine.NotReachable", "the engine ended meanwhile")
                    return
            time.sleep(left)

    def _has_ended(self, each: Outcome) -> bool:
        assert each.request is not None
        each.request = self._session.store.request(each.request.id)
        each.ended = each.request.state.ended
        if each.request.error is not None:
            each.fail(each.request.error)
        return each.ended

    def _give_up(self, follower: Follower, code: str, detail: str) -> None:
        for each in self._outcomes:
            if each.waited_for:
                each.fail(SmcError(code, detail))
                self._say(each, follower.say)

    def _say(self, each: Outcome, say: Any) -> None:
        """Say what became of a job: in one line on standard output, for people."""
        out = self._session.out
        if each.error is not None:
            (out.talk if out.json else say)(f"{each.name}: {each.error.line}")
        elif not out.json:
            say(f"{each.name}: {self._word(each)}")

    def _word(self, each: Outcome) -> str:
        under_way, done = self._words
        assert each.job is not None
        assert each.request is not None
        if not each.ended:
            return under_way
        if self._ended is not None:
            return self._ended(each.job)
        word = done or job_status(document(self._session, each.job.id, each.job))
        return ", ".join(filter(None, [word, run_line(self._session, each.request)]))


def _as_it_is(session: Session, job: Job) -> Document:
    return document(session, job.id, job)


def result(session: Session, each: Outcome, shown: Callable[[Job], Document]) -> Document:
    """Return what became of one of several jobs, as a document.

    Args:
        session: the command's.
        each: the job, and what it came to.
        shown: what stands under ``result`` of a job with which all went well.
    """
    told: Document = {"job": each.name, "id": each.job.id if each.job else None}
    if each.error is not None:
        error = each.error.document()
        if each.job is not None:
            error["job"] = brief(session, each.job.id)
        return {**told, "ok": False, "error": error}
    assert each.job is not None
    return {**told, "ok": True, "result": shown(each.job)}


@dataclass
class GroupWatch:
    """The runs of several jobs, a bar each."""

    store: JobStore
    group: Group

    def frame(self, request: Request | None = None) -> Frame:
        """Return a bar for each job that is under way."""
        wanted = set(self.group.under_way)
        jobs = [job for job in self.store.jobs() if job.id in wanted]
        running = [job for job in jobs if job.status is Status.RUNNING]
        bars = tuple(_bar(job) for job in running[:BARS])
        more = f", {len(running) - BARS} more" if len(running) > BARS else ""
        return Frame(self.group.title + more, bars)


def _bar(job: Job) -> Bar:
    word = job_word(job_summary(job))
    return Bar(job.name, job.progress, 100.0, f"{word}, {percent(job.progress)}")
