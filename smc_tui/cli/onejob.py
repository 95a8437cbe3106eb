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
from smc_tui.model.actions import ACTIONS, ActionId, refusal
from smc_tui.model.documents import Document, job_summary, run_document
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job


def carry_out(
    session: Session,
    action_id: ActionId,
    ref: str,
    args: dict[str, Any],
    wait: bool,
    timeout: float | None,
    confirm: tuple[str | None, str] | None = None,
) -> None:
    """Do what one row of the action table says, and show the job as it then is."""
    row = ACTIONS[action_id]
    job = session.store.job(ref)
    if confirm is not None:
        refuse_early(session, job, action_id)
        session.confirm_name(row, (job.id, job.name), *confirm)
    deadline = Deadline(timeout)
    request = session.ask(row.verb, job.id, args, deadline)
    present(session, stay(session, request, job.id, deadline if wait else None, job))


def refuse_early(session: Session, job: Job, action_id: ActionId) -> None:
    """Do not make a person type a name for what would be refused anyway."""
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
    """Stay to the end if a deadline is given; return the job as it then is."""
    if deadline is not None and not request.state.ended:
        try:
            with following(session.out, RunWatch(session.store, job_id)) as follower:
                session.finish(request, f"the migration {job_id}", deadline, follower)
        except SmcError as error:
            error.facts["job"] = brief(session, job_id)
            raise
        _say_run(session, request)
    return _document(session, job_id, before)


def _say_run(session: Session, request: Request) -> None:
    """Say what the run that was waited for has done."""
    run = session.store.run(str(request.result.get("run", "")))
    if run is not None and run.ended is not None:
        session.out.talk(pages.run_line(run_document(run)))


def _document(session: Session, job_id: str, before: Job | None) -> Document:
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
