"""The report of a job as Markdown.

Names of hosts, disks and files come from other machines: every text passes through
``escaped``, after which a renderer shows it as it is, whatever is in it. Instants are
those of the documents, in UTC, because a report is read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from smc_tui.cli.words import NOTHING, size, span
from smc_tui.model.documents import Document
from smc_tui.model.history import action_words, fact_words, result_words
from smc_tui.model.things import Event
from smc_tui.model.units import duration_text, printable, rfc3339

#: What can begin something within a line; what only can at its beginning never stands there.
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~$@]|(?<=www)\.|(?<=:)//")


def escaped(text: object) -> str:
    """Return a text that Markdown shows literally, in a line or a cell of a table."""
    clean = " ".join(printable(str(text)).split()) or NOTHING
    return _SPECIAL.sub(lambda found: "".join(f"\\{mark}" for mark in found[0]), clean)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yield a table; where there is nothing to show, that."""
    if not rows:
        yield "None."
        return
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def report_page(report: Document, events: Sequence[Event]) -> Iterator[str]:
    """Yield the report, line by line."""
    job = report["job"]
    yield f"# Migration report: {escaped(job['name'])}"
    yield ""
    yield from table(("Job", "Value"), list(_job(report)))
    for title, part in (
        ("Source", _source(report["source"])),
        ("Settings", _settings(report["settings"])),
        ("Totals", _totals(report["totals"])),
        ("Runs", _runs(report["runs"])),
        ("Images", _images(report["images"])),
        ("Images removed", _removed(report["images_removed"])),
        ("Verifications", _verifications(report["verifications"])),
        ("Migration drill", _drill(report["drill"])),
        ("Events", _events(events)),
    ):
        yield ""
        yield f"## {title}"
        yield ""
        yield from part


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


def _source(source: Document | None) -> Iterator[str]:
    if source is None:
        yield "The source was removed."
        return
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
    yield from table(("Source", "Value"), rows)


def _settings(settings: Document) -> Iterator[str]:
    if all(value is None for value in settings.values()):
        yield "The settings were not kept."
        return
    shown = {**settings}
    shown["interval"] = duration_text(settings["interval"]) if settings["interval"] else "once"
    rows = [(name.replace("_", " "), _value(value)) for name, value in shown.items()]
    yield from table(("Setting", "Value"), rows)


def _value(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NOTHING if value is None else value


def _totals(totals: Document) -> Iterator[str]:
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
    yield from table(("Total", "Value"), rows)


def _runs(runs: Sequence[Document]) -> Iterator[str]:
    columns = ("Run", "Kind", "Began", "Ended", "Took", "Compared", "Changed", "Sent", "Stored",
               "Result")  # fmt: skip
    yield from table(
        columns,
        [
            (
                run["id"],
                run["kind"],
                run["started"],
                run["ended"] or "under way",
                span(run["seconds"]),
                *(size(run[f"bytes_{name}"]) for name in ("compared", "changed", "sent", "stored")),
                _result(run),
            )
            for run in runs
        ],
    )


def _result(run: Document) -> str:
    if run["error"]:
        return f"{run['error']['code']}: {run['error']['detail']}"
    return str(run["image_name"]) if run["image_id"] else NOTHING


def _images(images: Sequence[Document]) -> Iterator[str]:
    yield from table(
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


def _removed(removed: Sequence[Document]) -> Iterator[str]:
    rows = [(each["name"] or each["id"], each["at"], each["why"]) for each in removed]
    yield from table(("Image", "Removed", "Why"), rows)


def _verifications(found: Sequence[Document]) -> Iterator[str]:
    rows = [
        (each["image_name"] or each["image_id"], each["at"], each["actor"], each["result"])
        for each in found
    ]
    yield from table(("Image", "When", "Who", "Result"), rows)


def _drill(drill: Document | None) -> Iterator[str]:
    if not drill:
        yield "None was kept."
        return
    yield f"Result: {escaped(drill.get('result') or NOTHING)}"
    yield ""
    names = ("name", "level", "finding", "threshold", "advice")
    items = [item for item in drill.get("items", []) if isinstance(item, dict)]
    rows = [[_value(item.get(name)) for name in names] for item in items]
    yield from table([name.capitalize() for name in names], rows)


def _events(events: Sequence[Event]) -> Iterator[str]:
    yield from table(
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
