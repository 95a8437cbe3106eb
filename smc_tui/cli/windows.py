"""The best window on the command line: when a source is written to least."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from smc_tui.cli.grammar import seconds
from smc_tui.cli.jobnoun import REF, noun
from smc_tui.cli.output import Part
from smc_tui.cli.pages import field
from smc_tui.cli.session import Session
from smc_tui.cli.tables import Table
from smc_tui.cli.words import local, named
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.cutover import Cutover
from smc_tui.model.documents import Document, instant
from smc_tui.model.forecast import forecast
from smc_tui.model.things import Job
from smc_tui.model.units import duration_text, parse_instant, rate_text
from smc_tui.model.window import AHEAD, HOUR, by_hour, expected, quietest

_HEIGHTS = "▁▂▃▄▅▆▇█"
_UNKNOWN = "·"
_A_DAY = 24
_LONGEST = AHEAD // 7


@noun.command("window", short_help="Propose when to cut over: the hours with the fewest writes.")
@REF
@click.option(
    "--for", "length", type=seconds, metavar="T", help="How long it is to be; as forecast if not."
)
@click.pass_obj
def window(session: Session, ref: str, length: float | None) -> int:
    """Propose the quietest times of the coming week, from what was written in the last.

    Exit status 1 where too little is known to propose any.
    """
    job = session.store.job(ref)
    if length is not None and not 0 < length <= _LONGEST:
        raise click.BadParameter(f"--for takes up to {duration_text(_LONGEST)}")
    document = _document(session, job, length)
    session.out.present(document, page(document))
    return ExitCode.OK if document["windows"] else ExitCode.FAILED


def _document(session: Session, job: Job, length: float | None) -> Document:
    store = session.store
    now = store.now()
    first = int(now // HOUR) + 1
    if length is None:
        kept = Cutover.of(job.cutover)
        record = kept.record if kept else ()
        found = forecast(job, store.runs(job.id), store.events(job.id), 0, now, record)
        length = min(_LONGEST, found.high if found else HOUR)
    hours = by_hour(store.hours(job.source_id))
    ahead = expected(hours, first)
    return {
        "job": {"id": job.id, "name": job.name},
        "length_seconds": round(length),
        "hours_known": len(hours),
        "windows": [
            {
                "start": instant(each.start),
                "end": instant(each.start + each.seconds),
                **each.document(),
            }
            for each in quietest(ahead, first, length)
        ],
        "hours": [
            {
                "start": instant(float((first + at) * HOUR)),
                "bytes_per_second": None if rate is None else round(rate),
            }
            for at, rate in enumerate(ahead)
        ],
    }


def page(document: Document) -> Iterator[Part]:
    """Yield the proposals, and a day ahead as a picture."""
    yield f"{named(document['job'])}: when its source is written to least"
    known = document["hours_known"]
    if not document["windows"]:
        yield field("Not known", f"writes are known of {known} hours; look again after some runs")
        return
    rows = [
        (_weekday(each["start"]), local(each["start"])[:16], local(each["end"])[11:16],
         rate_text(each["bytes_per_second"]))
        for each in document["windows"]
    ]  # fmt: skip
    yield Table(("DAY", "FROM", "TO", "WRITTEN"), rows, right=frozenset({"WRITTEN"}))
    yield ""
    day = document["hours"][:_A_DAY]
    yield field("24 hours", f"{local(day[0]['start'])[11:16]} {strip(day)}")
    yield field("Needed", f"{duration_text(document['length_seconds'])} for the downtime")
    yield field("Known", f"{known} hours of the last week")


def strip(hours: list[Document]) -> str:
    """Return hours as a picture, a character an hour, the busiest one full."""
    rates = [hour["bytes_per_second"] for hour in hours]
    top = max((rate for rate in rates if rate is not None), default=0) or 1
    steps = len(_HEIGHTS) - 1
    return "".join(
        _UNKNOWN if rate is None else _HEIGHTS[round(rate / top * steps)] for rate in rates
    )


def _weekday(at: str) -> str:
    return time.strftime("%a", time.localtime(parse_instant(at)))
