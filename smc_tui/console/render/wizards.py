"""What the wizards show: steps, host keys, disks, estimates, faults, a drill as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from smc_tui.console.render.cells import NOTHING, Cell, Line, Tone, shown
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.render.glyphs import Glyphs
from smc_tui.model import estimate
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import SourceState
from smc_tui.model.things import Disk, Job, Source
from smc_tui.model.units import bytes_text, duration_text, rate_text

#: Bytes a second on the wire of one Mbit/s.
_MBIT = 1e6 / 8

#: Lines of a drill's report that are shown here; the rest is in its own page.
MOST_ITEMS = 12


def steps_line(steps: Sequence[str], at: int, glyphs: Glyphs) -> Line:
    """Return the steps of a wizard, the present one in brackets and capitals."""
    line: list[Cell] = [Cell(" ")]
    for number, step in enumerate(steps):
        text, tone = f"{number + 1} {step}", Tone.DIM
        if number == at:
            text, tone = f"[{text.upper()}]", Tone.STRONG
        arrow = f" {glyphs.step} " if number + 1 < len(steps) else ""
        line += [Cell(text, tone), Cell(arrow, Tone.DIM)]
    return tuple(line)


def fault_lines(error: SmcError) -> list[Line]:
    """Return a failure: code and detail, what is safe, what to do next."""
    entry = error.entry
    lines: list[Line] = [(Cell(f" {error.code}: ", Tone.BAD), Cell(shown(error.detail)))]
    if entry.cause and entry.cause != error.detail:
        lines.append((Cell(f" Cause: {entry.cause}", Tone.DIM),))
    lines.append((Cell(" Next: ", Tone.DIM), Cell(entry.next_step)))
    return lines


def host_key_lines(host: str, error: SmcError) -> list[Line]:
    """Return the host key that a server shows, and how to tell whether it is its own."""
    kind = shown(str(error.facts.get("type", "")))
    name = kind.removeprefix("ssh-").partition("-")[0] or "KIND"
    file = f"/etc/ssh/ssh_host_{name}_key.pub"
    return [
        (Cell(f" {shown(host)} shows a host key that is not known yet:"),),
        (),
        (Cell(f"   {shown(str(error.facts['fingerprint']))}", Tone.STRONG), Cell(f"  {kind}")),
        (),
        (Cell(" Compare it with what the server itself says, over another way than this:"),),
        (Cell(f"   ssh-keygen -lf {file}", Tone.BUSY),),
        (),
        (Cell(" Once accepted, this is the only key that the source may show.", Tone.DIM),),
    ]


# What an import has found

DISK_COLUMNS = (
    Column("path", "Disk", 12, grows=True),
    Column("size", "Size", 9, right=True),
    Column("role", "Role", 6),
    Column("used", "Used", 9, 2, right=True),
    Column("files", "File systems", 20, 1, grows=True),
)


def disk_rows(disks: Iterable[Disk], inventory: Mapping[str, Any]) -> list[Row]:
    """Return the disks of a source."""
    used = {
        str(found.get("path")): found.get("used")
        for found in inventory.get("disks", ())
        if isinstance(found, dict)
    }
    return [
        Row(
            disk.path,
            (
                Cell(shown(disk.path)),
                Cell(bytes_text(disk.size)),
                Cell(disk.role),
                _size(used.get(disk.path)),
                Cell(", ".join(_filesystem(each) for each in disk.filesystems) or "-", Tone.DIM),
            ),
        )
        for disk in disks
    ]


def _size(count: object) -> Cell:
    return Cell(bytes_text(count)) if isinstance(count, int | float) else NOTHING


def _filesystem(found: Any) -> str:
    if not isinstance(found, dict):
        return "?"
    kind, point = shown(str(found.get("type"))), found.get("mount_point")
    return f"{kind} on {shown(str(point))}" if point else kind


def found_lines(source: Source) -> list[Line]:
    """Return what a look at a source has found besides its disks."""
    seen = source.inventory
    host = shown(str(seen.get("hostname", "-")))
    parts = [shown(str(seen[key])) for key in ("os", "kernel") if seen.get(key)]
    if seen.get("cpus"):
        parts.append(f"{seen['cpus']} CPUs")
    if isinstance(seen.get("memory"), int):
        parts.append(f"{bytes_text(seen['memory'])} memory")
    lines: list[Line] = [(Cell(f" {source.name}: ", Tone.STRONG), Cell(host))]
    lines.append((Cell(f" {', '.join(parts)}", Tone.DIM),))
    link = rate_text(source.link_bps) if source.link_bps else "not measured"
    lines.append((Cell(f" Link: {link}"),))
    if source.host_key:
        key = source.host_key
        text = f" Host key: {key.get('fingerprint')} ({key.get('type')})"
        lines.append((Cell(shown(text), Tone.DIM),))
    return lines


# What a job will take


def estimate_lines(source: Source, limit_mbit: int = 0, free: int | None = None) -> list[Line]:
    """Return how long a first migration takes and how much room its image does.

    Args:
        source: what is migrated.
        limit_mbit: the speed limit on the wire, 0: none.
        free: bytes free where images are kept, None where that is not known.
    """
    found = source.inventory.get("used_bytes")
    used = min(found, source.total) if isinstance(found, int) else source.total
    speeds = [(source.link_bps, "measured"), (limit_mbit * _MBIT, "the limit")]
    known = [(speed, why) for speed, why in speeds if speed]
    link, why = min(known) if known else (None, "")
    time = estimate.time_to_migrate(source.total, used, link)
    reading = f"{bytes_text(source.total)} at {rate_text(estimate.ASSUMED_READ)} (assumed)"
    if time is None:
        total = source.total / estimate.ASSUMED_READ
        lines = [f" First migration: {_about(total)} or longer: the link was not measured"]
        lines.append(f"   comparing {reading}")
    else:
        lines = [f" First migration: {_about(time.total)}, comparing and transferring at once"]
        lines.append(f"   comparing    {_about(time.compare)}: {reading}")
        sending = f"{bytes_text(used)} at {rate_text(link or 0)} ({why})"
        lines.append(f"   transferring {_about(time.transfer)}: {sending}")
    told: list[Line] = [(Cell(line),) for line in lines]
    if free is not None:
        room = f" Images: the first takes at most {bytes_text(used)}; {bytes_text(free)} are free"
        lacking = used > free
        more = " - that may not be enough" if lacking else ""
        told.append((Cell(room + more, Tone.WARN if lacking else Tone.PLAIN),))
    return told


def _about(seconds: float) -> str:
    return f"about {duration_text(seconds)}" if seconds >= 1 else "under a second"


SOURCE_COLUMNS = (
    Column("name", "Source", 12, grows=True),
    Column("reached", "Reached", 14, 2, grows=True),
    Column("disks", "Disks", 5, 3, right=True),
    Column("size", "Size", 9, 1, right=True),
    Column("why", "", 20, grows=True),
)


def source_refusal(source: Source, job: Job | None) -> str:
    """Return in a few words why a source can have no job now, empty where it can."""
    if job is not None:
        return f"in use by {job.name}"
    return "" if source.state is SourceState.AVAILABLE else "offline: check it first"


def source_rows(sources: Iterable[Source], unfinished: Mapping[str, Job]) -> list[Row]:
    """Return sources to choose from; ``unfinished`` are the jobs by their source's id."""
    rows = []
    for source in sources:
        why = source_refusal(source, unfinished.get(source.id))
        tone = Tone.DIM if why else Tone.PLAIN
        reached = source.ssh.target if source.ssh else "this host"
        texts = (source.name, reached, str(len(source.disks)), bytes_text(source.total), why)
        rows.append(Row(source.id, tuple(Cell(shown(text), tone) for text in texts)))
    return rows


# A job that was made, and its drill as it comes

_BAD_FIRST = ("Critical", "Warning", "Not checked", "Passed")
_TONES = {
    "Critical": Tone.BAD, "Warning": Tone.WARN, "Not checked": Tone.DIM, "Passed": Tone.GOOD,
}  # fmt: skip


def drill_lines(report: Mapping[str, Any], most: int = MOST_ITEMS) -> list[Line]:
    """Return a drill's report: its result, then what is not in order, the worst first.

    Items with one finding are one line; those that passed are only counted.

    Args:
        report: as it is kept with the job; strange ones are told as such.
        most: findings told; more are counted.
    """
    items = [item for item in report.get("items", ()) if isinstance(item, dict)]
    result = shown(str(report.get("result", "?")))
    counts = [(level, sum(item.get("level") == level for item in items)) for level in _BAD_FIRST]
    told = ", ".join(f"{count} {level.lower()}" for level, count in counts if count)
    lines: list[Line] = [
        (Cell(" Drill: "), Cell(result, _TONES.get(result, Tone.PLAIN)), Cell(f"  {told}"))
    ]
    alike: dict[tuple[str, ...], list[str]] = {}
    for item in sorted(items, key=_badness):
        if item.get("level") != "Passed":
            same = tuple(shown(str(item.get(key, ""))) for key in ("level", "area", "finding"))
            advice = shown(str(item["advice"])) if item.get("advice") else ""
            alike.setdefault((*same, advice), []).append(shown(str(item.get("name", ""))))
    for (level, area, finding, advice), names in list(alike.items())[:most]:
        where = f"{area} {', '.join(names)}: "
        said = finding.removeprefix(f"{level.lower()}: ")
        tone = _TONES.get(level, Tone.PLAIN)
        lines.append((Cell(f" {level:<12}", tone), Cell(where), Cell(said, Tone.DIM)))
        if advice and level in _BAD_FIRST[:2]:
            lines.append((Cell(f"{'':13}do: {advice}"),))
    if len(alike) > most:
        lines.append((Cell(f" and {len(alike) - most} more", Tone.DIM),))
    return lines


def _badness(item: Mapping[str, Any]) -> int:
    level = item.get("level")
    return _BAD_FIRST.index(level) if level in _BAD_FIRST else len(_BAD_FIRST)


def wrapped(lines: Sequence[Line], columns: int, indent: int = 3) -> list[Line]:
    """Return lines of which those that are too long go on below, cut at words if it can be.

    Args:
        lines: what is to be told.
        columns: the room of a line.
        indent: how far in the rest of a line stands.
    """
    found: list[Line] = []
    for line in lines:
        here: list[Cell] = []
        room, begun = columns - 1, False
        for cell in line:
            text = cell.text
            while len(text) > max(room, 1):
                cut = text.rfind(" ", 0, room + 1)
                words = cut > 0 and bool(text[:cut].strip())
                # A line that has something already ends before a word that is too long.
                at = cut if words else 0 if begun else max(room, 1)
                here.append(Cell(text[:at], cell.tone))
                found.append(tuple(here))
                text = text[at:].lstrip()
                here, room, begun = [Cell(" " * indent)], columns - 1 - indent, False
            here.append(Cell(text, cell.tone))
            room -= len(text)
            begun = begun or bool(text.strip())
        found.append(tuple(here))
    return found
