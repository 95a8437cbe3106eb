"""The cutover on the command line: what it would do, and the way back from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from smc_tui.cli.grammar import waiting
from smc_tui.cli.jobnoun import REF, noun
from smc_tui.cli.onejob import present, stay
from smc_tui.cli.output import Part
from smc_tui.cli.pages import field
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.tables import Table
from smc_tui.cli.words import NOTHING, named
from smc_tui.model import settings
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.documents import Document
from smc_tui.model.errors import SmcError
from smc_tui.model.units import bytes_text, duration_text


def arguments(
    services: tuple[str, ...],
    budget: str | None,
    *,
    last_sync: bool,
    hold: bool,
    rehearse: bool,
    dry_run: bool,
) -> dict[str, Any]:
    """Return what of ``job complete`` makes it a cutover; nothing where nothing does.

    Raises:
        SmcError: InvalidParameter.*.
    """
    if not services:
        given = (("--budget", budget), ("--hold", hold), ("--rehearse", rehearse),
                 ("--dry-run", dry_run))  # fmt: skip
        wrong = [name for name, value in given if value]
        if wrong:
            raise SmcError("InvalidParameter.Combination", f"{wrong[0]} without --stop-services")
        return {}
    if not last_sync:
        raise SmcError("InvalidParameter.Combination", "--stop-services without --last-sync")
    if hold and budget is None:
        raise SmcError("InvalidParameter.Combination", "--hold without --budget")
    made: dict[str, Any] = {"stop_services": list(settings.units(",".join(services)))}
    if budget is not None:
        made["budget"] = settings.budget(budget)
    chosen = {"hold": hold, "rehearse": rehearse, "dry_run": dry_run}
    return {**made, **{name: True for name, value in chosen.items() if value}}


def look(session: Session, ref: str, args: dict[str, Any], timeout: float | None) -> int:
    """Show what a cutover would do; exit status 1 where something stands in its way."""
    job = session.store.job(ref)
    try:
        deadline = Deadline(timeout)
        request = session.ask("job.complete", job.id, {"last_sync": True, **args}, deadline)
        if not request.state.ended:
            request = session.finish(request, f"the look at {job.name}", deadline)
    except SmcError as error:
        raise error.about(job=job.name, source=job.source_name) from None
    document = request.result["document"]
    session.out.present(document, page(document))
    return ExitCode.FAILED if document["problems"] else ExitCode.OK


def page(document: Document) -> Iterator[Part]:
    """Yield the dry run of a cutover."""
    yield f"{named(document['job'])}: what a cutover would do. Nothing was changed."
    yield Table(("SERVICE", "NOW", "PORTS", "CONNECTED"), [_row(u) for u in document["units"]])
    yield ""
    yield field("Stops", ", ".join(document["stopping"]) or "nothing: none of them runs")
    yield field("Go dark", _ports(document["ports"]) or "no ports")
    yield field("Open now", f"{document['connections']} connections")
    for text in document["problems"]:
        yield field("Problem", text)
    for text in document["warnings"]:
        yield field("Warning", text)
    yield from _forecast_lines(document)
    for step in document["steps"]:
        back = step["way_back"]
        told = f"about {duration_text(back['seconds'])}: {back['does']}" if back else "none"
        yield field("Way back", f"from {step['step']}: {told}")


def _row(unit: Document) -> tuple[str, ...]:
    state = f"stays: {unit['kept']}" if unit["kept"] else unit["state"]
    return (unit["name"], state, _ports(unit["ports"]) or NOTHING, str(unit["connections"]))


def _ports(ports: list[Document]) -> str:
    return ", ".join(f"{port['protocol']}/{port['port']}" for port in ports)


_INSIDE = {
    "yes": "inside the budget",
    "perhaps": "perhaps over the budget",
    "no": "over the budget",
}


def _forecast_lines(document: Document) -> Iterator[str]:
    found = document["forecast"]
    if found is None:
        yield field("Downtime", "not known: no run of this job tells")
        return
    low, high = duration_text(found["low_seconds"]), duration_text(found["high_seconds"])
    told = f"about {duration_text(found['seconds'])}, {low} to {high}"
    if document["budget_seconds"]:
        allowed = duration_text(document["budget_seconds"])
        told += f": {_INSIDE[document['inside_budget']]} of {allowed}"
    yield field("Downtime", told)
    parts = (f"{name} {duration_text(value)}" for name, value in found["parts"].items())
    sent = bytes_text(found["bytes_expected"])
    yield field("Parts", f"{', '.join(parts)}; {sent} to send, from {found['runs']} earlier runs")


@noun.command("cutover-abort", short_help="Abort a cutover: start again what it has stopped.")
@REF
@waiting
@click.pass_obj
def cutover_abort(session: Session, ref: str, wait: bool, timeout: float | None) -> None:
    """Abort a cutover, from any step before the last.

    The final sync stops safely, the services that the cutover has stopped are started
    again, and the job waits as before. Blocks already stored are not sent again.
    """
    job = session.store.job(ref)
    try:
        deadline = Deadline(timeout)
        request = session.ask("job.cutover-abort", job.id, {}, deadline)
        present(session, stay(session, request, job.id, deadline if wait else None, job))
    except SmcError as error:
        raise error.about(job=job.name, source=job.source_name) from None
