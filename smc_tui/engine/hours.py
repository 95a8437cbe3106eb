"""What the disks' own counts say of the hours, kept for the best window."""

from __future__ import annotations

from typing import Any

from smc_tui.engine.context import Context
from smc_tui.model.errors import SmcError
from smc_tui.model.window import Count, count_of


def learn(context: Context, source_id: str, states: Any) -> None:
    """Note how much a source's disks were written to; nothing depends on it.

    Args:
        context: the engine's belongings.
        source_id: whose.
        states: what a worker said of the disks, by path; anything else is left aside.
    """
    if not isinstance(states, dict):
        return
    known = {disk.path for disk in context.store.source(source_id).disks}
    now = context.clock.now()
    counts: dict[str, Count] = {}
    for disk, state in states.items():
        count = count_of(now, state) if disk in known else None
        if count is not None:
            counts[disk] = count
    if not counts:
        return
    try:
        with context.store.transaction(durable=False):
            for disk, count in counts.items():
                context.store.put_count(source_id, disk, count)
    except SmcError as error:
        context.log.warning("%s: how much was written is not kept: %s", source_id, error)
