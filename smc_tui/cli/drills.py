"""``job drill``: a migration drill made or looked at again, as a page, Markdown or JSON.

The report is the engine's; this shows it. A Critical result is exit status 1, so that a
script can stand on it.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from smc_tui.cli import markdown
from smc_tui.cli.grammar import action, only, staying
from smc_tui.cli.jobnoun import REF, noun
from smc_tui.cli.output import Part
from smc_tui.cli.pages import field
from smc_tui.cli.progress import RunWatch, following
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.tables import Table
from smc_tui.cli.words import local, span
from smc_tui.model.actions import ACTIONS, ActionId, refusal
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.documents import Document
from smc_tui.model.drill import Level, estimate_rows, summary
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job


@action(noun, ActionId.RETRY_DRILL, "Find out what stands in the way of a migration.")
@REF
@click.option("--last", is_flag=True, help="Show the report of the last drill, and make none.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the report as Markdown.")
@staying
@click.pass_obj
def drill(
    session: Session, ref: str, last: bool, as_markdown: bool, timeout: float | None
) -> int | None:
    """Make a migration drill and print its report.

    It only reads, on the source as here. After a drill that held up a start, one that
    passes goes on to the migration. To go on in spite of what is Critical: `job modify J
    --drill off`, then `job start J`. Exit status 1 when the result is Critical.
    """
    only([("--markdown", as_markdown), ("--json", session.out.json)])
    job = session.store.job(ref)
    report = _last(job) if last else _made(session, job, Deadline(timeout))
    if as_markdown:
        session.out.page(markdown_page(report, job.name))
    else:
        session.out.present({"job": job.id, "name": job.name, **report}, page(report, job.name))
    if not last and not session.out.json:
        _say_next(session, job)
    return ExitCode.FAILED if report["result"] == Level.CRITICAL else None


def _last(job: Job) -> Document:
    """Return the report that is kept.

    Raises:
        SmcError: ReplicationJob.NotDrilled.
    """
    error = refusal(ACTIONS[ActionId.VIEW_DRILL], job)
    if error is not None:
        raise error.about(job=job.name)
    return job.drill_report


def _made(session: Session, job: Job, deadline: Deadline) -> Document:
    """Make a drill and return its report.

    Raises:
        SmcError: why it was refused or could not be made; Request.TimedOut.
    """
    try:
        request = session.ask(ACTIONS[ActionId.RETRY_DRILL].verb, job.id, {}, deadline)
        with following(session.out, RunWatch(session.store, job.id)) as follower:
            session.finish(request, f"the drill of {job.name}", deadline, follower)
    except SmcError as error:
        raise error.about(job=job.name, source=job.source_name) from None
    return session.store.job(job.id).drill_report


def _say_next(session: Session, before: Job) -> None:
    """Say where the drill has led the job."""
    job = session.store.job(before.id)
    if str(job.status) == "Running":
        session.out.talk(f"The migration goes on. Follow it: smc-tui job wait {job.name}")
    elif str(job.status) == "DrillException":
        session.out.talk(
            f"Mend what is Critical, then: smc-tui job drill {job.name}. To go on in spite of "
            f"it: smc-tui job modify {job.name} --drill off, then smc-tui job start {job.name}"
        )


def page(report: Document, name: str) -> Iterator[Part]:
    """Yield a report for people: what is bad first comes with its advice."""
    yield f"Migration drill of {name}: {summary(report)}"
    yield field("Made", f"{local(report['at'])} in {span(report['seconds'])}")
    for label, words in estimate_rows(report):
        yield f"  {label:<23}{words}"
    yield ""
    yield Table(
        ("LEVEL", "WHERE", "ITEM", "FINDING"),
        [
            (item["level"], item["area"], item["name"], item["finding"])
            for item in sorted(report["items"], key=_badness)
        ],
    )
    advised = [item for item in sorted(report["items"], key=_badness) if item["advice"]]
    if advised:
        yield ""
        yield Table(
            ("ITEM", "WORSE IF", "WHAT TO DO"),
            [(item["name"], item["threshold"] or "-", item["advice"]) for item in advised],
        )


_ORDER = (Level.CRITICAL, Level.WARNING, Level.NOT_CHECKED, Level.PASSED)


def _badness(item: Document) -> int:
    return _ORDER.index(Level(item["level"]))


def markdown_page(report: Document, name: str) -> Iterator[str]:
    """Yield a report as lines of Markdown."""
    yield f"# Migration drill of {markdown.escaped(name)}: {report['result']}"
    yield ""
    at = markdown.escaped(report["at"])
    yield f"Made at {at} in {span(report['seconds'])}. {summary(report)}."
    yield ""
    keys = ("level", "area", "name", "finding", "threshold", "advice")
    columns = ("Level", "Where", "Item", "Finding", "Worse if", "What to do")
    yield from markdown.table(columns, [[item[key] for key in keys] for item in report["items"]])
    rows = estimate_rows(report)
    if rows:
        yield ""
        yield from markdown.table(("Estimate", "Value"), rows)
