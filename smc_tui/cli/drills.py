"""``job drill``: migration drills made or looked at again, as a page, Markdown or JSON.

The report is the engine's; this shows it. A Critical result is exit status 1, so that a
script can stand on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from smc_tui.cli.chosen import Chosen, choosing
from smc_tui.cli.grammar import action, only, staying
from smc_tui.cli.jobnoun import noun
from smc_tui.cli.output import Part
from smc_tui.cli.progress import RunWatch, following
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.several import (
    Group,
    Outcome,
    chosen_jobs,
    exit_status,
    result,
)
from smc_tui.cli.tables import Table
from smc_tui.cli.words import local, span
from smc_tui.model.actions import ACTIONS, ActionId, refusal
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.consequences import NO_CHOICE
from smc_tui.model.documents import Document
from smc_tui.model.drill import Level, estimate_rows, summary
from smc_tui.model.errors import SmcError
from smc_tui.model.markdown import drill_page
from smc_tui.model.things import Job


@action(noun, ActionId.RETRY_DRILL, "Find out what stands in the way of migrations.")
@choosing
@click.option("--last", is_flag=True, help="Show the report of the last drill, and make none.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print one report as Markdown.")
@staying
@click.pass_obj
def drill(
    session: Session, chosen: Chosen, last: bool, as_markdown: bool, timeout: float | None
) -> int:
    """Make a migration drill and print its report; of several jobs a line each.

    It only reads, on the source as here. After a drill that held up a start, one that
    passes goes on to the migration. To go on in spite of what is Critical: `job modify J
    --drill off`, then `job start J`. Exit status 1 when a result is Critical.
    """
    only([("--markdown", as_markdown), ("--json", session.out.json)])
    ref = chosen.single
    if ref is None:
        only([("--markdown", as_markdown), ("several jobs", True)])
        return _several(session, chosen, last, Deadline(timeout))
    job = session.store.job(ref)
    report = _last(job) if last else _made(session, job, Deadline(timeout))
    if as_markdown:
        session.out.page(drill_page(report, job.name))
    else:
        session.out.present(_told(job, report), page(report, job.name))
    if not last and not session.out.json:
        _say_next(session, job)
    return _status(report)


def _told(job: Job, report: Document) -> Document:
    return {"job": job.id, "name": job.name, **report}


def _status(report: Document) -> int:
    return ExitCode.FAILED if report.get("result") == Level.CRITICAL else ExitCode.OK


def _several(session: Session, chosen: Chosen, last: bool, deadline: Deadline) -> int:
    """Drill several jobs, or look at their last drills; say one line of each."""
    outcomes = chosen_jobs(session, chosen)

    def report(job: Job) -> Document:
        if last:
            return job.drill_report
        # One that is drilled may be cancelled meanwhile: what was known of it counts then.
        now = {each.id: each for each in session.store.jobs()}
        return now.get(job.id, job).drill_report

    if last:
        for each in outcomes:
            _look_back(session, each)
    else:
        group = Group(
            session, ActionId.RETRY_DRILL, outcomes, ended=lambda job: finding(report(job))
        )
        group.run({}, wait=True, deadline=deadline, choice=NO_CHOICE)
    well = [each.job for each in outcomes if each.job is not None and each.error is None]
    if session.out.json:
        shown = [result(session, each, lambda job: _told(job, report(job))) for each in outcomes]
        session.out.document(shown)
    elif any(_status(report(job)) for job in well):
        session.out.talk("What is Critical, and what to do about it: smc-tui job drill J --last")
    failed = [int(each.error.exit_code) for each in outcomes if each.error is not None]
    return exit_status([*failed, *filter(None, (_status(report(job)) for job in well))])


def _look_back(session: Session, each: Outcome) -> None:
    """Say what the last drill of a job found."""
    out = session.out
    try:
        if each.job is not None:
            _last(each.job)
    except SmcError as error:
        each.fail(error)
    if each.error is not None:
        (out.talk if out.json else out.line)(f"{each.name}: {each.error.line}")
    elif each.job is not None and not out.json:
        out.line(f"{each.name}: {finding(each.job.drill_report)}")


def finding(report: Document) -> str:
    """Return a report in one line, with the names of what is worst."""
    if not report:
        return "it is gone, and so is its report"
    worst = [item["name"] for item in report["items"] if item["level"] == report["result"]]
    bad = report["result"] != Level.PASSED
    return summary(report) + (f" ({', '.join(worst)})" if bad else "")


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
    made = "Made", f"{local(report['at'])} in {span(report['seconds'])}"
    for label, words in (made, *estimate_rows(report)):
        yield f"  {label:<23}{words}"
    yield ""
    yield Table(
        ("LEVEL", "WHERE", "ITEM", "FINDING"),
        [
            (level, area, *_said(names, finding))
            for (level, area, finding), names in _by_finding(report["items"]).items()
        ],
        spare=("WHERE",),
    )
    advised = [item for item in sorted(report["items"], key=_badness) if item["advice"]]
    if advised:
        yield ""
        yield Table(
            ("ITEM", "WORSE IF", "WHAT TO DO"),
            [(item["name"], item["threshold"] or "-", item["advice"]) for item in advised],
        )


def _by_finding(items: Iterable[Document]) -> dict[tuple[str, str, str], list[str]]:
    """Return the names of the items that say the same, the worst first.

    What is not copied is not checked for a whole row of reasons to look: that is one line.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for item in sorted(items, key=_badness):
        found.setdefault((item["level"], item["area"], item["finding"]), []).append(item["name"])
    return found


def _said(names: list[str], finding: str) -> tuple[str, str]:
    """Return item and finding; many items stand in the finding, which has the room."""
    if len(names) == 1:
        return names[0], finding
    return f"{len(names)} items", f"{', '.join(names)}: {finding}"


_ORDER = (Level.CRITICAL, Level.WARNING, Level.NOT_CHECKED, Level.PASSED)


def _badness(item: Document) -> int:
    return _ORDER.index(Level(item["level"]))
