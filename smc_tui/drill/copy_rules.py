"""Items on the copying itself: the disks, the instant, the link, the destination's room."""

from __future__ import annotations

from collections.abc import Callable

from smc_tui.drill.facts import Facts
from smc_tui.drill.instant_rules import instant
from smc_tui.drill.rules import Rule, Scope, Verdict, critical, passed, unknown, warning
from smc_tui.model import estimate
from smc_tui.model.drill import Area
from smc_tui.model.geometry import BLOCK
from smc_tui.model.units import bytes_text, duration_text, rate_text

#: What changes from one synchronisation to the next, of the bytes in use: a guess, and
#: said to be one wherever it is used.
ASSUMED_CHANGE = 0.02
#: Bytes that a block takes beside its data: its row in the index, its name in a list.
INDEX_PER_BLOCK = 130
#: A round trip longer than this makes every question felt, seconds.
SLOW_TRIP = 0.2
#: A link slower than this is worth a warning, bytes a second: 10 Mbit/s.
SLOW_LINK = 1.25e6
#: A first migration longer than this is, seconds.
LONG = 24 * 3600

_UNCOMPRESSED = "counted without compression, and as if no block were stored already"


def changed(facts: Facts) -> int:
    """Return the bytes that one synchronisation is thought to transfer."""
    return int(facts.used * ASSUMED_CHANGE)


def effective_link(facts: Facts) -> float | None:
    """Return the link's bytes a second, under the job's speed limit."""
    limit = facts.wanted.limit_mbit * 1e6 / 8
    if facts.link_bps is None or not limit:
        return facts.link_bps
    return min(facts.link_bps, limit)


def disks(facts: Facts) -> Verdict:
    """Judge whether every disk is there, the imported one, and no smaller."""
    errors = [disk.error for disk in facts.disks if disk.error is not None]
    if errors:
        return critical("; ".join(error.detail for error in errors), errors[0].entry.next_step)
    return passed(f"all {len(facts.disks)} are there, as imported" if len(facts.disks) > 1
                  else f"{facts.disks[0].path} is there, as imported")  # fmt: skip


def volume(facts: Facts) -> Verdict:
    """Tell how much there is to migrate."""
    total = bytes_text(facts.total)
    if facts.used_known:
        return passed(f"{bytes_text(facts.used)} in use on disks of {total}")
    silent = [disk.path for disk in facts.disks if disk.used is None]
    return unknown(f"{', '.join(silent)} does not tell what is in use; {total} at the most")


def latency(facts: Facts) -> Verdict:
    """Judge a round trip."""
    if facts.trip is None:
        return unknown("it was not measured")
    text = f"{facts.trip * 1000:.1f} ms there and back"
    if facts.trip > SLOW_TRIP:
        return warning(text, "a nearer destination, or patience: everything is asked in bulk")
    return passed(text)


def throughput(facts: Facts) -> Verdict:
    """Judge the measured link."""
    if not facts.link_bps:
        return unknown("it was not measured")
    limit = facts.wanted.limit_mbit
    text = f"{rate_text(facts.link_bps)} measured"
    if facts.local:
        text += " between two processes: the source is this host"
    if limit:
        text += f", limited to {limit:g} Mbit/s"
    if (effective_link(facts) or 0) < SLOW_LINK:
        return warning(text, "raise the speed limit or the compression, or give it a better link")
    return passed(text)


def _about(seconds: float) -> str:
    return duration_text(seconds) if seconds >= 1 else "under 1s"


def duration(facts: Facts) -> Verdict:
    """Judge how long the migration takes, by its parts."""
    read = facts.read_bps or estimate.ASSUMED_READ
    link = effective_link(facts)
    full = estimate.time_to_migrate(facts.total, facts.used, link, read)
    later = estimate.time_to_migrate(facts.total, changed(facts), link, read)
    if full is None or later is None:
        return unknown("the link was not measured")
    measured = "measured" if facts.read_bps else "assumed"
    text = (
        f"the first {_about(full.total)} (comparison {_about(full.compare)}, transfer "
        f"{_about(full.transfer)}), each later one {_about(later.total)} (comparison "
        f"{_about(later.compare)}, transfer {_about(later.transfer)} if {ASSUMED_CHANGE:.0%} "
        f"change); reading {rate_text(read)} {measured}"
    )
    if full.total > LONG:
        part = "link" if full.transfer > full.compare else "disks"
        return warning(text, f"the {part} decide: see there first")
    return passed(text)


def needed(facts: Facts) -> tuple[int, int]:
    """Return (bytes of the first image, of all that are kept and one being made)."""
    images = 1 if facts.wanted.once else facts.wanted.keep + 1
    index = facts.used // BLOCK * INDEX_PER_BLOCK
    return facts.used, facts.used + (images - 1) * changed(facts) + index


def room(facts: Facts) -> Verdict:
    """Judge the destination's room for the first image and those that are kept."""
    found = facts.room
    if found is None:
        return unknown("the destination's file system does not answer")
    first, all_ = needed(facts)
    text = (
        f"{bytes_text(found.free)} free; about {bytes_text(first)} for the first image, "
        f"{bytes_text(all_)} with those kept ({_UNCOMPRESSED})"
    )
    advice = "free space or give the home folder a larger disk, at worst delete images"
    if facts.used_known and first > found.free:
        return critical(text, advice)
    if all_ > found.free:
        return warning(text, advice)
    return passed(text)


def growth(facts: Facts) -> Verdict:
    """Tell what the index takes beside the data."""
    blocks = facts.used // BLOCK
    text = f"about {bytes_text(blocks * INDEX_PER_BLOCK)} for {blocks:,} blocks"
    if facts.room is None:
        return unknown(f"{text}; the destination's file system does not answer")
    if facts.room.inodes_free is not None and facts.room.inodes_free < 1000:
        return warning(
            f"{text}; {facts.room.inodes_free} inodes free at the destination", "delete files there"
        )
    return passed(text)


def _rule(
    area: Area, name: str, threshold: str, judge: Callable[[Facts], Verdict], *needs: str
) -> Rule:
    return Rule(area, name, Scope.COPY, threshold, needs, judge)


RULES: tuple[Rule, ...] = (
    _rule(Area.SOURCE, "Disks", "missing, replaced or smaller than at import", disks),
    _rule(Area.SOURCE, "Data volume", "", volume),
    _rule(Area.SOURCE, "Consistent instant", "no way to one while it is written to", instant),
    _rule(Area.LINK, "Latency", "more than 200 ms", latency),
    _rule(Area.LINK, "Throughput", "less than 10 Mbit/s", throughput),
    _rule(Area.LINK, "Duration", "more than a day", duration),
    _rule(Area.DESTINATION, "Room for images", "less than the images need", room),
    _rule(Area.DESTINATION, "Index growth", "fewer than 1,000 inodes free", growth),
)
