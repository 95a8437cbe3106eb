"""What is known of a job: its actions, its errors, its history, its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from smc_tui.cli.jobnoun import REF, noun
from smc_tui.cli.onejob import facts
from smc_tui.cli.output import Part
from smc_tui.cli.pages import fault_lines, field
from smc_tui.cli.session import Session
from smc_tui.cli.tables import Hanging, Table
from smc_tui.cli.words import NOTHING, job_status, local, named
from smc_tui.jobstore.logs import last_lines, log_of
from smc_tui.model import advice, troubles
from smc_tui.model.actions import (
    ACTIONS,
    Ability,
    Action,
    ActionId,
    Subject,
    brief,
    refusal,
)
from smc_tui.model.consequences import Consequences, Facts, consequences
from smc_tui.model.documents import (
    Document,
    event_document,
    fault_document,
    image_document,
    instant,
    job_summary,
    run_document,
)
from smc_tui.model.history import action_words, fact_words, result_words
from smc_tui.model.things import Event, Job, Run, Source

_REF_OF_ANY = click.argument("ref", metavar="J")

#: Where the text of a line of consequences begins.
_CONSEQUENCE = 13

#: What is typed for actions that only show something, and behind a verb that needs more.
_SHOWN_BY = {
    ActionId.TROUBLESHOOT: "errors {}",
    ActionId.VIEW_REPORT: "report {}",
    ActionId.VIEW_DRILL: "drill {} --last",
}
_NEEDED = {ActionId.SET_INTERVAL: " 1h..7d", ActionId.MODIFY: " --..."}


# Actions


@noun.command("actions", short_help="List what may be done with a job, and what it would do.")
@REF
@click.pass_obj
def actions(session: Session, ref: str) -> None:
    """List every action with whether it is offered now, and its consequences."""
    job = session.store.job(ref)
    known = facts(session, job)
    told = {
        row: consequences(row.id, known) for row in ACTIONS.values() if row.subject is Subject.JOB
    }
    able = session.store.engine_abilities()
    whys = {
        str(row.id): brief(row, job, error)
        for row in told
        if (error := refusal(row, job, able)) is not None
    }
    document = {"job": _job(job), "actions": [_action(row, job, able, told[row]) for row in told]}
    lines = {str(row.id): found.lines for row, found in told.items() if found is not None}
    session.out.present(document, actions_page(document, lines, whys))


def _action(row: Action, job: Job, able: frozenset[Ability], told: Consequences | None) -> Document:
    error = refusal(row, job, able)
    return {
        "id": str(row.id),
        "label": row.label,
        "verb": row.verb or None,
        "offered": error is None,
        "reason": error.detail if error else None,
        "code": error.code if error else None,
        "friction": str(row.friction),
        "final": row.final,
        "consequences": told.document() if told is not None else None,
    }


def actions_page(
    document: Document, lines: Mapping[str, list[str]], whys: Mapping[str, str]
) -> Iterator[Part]:
    """Yield ``job actions``: first what is offered, then why the rest is not.

    Args:
        document: the job and its actions.
        lines: the consequences of each action, by its id.
        whys: why those that are not offered are not, by their ids.
    """
    yield f"{named(document['job'])}: {job_status(document['job'])}"
    for row in (row for row in document["actions"] if row["offered"]):
        yield ""
        typed = "" if row["friction"] == "none" else f" ({row['friction']})"
        yield f"{row['label']}{typed}"
        yield from _command(row, document["job"])
        for line in lines.get(row["id"], []):
            yield Hanging(f"  {line}", _CONSEQUENCE if line.startswith(" ") else 2)
    refused = [row for row in document["actions"] if not row["offered"]]
    if refused:
        yield ""
        yield Table(("NOT NOW", "WHY"), [(row["label"], whys[row["id"]]) for row in refused])


def _command(row: Document, job: Document) -> Iterator[str]:
    """Yield what is typed for an action, on a line of its own so that it can be copied."""
    shown_by = _SHOWN_BY.get(row["id"])
    if shown_by is not None:
        yield f"  smc-tui job {shown_by.format(job['name'])}"
    noun_name, _, verb = (row["verb"] or "").partition(".")
    if noun_name == "job":
        yield f"  smc-tui job {verb} {job['name']}{_NEEDED.get(row['id'], '')}"


def _job(job: Job) -> Document:
    return {
        name: value
        for name, value in job_summary(job).items()
        if name in ("id", "name", "status", "phase", "pending", "error")
    }


# Errors


@noun.command("errors", short_help="Say what went wrong, what is safe and what to do.")
@REF
@click.pass_obj
def errors(session: Session, ref: str) -> None:
    """Troubleshoot Errors: the error at hand with the end of its log, and earlier ones."""
    store = session.store
    job = store.job(ref)
    known = facts(session, job)
    source = next((each for each in store.sources() if each.id == job.source_id), None)
    run = troubles.failed_run(job, known.runs)
    log = log_of(session.home, job.id, run) if job.fault else None
    document = {
        "job": _job(job),
        "error": _error(job, source, known),
        "run": run_document(run) if run else None,
        "log_file": str(log) if log else None,
        "log": last_lines(log) if log else [],
        "drill": troubles.critical(job),
        "source_error": _source_error(source),
        "images_damaged": [image_document(each) for each in known.images if each.fault],
        "earlier": [_earlier(each) for each in known.runs if each.fault and each is not run],
    }
    session.out.present(document, errors_page(document))


def _error(job: Job, source: Source | None, known: Facts) -> Document | None:
    if job.fault is None:
        return None
    error = fault_document(job.fault, **troubles.names(job, source)) or {}
    again = consequences(ActionId.RETRY, known)
    if error["resumes"] and again is not None and refusal(ACTIONS[ActionId.RETRY], job) is None:
        error["resumes"] = again.resumes
    return {**error, "commands": _commands(job, error["next_step"])}


def _commands(job: Job, next_step: str) -> list[str]:
    """Return what can be typed: the catalogue's command, then the retry."""
    found = advice.commands(next_step)
    retry = f"smc-tui job retry {job.name}"
    if refusal(ACTIONS[ActionId.RETRY], job) is None and retry not in found:
        found.append(retry)
    return found


def _source_error(source: Source | None) -> Document | None:
    if source is None or source.fault is None:
        return None
    host = source.ssh.target if source.ssh else ""
    return fault_document(source.fault, source=source.name, host=host)


def _earlier(run: Run) -> Document:
    assert run.fault is not None
    return {
        "run": run.id,
        "kind": str(run.kind),
        "at": instant(run.fault.at),
        "code": run.fault.code,
        "detail": run.fault.detail,
    }


def errors_page(document: Document) -> Iterator[Part]:
    """Yield ``job errors``."""
    error = document["error"]
    yield f"{named(document['job'])}: {job_status(document['job'])}"
    if error is None and not document["drill"]:
        yield "No error: nothing stands in the job's way."
    if error is not None:
        yield field("Code", error["code"])
        yield field("Cause", error["cause"])
        yield from fault_lines(error)
        for number, command in enumerate(error["commands"]):
            yield field("" if number else "Commands", command)
    for item in document["drill"]:
        yield field("Drill", f"{item.get('name')}: {item.get('finding')}")
        yield field("", str(item.get("advice") or ""))
    if document["source_error"]:
        yield ""
        yield "The source:"
        yield from fault_lines(document["source_error"])
    for image in document["images_damaged"]:
        yield ""
        yield f"Image {named(image)}: {image['status']}"
        yield from fault_lines(image["error"])
    if document["log"]:
        yield ""
        yield f"The end of {document['log_file']}:"
        yield from (f"  {line}" for line in document["log"])
    if document["earlier"]:
        yield ""
        yield Table(
            ("EARLIER", "RUN", "CODE", "DETAIL"),
            [
                (local(each["at"]), each["kind"], each["code"], each["detail"])
                for each in document["earlier"]
            ],
        )


# History


@noun.command("history", short_help="Tell everything that happened to a job, also to one gone.")
@_REF_OF_ANY
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the last N events.")
@click.pass_obj
def history(session: Session, ref: str, limit: int | None) -> None:
    """Tell the history of a job: when, who, what, with what result.

    A job that was deleted is found by its id, or by the last name it had.
    """
    known = session.store.known_job(ref)
    events = list(known.events)[-limit:] if limit else list(known.events)
    document = {
        "job": {"id": known.id, "name": known.name, "deleted": known.job is None},
        "total": len(known.events),
        "events": [event_document(event) for event in events],
    }
    session.out.present(document, history_page(document, events))


def history_page(document: Document, events: list[Event]) -> Iterator[Part]:
    """Yield ``job history``."""
    gone = ", deleted" if document["job"]["deleted"] else ""
    left = document["total"] - len(events)
    yield f"{named(document['job'])}{gone}: {document['total']} events" + (
        f", {left} earlier ones not shown" if left else ""
    )
    yield event_table(events)


def event_table(events: list[Event]) -> Table:
    """Return events in words."""
    return Table(
        ("WHEN", "WHO", "WHAT", "RESULT", "FACTS"),
        [
            (
                local(instant(event.at)),
                event.actor,
                action_words(event),
                result_words(event),
                fact_words(event) or NOTHING,
            )
            for event in events
        ],
    )


# Report


@noun.command("report", short_help="Write the report of a job, also of one finished or gone.")
@_REF_OF_ANY
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    help="Default: markdown; --json is the same as --format json.",
)
@click.pass_obj
def report(session: Session, ref: str, form: str | None) -> None:
    """Write the report: settings, source, runs, images, verifications, drill, events."""
    from smc_tui.model.markdown import report_page
    from smc_tui.model.report import report as report_document

    store = session.store
    if form == "json":
        session.out.json = True
    known = store.known_job(ref)
    source_id = known.summary.get("source_id")
    source = next((each for each in store.sources() if each.id == source_id), None)
    runs, images = store.runs(known.id), store.images(known.id)
    document: dict[str, Any] = report_document(known, source, runs, images, store.now())
    session.out.present(document, report_page(document, list(known.events)))
