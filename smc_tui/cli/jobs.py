"""``smc-tui job``: migrations made, changed, tagged and waited for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from smc_tui.cli import pages
from smc_tui.cli.grammar import action, staying, timeout_option, waiting
from smc_tui.cli.jobnoun import (
    AFTER_THAW,
    BEFORE_FREEZE,
    COMPRESSION,
    DESCRIPTION,
    DRILL,
    HOOK_TIMEOUT,
    IMAGE_NAME,
    INSTANT,
    INTERVAL,
    KEEP,
    LIMIT,
    NAME,
    REF,
    TAG,
    VALID,
    checked,
    noun,
    setting,
)
from smc_tui.cli.jobwait import wait_for
from smc_tui.cli.onejob import carry_out, present, stay
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.target import Target
from smc_tui.model import settings
from smc_tui.model.actions import ActionId
from smc_tui.model.consequences import Choice
from smc_tui.model.documents import Document
from smc_tui.model.drill import summary
from smc_tui.model.errors import SmcError

#: Options of ``create`` whose defaults can be configured, by the same name.
_CONFIGURED = ("interval", "keep", "valid", "limit_mbit", "compression", "drill")


@noun.command("create", short_help="Create the migration of a source.")
@click.argument("source", metavar="SOURCE")
@NAME
@setting("--target", "target", "image", "What the job makes.")
@click.option("--once", is_flag=True, help="End with the first image instead of keeping in step.")
@INTERVAL
@KEEP
@click.option(
    "--start",
    "start",
    metavar="now|later|TIME",
    help="When the first run starts (default: later, or now with --wait).",
)
@LIMIT
@COMPRESSION
@DRILL
@INSTANT
@BEFORE_FREEZE
@AFTER_THAW
@HOOK_TIMEOUT
@VALID
@IMAGE_NAME
@DESCRIPTION
@TAG
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
    2027-01-31T02:00, 10 minutes to 30 days ahead, local unless it names a zone. What
    is not given is as it was configured (`defaults.*`). CMD is one program with its
    arguments, no line for a shell; "" is none.
    """
    if once and given["interval"] is not None:
        raise SmcError("InvalidParameter.Combination", "--once and --interval")
    given["tags"] = list(given["tags"]) or None
    defaults = _defaults(session, given.keys(), once)
    args = checked({**defaults, **_chosen(given), "once": True if once else None})
    args["start"] = _start(start or ("now" if wait else "later"))
    found = session.store.source(source)
    deadline = Deadline(timeout)
    request = session.ask("job.create", found.id, args, deadline)
    job = stay(session, request, request.result["job"], deadline if wait else None)
    present(session, job)
    if not session.out.json and job["status"] == "Ready" and not job["next_run"]:
        for line in _next_step(job):
            session.out.talk(line)


def _next_step(job: Document) -> Iterator[str]:
    """Yield what to do with a new job that waits for a start, or has had its only drill."""
    name = job["name"]
    if not job.get("drill_report"):
        yield f"Start it: smc-tui job start {name}"
        return
    yield f"The drill: {summary(job['drill_report'])}. Read it: smc-tui job drill {name} --last"
    yield f"To migrate: smc-tui job modify {name} --drill before, then smc-tui job start {name}"


def _chosen(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _defaults(session: Session, names: Iterable[str], once: bool) -> dict[str, Any]:
    """Return what was configured for a new job; one that runs once has no interval."""
    config = session.config
    skipped = {"interval"} if once else set()
    return {name: getattr(config, name) for name in _CONFIGURED if name in {*names} - skipped}


def _start(text: str) -> str:
    """Return a start as the engine takes it; a local time gets its zone here."""
    return text if text in ("now", "later") else settings.instant(text)


@noun.command("tag", short_help="Add tags to a job, or take them from it.")
@REF
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take these tags from it.")
@staying
@click.pass_obj
def tag(
    session: Session, ref: str, tags: tuple[str, ...], remove: bool, timeout: float | None
) -> None:
    """Add tags to a job, or take them from it: labels to choose jobs by (--tag)."""
    job = session.store.job(ref)
    args = {"remove" if remove else "add": list(settings.tags(tags))}
    session.ask("job.tag", job.id, args, Deadline(timeout))
    document = session.store.job_document(job.id)
    session.out.present(document, [pages.tags_line(document)])


@action(noun, ActionId.MODIFY, "Change settings; limit and compression act on a running transfer.")
@REF
@NAME
@INTERVAL
@KEEP
@LIMIT
@COMPRESSION
@DRILL
@INSTANT
@BEFORE_FREEZE
@AFTER_THAW
@HOOK_TIMEOUT
@VALID
@IMAGE_NAME
@DESCRIPTION
@staying
@click.pass_obj
def modify(session: Session, /, ref: str, timeout: float | None, **given: Any) -> None:
    """Modify a job."""
    args = checked(given)
    if not args:
        raise SmcError("InvalidParameter.Missing", "what to modify; see smc-tui job modify --help")
    choice = Choice(keep=settings.keep(args["keep"]) if "keep" in args else None)
    carry_out(session, ActionId.MODIFY, ref, args, wait=True, timeout=timeout, choice=choice)


@noun.command("wait", short_help="Wait until a job has a status.")
@REF
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
    present(session, wait_for(session, ref, Target.of(wanted), Deadline(timeout)))
