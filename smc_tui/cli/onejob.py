"""One job: a row of the action table carried out, waited for, shown as it then is."""

from __future__ import annotations

from typing import Any

from smc_tui.cli import pages
from smc_tui.cli.jobwait import brief
from smc_tui.cli.progress import RunWatch, following
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.words import job_status, named
from smc_tui.jobstore import Request
from smc_tui.jobstore.presence import wake
from smc_tui.model.actions import ACTIONS, ActionId, Friction, refusal
from smc_tui.model.consequences import NO_CHOICE, Choice, Facts, consequences
from smc_tui.model.documents import Document, job_summary, run_document
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job


def facts(session: Session, job: Job) -> Facts:
    """Return what the consequences of an action depend on."""
    store = session.store
    return Facts(
        job=job,
        images=store.images(job.id),
        runs=store.runs(job.id),
        resource=store.resource(job.id),
        now=store.now(),
        config=session.config,
    )


def loss(session: Session, job: Job, action_id: ActionId, choice: Choice = NO_CHOICE) -> list[str]:
    """Return what an action will have done, line by line."""
    found = consequences(action_id, facts(session, job), choice)
    return found.lines if found is not None else []


def images_going(
    session: Session, job: Job, action_id: ActionId, choice: Choice
) -> tuple[str, ...]:
    """Return which images a lower maximum takes; nothing where none was chosen."""
    if choice.keep is None:
        return ()
    found = consequences(action_id, facts(session, job), choice)
    return found.goes if found is not None else ()


def carry_out(
    session: Session,
    action_id: ActionId,
    ref: str,
    args: dict[str, Any],
    *,
    wait: bool,
    timeout: float | None,
    yes: str | None = None,
    choice: Choice = NO_CHOICE,
) -> None:
    """Do what one row of the action table says, and show the job as it then is.

    Raises:
        SmcError: InvalidParameter.Confirmation, why the engine refused it or what came
            of it, Engine.*, Request.TimedOut.
    """
    row = ACTIONS[action_id]
    job = session.store.job(ref)
    try:
        if row.friction is Friction.TYPE_NAME:
            refuse_early(session, job, action_id)
            told = loss(session, job, action_id, choice) if yes is None else []
            session.confirm_name(row, (job.id, job.name), yes, told)
        deadline = Deadline(timeout)
        going = images_going(session, job, action_id, choice)
        request = session.ask(row.verb, job.id, args, deadline)
        for text in going:
            session.out.talk(f"{job.name}: images go {text}")
        present(session, stay(session, request, job.id, deadline if wait else None, job))
    except SmcError as error:
        raise error.about(job=job.name, source=job.source_name) from None


def refuse_early(session: Session, job: Job, action_id: ActionId) -> None:
    """Do not make a person type a name for what would be refused anyway.

    Raises:
        SmcError: why it would be; only while an engine is there to keep the status true.
    """
    error = refusal(ACTIONS[action_id], job) if wake(session.home) else None
    if error is not None:
        raise error


def stay(
    session: Session,
    request: Request,
    job_id: str,
    deadline: Deadline | None,
    before: Job | None = None,
) -> Document:
    """Stay to the end if a deadline is given; return the job as it then is.

    Raises:
        SmcError: what came of it, with the job as a fact.
    """
    if deadline is not None and not request.state.ended:
        try:
            with following(session.out, RunWatch(session.store, job_id)) as follower:
                # Its result: a start that waited behind a drill had no run when it was accepted.
                request = session.finish(request, f"the migration {job_id}", deadline, follower)
        except SmcError as error:
            error.facts["job"] = brief(session, job_id)
            raise
        ran = run_line(session, request)
        if ran:
            session.out.talk(ran)
    return document(session, job_id, before)


def run_line(session: Session, request: Request) -> str:
    """Return what the run that was waited for has done; empty where there was none."""
    run = session.store.run(str(request.result.get("run", "")))
    if run is None or run.ended is None:
        return ""
    return pages.run_line(run_document(run))


def document(session: Session, job_id: str, before: Job | None) -> Document:
    """Return a job's document; of one that is gone, what it was."""
    try:
        return session.store.job_document(job_id)
    except SmcError as error:
        if error.code != "ReplicationJob.NotFound" or before is None:
            raise
    gone = {"status": "Deleting", "phase": None, "progress": before.progress, "deleted": True}
    return {**job_summary(before), **gone, "next_run": None, "pending": None}


def present(session: Session, job: Document) -> None:
    """Print a job in one line, and how to follow it while it runs."""
    if job.get("deleted"):
        session.out.present(job, [f"{named(job)} is deleted; its images stay."])
        return
    session.out.present(job, [pages.job_line(job)])
    if job["status"] == "Running":
        session.out.talk(f"{job_status(job)}. Follow it: smc-tui job wait {job['name']}")
