"""Troubleshoot Errors in lines: what happened, what is safe, what to do, the log's end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from smc_tui.console.keymap import Keymap
from smc_tui.console.keys import BY_ID, Key
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.render.detail import day_clock
from smc_tui.console.render.runpage import folded, heading, labelled
from smc_tui.model import advice, troubles
from smc_tui.model.actions import ACTIONS, ActionId, refusal
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.consequences import Facts, consequences
from smc_tui.model.things import Job, Run, Source
from smc_tui.model.troubles import Remedy

FIXES = (
    Column("number", "", 2, 1),
    Column("key", "", 3),
    Column("what", "", 40, grows=True),
    Column("why", "", 12, grows=True),
)

#: Earlier failures that are told.
EARLIER = 5

#: Remedy -> the id of the key that carries it out.
KEYS: Mapping[Remedy, str] = MappingProxyType(
    {
        Remedy.CHECK_SOURCE: "trouble.check",
        Remedy.ACCEPT_KEY: "trouble.key",
        Remedy.IMAGES: "trouble.images",
        Remedy.COLLECT: "trouble.collect",
        Remedy.STORE: "app.engine",
        Remedy.IMPORT: "trouble.import",
        Remedy.MODIFY: f"job.{ActionId.MODIFY}",
        Remedy.DRILL_REPORT: f"job.{ActionId.VIEW_DRILL}",
        Remedy.DRILL: f"job.{ActionId.RETRY_DRILL}",
        Remedy.RETRY: f"job.{ActionId.RETRY}",
        Remedy.RELEASE: f"job.{ActionId.RELEASE}",
    }
)


def key_of(remedy: Remedy) -> Key:
    """Return the key that carries out a remedy."""
    return BY_ID[KEYS[remedy]]


def fixes(job: Job, source: Source | None, keymap: Keymap, read_only: bool = False) -> list[Row]:
    """Return what can be done about a job's error, the likeliest first."""
    if job.fault is None:
        return []
    rows = []
    for number, remedy in enumerate(troubles.remedies(job.fault.code), start=1):
        why = _why_not(remedy, job, source, read_only)
        tone = Tone.DIM if why else Tone.PLAIN
        cells = (
            Cell(f"{number}.", tone),
            Cell(keymap.shown(key_of(remedy)), Tone.DIM if why else Tone.STRONG),
            Cell(remedy[0].upper() + remedy[1:], tone),
            Cell(why, Tone.DIM),
        )
        rows.append(Row(str(remedy), cells))
    return rows


def _why_not(remedy: Remedy, job: Job, source: Source | None, read_only: bool) -> str:
    """Return in a few words why a remedy is not possible now; empty: it is."""
    group, _, name = KEYS[remedy].partition(".")
    if group == "job":
        action = ACTIONS[ActionId(name)]
        error = refusal(action, job)
        if error is not None:
            return f"not while {job.status}"
        return "read only" if read_only and action.verb else ""
    if remedy in (Remedy.CHECK_SOURCE, Remedy.ACCEPT_KEY):
        if source is None:
            return "the source was removed"
        if remedy is Remedy.ACCEPT_KEY and source.ssh is None:
            return "it is not reached over SSH"
    return "read only" if read_only and remedy not in (Remedy.IMAGES, Remedy.STORE) else ""


def lines(
    facts: Facts, source: Source | None, log_name: str, log: Sequence[str], columns: int
) -> list[Line]:
    """Return all that is known of a job's error.

    Args:
        facts: the job, its runs and what it holds.
        source: its source, where that is still there.
        log_name: the log's path.
        log: its last lines.
        columns: room.
    """
    job = facts.job
    if job.fault is None:
        return [(Cell(f" No error: nothing stands in the way of {job.name}.", Tone.GOOD),)]
    made = _error(facts, source, columns)
    for item in troubles.critical(job):
        made += labelled("Drill", f"{item.get('name')}: {item.get('finding')}", columns, Tone.BAD)
        made += labelled("", str(item.get("advice") or ""), columns)
    if source is not None and source.fault is not None:
        text = f"{source.fault.code}: {source.fault.detail}"
        made += labelled("The source", text, columns, Tone.WARN)
    if log:
        made += [(), heading("The end of its log")]
        made += [line for text in log for line in folded(text, columns, tone=Tone.DIM)]
        made += folded(log_name, columns, tone=Tone.DIM)
    return made + _earlier(facts, columns)


def _error(facts: Facts, source: Source | None, columns: int) -> list[Line]:
    job = facts.job
    assert job.fault is not None
    known = CATALOGUE.get(job.fault.code)
    rows = [("Code", f"{job.fault.code}, {day_clock(job.fault.at)}", Tone.BAD)]
    if known is None:
        rows.append(("Detail", job.fault.detail, Tone.PLAIN))
    else:
        again = consequences(ActionId.RETRY, facts)
        possible = refusal(ACTIONS[ActionId.RETRY], job) is None
        resumes = again.resumes if again is not None and possible else known.resumes
        step = advice.filled(known.next_step, troubles.names(job, source))
        rows += [
            ("Cause", known.cause, Tone.PLAIN),
            ("Detail", job.fault.detail, Tone.PLAIN),
            ("Safe", known.safe, Tone.GOOD),
            ("Next step", step, Tone.STRONG),
            *([("Resumes", resumes, Tone.PLAIN)] if known.resumes else []),
        ]
    return [line for row in rows for line in labelled(row[0], row[1], columns, row[2])]


def _earlier(facts: Facts, columns: int) -> list[Line]:
    now = troubles.failed_run(facts.job, facts.runs)
    failed: list[Run] = [run for run in facts.runs if run.fault is not None and run is not now]
    made: list[Line] = [(), heading("Earlier errors")] if failed else []
    for run in reversed(failed[-EARLIER:]):
        assert run.fault is not None
        text = f"{run.fault.code}: {run.fault.detail}"
        made += labelled(day_clock(run.fault.at), text, columns)
    return made
