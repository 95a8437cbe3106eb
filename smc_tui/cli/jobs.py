"""``smc-tui job``: migrations, their runs and their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from smc_tui.cli import pages
from smc_tui.cli.grammar import Function, Noun, action, staying, timeout_option, waiting
from smc_tui.cli.jobwait import Target, brief, wait_for
from smc_tui.cli.progress import RunWatch, following
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.words import job_status, named, verbs
from smc_tui.jobstore import Request
from smc_tui.jobstore.presence import wake
from smc_tui.model import settings
from smc_tui.model.actions import ACTIONS, ActionId, refusal
from smc_tui.model.documents import Document, job_summary, run_document
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job
from smc_tui.model.units import parse_instant, rfc3339

noun = Noun("job", help="Migrations: create, start, keep in step, complete.")

#: option of create and modify -> the check that a value must pass before it is sent.
_CHECKS = {
    "name": settings.name,
    "image_name": settings.name,
    "description": settings.description,
    "target": settings.target,
    "interval": settings.interval,
    "keep": settings.keep,
    "limit_mbit": settings.limit,
    "compression": settings.compression,
    "valid": settings.valid,
}


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, each within its limits.

    The engine checks them again; here it saves starting one for a slip of the pen.

    Raises:
        SmcError: InvalidParameter.*.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        if name in _CHECKS:
            _CHECKS[name](value)
    return chosen


def _setting(flag: str, name: str, metavar: str, text: str) -> Callable[[Function], Function]:
    return click.option(flag, name, metavar=metavar, help=text)


_NAME = _setting("--name", "name", "N", "Name of the job.")
_IMAGE_NAME = _setting("--image-name", "image_name", "N", "What its images are called.")
_DESCRIPTION = _setting("--description", "description", "TEXT", "One line for people.")
_INTERVAL = _setting("--interval", "interval", "1h..7d", "Time from a run's end to the next.")
_KEEP = _setting("--keep", "keep", "1..10", "Maximum of reserved images.")
_LIMIT = _setting("--limit", "limit_mbit", "MBIT", "Speed limit on the wire in Mbit/s, 0: none.")
_COMPRESSION = _setting("--compression", "compression", "auto|0..10", "Compression of the link.")
_VALID = _setting("--valid", "valid", "7d..90d", "Time until an unfinished job expires.")
_REF = click.argument("ref", metavar="J")


@noun.command("create", short_help="Create the migration of a source.")
@click.argument("source", metavar="SOURCE")
@_NAME
@_setting("--target", "target", "image", "What the job makes.")
@click.option("--once", is_flag=True, help="End with the first image instead of keeping in step.")
@_INTERVAL
@_KEEP
@click.option(
    "--start",
    "start",
    metavar="now|later|TIME",
    help="When the first run starts (default: later, or now with --wait).",
)
@_LIMIT
@_COMPRESSION
@_VALID
@_IMAGE_NAME
@_DESCRIPTION
@waiting
@click.pass_obj
def create(
    session: Session,
    /,
    source: str,
    once: bool,
    start: str | None,
    wait: bool,
    timeout: float | None,
    **given: Any,
) -> None:
    """Create the migration of a source: once, or kept in step (daily by default).

    A source has one unfinished job at a time. TIME is an instant such as
    2027-01-31T02:00, 10 minutes to 30 days ahead, local unless it names a zone.
    """
    if once and given["interval"] is not None:
        raise SmcError("InvalidParameter.Combination", "--once and --interval")
    args = checked({**given, "once": True if once else None})
    args["start"] = _start(start or ("now" if wait else "later"))
    found = session.store.source(source)
    deadline = Deadline(timeout)
    request = session.ask("job.create", found.id, args, deadline)
    job = _stay(session, request, request.result["job"], deadline if wait else None)
    _present(session, job)
    if not session.out.json and job["status"] == "Ready" and not job["next_run"]:
        session.out.talk(f"Start it: smc-tui job start {job['name']}")


def _start(text: str) -> str:
    """Return a start as the engine takes it; a local time gets its zone here."""
    if text in ("now", "later"):
        return text
    try:
        return rfc3339(parse_instant(text))
    except (ValueError, OverflowError, OSError):
        raise SmcError(
            "InvalidParameter.StartTime", f"{text!r} is no instant such as 2027-01-31T02:00"
        ) from None


@noun.command("list", short_help="List all jobs.")
@click.pass_obj
def list_jobs(session: Session) -> None:
    """List all jobs."""
    found = session.store.job_documents()
    if not found:
        session.out.talk("No jobs yet: smc-tui job create SOURCE")
    session.out.present(found, pages.job_table(found) if found else [])


@noun.command("show", short_help="Show a job with its runs and images.")
@_REF
@click.pass_obj
def show(session: Session, ref: str) -> None:
    """Show a job: status, progress, settings, error, what is possible, runs, images."""
    job = session.store.job(ref)
    document = session.store.job_document(job.id)
    session.out.present(document, pages.job_page(document, verbs(job)))


@action(noun, ActionId.START, "Start a job, or go on with a paused or failed one.")
@_REF
@waiting
@click.pass_obj
def start(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Start a job."""
    _carry_out(session, ActionId.START, ref, {}, wait, timeout)


@action(noun, ActionId.SYNC, "Synchronise now instead of at the next interval.")
@_REF
@waiting
@click.pass_obj
def sync(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Synchronise a job by hand."""
    _carry_out(session, ActionId.SYNC, ref, {}, wait, timeout)


@action(noun, ActionId.SET_INTERVAL, "Change the interval; it counts after the next run.")
@_REF
@click.argument("interval", metavar="1h..7d")
@_KEEP
@staying
@click.pass_obj
def interval(
    session: Session, ref: str, interval: str, keep: str | None, timeout: float | None
) -> None:
    """Set the automatic synchronisation."""
    args = checked({"interval": interval, "keep": keep})
    _carry_out(session, ActionId.SET_INTERVAL, ref, args, False, timeout)


@action(noun, ActionId.PAUSE, "Pause a job; a transfer stops at a safe point and keeps all it has.")
@_REF
@waiting
@click.pass_obj
def pause(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Pause a job."""
    _carry_out(session, ActionId.PAUSE, ref, {}, wait, timeout)


@action(noun, ActionId.COMPLETE, "End a job; no further run is possible.")
@_REF
@click.option("--last-sync", is_flag=True, help="Perform one last synchronization first.")
@waiting
@click.pass_obj
def complete(
    session: Session, ref: str, last_sync: bool, yes: str | None, wait: bool, timeout: float | None
) -> None:
    """Complete a job."""
    last = "one last synchronisation, then " if last_sync else ""
    loss = f"Completing: {last}the job never runs again. Its images stay."
    args = {"last_sync": last_sync}
    _carry_out(session, ActionId.COMPLETE, ref, args, wait, timeout, confirm=(yes, loss))


@action(noun, ActionId.RETRY, "Go on at the point of failure; what is stored is not sent again.")
@_REF
@waiting
@click.pass_obj
def retry(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Retry a failed job."""
    _carry_out(session, ActionId.RETRY, ref, {}, wait, timeout)


@action(noun, ActionId.CANCEL, "Delete a job and release what it holds; images and history stay.")
@_REF
@waiting
@click.pass_obj
def cancel(session: Session, ref: str, yes: str | None, wait: bool, timeout: float | None) -> None:
    """Cancel a job."""
    loss = "Cancelling: the job is deleted and its staging area released. Its images stay."
    _carry_out(session, ActionId.CANCEL, ref, {}, wait, timeout, confirm=(yes, loss))


@action(noun, ActionId.RELEASE, "Release what an unfinished job holds; a retry then starts anew.")
@_REF
@staying
@click.pass_obj
def release(session: Session, ref: str, yes: str | None, timeout: float | None) -> None:
    """Release a job's intermediate resource."""
    loss = "Releasing: the staging area is removed; the next run compares everything anew."
    _carry_out(session, ActionId.RELEASE, ref, {}, True, timeout, confirm=(yes, loss))


@action(noun, ActionId.MODIFY, "Change settings; limit and compression act on a running transfer.")
@_REF
@_NAME
@_INTERVAL
@_KEEP
@_LIMIT
@_COMPRESSION
@_VALID
@_IMAGE_NAME
@_DESCRIPTION
@staying
@click.pass_obj
def modify(session: Session, /, ref: str, timeout: float | None, **given: Any) -> None:
    """Modify a job."""
    args = checked(given)
    if not args:
        raise SmcError("InvalidParameter.Missing", "what to modify; see smc-tui job modify --help")
    _carry_out(session, ActionId.MODIFY, ref, args, True, timeout)


@noun.command("wait", short_help="Wait until a job has a status.")
@_REF
@click.option(
    "--for",
    "wanted",
    multiple=True,
    metavar="STATUS",
    help="A status or phase; may be given several times. Default: whatever it comes to rest in.",
)
@timeout_option
@click.pass_obj
def wait_job(session: Session, ref: str, wanted: tuple[str, ...], timeout: float | None) -> None:
    """Wait until a job has a status, or comes to rest.

    It fails at once (exit status 1) when the job is in error or ended and the
    status waited for cannot come by itself any more.
    """
    _present(session, wait_for(session, ref, Target.of(wanted), Deadline(timeout)))


def _carry_out(
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
        _refuse_early(session, job, action_id)
        session.confirm_name(row, (job.id, job.name), *confirm)
    deadline = Deadline(timeout)
    request = session.ask(row.verb, job.id, args, deadline)
    _present(session, _stay(session, request, job.id, deadline if wait else None, job))


def _refuse_early(session: Session, job: Job, action_id: ActionId) -> None:
    """Do not make a person type a name for what would be refused anyway."""
    error = refusal(ACTIONS[action_id], job) if wake(session.home) else None
    if error is not None:
        raise error


def _stay(
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


def _present(session: Session, job: Document) -> None:
    if job.get("deleted"):
        session.out.present(job, [f"{named(job)} is deleted; its images stay."])
        return
    session.out.present(job, [pages.job_line(job)])
    if job["status"] == "Running":
        session.out.talk(f"{job_status(job)}. Follow it: smc-tui job wait {job['name']}")
