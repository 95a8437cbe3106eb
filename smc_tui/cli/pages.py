"""Documents as pages for people: pure, so that every page can be tested as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from smc_tui.cli.output import Part
from smc_tui.cli.tables import Hanging, Table
from smc_tui.cli.words import (
    NOTHING,
    job_status,
    job_word,
    local,
    named,
    percent,
    size,
    span,
    where,
)
from smc_tui.model.cutoverdoc import summary as cutover_summary
from smc_tui.model.documents import Document
from smc_tui.model.drill import summary as drill_summary
from smc_tui.model.instants import WANTED_MEANS, Reading, Wanted
from smc_tui.model.lifecycle import Consistency, Status, consistency_text
from smc_tui.model.units import duration_text, rate_text

_LABEL = 14


def field(label: str, text: str) -> str:
    """Return one line of a page."""
    return Hanging(f"  {label:<{_LABEL}}{text}", _LABEL + 2)


def tags_line(document: Document) -> str:
    """Return the tags of a job or a source in one line."""
    return f"{named(document)}: {', '.join(document['tags']) or 'no tags'}"


def fault_lines(error: Document | None) -> Iterator[str]:
    """Yield what happened, what is safe, what to do, where a retry goes on."""
    if error is None:
        return
    yield field("Error", f"{error['detail'].rstrip('.')} ({error['code']}, {local(error['at'])})")
    if error["safe"]:
        yield field("  safe", error["safe"])
    if error["next_step"]:
        yield field("  next", error["next_step"])
    if error["resumes"]:
        yield field("  resumes", error["resumes"])


# Sources


def source_table(sources: Sequence[Document]) -> Iterator[Part]:
    """Yield ``source list``."""
    yield Table(
        ("NAME", "STATUS", "REACHED", "DISKS", "SIZE", "JOB", "CHECKED", "ID"),
        [
            (
                source["name"],
                source["status"],
                where(source),
                str(len(source["disks"])),
                size(source["bytes_total"]),
                source["job"]["name"] if source["job"] else NOTHING,
                local(source["checked"]),
                source["id"],
            )
            for source in sources
        ],
        right=frozenset({"DISKS", "SIZE"}),
        spare=("ID", "CHECKED"),
    )


def source_page(source: Document) -> Iterator[Part]:
    """Yield ``source show``."""
    seen = source["inventory"]
    yield f"{named(source)}: {source['status']}"
    if source["description"]:
        yield field("Description", source["description"])
    if source["tags"]:
        yield field("Tags", ", ".join(source["tags"]))
    yield field("Reached", where(source))
    if source["host_key"]:
        yield field(
            "Host key", f"{source['host_key']['fingerprint']} ({source['host_key']['type']})"
        )
    yield field("Host", f"{seen.get('hostname', NOTHING)}, {seen.get('os', NOTHING)}")
    yield field("", f"kernel {seen.get('kernel', NOTHING)}, {_machine(seen)}")
    yield field("Python", f"{seen.get('python') or NOTHING}, hashing with {_hashing(seen)}")
    yield field("Link", _link(source))
    yield field("Estimate", _estimate(source))
    if source["job"]:
        yield field("Job", f"{named(source['job'])}: {source['job']['status']}")
    yield field("Checked", local(source["checked"]))
    yield from fault_lines(source["error"])
    yield ""
    yield _disk_table(source["disks"])


def _machine(seen: Document) -> str:
    return f"{seen.get('cpus', NOTHING)} CPUs, {size(seen.get('memory'))} memory"


def _hashing(seen: Document) -> str:
    return "blake3" if seen.get("blake3") else str(seen.get("hash") or "blake2b")


def _link(source: Document) -> str:
    speed = source["link_bytes_per_second"]
    return f"{rate_text(speed)} measured" if speed else "not measured"


def _estimate(source: Document) -> str:
    found = source["estimate"]
    if found is None:
        return "none, because the link was not measured"
    return (
        f"first migration about {span(found['seconds'])}"
        f" (comparison {span(found['compare_seconds'])},"
        f" transfer {span(found['transfer_seconds'])})"
    )


def _disk_table(disks: Sequence[Document]) -> Table:
    return Table(
        ("DISK", "PATH", "SIZE", "ROLE", "FILE SYSTEMS"),
        [
            (
                str(disk["index"]),
                disk["path"],
                size(disk["size"]),
                disk["role"],
                ", ".join(_filesystem(each) for each in disk["filesystems"]) or NOTHING,
            )
            for disk in disks
        ],
        right=frozenset({"SIZE"}),
    )


def _filesystem(found: Document) -> str:
    point = found.get("mount_point")
    used = found.get("used")
    shown = f"{found.get('type')} on {point}" if point else str(found.get("type"))
    return f"{shown} ({size(used)} used)" if used else shown


# Jobs


def job_table(jobs: Sequence[Document]) -> Iterator[Part]:
    """Yield ``job list``."""
    yield Table(
        ("NAME", "STATUS", "DONE", "SOURCE", "INTERVAL", "KEEP", "NEXT RUN", "ID"),
        [
            (
                job["name"],
                job_status(job),
                percent(job["progress"]),
                job["source_name"],
                interval(job),
                str(job["keep"]),
                local(job["next_run"]),
                job["id"],
            )
            for job in jobs
        ],
        right=frozenset({"DONE", "KEEP"}),
        spare=("ID", "KEEP"),
    )


def interval(job: Document) -> str:
    """Return how often a job synchronises."""
    return f"every {duration_text(job['interval'])}" if job["interval"] else "once"


def job_line(job: Document) -> str:
    """Return a job in one line."""
    shown = f"{named(job)}: {job_status(job)}"
    if job["status"] == Status.RUNNING:
        return f"{shown}, {percent(job['progress'])}"
    return f"{shown}, next run {local(job['next_run'])}" if job["next_run"] else shown


def job_page(job: Document, verbs: str = "") -> Iterator[Part]:
    """Yield ``job show``."""
    yield f"{named(job)}: {job_status(job)}, {percent(job['progress'])}"
    if job["description"]:
        yield field("Description", job["description"])
    if job["tags"]:
        yield field("Tags", ", ".join(job["tags"]))
    yield field("Source", f"{job['source_name']} ({job['source_id']})")
    yield field("Runs", f"{interval(job)}, keeps {job['keep']} images; {_next(job)}")
    limit = f"{job['limit_mbit']} Mbit/s" if job["limit_mbit"] else "none"
    yield field("Speed limit", f"{limit}; compression {job['compression']}")
    yield field("One instant", _instant(job))
    yield field("Valid until", local(job["valid_until"]))
    yield field("Drill", _drilled(job))
    if job.get("cutover"):
        yield field("Cutover", cutover_summary(job["cutover"]))
    held = job["intermediate"]
    if held:
        yield field(
            "Holds", f"{held['name']}, {size(held['bytes'])} since {local(held['created'])}"
        )
    yield from fault_lines(job["error"])
    if job["error"]:
        yield field("  more", f"smc-tui job errors {job['name']}")
    if job["status"] == Status.FINISHED:
        yield field("Summary", summary(job))
    yield from _last_read(job["runs"])
    if verbs:
        yield field("Possible now", verbs)
    if job["runs"]:
        yield ""
        yield run_table(job["runs"])
    if job["images"]:
        yield ""
        yield from image_table(job["images"])


def _instant(job: Document) -> str:
    """Return how a job's images come to be of one instant."""
    told = f"{job['instant']}: {WANTED_MEANS[Wanted(job['instant'])]}"
    hooks = {"before the freeze": job["before_freeze"], "after it": job["after_thaw"]}
    said = [f"{when} {shlex.join(words)}" for when, words in hooks.items() if words]
    return "; ".join([told, *said, f"at most {job['hook_timeout']} s each"] if said else [told])


def _last_read(runs: Sequence[Document]) -> Iterator[str]:
    """Yield how the newest image's run read the disks, as far as that is known."""
    last = next((Reading.of(run) for run in reversed(runs) if run["image_id"]), Reading())
    if last.found:
        yield field("Last changes", f"found by {last.found}")
    if last.instant is not None:
        yield field("Last instant", last.instant.text)


def summary(job: Document) -> str:
    """Return what all runs of a job have come to, in one line."""
    runs = job["runs"]
    failed = sum(run["error"] is not None for run in runs)
    done = {name: sum(run[f"bytes_{name}"] for run in runs) for name in ("compared", "sent")}
    good = [
        image["name"] for image in job["images"] if Consistency(image["consistency"]).one_instant
    ]
    return (
        f"{len(runs)} runs{f', {failed} of them failed' if failed else ''},"
        f" {span(sum(run['seconds'] for run in runs))} of work:"
        f" compared {size(done['compared'])}, sent {size(done['sent'])};"
        f" the newest image of one instant is {good[-1] if good else 'none'}"
    )


def _next(job: Document) -> str:
    if job["next_run"]:
        return f"next {local(job['next_run'])}"
    return f"{job_word(job)}, none is due"


def _drilled(job: Document) -> str:
    """Return what is known of a job's migration drill."""
    report = job.get("drill_report")
    if not report:
        return {"off": "none is made", "only": "not made yet"}.get(
            job["drill"], "not made yet; the first start makes it"
        )
    return f"{drill_summary(report)} ({local(report['at'])})"


def run_table(runs: Sequence[Document]) -> Table:
    """Return the runs of a job, oldest first; what is known of none has no column."""
    read = [Reading.of(run) for run in runs]
    table = Table(
        ("RUN", "STARTED", "TOOK", "COMPARED", "CHANGED", "SENT", "WIRE", "STORED", "FOUND BY",
         "FROZEN", "RESULT"),
        [
            (
                run["kind"],
                local(run["started"]),
                span(run["seconds"]),
                size(run["bytes_compared"]),
                size(run["bytes_changed"]),
                size(run["bytes_sent"]),
                size(run["bytes_wire"]),
                size(run["bytes_stored"]),
                str(how.detection or NOTHING),
                how.frozen or NOTHING,
                _run_result(run),
            )
            for run, how in zip(runs, read, strict=True)
        ],
        right=frozenset({"TOOK", "COMPARED", "CHANGED", "SENT", "WIRE", "STORED", "FROZEN"}),
        spare=("WIRE", "STORED", "FROZEN", "FOUND BY"),
    )  # fmt: skip
    if not any(how.frozen for how in read):
        table = table.without("FROZEN")
    return table if any(how.detection for how in read) else table.without("FOUND BY")


def _run_result(run: Document) -> str:
    if run["error"]:
        return str(run["error"]["code"])
    return str(run["image_id"] or ("ended" if run["ended"] else "under way"))


def run_line(run: Document) -> str:
    """Return a run that has ended in one line."""
    return (
        f"{run['kind']} run in {span(run['seconds'])}:"
        f" compared {size(run['bytes_compared'])}, changed {size(run['bytes_changed'])},"
        f" sent {size(run['bytes_sent'])} ({size(run['bytes_wire'])} on the wire),"
        f" stored {size(run['bytes_stored'])}{_read(Reading.of(run))}"
    )


def _read(how: Reading) -> str:
    """Return how a run read its disks, to be added to a line."""
    found = f"; changes found by {how.detection}" if how.detection else ""
    return f"{found}, {how.brief}" if how.brief else found


# Images


def image_table(images: Sequence[Document]) -> Iterator[Part]:
    """Yield ``image list``."""
    yield Table(
        ("IMAGE", "STATUS", "SIZE", "CONSISTENCY", "CREATED", "JOB", "USED BY", "ID"),
        [
            (
                image["name"],
                image["status"],
                size(image["bytes"]),
                image["consistency"],
                local(image["created"]),
                image["job_name"],
                ", ".join(image["used_by"]) or NOTHING,
                image["id"],
            )
            for image in images
        ],
        right=frozenset({"SIZE"}),
        # The name is enough for every verb, and begins with the job's.
        spare=("ID", "USED BY", "JOB"),
    )


def image_page(image: Document) -> Iterator[Part]:
    """Yield ``image show``."""
    yield f"{named(image)}: {image['status']}"
    yield field("Size", size(image["bytes"]))
    yield field("Consistency", consistency_text(Consistency(image["consistency"]), image["reason"]))
    yield field("Created", local(image["created"]))
    yield field("Source", f"{image['source_name']} ({image['source_id']})")
    yield field("Job", f"{image['job_name']} ({image['job_id']}), run {image['run_id']}")
    yield field("Used by", ", ".join(image["used_by"]) or "nothing")
    yield field("Verified", local(image["verified"]))
    yield field("Root digest", image["root"])
    yield from fault_lines(image["error"])
    yield ""
    yield Table(
        ("DISK", "PATH", "SIZE", "ROLE"),
        [
            (str(disk["index"]), str(disk["path"]), size(disk["size"]), str(disk.get("role", "")))
            for disk in image["disks"]
        ],
        right=frozenset({"SIZE"}),
    )


def engine_page(engine: Document) -> Iterator[Part]:
    """Yield ``engine status``."""
    if engine["status"] != "running":
        since = f" since {local(engine['stopped'])}" if engine["stopped"] else ""
        word = {"died": "it ended unexpectedly; the next one goes on where it was"}
        yield f"No engine runs{since}{': ' if engine['status'] in word else ''}" + word.get(
            engine["status"], ""
        )
    else:
        yield f"The engine runs: process {engine['pid']}, version {engine['version']}"
        yield field("Since", local(engine["started"]))
        if engine["time_lapse"] and engine["time_lapse"] != 1:
            yield field("Clock", f"{engine['time_lapse']:g} times as fast")
    yield field("Home", engine["home"])
