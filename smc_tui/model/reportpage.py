"""A job's report as sections of tables: what Markdown and a console show of it.

Instants are those of the documents, in UTC, because a report is read elsewhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smc_tui.model.cutoverdoc import summary as cutover_summary
from smc_tui.model.documents import Document
from smc_tui.model.history import action_words, fact_words, result_words
from smc_tui.model.instants import Reading
from smc_tui.model.things import Event
from smc_tui.model.units import duration_text, rfc3339
from smc_tui.model.words import NOTHING, size, span


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report.

    Attributes:
        columns: the titles of its table; empty: it has none, the note says why.
        note: what stands before the table.
        title: what it is called.
    """

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    note: str = ""
    title: str = ""


def report_sections(report: Document, events: Sequence[Event]) -> Iterator[Section]:
    """Yield the parts of a report; the first has no title of its own.

    Args:
        report: the document.
        events: the job's history.
    """
    yield Section(("Job", "Value"), list(_job(report)))
    for title, part in (
        ("Source", _source(report["source"])),
        ("Settings", _settings(report["settings"])),
        ("Totals", _totals(report["totals"])),
        ("Runs", _runs(report["runs"])),
        ("Images", _images(report["images"])),
        ("Images removed", _removed(report["images_removed"])),
        ("Verifications", _verifications(report["verifications"])),
        ("Migration drill", _drill(report["drill"])),
        *((("Cutover", _cutover(report["cutover"])),) if report.get("cutover") else ()),
        ("Events", _events(events)),
    ):
        yield Section(part.columns, part.rows, part.note, title)


def _job(report: Document) -> Iterator[tuple[str, object]]:
    job = report["job"]
    yield "Id", job["id"]
    yield "Status", f"{job['status'] or 'unknown'}{' (deleted)' if job['deleted'] else ''}"
    yield "Source", f"{job['source_name']} ({job['source_id']})"
    if job["description"]:
        yield "Description", job["description"]
    if job["tags"]:
        yield "Tags", ", ".join(job["tags"])
    yield "Created", job["created"]
    if job["error"]:
        yield "Error", f"{job['error']['code']}: {job['error']['detail']}"
        yield "Next step", job["error"]["next_step"]
    yield "Report made", report["generated"]


def _source(source: Document | None) -> Section:
    if source is None:
        return Section(note="The source was removed.")
    key = source["host_key"] or {}
    rows = [
        ("Name", f"{source['name']} ({source['id']})"),
        ("Address", source["address"] or "local disks"),
        ("Host key", key.get("fingerprint") or NOTHING),
        ("Host", source["hostname"] or NOTHING),
        ("System", f"{source['os'] or NOTHING}, kernel {source['kernel'] or NOTHING}"),
        ("Size", size(source["bytes_total"])),
    ]
    rows += [
        (f"Disk {disk['index']}", f"{disk['path']}, {size(disk['size'])}, {disk['role']}")
        for disk in source["disks"]
    ]
    return Section(("Source", "Value"), rows)


def _settings(settings: Document) -> Section:
    if all(value is None for value in settings.values()):
        return Section(note="The settings were not kept.")
    shown = {**settings}
    shown["interval"] = duration_text(settings["interval"]) if settings["interval"] else "once"
    rows = [(name.replace("_", " "), _value(value)) for name, value in shown.items()]
    return Section(("Setting", "Value"), rows)


def _value(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return shlex.join(map(str, value)) or NOTHING
    return NOTHING if value is None else value


def _totals(totals: Document) -> Section:
    rows: list[tuple[str, object]] = [
        (
            "Runs",
            f"{totals['runs']}, {totals['published']} made an image, {totals['failed']} failed",
        ),
        ("First began", totals["first_started"] or NOTHING),
        ("Last ended", totals["last_ended"] or NOTHING),
        ("Working time", span(totals["seconds"])),
    ]
    rows += [
        (name.capitalize(), size(totals[f"bytes_{name}"]))
        for name in ("compared", "changed", "sent", "wire", "stored")
    ]
    return Section(("Total", "Value"), rows)


def _runs(runs: Sequence[Document]) -> Section:
    columns = ("Run", "Kind", "Began", "Ended", "Took", "Compared", "Changed", "Sent", "Stored",
               "Changes found by", "Instant", "Result")  # fmt: skip
    read = [Reading.of(run) for run in runs]
    return Section(
        columns,
        [
            (
                run["id"],
                run["kind"],
                run["started"],
                run["ended"] or "under way",
                span(run["seconds"]),
                *(size(run[f"bytes_{name}"]) for name in ("compared", "changed", "sent", "stored")),
                how.found or NOTHING,
                how.instant.text if how.instant else NOTHING,
                _result(run),
            )
            for run, how in zip(runs, read, strict=True)
        ],
    )


def _result(run: Document) -> str:
    if run["error"]:
        return f"{run['error']['code']}: {run['error']['detail']}"
    return str(run["image_name"]) if run["image_id"] else NOTHING


def _images(images: Sequence[Document]) -> Section:
    return Section(
        ("Image", "Created", "Size", "Status", "Consistency", "Verified", "Root digest"),
        [
            (
                image["name"],
                image["created"],
                size(image["bytes"]),
                image["status"],
                f"{image['consistency']}{': ' + image['reason'] if image['reason'] else ''}",
                image["verified"] or "no",
                image["root"],
            )
            for image in images
        ],
    )


def _removed(removed: Sequence[Document]) -> Section:
    rows = [(each["name"] or each["id"], each["at"], each["why"]) for each in removed]
    return Section(("Image", "Removed", "Why"), rows)


def _verifications(found: Sequence[Document]) -> Section:
    rows = [
        (each["image_name"] or each["image_id"], each["at"], each["actor"], each["result"])
        for each in found
    ]
    return Section(("Image", "When", "Who", "Result"), rows)


def _drill(drill: Document | None) -> Section:
    if not drill:
        return Section(note="None was kept.")
    names = ("name", "level", "finding", "threshold", "advice")
    items = [item for item in drill.get("items", []) if isinstance(item, dict)]
    rows = [[_value(item.get(name)) for name in names] for item in items]
    result = f"Result: {drill.get('result') or NOTHING}"
    return Section([name.capitalize() for name in names], rows, result)


def _cutover(cutover: Document) -> Section:
    steps = cutover["steps"]
    names = ("step", "state", "started", "seconds", "told")
    rows = [[_value(step.get(name)) for name in names] for step in steps]
    return Section([name.capitalize() for name in names], rows, cutover_summary(cutover))


def _events(events: Sequence[Event]) -> Section:
    return Section(
        ("When", "Who", "What", "Result", "Facts"),
        [
            (
                rfc3339(event.at),
                event.actor,
                action_words(event),
                result_words(event),
                fact_words(event) or NOTHING,
            )
            for event in events
        ],
    )
